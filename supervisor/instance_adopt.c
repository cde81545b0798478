/* SPDX-License-Identifier: MIT */
/*
 * Going on with what an earlier daemon has left: its record, and a launcher that still runs, or has
 * ended and keeps the status.
 */
#include "supervisor/clock.h"
#include "supervisor/instance.h"

/* A time that was on record: whatever stands there, no wait is longer than the spec has it. */
static uint64_t time_left(uint64_t due_usec, uint64_t most_usec)
{
	uint64_t now = clock_monotonic_usec();
	uint64_t left = due_usec > now ? due_usec - now : 0;

	return left < most_usec ? left : most_usec;
}

/* Its launcher lives, or has ended and keeps the status. Without a watch it is worse off, but runs.
 */
static int adopt_launcher(struct instance *instance, struct error *err)
{
	char keeper[INSTANCE_CGROUP_MAX];
	int r;

	instance_keeper_path(instance, keeper, sizeof(keeper));
	r = launcher_adopt(keeper, &instance->launcher, err);
	if (r < 0)
		return r;
	if (instance_start_watch(instance, -1, err) < 0)
		instance_say_error(instance, err);
	instance_take_first_reading(instance);
	return instance_attach_launcher(instance, err);
}

static void adopt(struct instance *instance);

static int on_adopt_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct instance *instance = userdata;
	(void)source, (void)usec;

	instance->deadline = sd_event_source_disable_unref(instance->deadline);
	adopt(instance);
	return 0;
}

/* Only "nobody listens there" means that it has ended: for whatever else, it runs on, and is asked
 * again. */
static void adopt(struct instance *instance)
{
	const struct log_subject subject = instance_subject(instance);
	struct error err;

	if (adopt_launcher(instance, &err) >= 0) {
		log_event(instance->host->log, LOG_EVENT_APP_ADOPTED, &subject,
			  "found running, and taken over");
		/* a child may have been killed for memory meanwhile, or a fork refused */
		instance_on_watch(WATCH_MEMORY_EVENTS, instance);
		instance_on_watch(WATCH_PIDS_EVENTS, instance);
		instance_carry_out_end(instance);
		return;
	}
	/* on record already? then only the cleaning up is left to do */
	if (err.kind != ERROR_NOT_FOUND || !instance->judged)
		log_event(instance->host->log, LOG_EVENT_APP_LOST, &subject, "%s", err.text);
	if (err.kind == ERROR_NOT_FOUND) {
		instance_conclude(instance);
		return;
	}
	instance->socket_source = sd_event_source_disable_unref(instance->socket_source);
	instance->exit_source = sd_event_source_disable_unref(instance->exit_source);
	launcher_close(&instance->launcher);
	recorder_stop(&instance->recorder);
	watch_stop(&instance->watch);
	(void)instance_arm(instance, &instance->deadline, INSTANCE_ADOPT_AGAIN_USEC,
			   on_adopt_again);
}

void instance_adopt(struct instance *instance)
{
	uint64_t due_usec = instance->due_usec;

	instance_disarm_timer(instance);
	if (instance->state == APP_BACKOFF)
		instance_arm_timer(instance,
				   time_left(due_usec, instance->spec->restart.backoff_max_usec));
	/* whatever was in force last: it is as it is on record */
	if (app_state_has_process(instance->state))
		instance_set_frozen(instance, instance->state == APP_SUSPENDED);
	if (instance->state == APP_STOPPING)
		instance_arm_timer(instance, time_left(due_usec, instance->spec->stop.grace_usec));
	if (app_state_has_process(instance->state))
		adopt(instance);
}

void instance_see_next_life(struct instance *instance, uint64_t started_usec)
{
	const enum app_state from = instance->state;

	instance_disarm_timer(instance);
	instance->judged = instance->killed_by_us = instance->stop_requested = false;
	instance->was_well = false;
	instance_forget_end(instance);
	instance->spawned_usec = started_usec;
	instance_explain_all(instance);
	instance->state = APP_RUNNING;
	if (from != APP_RUNNING && instance->host->on_change != NULL)
		instance->host->on_change(instance, from);
}

void instance_explain_all(struct instance *instance)
{
	struct watch_reading reading;
	struct event_deltas deltas;

	watch_read(&instance->watch, &reading);
	instance_read_deltas(instance, &reading, &deltas);
	instance_explain(instance, &deltas);
	instance->tenant_oom = instance_read_tenant_oom(instance);
	instance->pids_seen = deltas.pids_max;
}
