/* SPDX-License-Identifier: MIT */
#include "supervisor/app.h"

#include "policy/escape.h"
#include "policy/own.h"
#include "policy/plan_build.h"
#include "supervisor/cgroup.h"
#include "supervisor/chore.h"
#include "supervisor/clock.h"
#include "supervisor/egress.h"
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
int app_set_egress(const struct app *app, const struct app_spec *spec, struct error *err)
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
	return r < 0 ? r : app_set_egress(app, &app->spec, err);
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

/* --- what the instance tells ---------------------------------------------------------------- */

void app_forget_record(struct app *app)
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
	app_forget_record(app);
	app->host->on_change(app, from);
	app_answer_waiters(app, 1U << app_state(app), 0);
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
		app_forget_record(app); /* the rule goes into it */
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

	app_forget_record(app);
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

	app_forget_record(app);
	app->host->record(app);
}

static void on_settled(struct instance *instance, void *userdata)
{
	struct app *app = userdata;
	bool again = app->start_again && !app->remove;
	struct error ignored; /* a start tries again */
	(void)instance;

	app->start_again = false;
	app_forget_record(app);
	remove_slice(app);
	(void)move_home(app, &ignored);
	if (again) {
		app_start(app);
		return;
	}
	listeners_end(&app->instance.listeners);
	app->host->on_settled(app);
	app_answer_waiters(app, app_state_bits(app), 0);
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
	app_answer_waiters(app, 0, -ENOENT);
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
	app_forget_record(app);
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

void app_keep(struct app *app)
{
	app->remove = false;
	app_forget_record(app);
	app_answer_waiters(app, APP_KEPT, 0);
}

void app_adopt(struct app *app)
{
	instance_adopt(&app->instance);
}

pid_t app_pid(const struct app *app)
{
	return app_state_has_process(app_state(app)) ? app->instance.worker_pid : 0;
}
