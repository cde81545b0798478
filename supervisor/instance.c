/* SPDX-License-Identifier: MIT */
#include "supervisor/instance.h"

#include "policy/escape.h"
#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/clock.h"
#include "supervisor/host_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void instance_init(struct instance *instance, const struct instance_host *host,
		   const struct app_spec *spec, const char *app_path, unsigned number,
		   struct plan *plan, int filter_fd)
{
	*instance = (struct instance){
		.host = host,
		.spec = spec,
		.plan = plan,
		.filter_fd = filter_fd,
		.number = number,
		.app_path = app_path,
		.state = APP_STOPPED,
		.stop_signal = spec->stop.signal,
		.launcher = { .pidfd = -1, .socket = -1 },
		.former = { .pidfd = -1, .socket = -1 },
		.worker_pidfd = -1,
		.pipes = { -1, -1 },
	};
	snprintf(instance->leaf_name, sizeof(instance->leaf_name), "%u", number);
	instance_init_recorder(instance);
}

void instance_say_error(const struct instance *instance, const struct error *err)
{
	log_message(instance->host->log, LOG_LEVEL_ERROR, instance->spec->name, "%s", err->text);
}

struct log_subject instance_subject(const struct instance *instance)
{
	return (struct log_subject){ .app = instance->spec->name,
				     .tenant = instance->spec->tenant,
				     .instance = &instance->number };
}

/* --- timers --------------------------------------------------------------------------------- */

int instance_arm_for(const struct instance *instance, sd_event_source **source, uint64_t usec,
		     sd_event_time_handler_t handler, void *userdata)
{
	*source = sd_event_source_disable_unref(*source);
	/* 0 as accuracy would mean 250 ms */
	return sd_event_add_time_relative(instance->host->event, source, CLOCK_MONOTONIC, usec, 1,
					  handler, userdata);
}

int instance_arm(struct instance *instance, sd_event_source **source, uint64_t usec,
		 sd_event_time_handler_t handler)
{
	return instance_arm_for(instance, source, usec, handler, instance);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct instance *instance = userdata;
	(void)source, (void)usec;

	instance->timer = sd_event_source_disable_unref(instance->timer);
	instance->due_usec = 0;
	instance_step(instance, EVENT_TIMER);
	return 0;
}

void instance_arm_timer(struct instance *instance, uint64_t usec)
{
	instance->due_usec = clock_monotonic_usec() + usec;
	(void)instance_arm(instance, &instance->timer, usec, on_timer);
}

void instance_disarm_timer(struct instance *instance)
{
	instance->timer = sd_event_source_disable_unref(instance->timer);
	instance->due_usec = 0;
}

/* --- a life, from spawn to conclusion ------------------------------------------------------- */

const char *instance_keeper_path(const struct instance *instance, char *path, size_t size)
{
	snprintf(path, size, "%s/%s.%u.sock", instance->host->keeper_directory,
		 instance->spec->name, instance->number);
	return path;
}

static int start_watch(struct instance *instance, int leaf, struct error *err)
{
	const struct instance_host *host = instance->host;
	_cleanup_close_ int app = -1;
	int r;

	if (host->notifier != NULL)
		return watch_start_lean(&instance->watch, host->notifier, host->root_fd,
					instance->app_path, instance->leaf_name, instance_on_watch,
					instance, err);
	r = cgroup_open(host->root_fd, instance->app_path, &app, err);
	if (r < 0)
		return r;
	return watch_start(&instance->watch, host->event, app, leaf, instance_on_watch, instance,
			   err);
}

int instance_start_watch(struct instance *instance, int leaf, struct error *err)
{
	int r = start_watch(instance, leaf, err);

	if (r >= 0)
		recorder_start(&instance->recorder);
	return r;
}

static int show_cgroup(const struct instance *instance, struct plan *plan, struct error *err)
{
	char path[CGROUP_PATH_MAX + INSTANCE_CGROUP_MAX];

	snprintf(path, sizeof(path), "%s/%s", instance->host->root_path, instance->app_path);
	return plan_set_cgroup(plan, path, err);
}

/* Without one a start takes longer, that is all. */
static int view_of(const struct instance *instance)
{
	const struct instance_host *host = instance->host;
	struct error err;
	int r = host->view == NULL ? 0 : host_view_refresh(host->view, &err);

	if (r < 0)
		log_message(host->log, LOG_LEVEL_WARNING, NULL, "%s", err.text);
	return r > 0 ? host->view->namespace_fd : -1;
}

/* What a start needs beside its cgroups; plan and filter of its own, or those of host->prepare. */
static int prepare_start(struct instance *instance, struct launcher_start *start,
			 struct plan **ret_made, struct error *err)
{
	const char *slash, *program;
	int r = 0;

	struct plan *plan = instance->plan;

	start->filter_fd = instance->filter_fd;
	start->view_fd = view_of(instance);
	if (plan == NULL) {
		r = instance->host->prepare(instance, ret_made, &start->filter_fd, err);
		if (r < 0)
			return r;
		plan = *ret_made;
	}
	if (instance_permits(instance))
		plan->refusals = REFUSALS_PERMITTED;
	plan->host_view = start->view_fd >= 0;
	r = show_cgroup(instance, plan, err);
	if (r < 0)
		return r;
	start->plan = plan;
	program = start->plan->argv.items[0];
	slash = strrchr(program, '/');
	escape_string(slash != NULL ? slash + 1 : program, ESCAPE_FOR_JSON, instance->command,
		      sizeof(instance->command));
	instance->uid = start->plan->uid;
	return 0;
}

void instance_take_first_reading(struct instance *instance)
{
	struct watch_reading reading;

	recorder_look(&instance->recorder, &reading);
	instance->memory = reading.memory;
	instance_start_tripwire(instance, &reading);
}

static int hold_listeners(struct instance *instance, struct error *err)
{
	const struct strings *list = &instance->spec->listen;
	bool shut[LISTEN_MAX];
	int r = listeners_hold(&instance->listeners, list, instance->host->root_fd, shut, err);

	for (size_t i = 0; r >= 0 && i < list->count; i++)
		if (shut[i])
			log_message(instance->host->log, LOG_LEVEL_WARNING, instance->spec->name,
				    "listen: %s: a worker has called shutdown() on that socket, "
				    "which then refused everybody; there is a new one now",
				    list->items[i]);
	return r;
}

static int begin_life(struct instance *instance, struct error *err)
{
	_cleanup_plan_ struct plan *made = NULL;
	_cleanup_close_ int leaf = -1;
	struct event_deltas before;
	char keeper[INSTANCE_CGROUP_MAX];
	struct launcher_start start = { .image_fd = instance->host->image_fd,
					.file_fd = instance->host->file_fd,
					.slots = instance->host->slots };
	int r = 0;

	if (instance->host->make_slice != NULL)
		r = instance->host->make_slice(instance, err);
	if (r >= 0)
		r = prepare_start(instance, &start, &made, err);
	if (r >= 0)
		r = instance_make_leaf(instance, &leaf, err);
	if (r >= 0)
		r = instance_start_watch(instance, leaf, err);
	if (r >= 0)
		r = hold_listeners(instance, err);
	if (r < 0)
		return r;
	start.listeners = &instance->listeners;
	/* of what went before, so that all that moves from now on is this life's */
	watch_read_counters(&instance->watch, &before);
	r = instance_set_base(instance, &before, err);
	if (r < 0)
		return r;
	instance->tenant_oom = instance_read_tenant_oom(instance);
	/* make_slice may have opened the root anew */
	start.init_cgroup_fd = instance->host->init_cgroup_fd;
	start.leaf_cgroup_fd = leaf;
	if (start.plan->keep)
		start.keeper_path = instance_keeper_path(instance, keeper, sizeof(keeper));
	/* the clone would not come back (clone_run.h) */
	if (cgroup_is_frozen(start.init_cgroup_fd))
		return error_set(err, ERROR_SYSTEM, EAGAIN,
				 "the cgroup that launchers live in is frozen: thaw it "
				 "(`systemctl thaw pysbx-apps.scope`)");
	r = launcher_spawn(&start, &instance->launcher, err);
	if (r < 0)
		return r;
	/* while the launcher builds the sandbox */
	instance_take_first_reading(instance);
	return instance_attach_launcher(instance, err);
}

static void end_sources(struct instance *instance)
{
	instance_disarm_timer(instance);
	instance_stop_tripwire(instance);
	instance->socket_source = sd_event_source_disable_unref(instance->socket_source);
	instance->exit_source = sd_event_source_disable_unref(instance->exit_source);
	instance->oom_timer = sd_event_source_disable_unref(instance->oom_timer);
	instance->stop_timer = sd_event_source_disable_unref(instance->stop_timer);
	instance->deadline = sd_event_source_disable_unref(instance->deadline);
}

static void reset_life(struct instance *instance)
{
	instance_conclude_question(instance);
	end_sources(instance);
	health_free(TAKE_PTR(instance->health));
	relay_clear(&instance->relay);
	recorder_stop(&instance->recorder);
	watch_stop(&instance->watch);
	process_table_clear(&instance->processes);
	launcher_close(&instance->launcher);
	close_and_clear(&instance->worker_pidfd);
	for (unsigned i = 0; i < 2; i++) {
		close_and_clear(&instance->pipes[i]);
		free(TAKE_PTR(instance->spooled[i]));
		instance->spooled_length[i] = 0;
	}
	instance->watch = (struct watch){ 0 };
	instance_explain(instance, &(struct event_deltas){ 0 });
	free(instance->last_words.text);
	instance->last_words = (struct instance_end){ 0 };
	instance->worker_pid = 0;
	instance->was_well = false;
	instance->judged = false;
	instance->collected = false;
	instance->killed_by_us = false;
	instance_forget_end(instance);
	instance_forget_pressure(instance);
	diagnosis_clear(&instance->diagnosis);
	instance->forwarded_signal = 0;
	instance->pressure_noted_usec = 0;
	instance->pids_noted_usec = 0;
	instance->pids_moved_at = (struct moment){ 0 };
	instance->pids_seen = 0;
	instance->table_usec = 0;
}

/* What the kernel would have said: verdict_judge() reads from it whether another try may help. */
static int errno_of(const struct error *err)
{
	if (err->errnum != 0)
		return err->errnum;
	switch (err->kind) {
	case ERROR_NOT_FOUND:
		return ENOENT;
	case ERROR_NOT_EXECUTABLE:
	case ERROR_DENIED:
		return EACCES;
	case ERROR_INVALID:
	case ERROR_UNSUPPORTED:
		return EINVAL;
	default:
		return 0;
	}
}

/* Without memory for the text the rest is still told. */
void instance_set_last_words(struct instance *instance, const struct launch_message *message)
{
	free(instance->last_words.text);
	instance->last_words = (struct instance_end){
		.type = (enum launch_message_type)message->type,
		.stage = (enum launch_stage)message->stage,
		.errnum = message->errnum,
		.wait_status = message->wait_status,
		.user_usec = message->user_usec,
		.system_usec = message->system_usec,
		.maxrss_bytes = message->maxrss_bytes,
		.started_nsec = message->started_nsec,
		.ended_nsec = message->ended_nsec,
		.text = message->text[0] != '\0' ? strdup(message->text) : NULL,
	};
}

static void spawn(struct instance *instance)
{
	struct launch_message failure;
	struct error err;

	instance->spawned_usec = clock_monotonic_usec();
	instance->stop_signal = instance->spec->stop.signal;
	if (begin_life(instance, &err) >= 0)
		return;
	/* nobody is there to say it: the supervisor's own failure is the last word */
	launcher_kill(&instance->launcher);
	failure = (struct launch_message){ .type = LAUNCH_FAILED,
					   .errnum = errno_of(&err),
					   .stage = STAGE_PREPARE };
	snprintf(failure.text, sizeof(failure.text), "%.*s", LAUNCH_TEXT_MAX - 1, err.text);
	instance_set_last_words(instance, &failure);
	instance_conclude(instance);
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

/* The launcher has ended, and with it all in its PID namespace: clean up, go on. */
void instance_conclude(struct instance *instance)
{
	char keeper[INSTANCE_CGROUP_MAX];

	instance_judge_end(instance);
	reset_life(instance);
	if (instance->host->keeper_directory != NULL)
		(void)unlink(instance_keeper_path(instance, keeper, sizeof(keeper)));
	instance_remove_leaf(instance);
	instance_step(instance, event_of(instance->decision));
}

void instance_judge_end(struct instance *instance)
{
	struct verdict verdict;

	if (instance->judged)
		return;
	instance->judged = true;
	instance->judged_usec = clock_monotonic_usec();
	instance_judge(instance, false, &verdict);
	instance->decision = verdict.decision;
	instance->backoff_usec = verdict.restart_delay_usec;
	if (instance->host->record != NULL)
		instance->host->record(instance);
}

/* --- the table's answers -------------------------------------------------------------------- */

static void signal_stop(struct instance *instance, enum app_state from)
{
	struct error err;

	/* a frozen process would not hear it */
	if (from == APP_SUSPENDED)
		instance_set_frozen(instance, false);
	if (launcher_send(&instance->launcher, LAUNCH_SIGNAL, instance->stop_signal, &err) < 0)
		instance_say_error(instance, &err);
	instance_arm_timer(instance, instance->spec->stop.grace_usec);
}

/* The leaf first; if the launcher is still there later, it too: its end takes the PID namespace. */
static void kill_all(struct instance *instance)
{
	const struct log_subject subject = instance_subject(instance);
	_cleanup_close_ int leaf = -1;
	struct error err;

	if (instance->killed_by_us) {
		log_event(instance->host->log, LOG_EVENT_APP_LOST, &subject,
			  "still there after SIGKILL: killing its launcher too");
		instance_kill_launcher(instance);
	} else if (instance_open_leaf(instance, &leaf, &err) < 0 || cgroup_kill(leaf, &err) < 0) {
		instance_say_error(instance, &err);
	}
	instance->killed_by_us = true;
	instance_arm_timer(instance, INSTANCE_KILL_PATIENCE_USEC);
}

static void tell_pause(struct instance *instance, bool frozen)
{
	const struct log_subject subject = instance_subject(instance);

	if (frozen)
		log_event(instance->host->log, LOG_EVENT_APP_SUSPENDED, &subject, "suspended");
	else
		log_event(instance->host->log, LOG_EVENT_APP_RESUMED, &subject, "resumed");
}

static void act(struct instance *instance, enum app_action action, enum app_state from)
{
	switch (action) {
	case ACTION_SPAWN:
		instance_disarm_timer(instance);
		spawn(instance);
		break;
	case ACTION_SIGNAL_STOP:
		signal_stop(instance, from);
		break;
	case ACTION_KILL:
		kill_all(instance);
		break;
	case ACTION_ARM_BACKOFF:
		instance_arm_timer(instance, instance->backoff_usec);
		break;
	case ACTION_FREEZE:
	case ACTION_THAW:
		instance_set_frozen(instance, action == ACTION_FREEZE);
		/* between two questions too: it is not hung that it did not answer meanwhile */
		if (action == ACTION_THAW)
			health_forget(instance->health);
		tell_pause(instance, action == ACTION_FREEZE);
		break;
	case ACTION_SETTLE:
		instance_disarm_timer(instance);
		if (instance->on_settled != NULL)
			instance->on_settled(instance, instance->userdata);
		break;
	case ACTION_NONE:
	case APP_ACTION_COUNT:
		break;
	}
}

void instance_step(struct instance *instance, enum app_event event)
{
	const enum app_state from = instance->state;
	const struct lifecycle_step next = lifecycle_step(from, event);

	instance->state = next.next;
	if (from != next.next && instance->host->on_change != NULL)
		instance->host->on_change(instance, from);
	act(instance, next.action, from);
}

/* --- what is asked of it -------------------------------------------------------------------- */

void instance_start(struct instance *instance)
{
	instance->stop_requested = false;
	instance_step(instance, EVENT_START);
}

void instance_stop(struct instance *instance, int signal)
{
	instance->stop_signal = signal;
	if (instance->state == APP_STOPPING) {
		instance_step(instance, EVENT_TIMER); /* asked twice */
		return;
	}
	instance->stop_requested = true;
	instance_step(instance, EVENT_STOP);
}

void instance_signal(struct instance *instance, int signal)
{
	struct error err;

	/* while it starts, the launcher keeps it until there is a worker */
	if (!app_state_has_process(instance->state))
		return;
	instance->forwarded_signal = signal;
	if (launcher_send(&instance->launcher, LAUNCH_SIGNAL, signal, &err) < 0)
		instance_say_error(instance, &err);
}

void instance_suspend(struct instance *instance)
{
	instance_step(instance, EVENT_SUSPEND);
}

void instance_resume(struct instance *instance)
{
	instance_step(instance, EVENT_RESUME);
}

void instance_keep_health(struct instance *instance)
{
	if (instance->health != NULL && instance->diagnosis.health == NULL &&
	    health_tracker(instance->health)->failures > 0)
		diagnosis_set_health(&instance->diagnosis, health_describe(instance->health));
}

/* Without it the app is worse off, but runs. */
void instance_watch_health(struct instance *instance)
{
	struct error err;

	health_free(TAKE_PTR(instance->health));
	if (instance->spec->health.http != NULL && instance->worker_pid > 0 &&
	    instance->last_words.type == 0 && health_new(instance, &instance->health, &err) < 0)
		instance_say_error(instance, &err);
}

/* --- letting go ------------------------------------------------------------------------------ */

void instance_leave(struct instance *instance)
{
	instance_release_tripwire(instance);
	instance_drop_former(instance);
	instance_conclude_question(instance);
	end_sources(instance);
	relay_clear(&instance->relay);
	recorder_stop(&instance->recorder);
	watch_stop(&instance->watch);
	process_table_clear(&instance->processes);
	launcher_close(&instance->launcher);
	reset_life(instance);
	instance->tidy_timer = sd_event_source_disable_unref(instance->tidy_timer);
	listeners_close(&instance->listeners);
	recorder_clear(&instance->recorder);
	instance_forget_counters(instance);
	instance_forget_denials(instance);
	plan_free(TAKE_PTR(instance->plan));
}

void instance_clear(struct instance *instance)
{
	instance_drop_former(instance);
	launcher_kill(&instance->launcher);
	reset_life(instance);
	instance->tidy_timer = sd_event_source_disable_unref(instance->tidy_timer);
	listeners_end(&instance->listeners);
	recorder_clear(&instance->recorder);
	instance_forget_counters(instance);
	instance_forget_denials(instance);
	plan_free(TAKE_PTR(instance->plan));
}
