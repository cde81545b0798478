/* SPDX-License-Identifier: MIT */
#include "supervisor/incident_hook.h"

#include "policy/incident.h"
#include "policy/own.h"
#include "policy/spec.h"
#include "supervisor/clock.h"
#include "supervisor/file.h"
#include "supervisor/hook_child.h"
#include "supervisor/identity.h"
#include "supervisor/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* One that was killed and does not end waits for a disk: nobody waits for it any longer. */
#define KILL_PATIENCE_USEC UINT64_C(2000000)
#define FINISH_STEP_MSEC   200 /* how late a deadline may be noticed without the loop */
#define SAID_MAX	   300 /* bytes of what it says that go into the log */

/* One incident on its way. */
struct errand {
	struct incident_hook *hook;
	struct errand *next; /* of those that wait */
	char app[SPEC_NAME_MAX + 1], tenant[SPEC_NAME_MAX + 1], incident[INCIDENT_ID_MAX];
	int input_fd;  /* the JSON, until it runs */
	int output_fd; /* what it says */
	int pidfd;     /* -1: it waits */
	uint64_t due_usec;
	bool overdue; /* and killed for it */
	sd_event_source *exit, *deadline;
};

struct incident_hook {
	sd_event *event;
	struct log *log;
	struct strings command;
	uid_t uid;
	gid_t gid;
	uint64_t deadline_usec;
	struct errand *running[INCIDENT_HOOK_RUNNING];
	struct errand *first, *last; /* that wait */
	size_t waiting;
};

static void errand_free(struct errand *errand)
{
	siginfo_t info;

	errand->exit = sd_event_source_disable_unref(errand->exit);
	errand->deadline = sd_event_source_disable_unref(errand->deadline);
	if (errand->pidfd >= 0) {
		pidfd_kill(errand->pidfd);
		(void)waitid((idtype_t)P_PIDFD, (id_t)errand->pidfd, &info, WEXITED | WNOHANG);
	}
	close_and_clear(&errand->pidfd);
	close_and_clear(&errand->input_fd);
	close_and_clear(&errand->output_fd);
	free(errand);
}

static void complain(const struct errand *errand, const char *what)
{
	const struct log_subject subject = {
		.app = errand->app,
		.tenant = errand->tenant[0] != '\0' ? errand->tenant : NULL,
		.incident = errand->incident,
	};

	log_event(errand->hook->log, LOG_EVENT_HOOK_FAILED, &subject, "on_incident: %s: %s",
		  errand->hook->command.count > 0 ? errand->hook->command.items[0] : "?", what);
}

/* --- its end -------------------------------------------------------------------------------- */

/* The first line that it wrote, in front of which ": " stands; "" if it wrote nothing. */
static const char *said(const struct errand *errand, char *text, size_t size)
{
	ssize_t length = pread(errand->output_fd, text + 2, size - 3, 0);

	if (length <= 0)
		return "";
	text[2 + length] = '\0';
	text[2 + strcspn(text + 2, "\n")] = '\0';
	memcpy(text, ": ", 2);
	return text;
}

static void tell_end(const struct errand *errand, const siginfo_t *info)
{
	char words[SAID_MAX], text[SAID_MAX + 128], name[32];
	const char *tail = said(errand, words, sizeof(words));

	if (info->si_code == CLD_EXITED && info->si_status == 0)
		return;
	if (errand->overdue)
		snprintf(text, sizeof(text), "killed: not done after %llu s%s",
			 (unsigned long long)(errand->hook->deadline_usec / USEC_PER_SEC), tail);
	else if (info->si_code == CLD_EXITED && info->si_status == HOOK_CHILD_NOT_RUN)
		snprintf(text, sizeof(text),
			 "can't be run: is it there, and may uid %u execute it?",
			 (unsigned)errand->hook->uid);
	else if (info->si_code == CLD_EXITED)
		snprintf(text, sizeof(text), "exit code %d%s", info->si_status, tail);
	else
		snprintf(text, sizeof(text), "ended by %s%s",
			 spec_signal_name(info->si_status, name), tail);
	complain(errand, text);
}

static void run_waiting(struct incident_hook *hook);

static void conclude(struct errand *errand)
{
	struct incident_hook *hook = errand->hook;
	siginfo_t info = { 0 };

	if (waitid((idtype_t)P_PIDFD, (id_t)errand->pidfd, &info, WEXITED | WNOHANG) == 0)
		tell_end(errand, &info);
	close_and_clear(&errand->pidfd);
	for (size_t i = 0; i < INCIDENT_HOOK_RUNNING; i++)
		if (hook->running[i] == errand)
			hook->running[i] = NULL;
	errand_free(errand);
	run_waiting(hook);
}

static int on_exit_seen(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)source, (void)fd, (void)revents;
	conclude(userdata);
	return 0;
}

/* It is PID 1 of its namespace: all in there goes with it. What waits for a file system that is
 * dead takes its time, and is not waited for. */
static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct errand *errand = userdata;
	(void)source, (void)usec;

	errand->overdue = true;
	pidfd_kill(errand->pidfd);
	return 0;
}

/* --- its start ------------------------------------------------------------------------------ */

static int watch(struct errand *errand)
{
	struct incident_hook *hook = errand->hook;
	int r = sd_event_add_io(hook->event, &errand->exit, errand->pidfd, EPOLLIN, on_exit_seen,
				errand);

	if (r >= 0)
		r = sd_event_add_time_relative(hook->event, &errand->deadline, CLOCK_MONOTONIC,
					       hook->deadline_usec, 0, on_deadline, errand);
	return r;
}

static int start(struct errand *errand)
{
	struct incident_hook *hook = errand->hook;
	char app[sizeof("PYSBX_APP=") + SPEC_NAME_MAX];
	char incident[sizeof("PYSBX_INCIDENT=") + INCIDENT_ID_MAX];
	const struct hook_child child = { .command = hook->command.items,
					  .app = app,
					  .incident = incident,
					  .uid = hook->uid,
					  .gid = hook->gid,
					  .input_fd = errand->input_fd,
					  .output_fd = errand->output_fd };
	int r;

	snprintf(app, sizeof(app), "PYSBX_APP=%s", errand->app);
	snprintf(incident, sizeof(incident), "PYSBX_INCIDENT=%s", errand->incident);
	r = hook_child_start(&child, &errand->pidfd);
	if (r >= 0)
		r = watch(errand);
	close_and_clear(&errand->input_fd);
	errand->due_usec = clock_monotonic_usec() + hook->deadline_usec;
	return r;
}

static struct errand **find_place(struct incident_hook *hook)
{
	for (size_t i = 0; i < INCIDENT_HOOK_RUNNING; i++)
		if (hook->running[i] == NULL)
			return &hook->running[i];
	return NULL;
}

/* --- whose turn it is ----------------------------------------------------------------------- */

static bool is_same_party(const struct errand *errand, const struct errand *other)
{
	if (errand->tenant[0] != '\0' || other->tenant[0] != '\0')
		return strcmp(errand->tenant, other->tenant) == 0;
	return strcmp(errand->app, other->app) == 0;
}

static unsigned count_running(const struct incident_hook *hook, const struct errand *of)
{
	unsigned count = 0;

	for (size_t i = 0; i < INCIDENT_HOOK_RUNNING; i++)
		count += hook->running[i] != NULL && is_same_party(hook->running[i], of);
	return count;
}

static unsigned count_waiting(const struct incident_hook *hook, const struct errand *of)
{
	unsigned count = 0;

	for (const struct errand *errand = hook->first; errand != NULL; errand = errand->next)
		count += is_same_party(errand, of);
	return count;
}

static void append_waiting(struct incident_hook *hook, struct errand *errand)
{
	if (hook->last != NULL)
		hook->last->next = errand;
	else
		hook->first = errand;
	hook->last = errand;
	hook->waiting++;
}

static void take_waiting(struct incident_hook *hook, const struct errand *taken)
{
	struct errand *before = NULL;

	for (struct errand *errand = hook->first; errand != taken; errand = errand->next)
		before = errand;
	if (before != NULL)
		before->next = taken->next;
	else
		hook->first = taken->next;
	if (hook->last == taken)
		hook->last = before;
	hook->waiting--;
}

/* The oldest of those who have fewest running. NULL: nobody may have one more. */
static struct errand *find_next(const struct incident_hook *hook)
{
	unsigned fewest = INCIDENT_HOOK_PARTY;
	struct errand *next = NULL;

	for (struct errand *errand = hook->first; errand != NULL; errand = errand->next) {
		unsigned running = count_running(hook, errand);

		if (running < fewest) {
			fewest = running;
			next = errand;
		}
	}
	return next;
}

/* Of the one that has most waiting, the newest. NULL: that is the newcomer itself. */
static struct errand *find_surplus(const struct incident_hook *hook, const struct errand *newcomer)
{
	unsigned most = count_waiting(hook, newcomer) + 1;
	struct errand *surplus = NULL;

	for (struct errand *errand = hook->first; errand != NULL; errand = errand->next) {
		unsigned waiting = count_waiting(hook, errand);

		if (waiting > most || (surplus != NULL && is_same_party(errand, surplus))) {
			most = waiting;
			surplus = errand;
		}
	}
	return surplus;
}

static void tell_dropped(const struct incident_hook *hook, const struct errand *errand)
{
	char text[96];

	snprintf(text, sizeof(text), "not passed on: %u incidents of this %s wait already",
		 count_waiting(hook, errand), errand->tenant[0] != '\0' ? "tenant" : "app");
	complain(errand, text);
}

/* False: there is none, and it is told that this one is not passed on. */
static bool make_room(struct incident_hook *hook, const struct errand *newcomer)
{
	struct errand *surplus;

	/* while a place is free, all that wait have as many running as they may */
	if (hook->waiting < INCIDENT_HOOK_WAITING ||
	    (find_place(hook) != NULL && count_running(hook, newcomer) < INCIDENT_HOOK_PARTY))
		return true;
	surplus = find_surplus(hook, newcomer);
	if (surplus == NULL) {
		tell_dropped(hook, newcomer);
		return false;
	}
	take_waiting(hook, surplus);
	tell_dropped(hook, surplus);
	errand_free(surplus);
	return true;
}

static void run_waiting(struct incident_hook *hook)
{
	struct errand **place, *errand;

	while ((place = find_place(hook)) != NULL && (errand = find_next(hook)) != NULL) {
		int r = -ECANCELED; /* it is no longer configured */

		take_waiting(hook, errand);
		if (hook->command.count > 0)
			r = start(errand);
		if (r >= 0) {
			*place = errand;
			continue;
		}
		if (r != -ECANCELED)
			complain(errand, strerror(-r));
		errand_free(errand);
	}
}

static void copy_name(char *name, size_t size, const char *from)
{
	snprintf(name, size, "%s", from != NULL ? from : "");
}

static int fill_errand(struct errand *errand, const char *json, struct error *err)
{
	int r = file_sealed_memfd("incident", json, strlen(json), false, &errand->input_fd, err);

	if (r < 0)
		return r;
	errand->output_fd = memfd_create("hook", MFD_CLOEXEC);
	return errand->output_fd >= 0 ? 0 : error_set(err, ERROR_SYSTEM, errno, "memfd_create");
}

void incident_hook_run(struct incident_hook *hook, const struct log_subject *subject,
		       const char *json)
{
	struct errand fresh = { .hook = hook, .input_fd = -1, .output_fd = -1, .pidfd = -1 };
	struct errand *errand;
	struct error err;

	if (hook->command.count == 0)
		return;
	copy_name(fresh.app, sizeof(fresh.app), subject->app);
	copy_name(fresh.tenant, sizeof(fresh.tenant), subject->tenant);
	copy_name(fresh.incident, sizeof(fresh.incident), subject->incident);
	if (!make_room(hook, &fresh))
		return;
	errand = malloc(sizeof(*errand));
	if (errand == NULL) {
		complain(&fresh, strerror(ENOMEM));
		return;
	}
	*errand = fresh;
	if (fill_errand(errand, json, &err) < 0) {
		complain(errand, err.text);
		errand_free(errand);
		return;
	}
	append_waiting(hook, errand);
	run_waiting(hook);
}

/* --- the whole ------------------------------------------------------------------------------ */

int incident_hook_new(sd_event *event, struct log *log, struct incident_hook **ret,
		      struct error *err)
{
	struct incident_hook *hook = calloc(1, sizeof(*hook));

	if (hook == NULL)
		return error_no_memory(err);
	hook->event = event;
	hook->log = log;
	hook->deadline_usec = INCIDENT_HOOK_DEADLINE_USEC;
	*ret = hook;
	return 0;
}

void incident_hook_set_deadline(struct incident_hook *hook, uint64_t usec)
{
	hook->deadline_usec = usec;
}

static int copy_command(const struct strings *command, struct strings *ret, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && command != NULL && i < command->count; i++)
		r = strings_append(ret, command->items[i], err);
	return r;
}

int incident_hook_configure(struct incident_hook *hook, const struct strings *command,
			    const char *user, struct error *err)
{
	struct strings copy _cleanup_strings_ = { 0 };
	uid_t uid = IDENTITY_HOOK_UID;
	gid_t gid = IDENTITY_HOOK_UID;
	struct identity identity;
	int r;

	if (user != NULL) {
		r = identity_resolve_app(user, "hook", 0, &identity, err);
		if (r < 0)
			return r;
		uid = identity.uid;
		gid = identity.gid;
		identity_clear(&identity);
	}
	r = copy_command(command, &copy, err);
	if (r < 0)
		return r;
	strings_clear(&hook->command);
	hook->command = copy;
	copy = (struct strings){ 0 };
	hook->uid = uid;
	hook->gid = gid;
	return 0;
}

/* Those that have ended, or should have. */
static void conclude_those(struct incident_hook *hook, const struct pollfd pollers[])
{
	const uint64_t now = clock_monotonic_usec();

	for (size_t i = 0; i < INCIDENT_HOOK_RUNNING; i++) {
		struct errand *errand = hook->running[i];

		if (errand == NULL)
			continue;
		if ((pollers[i].fd == errand->pidfd && pollers[i].revents != 0) ||
		    errand->due_usec + KILL_PATIENCE_USEC <= now)
			conclude(errand);
		else if (errand->due_usec <= now && !errand->overdue)
			(void)on_deadline(NULL, 0, errand);
	}
}

static bool is_running(const struct incident_hook *hook)
{
	for (size_t i = 0; i < INCIDENT_HOOK_RUNNING; i++)
		if (hook->running[i] != NULL)
			return true;
	return false;
}

void incident_hook_finish(struct incident_hook *hook)
{
	struct pollfd pollers[INCIDENT_HOOK_RUNNING];

	while (is_running(hook)) {
		for (size_t i = 0; i < INCIDENT_HOOK_RUNNING; i++)
			pollers[i] = (struct pollfd){
				.fd = hook->running[i] != NULL ? hook->running[i]->pidfd : -1,
				.events = POLLIN,
			};
		(void)poll(pollers, INCIDENT_HOOK_RUNNING, FINISH_STEP_MSEC);
		conclude_those(hook, pollers);
	}
}

void incident_hook_free(struct incident_hook *hook)
{
	if (hook == NULL)
		return;
	for (size_t i = 0; i < INCIDENT_HOOK_RUNNING; i++)
		if (hook->running[i] != NULL)
			errand_free(hook->running[i]);
	while (hook->first != NULL) {
		struct errand *first = hook->first;

		take_waiting(hook, first);
		errand_free(first);
	}
	strings_clear(&hook->command);
	free(hook);
}
