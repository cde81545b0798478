/* SPDX-License-Identifier: MIT */
#include "supervisor/app.h"

#include "policy/escape.h"
#include "policy/own.h"
#include "policy/plan_build.h"
#include "policy/spec_diff.h"
#include "supervisor/app_record.h"
#include "supervisor/cgroup.h"
#include "supervisor/chore.h"
#include "supervisor/clock.h"
#include "supervisor/egress.h"
#include "supervisor/file.h"
#include "supervisor/host.h"
#include "supervisor/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct app *app_of(struct instance *instance)
{
	return instance->userdata;
}

/* --- what a start needs --------------------------------------------------------------------- */

static int make_plan(struct app *app, struct plan **ret, struct error *err)
{
	struct identity identity = { .lock_fd = -1 };
	struct host_facts facts = { 0 };
	uid_t own = 0;
	int r = 0;

	if (app->spec.user == NULL)
		r = app->host->own_uid(app, &own, err);
	if (r >= 0)
		r = identity_resolve_app(app->spec.user, app->spec.name, own, &identity, err);
	if (r < 0)
		return r;
	r = identity_add_groups(&app->spec.groups, &identity, err);
	if (r >= 0)
		r = host_facts_gather(&app->spec, &identity, environ,
				      app->host->system(app->host->userdata), &facts, err);
	if (r >= 0)
		r = plan_build(&app->spec, app->instance.number, &facts, ret, err);
	if (r >= 0) {
		(*ret)->keep = true;
		app->uid = app->spec.user == NULL ? identity.uid : 0;
	}
	host_facts_clear(&facts);
	identity_clear(&identity);
	return r;
}

static void remove_slice(struct app *app)
{
	struct error err;

	app->has_slice = false;
	if (app->host->instance.root_fd >= 0 &&
	    app_cgroup_remove(app->host->instance.root_fd, app->path, &err) < 0)
		log_message(app->host->instance.log, LOG_LEVEL_ERROR, app->spec.name, "%s",
			    err.text);
}

int app_set_place(struct app *app, const char *path, struct error *err)
{
	char *copy = strdup(path);

	if (copy == NULL)
		return error_no_memory(err);
	free(app->path);
	app->instance.app_path = app->path = copy;
	return 0;
}

/* No slice is left of another tenant's time: from now on it is where its declaration says, and has
 * nothing of that tenant's any more, its uid neither. */
static int move_home(struct app *app, struct error *err)
{
	char path[APP_CGROUP_PATH_MAX];

	app_cgroup_path(app->spec.tenant, app->spec.name, path);
	if (strcmp(path, app->path) == 0)
		return 0;
	if (app->has_slice)
		remove_slice(app);
	app->uid = 0;
	return app_set_place(app, path, err);
}

/* What the slice may reach is what `spec` says. */
static int set_egress(const struct app *app, const struct app_spec *spec, struct error *err)
{
	_cleanup_close_ int slice = -1;
	int r;

	r = cgroup_open(app->host->instance.root_fd, app->path, &slice, err);
	return r < 0 ? r : egress_apply(slice, &spec->isolation.egress, err);
}

static int make_limits(struct app *app, struct error *err)
{
	const struct config_tenant *tenant = NULL;
	int r;

	/* on record as there, it may have gone with an earlier scope */
	if (app->has_slice && faccessat(app->host->instance.root_fd, app->path, F_OK, 0) == 0)
		return 0;
	if (app->spec.tenant != NULL)
		tenant = config_find_tenant(*app->host->config, app->spec.tenant);
	r = app_cgroup_make(app->host->instance.root_fd, tenant != NULL ? &tenant->tenant : NULL,
			    &app->spec, err);
	app->has_slice = r >= 0;
	if (r >= 0 && tenant != NULL)
		app->host->on_tenant(app, &tenant->tenant);
	return r;
}

/* The egress anew before each start, also where the slice is there: name servers may be others, and
 * a slice that could not be removed have that of an earlier time. */
static int make_slice(struct instance *instance, struct error *err)
{
	struct app *app = app_of(instance);
	int r;

	r = app->host->need_scope(app->host->userdata, err);
	if (r >= 0)
		r = move_home(app, err);
	if (r >= 0)
		r = make_limits(app, err);
	return r < 0 ? r : set_egress(app, &app->spec, err);
}

static int prepare(struct instance *instance, struct plan **ret_plan, int *ret_filter_fd,
		   struct error *err)
{
	struct app *app = app_of(instance);
	int r;

	if (app->held)
		return error_set(err, ERROR_INVALID, 0,
				 "its declaration can't be used: the journal of pysbxd says why; "
				 "correct it, and reload");
	r = filter_cache_get(app->host->filters, app->spec.syscalls.profile, ret_filter_fd, err);
	return r < 0 ? r : make_plan(app, ret_plan, err);
}

/* --- waiting -------------------------------------------------------------------------------- */

struct app_waiter {
	struct app *app;
	struct app_wait wait;
	sd_event_source *timer;
	struct app_waiter *previous, *next;
};

static void link_waiter(struct app *app, struct app_waiter *waiter)
{
	waiter->next = app->waiters;
	if (waiter->next != NULL)
		waiter->next->previous = waiter;
	app->waiters = waiter;
	app->waiter_count++;
}

static void unlink_waiter(struct app *app, struct app_waiter *waiter)
{
	if (app->next_waiter == waiter)
		app->next_waiter = waiter->next;
	if (waiter->next != NULL)
		waiter->next->previous = waiter->previous;
	if (waiter->previous != NULL)
		waiter->previous->next = waiter->next;
	else
		app->waiters = waiter->next;
	app->waiter_count--;
}

static void answer(struct app *app, struct app_waiter *waiter, int result)
{
	unlink_waiter(app, waiter);
	sd_event_source_disable_unref(waiter->timer);
	waiter->wait.callback(app, result, waiter->wait.userdata);
	free(waiter);
}

/* A callback may wait again, and then stands first: it is not asked in this round. One that changes
 * the state has all asked in a round of its own, after which nothing is left to do in this one. */
static void answer_waiters(struct app *app, unsigned states, int result)
{
	struct app_waiter *waiter;

	app->next_waiter = app->waiters;
	while ((waiter = app->next_waiter) != NULL) {
		app->next_waiter = waiter->next;
		if (result < 0 || (waiter->wait.states & states) != 0)
			answer(app, waiter, result);
	}
}

static bool has_gone(const struct app_wait *wait)
{
	return wait->is_gone != NULL && wait->is_gone(wait->userdata);
}

static void drop_gone_waiters(struct app *app)
{
	struct app_waiter *next;

	for (struct app_waiter *waiter = app->waiters; waiter != NULL; waiter = next) {
		next = waiter->next;
		if (has_gone(&waiter->wait))
			answer(app, waiter, -ECANCELED);
	}
}

int app_can_wait(struct app *app, bool admin, struct error *err)
{
	drop_gone_waiters(app);
	if (app->waiter_count < APP_WAITERS_MAX + (admin ? APP_WAITERS_RESERVED : 0))
		return 0;
	return error_set(err, ERROR_TOO_MANY, 0,
			 "%u calls wait for app %s already: try again when some of them are done",
			 app->waiter_count, app->spec.name);
}

static int on_wait_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct app_waiter *waiter = userdata;
	(void)source, (void)usec;

	answer(waiter->app, waiter, -ETIMEDOUT);
	return 0;
}

static unsigned state_bits(const struct app *app)
{
	bool at_rest = app_state(app) == APP_STOPPED || app_state(app) == APP_FAILED;

	return 1U << app_state(app) | (at_rest && !app->start_again ? APP_SETTLED : 0);
}

int app_wait(struct app *app, const struct app_wait *wait, struct error *err)
{
	struct app_waiter *waiter;
	int r;

	if ((wait->states & state_bits(app)) != 0) {
		wait->callback(app, 0, wait->userdata);
		return 0;
	}
	r = app_can_wait(app, wait->admin, err);
	if (r < 0)
		return r;
	waiter = calloc(1, sizeof(*waiter));
	if (waiter == NULL)
		return error_no_memory(err);
	*waiter = (struct app_waiter){ .app = app, .wait = *wait };
	if (wait->usec > 0)
		r = sd_event_add_time_relative(app->host->instance.event, &waiter->timer,
					       CLOCK_MONOTONIC, wait->usec, 1, on_wait_over,
					       waiter);
	if (r < 0) {
		free(waiter);
		return error_set(err, ERROR_SYSTEM, -r, "a timer");
	}
	link_waiter(app, waiter);
	return 0;
}

/* --- what the instance tells ---------------------------------------------------------------- */

static void forget_record(struct app *app)
{
	free(TAKE_PTR(app->saved));
}

static void on_change(struct instance *instance, enum app_state from)
{
	struct app *app = app_of(instance);

	app->since_usec = clock_realtime_usec();
	if (instance->state == APP_RUNNING)
		app->start_again = false; /* it has been */
	if (from == APP_BACKOFF && instance->state == APP_STARTING)
		app->restarts++;
	forget_record(app);
	app->host->on_change(app, from);
	answer_waiters(app, 1U << app_state(app), 0);
}

static void on_incident(struct instance *instance, const char *id, const struct verdict *verdict)
{
	struct app *app = app_of(instance);

	if (app->last == NULL)
		app->last = calloc(1, sizeof(*app->last));
	if (app->last != NULL) {
		*app->last = (struct app_last){ .cause = verdict->cause,
						.exit_code = instance->exit_code,
						.time_usec = clock_realtime_usec() };
		snprintf(app->last->incident, sizeof(app->last->incident), "%s", id);
		escape_string(verdict->sentence, ESCAPE_FOR_JSON, app->last->sentence,
			      sizeof(app->last->sentence));
	}
	if (id[0] != '\0')
		app->host->on_incident(app, id, verdict);
}

static void bounds(const struct instance *instance, struct setting_bound *ret_plan,
		   struct setting_bound *ret_tenant)
{
	const struct app *app = instance->userdata;
	const struct config *config = *app->host->config;
	const struct config_tenant *tenant = NULL;
	const struct config_plan *plan = config_find_plan_of(config, &app->spec, &tenant);

	if (plan != NULL)
		*ret_plan = (struct setting_bound){ plan->plan.name, &plan->plan.limits };
	if (tenant != NULL)
		*ret_tenant = (struct setting_bound){ tenant->tenant.name, &tenant->tenant.limits };
}

static void on_denial(struct instance *instance, const struct denial_report *report)
{
	struct app *app = app_of(instance);
	char line[INSTANCE_DENIAL_TEXT_MAX + 64];

	snprintf(line, sizeof(line), "pysbx: %s", report->text);
	app_log_note(&app->log, line);
	if (report->rule[0] != '\0') {
		snprintf(line, sizeof(line), "pysbx: to allow it, the profile needs %s",
			 report->rule);
		app_log_note(&app->log, line);
	}
	if (app->spec.syscalls.mode == SYSCALLS_CANARY)
		forget_record(app); /* the rule goes into it */
	app->host->on_denial(app, report);
}

static void on_short(struct instance *instance, const struct incident_memory *memory,
		     uint64_t limit, const char *text)
{
	struct app *app = app_of(instance);

	app->host->on_short(app, memory, limit, text);
}

static void on_pressure(struct instance *instance, enum pressure_step step, const char *reading,
			const char *result)
{
	struct app *app = app_of(instance);
	char line[PRESSURE_TEXT_MAX + CHORE_RESULT_MAX + 32];

	snprintf(line, sizeof(line), "pysbx: %s: %s: %s", reading, pressure_step_name(step),
		 result);
	app_log_note(&app->log, line);
	app->host->on_pressure(app, step, reading, result);
}

static void record(struct instance *instance);

static void on_lifted(struct instance *instance, const struct strings *rules, const char *text)
{
	struct app *app = app_of(instance);
	char line[INSTANCE_PROPOSAL_MAX + 16];

	snprintf(line, sizeof(line), "pysbx: %s", text);
	app_log_note(&app->log, line);
	record(instance);
	app->host->on_lifted(app, rules);
}

static void on_health(struct instance *instance, enum health_state from)
{
	struct app *app = app_of(instance);

	forget_record(app);
	app->host->on_health(app, from);
}

static void on_throttled(struct instance *instance, const char *text)
{
	struct app *app = app_of(instance);

	app->host->on_throttled(app, text);
}

static void record(struct instance *instance)
{
	struct app *app = app_of(instance);

	forget_record(app);
	app->host->record(app);
}

static void on_settled(struct instance *instance, void *userdata)
{
	struct app *app = userdata;
	bool again = app->start_again && !app->remove;
	struct error ignored; /* a start tries again */
	(void)instance;

	app->start_again = false;
	forget_record(app);
	remove_slice(app);
	(void)move_home(app, &ignored);
	if (again) {
		app_start(app);
		return;
	}
	listeners_close(&app->instance.listeners);
	app->host->on_settled(app);
	answer_waiters(app, state_bits(app), 0);
}

/* --- life ----------------------------------------------------------------------------------- */

int app_new(const struct app_host *host, struct app_spec *spec, enum config_source source,
	    struct app **ret, struct error *err)
{
	char path[APP_CGROUP_PATH_MAX];
	struct app *app = calloc(1, sizeof(*app));

	if (app != NULL)
		app->path = strdup(app_cgroup_path(spec->tenant, spec->name, path));
	if (app == NULL || app->path == NULL) {
		free(app);
		return error_no_memory(err);
	}
	app->host = host;
	app->source = source;
	app->spec = *spec;
	*spec = (struct app_spec){ 0 };
	app->since_usec = clock_realtime_usec();
	instance_init(&app->instance, &host->instance, &app->spec, app->path, 0, NULL, -1);
	app_log_init(&app->log, &host->log, &app->spec, 0);
	app->instance.sink = app_log_sink(&app->log);
	app->instance.on_settled = on_settled;
	app->instance.userdata = app;
	*ret = app;
	return 0;
}

void app_host_init(struct app_host *host)
{
	host->instance.make_slice = make_slice;
	host->instance.prepare = prepare;
	host->instance.bounds = bounds;
	host->instance.on_change = on_change;
	host->instance.on_incident = on_incident;
	host->instance.on_denial = on_denial;
	host->instance.on_pressure = on_pressure;
	host->instance.on_lifted = on_lifted;
	host->instance.on_short = on_short;
	host->instance.on_health = on_health;
	host->instance.on_throttled = on_throttled;
	host->instance.record = record;
}

void app_free(struct app *app)
{
	if (app == NULL)
		return;
	answer_waiters(app, 0, -ENOENT);
	instance_leave(&app->instance);
	app_log_clear(&app->log);
	spec_clear(&app->spec);
	free(app->path);
	free(app->last);
	free(app->saved);
	free(app);
}

void app_set_queued(struct app *app, bool queued)
{
	app->queued = queued;
	forget_record(app);
}

void app_start(struct app *app)
{
	if (app_state_has_process(app_state(app))) {
		app->start_again = app_state(app) == APP_STOPPING;
		return;
	}
	app->instance.restarts = (struct restart_state){ 0 };
	instance_forget_denials(&app->instance);
	instance_start(&app->instance);
}

void app_stop(struct app *app)
{
	app->start_again = false;
	if (app_state(app) != APP_STOPPING)
		instance_stop(&app->instance, app->spec.stop.signal);
}

void app_kill(struct app *app)
{
	app->start_again = false;
	if (app_state(app) == APP_STOPPING)
		instance_stop(&app->instance, app->spec.stop.signal);
}

void app_restart(struct app *app)
{
	if (!app_state_has_process(app_state(app))) {
		app_start(app);
		return;
	}
	if (app_state(app) != APP_STOPPING)
		instance_stop(&app->instance, app->spec.stop.signal);
	app->start_again = true;
}

static bool is_same_tenant(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static int check_change(const struct app *app, const struct app_spec *spec, struct error *err)
{
	int r;

	if (is_same_tenant(app->spec.tenant, spec->tenant))
		return 0;
	r = error_set(err, ERROR_CONFLICT, 0,
		      "tenant: app %s belongs to %s: remove it, then declare it anew",
		      app->spec.name, app->spec.tenant != NULL ? app->spec.tenant : "no tenant");
	error_set_path(err, "tenant");
	return r;
}

bool app_is_same_in_kernel(const struct app *app, const struct app_spec *spec)
{
	return limits_equal(&app->spec.limits, &spec->limits) &&
	       strings_equal(&app->spec.isolation.egress, &spec->isolation.egress);
}

int app_change_live(struct app *app, const struct app_spec *spec, struct error *err)
{
	int r;

	r = check_change(app, spec, err);
	if (r < 0 || !app->has_slice || app_is_same_in_kernel(app, spec))
		return r;
	/* what it has is not known, and could not be given back: at the commit */
	if (app->held)
		return app_cgroup_check_limits(app->host->instance.root_fd, app->path,
					       &spec->limits, err);
	if (!limits_equal(&app->spec.limits, &spec->limits))
		r = app_cgroup_set_limits(app->host->instance.root_fd, app->path, &spec->limits,
					  err);
	if (r >= 0 && !strings_equal(&app->spec.isolation.egress, &spec->isolation.egress))
		r = set_egress(app, spec, err);
	/* half of it may be in force: back to what was */
	if (r < 0)
		app_renew_limits(app);
	return r;
}

/* Of the leaf, so of what runs: the next one is made with it. */
static void set_oom_group(struct app *app)
{
	_cleanup_close_ int leaf = -1;
	bool group = app->spec.oom == OOM_APP;
	struct error err;
	int r;

	if (!app_state_has_process(app_state(app)) || app->host->instance.root_fd < 0)
		return;
	if (instance_open_leaf(&app->instance, &leaf, &err) < 0)
		return; /* it is just being made, or has ended */
	r = file_write_at(leaf, "memory.oom.group", group ? "1" : "0", &err);
	/* without a memory controller there is no file, and no group */
	if (r < 0 && (group || r != -ENOENT))
		log_message(app->host->instance.log, LOG_LEVEL_ERROR, app->spec.name, "oom: %s",
			    err.text);
}

/* Also where there is none: an earlier daemon may have been killed before it was on disk. */
static void renew_egress(struct app *app)
{
	struct error err;

	if (set_egress(app, &app->spec, &err) < 0)
		log_message(app->host->instance.log, LOG_LEVEL_ERROR, app->spec.name, "%s",
			    err.text);
}

void app_renew_limits(struct app *app)
{
	struct error err;

	if (!app->has_slice || app->held || app->remove)
		return;
	set_oom_group(app);
	renew_egress(app);
	if (app_cgroup_renew_limits(app->host->instance.root_fd, app->path, &app->spec.limits,
				    &err) < 0)
		log_message(app->host->instance.log, LOG_LEVEL_ERROR, app->spec.name, "%s",
			    err.text);
}

/* One that failed to be compared is taken for another. */
static bool needs_restart(const struct app *app, const struct app_spec *spec)
{
	struct spec_difference difference;
	struct error ignored;
	bool restart;

	if (!app_is_up(app))
		return false;
	if (app->held)
		return !app_record_is_of(app, spec);
	if (spec_diff(&app->spec, spec, &difference, &ignored) < 0)
		return true;
	restart = difference.restart;
	spec_difference_clear(&difference);
	return restart;
}

void app_change_commit(struct app *app, struct app_spec *spec)
{
	bool restart = needs_restart(app, spec), held = app->held;
	bool other_oom = app->spec.oom != spec->oom;
	bool other_health = !health_policy_equal(&app->spec.health, &spec->health);

	spec_clear(&app->spec);
	app->spec = *spec;
	app->digest = 0;
	*spec = (struct app_spec){ 0 };
	app->held = false;
	app_log_set_spec(&app->log, &app->spec);
	forget_record(app);
	/* a canary is one for as long as its declaration stands; a restart forgets by itself */
	if (!restart && !app_is_up(app))
		instance_forget_denials(&app->instance);
	if (held)
		app_renew_limits(app);
	else if (other_oom)
		set_oom_group(app);
	instance_renew_tripwire(&app->instance);
	if (other_health || held)
		instance_watch_health(&app->instance);
	if (restart)
		app_restart(app);
}

void app_keep(struct app *app)
{
	app->remove = false;
	forget_record(app);
	answer_waiters(app, APP_KEPT, 0);
}

void app_adopt(struct app *app)
{
	instance_adopt(&app->instance);
}

pid_t app_pid(const struct app *app)
{
	return app_state_has_process(app_state(app)) ? app->instance.worker_pid : 0;
}
