/* SPDX-License-Identifier: MIT */
/*
 * What a launcher says, whether we have started it or an earlier daemon has. The pipes are read
 * from RUNNING on (or from the end, if there was none): what the launcher has kept of the output is
 * older and comes first. See policy/launch_message.h for who says what when.
 */
#include "policy/own.h"
#include "supervisor/clock.h"
#include "supervisor/file.h"
#include "supervisor/instance.h"
#include "supervisor/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata);
static int on_launcher_exit(sd_event_source *source, int fd, uint32_t revents, void *userdata);

bool instance_answer(struct instance *instance, enum launch_message_type type)
{
	struct error err;

	if (launcher_send(&instance->launcher, type, 0, &err) >= 0)
		return true;
	instance_say_error(instance, &err);
	return false;
}

/* --- output --------------------------------------------------------------------------------- */

static void hear_pipes(struct instance *instance, struct launcher_event *event)
{
	for (unsigned i = 0; i < 2; i++) {
		close_and_clear(&instance->pipes[i]);
		instance->pipes[i] = TAKE_FD(event->fds[i]);
	}
}

static void forget_spool(struct instance *instance)
{
	for (unsigned i = 0; i < 2; i++) {
		free(TAKE_PTR(instance->spooled[i]));
		instance->spooled_length[i] = 0;
	}
}

static void tell_dropped(const struct instance *instance, const struct launch_message *message)
{
	const struct log_subject subject = instance_subject(instance);
	uint64_t lines = message->spool[0].dropped_lines + message->spool[1].dropped_lines;
	uint64_t bytes = message->spool[0].dropped_bytes + message->spool[1].dropped_bytes;

	if (bytes > 0)
		log_event(instance->host->log, LOG_EVENT_LOG_LINES_DROPPED, &subject,
			  "%llu lines (%llu bytes) of its output were dropped while nobody read it",
			  (unsigned long long)lines, (unsigned long long)bytes);
}

/* The pipes' turn comes when what is older has been passed on. */
static void start_relay(struct instance *instance)
{
	struct error err;

	if (instance->relay.sink == NULL && instance->pipes[0] >= 0 &&
	    relay_start(&instance->relay, instance->host->event, TAKE_FD(instance->pipes[0]),
			TAKE_FD(instance->pipes[1]), &instance->sink, &err) < 0)
		instance_say_error(instance, &err);
	if (instance->relay.sink == NULL)
		return;
	for (unsigned i = 0; i < 2; i++)
		if (instance->spooled_length[i] > 0)
			relay_feed(&instance->relay, i, instance->spooled[i],
				   instance->spooled_length[i]);
	if (instance->spooled[0] != NULL || instance->spooled[1] != NULL)
		(void)instance_answer(instance, LAUNCH_TAKEN);
	forget_spool(instance);
	relay_resume(&instance->relay);
}

static void hear_spool(struct instance *instance, const struct launcher_event *event)
{
	struct error err;

	tell_dropped(instance, &event->message);
	forget_spool(instance);
	for (unsigned i = 0; i < 2; i++)
		if (launcher_read_spool(event, i, &instance->spooled[i],
					&instance->spooled_length[i], &err) < 0)
			instance_say_error(instance, &err);
	/* the answer to TAKE: the relay stands and waits for it */
	if (instance->relay.sink != NULL)
		start_relay(instance);
}

static void hear_stalled(struct instance *instance)
{
	if (instance->relay.sink != NULL)
		relay_pause(&instance->relay);
	(void)instance_answer(instance, LAUNCH_TAKE);
}

/* --- life ----------------------------------------------------------------------------------- */

static void tell_started(const struct instance *instance)
{
	uint64_t took = clock_monotonic_usec() - instance->spawned_usec;
	const struct log_subject subject = instance_subject(instance);

	log_event(instance->host->log, LOG_EVENT_APP_STARTED, &subject,
		  "started %s as pid %d, uid %u", instance->command, (int)instance->worker_pid,
		  (unsigned)instance->uid);
	log_message(instance->host->log, LOG_LEVEL_DEBUG, instance->spec->name,
		    "start took %.1f ms", (double)took / 1000.0);
}

static int add_exit_source(struct instance *instance)
{
	instance->exit_source = sd_event_source_disable_unref(instance->exit_source);
	return sd_event_add_io(instance->host->event, &instance->exit_source,
			       instance->launcher.pidfd, EPOLLIN, on_launcher_exit, instance);
}

/* From now on its end shows as the end of the socket, see on_socket(). */
static void let_rest(struct instance *instance)
{
	if (instance->host->notifier == NULL)
		return;
	instance->exit_source = sd_event_source_disable_unref(instance->exit_source);
	launcher_rest(&instance->launcher);
}

/* An adopted launcher's end can be heard of only now. */
static void watch_exit(struct instance *instance, struct launcher_event *event)
{
	if (instance->launcher.pidfd >= 0)
		return;
	launcher_take_pidfd(&instance->launcher, event);
	if (instance->launcher.pidfd >= 0)
		(void)add_exit_source(instance);
}

bool instance_read_status(const struct instance *instance, struct wall_status *ret)
{
	char path[32], text[FILE_KERNEL_MAX];
	struct error ignored;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)instance->worker_pid);
	return instance->worker_pid > 0 &&
	       file_read_at(AT_FDCWD, path, text, sizeof(text), &ignored) >= 0 &&
	       wall_status_parse(text, ret, &ignored) == 0;
}

/* Looked at from outside, whatever the launcher has said: a worker that runs without its walls is
 * one too many. False: it was killed. */
static bool is_confined(struct instance *instance)
{
	struct launch_message failure = { .type = LAUNCH_FAILED,
					  .stage = STAGE_IDENTITY,
					  .errnum = EPERM };
	struct wall_status status;
	const char *lack;

	if (!instance_read_status(instance, &status))
		return true; /* it has ended */
	lack = wall_status_lack(&status, instance->uid);
	if (lack == NULL)
		return true;
	snprintf(failure.text, sizeof(failure.text),
		 "the worker ran with %s, and was killed: this is a bug of pysbx or of the kernel",
		 lack);
	instance_set_last_words(instance, &failure);
	instance_kill_launcher(instance);
	return false;
}

static void hear_running(struct instance *instance, struct launcher_event *event)
{
	pid_t pid = pidfd_pid(event->fds[0]);

	/* on record is the life before: a supervisor was killed right after it had started this */
	if (instance->judged && event->message.started_nsec / 1000 > instance->judged_usec)
		instance_see_next_life(instance, event->message.started_nsec / 1000);
	if (event->message.started_nsec / 1000 < instance->spawned_usec)
		instance->spawned_usec = event->message.started_nsec / 1000;
	instance->landlock_abi = event->message.landlock_abi;
	instance->landlock_errnum = event->message.landlock_errnum;
	/* 0: it has ended since, and LAUNCH_ENDED is on its way */
	if (pid > 0)
		instance->worker_pid = pid;
	/* of one that is adopted, the uid may not be on record yet */
	if (instance->state == APP_STARTING && instance->launcher.is_child &&
	    !is_confined(instance))
		return;
	close_and_clear(&instance->worker_pidfd);
	if (instance->host->notifier == NULL)
		instance->worker_pidfd = TAKE_FD(event->fds[0]);
	watch_exit(instance, event);
	start_relay(instance);
	let_rest(instance);
	if (instance->host->notifier == NULL)
		recorder_look(&instance->recorder, NULL);
	instance->deadline = sd_event_source_disable_unref(instance->deadline);
	/* one that an earlier daemon has put on record, and may not have told */
	if (instance_permits(instance))
		instance_answer(instance, LAUNCH_PERMIT);
	if (instance->state == APP_STARTING)
		tell_started(instance);
	instance_watch_health(instance);
	instance_step(instance, EVENT_EXEC);
}

/* Where there is a record to keep, the launcher goes only when the end is on it. Else the judgement
 * waits for the launcher's own end: until then a stop that was asked for meanwhile may be heard. */
static void collect(struct instance *instance)
{
	if (instance->host->record != NULL)
		instance_judge_end(instance);
	instance->collected = instance_answer(instance, LAUNCH_COLLECTED);
}

/* --- not waiting for its end ------------------------------------------------------------------ */

static void forget_former(struct instance *instance)
{
	instance->former_source = sd_event_source_disable_unref(instance->former_source);
	launcher_close(&instance->former);
}

static int on_former_exit(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct instance *instance = userdata;
	int status;
	(void)source, (void)fd, (void)revents;

	if (launcher_reap(&instance->former, &status))
		forget_former(instance);
	return 0;
}

void instance_drop_former(struct instance *instance)
{
	if (instance->former.pid > 0)
		launcher_kill(&instance->former);
	forget_former(instance);
}

/* A launcher takes a while to end: the kernel takes down its mounts and namespaces. */
static bool let_go(struct instance *instance)
{
	struct launcher *launcher = &instance->launcher;
	struct error ignored;

	if (launcher->is_child) {
		if (launcher_wake(launcher, &ignored) < 0 ||
		    sd_event_add_io(instance->host->event, &instance->former_source,
				    launcher->pidfd, EPOLLIN, on_former_exit, instance) < 0)
			return false;
		instance->former = (struct launcher){ .pid = launcher->pid,
						      .pidfd = TAKE_FD(launcher->pidfd),
						      .socket = -1,
						      .is_child = true };
	}
	instance_conclude(instance);
	return true;
}

/* With a death on record, and nobody left in the leaf: all that the launcher's end would tell. Only
 * where a next life waits for it (of an app that is removed, somebody would have to wait for the
 * launcher after all), and for one that has run: until then its end is being watched.
 * True: it is done, and the next life may have begun. */
static bool conclude_at_once(struct instance *instance)
{
	return instance->collected && instance->host->record != NULL && instance->former.pid == 0 &&
	       instance->state != APP_STOPPING && instance->decision == DECISION_RESTART &&
	       instance->exit_source == NULL && instance_remove_empty_leaf(instance) &&
	       let_go(instance);
}

static int on_stop_settled(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct instance *instance = userdata;
	(void)source, (void)usec;

	instance->stop_timer = sd_event_source_disable_unref(instance->stop_timer);
	collect(instance);
	(void)conclude_at_once(instance);
	return 0;
}

/* See INSTANCE_STOP_SETTLE_USEC. `pysbx run` hears of it before its workers do. */
static bool may_be_asked_for(const struct instance *instance, const struct launch_message *message)
{
	return instance->host->keeper_directory != NULL && !instance->stop_requested &&
	       message->type == LAUNCH_ENDED &&
	       (WIFEXITED(message->wait_status) || WTERMSIG(message->wait_status) == SIGTERM);
}

/* The end, or a start that has failed. */
static void hear_last_words(struct instance *instance, const struct launch_message *message)
{
	if (instance->last_words.type != 0)
		return;
	instance_conclude_question(instance);
	instance_set_last_words(instance, message);
	instance_keep_health(instance);
	health_free(TAKE_PTR(instance->health));
	start_relay(instance);
	(void)instance_expect_end(instance);
	if (message->type == LAUNCH_ENDED && message->signal == SIGTERM)
		instance->stop_requested = true;
	if (!may_be_asked_for(instance, message) ||
	    instance_arm(instance, &instance->stop_timer, INSTANCE_STOP_SETTLE_USEC,
			 on_stop_settled) < 0)
		collect(instance);
}

static void hear(struct instance *instance, struct launcher_event *event)
{
	switch ((enum launch_message_type)event->message.type) {
	case LAUNCH_PIPES:
		hear_pipes(instance, event);
		break;
	case LAUNCH_LISTENERS:
		listeners_take(&instance->listeners, event->fds);
		break;
	case LAUNCH_SPOOL:
		hear_spool(instance, event);
		break;
	case LAUNCH_STALLED:
		hear_stalled(instance);
		break;
	case LAUNCH_RUNNING:
		hear_running(instance, event);
		break;
	case LAUNCH_DENIED:
		instance_hear_denial(instance, &event->message.denial);
		break;
	case LAUNCH_COUNTED:
		instance_hear_counted(instance, &event->message.denial);
		break;
	case LAUNCH_TOLD:
		instance_hear_told(instance, event->message.told);
		break;
	case LAUNCH_FAILED:
	case LAUNCH_ENDED:
		hear_last_words(instance, &event->message);
		break;
	default: /* ours to say */
		break;
	}
	launcher_event_clear(event);
}

void instance_kill_launcher(struct instance *instance)
{
	struct error err;

	if (launcher_wake(&instance->launcher, &err) < 0)
		instance_say_error(instance, &err);
	if (instance->launcher.pidfd >= 0)
		pidfd_kill(instance->launcher.pidfd);
}

/* It has hung up: its end is seen on the pidfd, at once or in a moment. */
static void expect_exit(struct instance *instance)
{
	struct error err;

	if (launcher_wake(&instance->launcher, &err) < 0)
		instance_say_error(instance, &err);
	/* adopted, and gone before it said who it is; or there is no memory to wait with */
	if (instance->launcher.pidfd < 0 ||
	    (instance->exit_source == NULL && add_exit_source(instance) < 0))
		instance_conclude(instance);
}

static int on_socket(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct instance *instance = userdata;
	struct launcher_event event;
	struct error err;
	int r;
	(void)fd, (void)revents;

	while ((r = launcher_receive(&instance->launcher, &event, &err)) == 0) {
		hear(instance, &event);
		if (conclude_at_once(instance))
			return 0;
	}
	if (r == -EAGAIN)
		return 0;
	if (r < 0) {
		instance_say_error(instance, &err);
		/* what speaks another language cannot be told to go either */
		instance_kill_launcher(instance);
	}
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	expect_exit(instance);
	return 0;
}

/* A launcher that neither starts a worker nor ends after one is given up. It can be held by a
 * process in uninterruptible sleep (a dead NFS or FUSE server): waiting for that would be for ever.
 */
static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct instance *instance = userdata;
	(void)source, (void)usec;

	instance->deadline = sd_event_source_disable_unref(instance->deadline);
	if (instance->state == APP_STARTING && instance->last_words.type == 0) {
		instance_set_last_words(
			instance, &(struct launch_message){ .type = LAUNCH_FAILED,
							    .stage = STAGE_EXEC,
							    .errnum = ETIMEDOUT,
							    .text = "no execve within 60 s" });
		instance_kill_launcher(instance);
		(void)instance_expect_end(instance);
		return 0;
	}
	log_message(
		instance->host->log, LOG_LEVEL_ERROR, instance->spec->name,
		"a process of it cannot be killed (uninterruptible sleep, state D: look for a file "
		"system that does not answer): going on without waiting for it");
	instance_conclude(instance);
	return 0;
}

int instance_expect_end(struct instance *instance)
{
	return instance_arm(instance, &instance->deadline, INSTANCE_END_PATIENCE_USEC, on_deadline);
}

static int on_launcher_exit(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct instance *instance = userdata;
	struct launcher_event event;
	struct error ignored;
	int status;
	(void)source, (void)fd, (void)revents;

	if (!launcher_reap(&instance->launcher, &status))
		return 0;
	while (launcher_receive(&instance->launcher, &event, &ignored) == 0)
		hear(instance, &event);
	instance_conclude(instance);
	return 0;
}

int instance_attach_launcher(struct instance *instance, struct error *err)
{
	int r;

	r = sd_event_add_io(instance->host->event, &instance->socket_source,
			    instance->launcher.socket, EPOLLIN, on_socket, instance);
	/* before the pipes: it may say who is to read them */
	if (r >= 0)
		r = sd_event_source_set_priority(instance->socket_source,
						 SD_EVENT_PRIORITY_IMPORTANT);
	if (r >= 0 && instance->launcher.pidfd >= 0)
		r = add_exit_source(instance);
	if (r >= 0)
		r = instance_arm(instance, &instance->deadline, INSTANCE_START_PATIENCE_USEC,
				 on_deadline);
	return r < 0 ? error_set(err, ERROR_SYSTEM, -r, "watch the launcher") : 0;
}
