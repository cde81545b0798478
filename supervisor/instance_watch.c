/* SPDX-License-Identifier: MIT */
/*
 * What an instance's cgroup says: memory.events, pids.events, pressure. Each handler takes a whole
 * reading, and asks what in it is new.
 */
#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/clock.h"
#include "supervisor/file.h"
#include "supervisor/instance.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t instance_new_oom_kills(const struct instance *instance,
				const struct watch_reading *reading)
{
	struct event_deltas deltas;

	instance_read_deltas(instance, reading, &deltas);
	return deltas.leaf_local.oom_kill - instance_explained(instance)->leaf_local.oom_kill;
}

static bool is_short_of_memory(const struct instance *instance, const struct watch_reading *reading)
{
	struct event_deltas deltas;

	instance_read_deltas(instance, reading, &deltas);
	return deltas.app.max > 0 || deltas.app.high > 0 || deltas.above.max > 0;
}

/* Keeps what was read, and looks at who is there: only while no unexplained death is in it. The
 * worker can make memory.events move 100 times a second: its processes are not looked at as often.
 */
static void keep_reading(struct instance *instance, const struct watch_reading *reading)
{
	_cleanup_close_ int leaf = -1;
	uint64_t now = clock_monotonic_usec();
	struct error ignored;

	instance->memory = reading->memory;
	/* a descriptor for each process of a thousand idle apps would be too many: not before the
	 * kernel has told that memory is short */
	if (instance->host->notifier != NULL && !is_short_of_memory(instance, reading))
		return;
	if (now - instance->table_usec < INSTANCE_TABLE_INTERVAL_USEC ||
	    instance_open_leaf(instance, &leaf, &ignored) < 0)
		return;
	instance->table_usec = now;
	process_table_refresh(&instance->processes, leaf, instance->host->reader);
	process_table_forget_dead(&instance->processes);
}

static void complete(struct recording_sample *sample, void *userdata)
{
	const struct instance *instance = userdata;

	uint64_t waiting, room;

	listeners_count_waiting(&instance->listeners, &waiting, &room);
	sample->listen_queue += waiting;
	sample->listen_backlog += room;
}

static int open_leaf(int *ret_fd, void *userdata)
{
	struct error ignored;

	return instance_open_leaf(userdata, ret_fd, &ignored);
}

static void on_reading(const struct watch_reading *reading, void *userdata)
{
	struct instance *instance = userdata;

	recorder_set_memory_max(&instance->recorder, instance->spec->limits.memory_max);
	if (instance_new_oom_kills(instance, reading) == 0)
		keep_reading(instance, reading);
}

static void on_sample(const struct recording_sample *sample, void *userdata)
{
	instance_see_pressure(userdata, sample);
}

void instance_init_recorder(struct instance *instance)
{
	static const struct recorder_owner owner = { complete, open_leaf, on_reading, on_sample };

	recorder_init(&instance->recorder, instance->host->recorders, &instance->watch, &owner,
		      instance);
}

/* --- memory --------------------------------------------------------------------------------- */

/* Has the main process ended, or is it about to? With gigabytes to give back that takes a while:
 * then its memory is gone from `status` already, or SIGKILL (bit 8 of the pending masks) is on its
 * way. Without a pidfd the number alone must do: a mistake costs a second telling. */
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
	const struct log_subject subject = instance_subject(instance);
	struct watch_reading reading;
	struct event_deltas deltas;
	struct verdict verdict;

	if (report_is_due(instance)) {
		if (instance->child_unreported > 0)
			log_event(instance->host->log, LOG_EVENT_APP_CHILD_KILLED, &subject,
				  "%llu more OOM kills were counted, not reported one by one",
				  (unsigned long long)instance->child_unreported);
		instance->child_unreported = 0;
		instance_judge(instance, true, &verdict);
	} else {
		watch_read(&instance->watch, &reading);
		instance->child_unreported += instance_new_oom_kills(instance, &reading);
		instance_read_deltas(instance, &reading, &deltas);
		instance_explain(instance, &deltas);
		instance->tenant_oom = instance_read_tenant_oom(instance);
	}
	process_table_forget_dead(&instance->processes);
	if (instance->host->record != NULL)
		instance->host->record(instance);
}

static void kill_leaf(struct instance *instance)
{
	_cleanup_close_ int leaf = -1;
	struct error ignored;

	if (instance_open_leaf(instance, &leaf, &ignored) >= 0)
		(void)cgroup_kill(leaf, &ignored);
}

static int on_oom_settled(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct instance *instance = userdata;
	struct watch_reading reading;
	(void)source, (void)usec;

	instance->oom_timer = sd_event_source_disable_unref(instance->oom_timer);
	watch_read(&instance->watch, &reading);
	if (instance->last_words.type != 0 || instance_new_oom_kills(instance, &reading) == 0)
		return 0; /* the main process went with it: judged as its end */
	if (main_is_ending(instance))
		(void)instance_arm(instance, &instance->oom_timer, INSTANCE_OOM_SETTLE_USEC,
				   on_oom_settled);
	else if (instance->spec->oom == OOM_APP)
		kill_leaf(instance);
	else
		judge_child(instance);
	return 0;
}

static void see_memory(struct instance *instance)
{
	struct watch_reading reading;

	/* `max` or `high` moved: the kill, if it comes, is milliseconds away */
	recorder_look(&instance->recorder, &reading);
	instance_see_tripwire(instance, &reading, false);
	if (instance_new_oom_kills(instance, &reading) > 0 && instance->oom_timer == NULL)
		(void)instance_arm(instance, &instance->oom_timer,
				   instance->spec->oom == OOM_APP ? INSTANCE_OOM_GROUP_SETTLE_USEC
								  : INSTANCE_OOM_SETTLE_USEC,
				   on_oom_settled);
}

/* --- processes and pressure ----------------------------------------------------------------- */

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
	const struct log_subject subject = instance_subject(instance);
	struct watch_reading reading;
	struct event_deltas deltas;

	watch_read(&instance->watch, &reading);
	instance_read_deltas(instance, &reading, &deltas);
	if (deltas.pids_max <= instance->pids_seen)
		return;
	instance->pids_seen = deltas.pids_max;
	instance->pids_moved_at = instance_moment(&reading);
	if (note_is_due(&instance->pids_noted_usec))
		log_event(instance->host->log, LOG_EVENT_PIDS_REFUSED, &subject,
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

void instance_on_watch(enum watch_event event, void *userdata)
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
