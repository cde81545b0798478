/* SPDX-License-Identifier: MIT */
#include "policy/escape.h"
#include "policy/figure.h"
#include "policy/own.h"
#include "supervisor/clock.h"
#include "supervisor/daemon.h"
#include "supervisor/snapshot.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct daemon *daemon_of(const struct app *app)
{
	return app->host->userdata;
}

/* --- the list ------------------------------------------------------------------------------- */

/* The place of the name, or where it would be. */
static size_t place_of(const struct daemon *daemon, const char *name, bool *ret_found)
{
	size_t low = 0, high = daemon->app_count;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(daemon->apps[middle]->spec.name, name);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct app *daemon_find_app(const struct daemon *daemon, const char *name)
{
	bool found;
	size_t place = place_of(daemon, name, &found);

	return found ? daemon->apps[place] : NULL;
}

static int make_room(struct daemon *daemon, struct error *err)
{
	size_t wanted = daemon->app_allocated == 0 ? 16 : daemon->app_allocated * 2;
	struct app **larger;

	if (daemon->app_count == DAEMON_APPS_MAX)
		return error_set(err, ERROR_TOO_MANY, 0, "there are %d apps: no more are taken",
				 DAEMON_APPS_MAX);
	if (daemon->app_count < daemon->app_allocated)
		return 0;
	larger = reallocarray(daemon->apps, wanted, sizeof(struct app *));
	if (larger == NULL)
		return error_no_memory(err);
	daemon->apps = larger;
	daemon->app_allocated = wanted;
	return 0;
}

int daemon_add_app(struct daemon *daemon, struct app_spec *spec, enum config_source source,
		   struct app **ret, struct error *err)
{
	struct app *app = NULL;
	size_t place;
	bool found;
	int r;

	r = make_room(daemon, err);
	if (r >= 0)
		r = app_new(&daemon->host, spec, source, &app, err);
	if (r < 0)
		return r;
	place = place_of(daemon, app->spec.name, &found);
	memmove(&daemon->apps[place + 1], &daemon->apps[place],
		(daemon->app_count - place) * sizeof(struct app *));
	daemon->apps[place] = app;
	daemon->app_count++;
	*ret = app;
	return 0;
}

size_t daemon_count_apps(const struct daemon *daemon, const char *tenant)
{
	size_t count = 0;

	for (size_t i = 0; i < daemon->app_count; i++) {
		const char *of = daemon->apps[i]->spec.tenant;

		/* those that are being removed, too: they use what they use until they end */
		count += of != NULL && strcmp(of, tenant) == 0;
	}
	return count;
}

/* --- removing ------------------------------------------------------------------------------- */

static void forget_queued(struct daemon *daemon, const struct app *app)
{
	for (size_t i = 0; i < daemon->queue_count; i++) {
		struct app **at =
			&daemon->queue[(daemon->queue_first + i) % daemon->queue_allocated];

		if (*at == app)
			*at = NULL;
	}
}

/* Whoever is in the middle of a step with the app has finished when this runs. */
static int on_reap(sd_event_source *source, void *userdata)
{
	struct daemon *daemon = userdata;
	size_t kept = 0;

	for (size_t i = 0; i < daemon->app_count; i++) {
		struct app *app = daemon->apps[i];

		if (!app->remove || app_state_has_process(app_state(app))) {
			daemon->apps[kept++] = app;
			continue;
		}
		events_publish(daemon->events, "app.removed", app->spec.name, app->spec.tenant,
			       NULL);
		forget_queued(daemon, app);
		app_free(app);
	}
	daemon->app_count = kept;
	daemon_save_soon(daemon);
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

static void reap_soon(struct daemon *daemon)
{
	if (daemon->reaper == NULL)
		(void)sd_event_add_defer(daemon->event, &daemon->reaper, on_reap, daemon);
	(void)sd_event_source_set_enabled(daemon->reaper, SD_EVENT_ONESHOT);
}

void daemon_remove_app(struct daemon *daemon, struct app *app)
{
	app->remove = true;
	app->start_again = false;
	/* a second word would mean "at once" */
	if (app_state(app) != APP_STOPPING)
		app_stop(app);
	if (!app_state_has_process(app_state(app)))
		reap_soon(daemon);
	daemon_save_soon(daemon);
}

void daemon_keep_app(struct daemon *daemon, struct app *app)
{
	if (!app->remove)
		return;
	app_keep(app);
	if (!app->spec.enabled)
		return;
	if (app_state_has_process(app_state(app)))
		app_start(app); /* when it has ended */
	else
		daemon_queue_app(daemon, app);
}

/* --- memory --------------------------------------------------------------------------------- */

static int on_trimmer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct daemon *daemon = userdata;
	(void)source, (void)usec;

	daemon->trimmer = sd_event_source_disable_unref(daemon->trimmer);
	(void)malloc_trim(0);
	return 0;
}

void daemon_trim_soon(struct daemon *daemon)
{
	if (daemon->trimmer == NULL)
		(void)sd_event_add_time_relative(daemon->event, &daemon->trimmer, CLOCK_MONOTONIC,
						 DAEMON_TRIM_DELAY_USEC, USEC_PER_SEC, on_trimmer,
						 daemon);
}

/* --- starting ------------------------------------------------------------------------------- */

void daemon_start_app(struct app *app)
{
	app_set_queued(app, false);
	app_start(app);
}

static bool has_turn(const struct daemon *daemon)
{
	return daemon->queue_count > 0 && daemon->starting < DAEMON_STARTS_AT_A_TIME &&
	       !daemon->leaving;
}

static void start_more(struct daemon *daemon);

static int on_scope_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct daemon *daemon = userdata;
	(void)source, (void)usec;

	daemon->scope_again = sd_event_source_disable_unref(daemon->scope_again);
	start_more(daemon);
	return 0;
}

/* Without a scope all in the queue would fail, one after the other: they wait for it. */
static bool must_wait_for_scope(struct daemon *daemon)
{
	struct error err;
	int r = daemon_need_scope(daemon, &err);

	if (r != -EAGAIN) {
		daemon->scope_told = false;
		return false;
	}
	if (!daemon->scope_told)
		log_message(&daemon->log, LOG_LEVEL_WARNING, NULL, "%zu apps wait to start: %s",
			    daemon->queue_count, err.text);
	daemon->scope_told = true;
	if (daemon->scope_again == NULL)
		(void)sd_event_add_time_relative(daemon->event, &daemon->scope_again,
						 CLOCK_MONOTONIC, DAEMON_SCOPE_PAUSE_USEC,
						 USEC_PER_SEC, on_scope_again, daemon);
	return true;
}

static int on_starter(sd_event_source *source, void *userdata)
{
	struct daemon *daemon = userdata;
	unsigned started = 0;
	bool waits = has_turn(daemon) && must_wait_for_scope(daemon);

	/* also when each fails at once: the loop has other things to do in between */
	while (!waits && has_turn(daemon) && started < DAEMON_STARTS_AT_A_TIME) {
		struct app *app = daemon->queue[daemon->queue_first];

		daemon->queue_first = (daemon->queue_first + 1) % daemon->queue_allocated;
		daemon->queue_count--;
		if (app == NULL || !app->queued)
			continue;
		daemon_start_app(app);
		started++;
	}
	(void)sd_event_source_set_enabled(source, !waits && has_turn(daemon) ? SD_EVENT_ONESHOT
									     : SD_EVENT_OFF);
	return 0;
}

static void start_more(struct daemon *daemon)
{
	if (!has_turn(daemon) || (daemon->scope_again != NULL && daemon->scope.fd < 0))
		return;
	if (daemon->starter == NULL) {
		(void)sd_event_add_defer(daemon->event, &daemon->starter, on_starter, daemon);
		/* those that run already and the socket come first */
		(void)sd_event_source_set_priority(daemon->starter, SD_EVENT_PRIORITY_IDLE);
	}
	(void)sd_event_source_set_enabled(daemon->starter, SD_EVENT_ONESHOT);
}

/* The ring is made anew when it is full. */
static bool make_queue_room(struct daemon *daemon)
{
	size_t wanted = daemon->queue_allocated == 0 ? 64 : daemon->queue_allocated * 2;
	struct app **larger;

	if (daemon->queue_count < daemon->queue_allocated)
		return true;
	larger = calloc(wanted, sizeof(struct app *));
	if (larger == NULL)
		return false;
	for (size_t i = 0, at = daemon->queue_first; i < daemon->queue_count; i++) {
		larger[i] = daemon->queue[at];
		at = at + 1 < daemon->queue_allocated ? at + 1 : 0;
	}
	free(daemon->queue);
	daemon->queue = larger;
	daemon->queue_allocated = wanted;
	daemon->queue_first = 0;
	return true;
}

void daemon_queue_app(struct daemon *daemon, struct app *app)
{
	if (app->queued)
		return;
	if (!make_queue_room(daemon)) {
		daemon_start_app(app);
		return;
	}
	app_set_queued(app, true);
	daemon->queue[(daemon->queue_first + daemon->queue_count++) % daemon->queue_allocated] =
		app;
	start_more(daemon);
}

/* --- the scope ------------------------------------------------------------------------------ */

/* `systemctl stop` of the scope, or the host shuts down: systemd has told everyone in it. */
static void stop_all(struct daemon *daemon)
{
	log_event(&daemon->log, LOG_EVENT_DAEMON_STOPPING, NULL,
		  "systemd stops " APPS_SCOPE_UNIT ": so all apps are stopped");
	for (size_t i = 0; i < daemon->app_count; i++) {
		app_set_queued(daemon->apps[i], false);
		app_stop(daemon->apps[i]);
	}
}

/* The anchor alone was killed: apps live on, and so must the scope. */
static bool replace_anchor(struct daemon *daemon)
{
	struct error err;

	if (apps_scope_renew_anchor(&daemon->scope, DAEMON_KEEPERS, &err) < 0) {
		log_event(&daemon->log, LOG_EVENT_SCOPE_LOST, NULL,
			  "the anchor of " APPS_SCOPE_UNIT " was killed, and the scope is gone: "
			  "the next start of an app makes it again (%s)",
			  err.text);
		return false;
	}
	log_event(&daemon->log, LOG_EVENT_SCOPE_LOST, NULL,
		  "the anchor of " APPS_SCOPE_UNIT " was killed: it has a new one, apps go on");
	daemon_use_scope(daemon);
	return true;
}

static int on_anchor(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct daemon *daemon = userdata;
	char word;
	(void)source, (void)revents;

	if (read(fd, &word, 1) == 1) {
		daemon->scope_stops = true;
		stop_all(daemon);
		return 0;
	}
	daemon->anchor_source = sd_event_source_disable_unref(daemon->anchor_source);
	if (daemon->scope_stops)
		log_message(&daemon->log, LOG_LEVEL_INFO, NULL,
			    APPS_SCOPE_UNIT " has ended: the next start of an app makes it again");
	else if (replace_anchor(daemon))
		return 0;
	daemon->scope_stops = false;
	apps_scope_close(&daemon->scope);
	daemon_use_scope(daemon);
	return 0;
}

static void tell_missing(struct daemon *daemon)
{
	const struct apps_scope *scope = &daemon->scope;

	if (scope->fd < 0 || scope->missing == 0 || daemon->missing_told)
		return;
	daemon->missing_told = true;
	log_message(
		&daemon->log, LOG_LEVEL_WARNING, NULL,
		"%s: has no controller for%s%s: of such limits none can be had, and %s of an app "
		"can't be told",
		scope->path, (scope->missing & CONTROLLER_MEMORY) != 0 ? " memory" : "",
		(scope->missing & CONTROLLER_PIDS) != 0 ? " pids" : "",
		scope->missing == CONTROLLER_PIDS     ? "refused forks"
		: scope->missing == CONTROLLER_MEMORY ? "OOM kills"
						      : "OOM kills and refused forks");
}

void daemon_use_scope(struct daemon *daemon)
{
	tell_missing(daemon);
	daemon->host.instance.root_fd = daemon->scope.fd;
	daemon->host.instance.init_cgroup_fd = daemon->scope.init_fd;
	daemon->host.instance.root_path = daemon->scope.path;
	daemon->host.instance.root_cgroup = cgroup_path_of_kernel(daemon->scope.path);
	for (size_t i = 0; daemon->scope.fd < 0 && i < daemon->app_count; i++)
		daemon->apps[i]->has_slice = false;
	if (daemon->scope.anchor.socket < 0 || daemon->anchor_source != NULL)
		return;
	(void)sd_event_add_io(daemon->event, &daemon->anchor_source, daemon->scope.anchor.socket,
			      EPOLLIN, on_anchor, daemon);
	/* systemd ends the workers in the same breath: the request is to be heard before that */
	(void)sd_event_source_set_priority(daemon->anchor_source, SD_EVENT_PRIORITY_IMPORTANT - 10);
}

int daemon_check_scope(const struct daemon *daemon, struct error *err)
{
	if (!daemon->scope_stops)
		return 0;
	return error_set(err, ERROR_CONFLICT, ECANCELED,
			 "systemd stops " APPS_SCOPE_UNIT
			 ", and with it all apps: start it when that is done");
}

/* What passes by itself: systemd or its bus is not there yet, or says no for now. */
static bool may_pass(const struct error *err)
{
	return err->kind == ERROR_UNREACHABLE || (err->kind == ERROR_SYSTEM && err->errnum == 0);
}

int daemon_need_scope(struct daemon *daemon, struct error *err)
{
	int r = daemon_check_scope(daemon, err);

	if (r < 0 || daemon->scope.fd >= 0)
		return r;
	if (clock_monotonic_usec() < daemon->scope_again_usec) {
		*err = daemon->scope_error;
		return -EAGAIN;
	}
	r = apps_scope_open(daemon->options.cgroup_root, DAEMON_KEEPERS, &daemon->scope, err);
	if (r >= 0) {
		daemon_use_scope(daemon);
		return r;
	}
	if (!may_pass(err))
		return r;
	err->errnum = EAGAIN; /* a shortage: the app is tried again */
	daemon->scope_error = *err;
	daemon->scope_again_usec = clock_monotonic_usec() + DAEMON_SCOPE_PAUSE_USEC;
	return -EAGAIN;
}

/* --- what apps tell ------------------------------------------------------------------------- */

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
	start_more(daemon);
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
		reap_soon(daemon);
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
