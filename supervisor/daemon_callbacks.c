/* SPDX-License-Identifier: MIT */
/* What apps tell the daemon: it becomes an event, goes on record, or makes room for the next. */
#include "policy/escape.h"
#include "policy/figure.h"
#include "supervisor/clock.h"
#include "supervisor/daemon.h"
#include "supervisor/snapshot.h"

#include <string.h>

static struct daemon *daemon_of(const struct app *app)
{
	return app->host->userdata;
}

static void tell_backoff(const struct app *app)
{
	const struct log_subject subject = instance_subject(&app->instance);
	char delay[QUANTITY_TEXT_MAX];

	log_event(app->host->instance.log, LOG_EVENT_APP_BACKOFF, &subject,
		  "will be started again in %s", figure_time(app->instance.backoff_usec, delay));
}

static void on_change(struct app *app, enum app_state from)
{
	struct daemon *daemon = daemon_of(app);
	enum app_state to = app_state(app);

	daemon->starting += (size_t)(to == APP_STARTING) - (size_t)(from == APP_STARTING);
	events_publish(daemon->events, "app.state", app->spec.name, app->spec.tenant,
		       json_pack("{s:s, s:s, s:o*}", "from", app_state_name(from), "to",
				 app_state_name(to), "pid",
				 app_pid(app) > 0 ? json_integer(app_pid(app)) : NULL));
	if (to == APP_BACKOFF)
		tell_backoff(app);
	daemon_start_more(daemon);
	daemon_save_soon(daemon);
}

static void on_incident(struct app *app, const char *id, const struct verdict *verdict)
{
	events_publish(daemon_of(app)->events, "app.incident", app->spec.name, app->spec.tenant,
		       json_pack("{s:s, s:s, s:s}", "incident", id, "cause",
				 cause_name(verdict->cause), "sentence", verdict->sentence));
}

static void on_health(struct app *app, enum health_state from)
{
	const struct health *health = app->instance.health;
	const struct health_tracker *tracker = health_tracker(health);
	const struct health_result *last = health_last(tracker);
	char text[HEALTH_TEXT_MAX] = "";

	if (last != NULL)
		(void)health_result_text(last, &app->spec.health, text);
	events_publish(daemon_of(app)->events, "app.health", app->spec.name, app->spec.tenant,
		       json_pack("{s:s, s:s, s:I, s:s}", "from", health_state_name(from), "to",
				 health_state_name(tracker->state), "failures",
				 (json_int_t)tracker->failures, "last", text));
	/* whether it was ever well is on record */
	if (from == HEALTH_STARTING)
		daemon_save_soon(daemon_of(app));
}

static void on_throttled(struct app *app, const char *text)
{
	events_publish(daemon_of(app)->events, "app.throttled", app->spec.name, app->spec.tenant,
		       json_pack("{s:s}", "why", text));
}

/* Names are the worker's to choose: what is no UTF-8 is made such. */
static void on_denial(struct app *app, const struct denial_report *report)
{
	char executable[THREAD_PATH_MAX * 2], thread[128];

	escape_string(report->caller.executable, ESCAPE_FOR_JSON, executable, sizeof(executable));
	escape_string(report->caller.name, ESCAPE_FOR_JSON, thread, sizeof(thread));
	events_publish(daemon_of(app)->events, "app.denial", app->spec.name, app->spec.tenant,
		       json_pack("{s:s, s:s, s:i, s:b, s:s, s:i, s:s, s:s?, s:s, s:I}", "syscall",
				 report->name != NULL ? report->name : "", "call", report->call,
				 "errno", report->errnum, "made", report->errnum == 0, "executable",
				 executable, "pid", (int)report->caller.process, "thread", thread,
				 "place", report->place, "rule", report->rule, "untold",
				 (json_int_t)report->untold));
	if (app->spec.syscalls.mode == SYSCALLS_CANARY)
		daemon_save_soon(daemon_of(app));
}

static void on_pressure(struct app *app, enum pressure_step step, const char *reading,
			const char *result)
{
	events_publish(daemon_of(app)->events, "app.pressure", app->spec.name, app->spec.tenant,
		       json_pack("{s:s, s:s, s:s}", "step", pressure_step_name(step), "reading",
				 reading, "result", result));
}

static void on_lifted(struct app *app, const struct strings *rules)
{
	json_t *list = json_array();

	for (size_t i = 0; list != NULL && i < rules->count; i++)
		(void)json_array_append_new(list, json_loads(rules->items[i], 0, NULL));
	events_publish(
		daemon_of(app)->events, "app.canary", app->spec.name, app->spec.tenant,
		json_pack("{s:s, s:o}", "profile", app->spec.syscalls.profile, "rules", list));
}

static void on_short(struct app *app, const struct incident_memory *memory, uint64_t limit,
		     const char *text)
{
	char shown[SNAPSHOT_TEXT_MAX * 4];

	events_publish(daemon_of(app)->events, "app.memory", app->spec.name, app->spec.tenant,
		       json_pack("{s:I, s:I, s:s}", "current", (json_int_t)memory->current, "limit",
				 (json_int_t)limit, "text",
				 escape_string(text, ESCAPE_FOR_JSON, shown, sizeof(shown))));
}

/* --- tripwires of tenants ------------------------------------------------------------------- */

void daemon_renew_tripwire(struct daemon *daemon, const struct tenant *tenant)
{
	daemon->tripwires.root = daemon->scope.fd;
	if (daemon->scope.fd >= 0)
		tenant_tripwires_renew(&daemon->tripwires, tenant);
}

static void on_tenant(struct app *app, const struct tenant *tenant)
{
	daemon_renew_tripwire(daemon_of(app), tenant);
}

/* At the largest of its apps. */
static void look_at_tenant(const struct tenant_trip *trip, void *userdata)
{
	const struct daemon *daemon = userdata;
	struct app *largest = NULL;
	uint64_t most = 0, used;
	struct error ignored;

	for (size_t i = 0; i < daemon->app_count; i++) {
		struct app *app = daemon->apps[i];

		if (app->spec.tenant == NULL || strcmp(app->spec.tenant, trip->tenant) != 0 ||
		    !app_state_has_process(app_state(app)) ||
		    app_cgroup_read_number(daemon->scope.fd, app->path, "memory.current", &used,
					   &ignored) < 0 ||
		    used <= most)
			continue;
		largest = app;
		most = used;
	}
	if (largest != NULL)
		(void)instance_look_for_tenant(&largest->instance, trip);
}

/* -------------------------------------------------------------------------------------------- */

static void on_settled(struct app *app)
{
	struct daemon *daemon = daemon_of(app);
	const struct log_subject subject = instance_subject(&app->instance);

	if (app_state(app) == APP_FAILED)
		log_event(&daemon->log, LOG_EVENT_APP_FAILED, &subject,
			  "given up: `pysbx start %s` tries again", app->spec.name);
	if (app->remove)
		daemon_reap_soon(daemon);
}

static void record(struct app *app)
{
	daemon_save_app(daemon_of(app), app);
}

static int need_scope(void *userdata, struct error *err)
{
	return daemon_need_scope(userdata, err);
}

static const struct host_system *system_paths(void *userdata)
{
	struct daemon *daemon = userdata;
	uint64_t now = clock_monotonic_usec();
	struct error ignored;

	if (daemon->system.entries == NULL || now - daemon->system_usec > DAEMON_SYSTEM_AGE_USEC) {
		host_system_clear(&daemon->system);
		if (host_system_gather(&daemon->system, &ignored) < 0)
			return NULL;
		daemon->system_usec = now;
	}
	return &daemon->system;
}

void daemon_set_callbacks(struct daemon *daemon)
{
	app_host_init(&daemon->host);
	daemon->host.on_change = on_change;
	daemon->host.on_incident = on_incident;
	daemon->host.on_denial = on_denial;
	daemon->host.on_pressure = on_pressure;
	daemon->host.on_lifted = on_lifted;
	daemon->host.on_short = on_short;
	daemon->host.on_tenant = on_tenant;
	daemon->tripwires = (struct tenant_tripwires){ .event = daemon->event,
						       .notifier = &daemon->notifier,
						       .root = -1,
						       .look = look_at_tenant,
						       .userdata = daemon };
	daemon->host.on_health = on_health;
	daemon->host.on_throttled = on_throttled;
	daemon->host.on_settled = on_settled;
	daemon->host.record = record;
	daemon->host.need_scope = need_scope;
	daemon->host.own_uid = daemon_own_uid;
	daemon->host.system = system_paths;
	daemon->host.userdata = daemon;
}
