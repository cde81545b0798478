/* SPDX-License-Identifier: MIT */
#include "supervisor/instance.h"

#include "policy/own.h"
#include "supervisor/anchor.h"
#include "supervisor/cgroup.h"
#include "supervisor/clock.h"
#include "supervisor/file.h"
#include "supervisor/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void step(struct instance *instance, enum app_event event);
static void conclude(struct instance *instance);
static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata);

void instance_init(struct instance *instance, const struct instance_host *host,
		   const struct app_spec *spec, struct plan *plan, int filter_fd, int app_cgroup_fd)
{
	*instance = (struct instance){
		.host = host,
		.spec = spec,
		.plan = plan,
		.filter_fd = filter_fd,
		.app_cgroup_fd = app_cgroup_fd,
		.state = APP_STOPPED,
		.stop_signal = spec->stop.signal,
		.leaf_fd = -1,
		.launcher = { .pidfd = -1, .socket = -1 },
		.worker_pidfd = -1,
	};
	snprintf(instance->leaf_name, sizeof(instance->leaf_name), "%u", plan->instance);
}

/* --- timers --------------------------------------------------------------------------------- */

static int arm(struct instance *instance, sd_event_source **source, uint64_t usec,
	       sd_event_time_handler_t handler)
{
	*source = sd_event_source_disable_unref(*source);
	return sd_event_add_time_relative(instance->host->event, source, CLOCK_MONOTONIC, usec, 0,
					  handler, instance);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct instance *instance = userdata;
	(void)source, (void)usec;

	instance->timer = sd_event_source_disable_unref(instance->timer);
	step(instance, EVENT_TIMER);
	return 0;
}

static uint64_t new_oom_kills(const struct instance *instance, const struct watch_reading *reading)
{
	struct event_deltas deltas;

	watch_subtract(&reading->counters, &instance->base, &deltas);
	return deltas.leaf_local.oom_kill - instance->explained.leaf_local.oom_kill;
}

/* Keeps what was read, and looks at who is there: only while no unexplained death is in it. The
 * worker can make memory.events move 100 times a second: its processes are not looked at as often.
 */
static void keep_reading(struct instance *instance, const struct watch_reading *reading)
{
	uint64_t now = clock_monotonic_usec();

	instance->last = *reading;
	if (now - instance->table_usec < INSTANCE_TABLE_INTERVAL_USEC)
		return;
	instance->table_usec = now;
	process_table_refresh(&instance->processes, instance->leaf_fd, instance->host->reader);
	process_table_forget_dead(&instance->processes);
}

static void sample(struct instance *instance)
{
	struct watch_reading reading;

	watch_read(&instance->watch, &reading);
	if (new_oom_kills(instance, &reading) == 0)
		keep_reading(instance, &reading);
}

static int on_sample(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct instance *instance = userdata;
	(void)usec;

	sample(instance);
	(void)sd_event_source_set_time_relative(source, INSTANCE_SAMPLE_USEC);
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

/* --- what the watch sees -------------------------------------------------------------------- */

/* Has the main process ended, or is it about to? With gigabytes to give back that takes a while:
 * then its memory is gone from `status` already, or SIGKILL (bit 8 of the pending masks) is on its
 * way. */
static bool main_is_ending(const struct instance *instance)
{
	struct pollfd poller = { .fd = instance->worker_pidfd, .events = POLLIN };
	char path[64], text[FILE_KERNEL_MAX];
	struct error ignored;
	const char *own, *shared;

	if (instance->worker_pid == 0 || poll(&poller, 1, 0) > 0)
		return true;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)instance->worker_pid);
	if (file_read_at(AT_FDCWD, path, text, sizeof(text), &ignored) < 0)
		return true;
	own = strstr(text, "\nSigPnd:");
	shared = strstr(text, "\nShdPnd:");
	return strstr(text, "\nVmSize:") == NULL || own == NULL || shared == NULL ||
	       ((strtoull(own + 8, NULL, 16) | strtoull(shared + 8, NULL, 16)) & 0x100) != 0;
}

/* A worker that has child after child killed must not fill disk and log: some are told in full. */
static bool report_is_due(struct instance *instance)
{
	uint64_t now = clock_monotonic_usec();

	if (instance->child_reports == 0 ||
	    now - instance->child_window_usec >= INSTANCE_CHILD_WINDOW_USEC) {
		instance->child_window_usec = now;
		instance->child_reports = 0;
	}
	return instance->child_reports++ < INSTANCE_CHILD_REPORTS;
}

static void judge_child(struct instance *instance)
{
	struct watch_reading reading;
	struct verdict verdict;

	if (report_is_due(instance)) {
		if (instance->child_unreported > 0)
			log_message(instance->host->log, LOG_LEVEL_WARNING, instance->spec->name,
				    "%llu more OOM kills were counted, not reported one by one",
				    (unsigned long long)instance->child_unreported);
		instance->child_unreported = 0;
		instance_judge(instance, true, &verdict);
	} else {
		watch_read(&instance->watch, &reading);
		instance->child_unreported += new_oom_kills(instance, &reading);
		watch_subtract(&reading.counters, &instance->base, &instance->explained);
	}
	process_table_forget_dead(&instance->processes);
}

static int on_oom_settled(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct instance *instance = userdata;
	struct error ignored;
	(void)source, (void)usec;

	instance->oom_timer = sd_event_source_disable_unref(instance->oom_timer);
	if (instance->last_words.type != 0)
		return 0; /* the main process went with it: judged at the conclusion */
	if (main_is_ending(instance))
		(void)arm(instance, &instance->oom_timer, INSTANCE_OOM_SETTLE_USEC, on_oom_settled);
	else if (instance->spec->oom == OOM_APP)
		(void)cgroup_kill(instance->leaf_fd, &ignored);
	else
		judge_child(instance);
	return 0;
}

static void see_memory(struct instance *instance)
{
	struct watch_reading reading;

	watch_read(&instance->watch, &reading);
	if (new_oom_kills(instance, &reading) == 0) {
		/* `max` or `high` moved: the kill, if it comes, is milliseconds away */
		keep_reading(instance, &reading);
	} else if (instance->oom_timer == NULL) {
		(void)arm(instance, &instance->oom_timer,
			  instance->spec->oom == OOM_APP ? INSTANCE_OOM_GROUP_SETTLE_USEC
							 : INSTANCE_OOM_SETTLE_USEC,
			  on_oom_settled);
	}
}

/* At most one note a minute of each kind. */
static bool note_is_due(uint64_t *noted_usec)
{
	uint64_t now = clock_monotonic_usec();

	if (*noted_usec != 0 && now - *noted_usec < INSTANCE_NOTE_INTERVAL_USEC)
		return false;
	*noted_usec = now;
	return true;
}

static void see_pids(struct instance *instance)
{
	struct watch_reading reading;
	struct event_deltas deltas;

	watch_read(&instance->watch, &reading);
	watch_subtract(&reading.counters, &instance->base, &deltas);
	if (deltas.pids_max == 0)
		return;
	instance->pids_moved_usec = clock_monotonic_usec();
	if (note_is_due(&instance->pids_noted_usec))
		log_message(instance->host->log, LOG_LEVEL_WARNING, instance->spec->name,
			    "reached a limit of processes and threads (pids.max): "
			    "the kernel refused a fork %llu times so far",
			    (unsigned long long)deltas.pids_max);
}

static void see_pressure(struct instance *instance)
{
	struct watch_reading reading;

	if (!note_is_due(&instance->pressure_noted_usec))
		return;
	watch_read(&instance->watch, &reading);
	log_message(instance->host->log, LOG_LEVEL_DEBUG, instance->spec->name,
		    "under pressure: stalled in the last 10 s for memory %.1f %%, cpu %.1f %%, io "
		    "%.1f %%",
		    reading.memory_pressure.some_avg10 / 100.0,
		    reading.cpu_pressure.some_avg10 / 100.0,
		    reading.io_pressure.some_avg10 / 100.0);
}

static void on_watch(enum watch_event event, void *userdata)
{
	struct instance *instance = userdata;

	switch (event) {
	case WATCH_MEMORY_EVENTS:
		see_memory(instance);
		break;
	case WATCH_PIDS_EVENTS:
		see_pids(instance);
		break;
	case WATCH_PRESSURE:
		see_pressure(instance);
		break;
	case WATCH_POPULATED: /* the launcher tells of the end, with the status */
		break;
	}
}

/* --- what the launcher says ----------------------------------------------------------------- */

static void hear_running(struct instance *instance, int pidfd)
{
	uint64_t took = clock_monotonic_usec() - instance->spawned_usec;

	close_and_clear(&instance->worker_pidfd);
	instance->worker_pidfd = pidfd;
	instance->worker_pid = pidfd_pid(pidfd);
	sample(instance);
	log_message(instance->host->log, LOG_LEVEL_INFO, instance->spec->name,
		    "started %s as pid %d, uid %u", instance->plan->argv.items[0],
		    (int)instance->worker_pid, (unsigned)instance->plan->uid);
	log_message(instance->host->log, LOG_LEVEL_DEBUG, instance->spec->name,
		    "start took %.1f ms", (double)took / 1000.0);
	instance->deadline = sd_event_source_disable_unref(instance->deadline);
	step(instance, EVENT_EXEC);
}

static void hear_pipes(struct instance *instance, struct launcher_event *event)
{
	struct error err;

	if (relay_start(&instance->relay, instance->host->event, TAKE_FD(event->fds[0]),
			TAKE_FD(event->fds[1]), instance->host->out, instance->host->err_out,
			&err) < 0)
		log_message(instance->host->log, LOG_LEVEL_ERROR, instance->spec->name, "%s",
			    err.text);
}

static void hear(struct instance *instance, struct launcher_event *event)
{
	struct error ignored;

	switch ((enum launch_message_type)event->message.type) {
	case LAUNCH_PIPES:
		hear_pipes(instance, event);
		break;
	case LAUNCH_RUNNING:
		hear_running(instance, TAKE_FD(event->fds[0]));
		break;
	case LAUNCH_FAILED:
	case LAUNCH_ENDED:
		instance->last_words = event->message;
		(void)arm(instance, &instance->deadline, INSTANCE_END_PATIENCE_USEC, on_deadline);
		(void)launcher_send(&instance->launcher, LAUNCH_COLLECTED, 0, &ignored);
		break;
	case LAUNCH_SPOOL: /* for those who adopt */
	case LAUNCH_STALLED:
	case LAUNCH_SIGNAL: /* ours to say */
	case LAUNCH_STOP:
	case LAUNCH_COLLECTED:
	case LAUNCH_TAKE:
	case LAUNCH_TAKEN:
	case LAUNCH_TYPE_END:
		break;
	}
	close_and_clear(&event->fds[0]);
	close_and_clear(&event->fds[1]);
}

static int on_socket(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct instance *instance = userdata;
	struct launcher_event event;
	struct error err;
	int r;
	(void)fd, (void)revents;

	while ((r = launcher_receive(&instance->launcher, &event, &err)) == 0)
		hear(instance, &event);
	if (r == -EAGAIN)
		return 0;
	if (r < 0)
		log_message(instance->host->log, LOG_LEVEL_ERROR, instance->spec->name, "%s",
			    err.text);
	/* what speaks another language cannot be told to go either */
	if (r < 0)
		(void)syscall(SYS_pidfd_send_signal, instance->launcher.pidfd, SIGKILL, NULL, 0);
	/* hung up: its end, seen on the pidfd, concludes this life */
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
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
		instance->last_words = (struct launch_message){ .type = LAUNCH_FAILED,
								.stage = STAGE_EXEC,
								.errnum = ETIMEDOUT,
								.text = "no execve within 60 s" };
		(void)syscall(SYS_pidfd_send_signal, instance->launcher.pidfd, SIGKILL, NULL, 0);
		(void)arm(instance, &instance->deadline, INSTANCE_END_PATIENCE_USEC, on_deadline);
		return 0;
	}
	log_message(
		instance->host->log, LOG_LEVEL_ERROR, instance->spec->name,
		"a process of it cannot be killed (uninterruptible sleep, state D: look for a file "
		"system that does not answer): going on without waiting for it");
	conclude(instance);
	return 0;
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
	conclude(instance);
	return 0;
}

/* --- a life, from spawn to conclusion ------------------------------------------------------- */

static int make_leaf(struct instance *instance, struct error *err)
{
	int r;

	if (instance->leaf_fd < 0) {
		r = cgroup_make(instance->app_cgroup_fd, instance->leaf_name, &instance->leaf_fd,
				err);
		if (r < 0)
			return r;
	}
	/* one worker's OOM kill takes the whole app with it, if that is wanted */
	return file_write_at(instance->leaf_fd, "memory.oom.group",
			     instance->spec->oom == OOM_APP ? "1" : "0", err);
}

/* The leaf as the kernel's log names it: beside the launcher's init/. The launcher is there for
 * sure, the worker may be dead before anybody looks. "" if it cannot be known: then no line is
 * ours. */
static void name_worker_cgroup(struct instance *instance)
{
	static const char init[] = "/" ANCHOR_INIT_CGROUP;
	char path[CGROUP_PATH_MAX];
	struct error ignored;
	size_t length;

	instance->worker_cgroup[0] = '\0';
	if (cgroup_of_process(instance->launcher.pid, path, sizeof(path), &ignored) < 0)
		return;
	length = strlen(path);
	if (length <= sizeof(init) || strcmp(path + length - (sizeof(init) - 1), init) != 0)
		return;
	snprintf(instance->worker_cgroup, sizeof(instance->worker_cgroup), "%.*s/%s.slice/%s",
		 (int)(length - (sizeof(init) - 1)), path, instance->spec->name,
		 instance->leaf_name);
}

static int begin_life(struct instance *instance, struct error *err)
{
	struct launcher_start start = {
		.plan = instance->plan,
		.image_fd = instance->host->image_fd,
		.filter_fd = instance->filter_fd,
		.init_cgroup_fd = instance->host->init_cgroup_fd,
	};
	int r;

	r = make_leaf(instance, err);
	if (r >= 0)
		r = watch_start(&instance->watch, instance->host->event, instance->app_cgroup_fd,
				instance->leaf_fd, on_watch, instance, err);
	if (r < 0)
		return r;
	watch_read(&instance->watch, &instance->last);
	instance->base = instance->last.counters;
	start.leaf_cgroup_fd = instance->leaf_fd;
	r = launcher_spawn(&start, &instance->launcher, err);
	if (r < 0)
		return r;
	name_worker_cgroup(instance);
	r = sd_event_add_io(instance->host->event, &instance->socket_source,
			    instance->launcher.socket, EPOLLIN, on_socket, instance);
	if (r >= 0)
		r = sd_event_add_io(instance->host->event, &instance->exit_source,
				    instance->launcher.pidfd, EPOLLIN, on_launcher_exit, instance);
	if (r >= 0)
		r = arm(instance, &instance->deadline, INSTANCE_START_PATIENCE_USEC, on_deadline);
	if (r >= 0)
		r = arm(instance, &instance->sampler, INSTANCE_SAMPLE_USEC, on_sample);
	return r < 0 ? error_set(err, ERROR_SYSTEM, -r, "watch the launcher") : 0;
}

static void reset_life(struct instance *instance)
{
	instance->socket_source = sd_event_source_disable_unref(instance->socket_source);
	instance->exit_source = sd_event_source_disable_unref(instance->exit_source);
	instance->timer = sd_event_source_disable_unref(instance->timer);
	instance->sampler = sd_event_source_disable_unref(instance->sampler);
	instance->oom_timer = sd_event_source_disable_unref(instance->oom_timer);
	instance->deadline = sd_event_source_disable_unref(instance->deadline);
	relay_finish(&instance->relay);
	watch_stop(&instance->watch);
	process_table_clear(&instance->processes);
	launcher_close(&instance->launcher);
	close_and_clear(&instance->worker_pidfd);
	instance->relay = (struct relay){ 0 };
	instance->watch = (struct watch){ 0 };
	instance->explained = (struct event_deltas){ 0 };
	instance->last_words = (struct launch_message){ 0 };
	instance->worker_pid = 0;
	instance->killed_by_us = false;
	instance->forwarded_signal = 0;
	instance->pressure_noted_usec = 0;
	instance->pids_noted_usec = 0;
	instance->pids_moved_usec = 0;
	instance->table_usec = 0;
}

static void spawn(struct instance *instance)
{
	struct error err;

	instance->spawned_usec = clock_monotonic_usec();
	instance->stop_signal = instance->spec->stop.signal;
	if (begin_life(instance, &err) >= 0)
		return;
	/* nobody is there to say it: the supervisor's own failure is the last word */
	launcher_kill(&instance->launcher);
	instance->last_words = (struct launch_message){ .type = LAUNCH_FAILED,
							.errnum = err.errnum,
							.stage = STAGE_CGROUP };
	snprintf(instance->last_words.text, sizeof(instance->last_words.text), "%.*s",
		 LAUNCH_TEXT_MAX - 1, err.text);
	conclude(instance);
}

static enum app_event event_of(enum decision decision)
{
	switch (decision) {
	case DECISION_RESTART:
		return EVENT_END_RESTART;
	case DECISION_GAVE_UP:
		return EVENT_END_GIVE_UP;
	default:
		return EVENT_END_FINAL;
	}
}

/* The launcher has ended, and with it all in its PID namespace: judge, clean up, go on. */
static void conclude(struct instance *instance)
{
	struct verdict verdict;
	struct error err;

	instance_judge(instance, false, &verdict);
	reset_life(instance);
	close_and_clear(&instance->leaf_fd);
	/* its processes are gone with the launcher, so this does not wait but for those in state D
	 */
	if (cgroup_destroy(instance->app_cgroup_fd, instance->leaf_name,
			   INSTANCE_LEAF_PATIENCE_MSEC, &err) < 0) {
		log_message(instance->host->log, LOG_LEVEL_ERROR, instance->spec->name, "%s",
			    err.text);
		instance->lost_leaves++;
		snprintf(instance->leaf_name, sizeof(instance->leaf_name), "%u-%u",
			 instance->plan->instance, instance->lost_leaves);
	}
	instance->backoff_usec = verdict.restart_delay_usec;
	step(instance, event_of(verdict.decision));
}

/* --- the table's answers -------------------------------------------------------------------- */

static void signal_stop(struct instance *instance)
{
	struct error err;

	if (launcher_send(&instance->launcher, LAUNCH_SIGNAL, instance->stop_signal, &err) < 0)
		log_message(instance->host->log, LOG_LEVEL_ERROR, instance->spec->name, "%s",
			    err.text);
	(void)arm(instance, &instance->timer, instance->spec->stop.grace_usec, on_timer);
}

/* The leaf first; if the launcher is still there later, it too: its end takes the PID namespace. */
static void kill_all(struct instance *instance)
{
	struct error err;

	if (instance->killed_by_us) {
		log_message(instance->host->log, LOG_LEVEL_WARNING, instance->spec->name,
			    "still there after SIGKILL: killing its launcher too");
		(void)syscall(SYS_pidfd_send_signal, instance->launcher.pidfd, SIGKILL, NULL, 0);
		(void)arm(instance, &instance->deadline, INSTANCE_END_PATIENCE_USEC, on_deadline);
	} else if (cgroup_kill(instance->leaf_fd, &err) < 0)
		log_message(instance->host->log, LOG_LEVEL_ERROR, instance->spec->name, "%s",
			    err.text);
	instance->killed_by_us = true;
	(void)arm(instance, &instance->timer, INSTANCE_KILL_PATIENCE_USEC, on_timer);
}

static void step(struct instance *instance, enum app_event event)
{
	const struct lifecycle_step next = lifecycle_step(instance->state, event);

	instance->state = next.next;
	switch (next.action) {
	case ACTION_NONE:
		break;
	case ACTION_SPAWN:
		spawn(instance);
		break;
	case ACTION_SIGNAL_STOP:
		signal_stop(instance);
		break;
	case ACTION_KILL:
		kill_all(instance);
		break;
	case ACTION_ARM_BACKOFF:
		(void)arm(instance, &instance->timer, instance->backoff_usec, on_timer);
		break;
	case ACTION_SETTLE:
		instance->timer = sd_event_source_disable_unref(instance->timer);
		instance->on_settled(instance, instance->userdata);
		break;
	case APP_ACTION_COUNT:
		break;
	}
}

void instance_start(struct instance *instance)
{
	instance->stop_requested = false;
	step(instance, EVENT_START);
}

void instance_stop(struct instance *instance, int signal)
{
	instance->stop_signal = signal;
	if (instance->state == APP_STOPPING) {
		step(instance, EVENT_TIMER); /* asked twice */
		return;
	}
	instance->stop_requested = true;
	step(instance, EVENT_STOP);
}

void instance_signal(struct instance *instance, int signal)
{
	struct error err;

	/* while it starts, the launcher keeps it until there is a worker */
	if (instance->state != APP_STARTING && instance->state != APP_RUNNING &&
	    instance->state != APP_STOPPING)
		return;
	instance->forwarded_signal = signal;
	if (launcher_send(&instance->launcher, LAUNCH_SIGNAL, signal, &err) < 0)
		log_message(instance->host->log, LOG_LEVEL_ERROR, instance->spec->name, "%s",
			    err.text);
}

void instance_clear(struct instance *instance)
{
	launcher_kill(&instance->launcher);
	reset_life(instance);
	close_and_clear(&instance->leaf_fd);
	plan_free(instance->plan);
	instance->plan = NULL;
}
