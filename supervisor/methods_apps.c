/* SPDX-License-Identifier: MIT */
/* app.*: looking at apps, and at what they do. */
#include "policy/escape.h"
#include "policy/own.h"
#include "policy/quote.h"
#include "policy/spec_json.h"
#include "supervisor/methods.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOG_LINES_DEFAULT LOG_TAIL_LINES
#define WAIT_DEFAULT_USEC UINT64_C(30000000)

bool methods_may_see(const struct call *call, const char *tenant)
{
	const char *asker = call_tenant(call);

	return asker == NULL || (tenant != NULL && strcmp(asker, tenant) == 0);
}

struct app *methods_find_app(const struct daemon *daemon, const struct call *call,
			     const json_t *params, struct error *err)
{
	const char *name = rpc_params_string(params, "name", "");
	struct app *app = daemon_find_app(daemon, name);
	char shown[QUOTE_TEXT_MAX];

	if (app != NULL && methods_may_see(call, app->spec.tenant))
		return app;
	(void)error_set(err, ERROR_NOT_FOUND, 0, "there is no app %s", quote_text(name, shown));
	return NULL;
}

bool methods_is_gone(const void *call)
{
	return client_is_gone(call_client(call));
}

json_t *methods_name_and_state(const struct app *app)
{
	return json_pack("{s:s, s:s}", "name", app->spec.name, "state",
			 app_state_name(app_state(app)));
}

json_t *methods_time(uint64_t realtime_usec)
{
	const time_t seconds = (time_t)(realtime_usec / USEC_PER_SEC);
	char text[64];
	struct tm utc;

	if (realtime_usec == 0 || gmtime_r(&seconds, &utc) == NULL)
		return json_null();
	(void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ",
		       utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
		       utc.tm_sec, (unsigned)(realtime_usec % USEC_PER_SEC / 1000));
	return json_string(text);
}

/* A pid or uid; 0 stands for none. */
static json_t *pack_id(json_int_t id)
{
	return id > 0 ? json_integer(id) : json_null();
}

/* --- get, list ------------------------------------------------------------------------------ */

static json_t *pack_last(const struct app_last *last)
{
	json_t *object;

	if (last == NULL)
		return json_null();
	object = json_pack("{s:s, s:s, s:o, s:i}", "cause", cause_name(last->cause), "sentence",
			   last->sentence, "time", methods_time(last->time_usec), "exit_code",
			   last->exit_code);
	(void)json_object_set_new(object, "incident",
				  last->incident[0] != '\0' ? json_string(last->incident)
							    : json_null());
	return object;
}

/* The one that it is held to: its own, or its tenant's. */
static const char *plan_of(const struct daemon *daemon, const struct app *app)
{
	const struct config_tenant *tenant =
		app->spec.tenant != NULL ? config_find_tenant(daemon->config, app->spec.tenant)
					 : NULL;

	if (app->spec.plan != NULL)
		return app->spec.plan;
	return tenant != NULL ? tenant->tenant.plan : NULL;
}

/* A file may have been edited since it was loaded, and be another tenant's now. */
static bool is_of_tenant(const json_t *declaration, const char *tenant)
{
	const char *named = json_string_value(json_object_get(declaration, "tenant"));

	return tenant == NULL || (named != NULL && strcmp(named, tenant) == 0);
}

/* As its user gave it: what plan and defaults have filled in would become the app's own words if it
 * was applied again. Null if there is none any more, none that can be read, or none for this
 * caller (tenant; NULL: an admin). */
static json_t *read_declaration(const struct daemon *daemon, const struct app *app,
				const char *tenant)
{
	json_t *declaration = NULL;
	struct error ignored;

	if (config_read_app(daemon->config, app->source, app->spec.name, &declaration, &ignored) <
	    0)
		return json_null();
	if (!is_of_tenant(declaration, tenant)) {
		json_decref(declaration);
		return json_null();
	}
	return declaration;
}

/* As far as this daemon has heard of them. */
static json_t *pack_denials(const struct instance *instance)
{
	const struct instance_denials *denials = instance->denials;

	return json_pack("{s:I, s:I, s:b}", "told",
			 (json_int_t)(denials != NULL ? denials->told : 0), "untold",
			 (json_int_t)(denials != NULL ? denials->untold : 0), "permitted",
			 instance_permits(instance));
}

static json_t *pack_health(const struct instance *instance)
{
	json_t *health = instance->health != NULL ? health_describe(instance->health) : NULL;

	return health != NULL ? health : json_null();
}

static int get_app(struct call *call, const json_t *params, void *userdata, struct error *err)
{
	const struct app *app = methods_find_app(userdata, call, params, err);
	json_t *effective = NULL;
	int r;

	if (app == NULL)
		return -ENOENT;
	r = spec_to_json(&app->spec, &effective, err);
	if (r < 0)
		return r;
	call_reply(
		call,
		json_pack(
			"{s:s, s:s?, s:s?, s:s, s:s, s:b, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, "
			"s:o, s:o}",
			"name", app->spec.name, "tenant", app->spec.tenant, "plan",
			plan_of(userdata, app), "source",
			app->source == SOURCE_FILE ? "file" : "socket", "state",
			app_state_name(app_state(app)), "enabled", app->spec.enabled, "pid",
			pack_id(app_pid(app)), "uid", pack_id(app->instance.uid), "since",
			methods_time(app->since_usec), "restarts", (json_int_t)app->restarts,
			"last", pack_last(app->last), "health", pack_health(&app->instance),
			"denials", pack_denials(&app->instance), "walls", methods_app_walls(app),
			"spec", read_declaration(userdata, app, call_tenant(call)), "effective",
			effective));
	return 0;
}

static void add_stats(json_t *row, const struct app *app)
{
	json_t *stats = methods_app_stats(app);
	json_t *memory = json_object_get(stats, "memory");

	(void)json_object_set(row, "memory", json_object_get(memory, "current"));
	(void)json_object_set(row, "memory_max", json_object_get(memory, "max"));
	(void)json_object_set(row, "cpu_usec",
			      json_object_get(json_object_get(stats, "cpu"), "usage_usec"));
	json_decref(stats);
}

static json_t *pack_row(const struct app *app, bool stats)
{
	json_t *row =
		json_pack("{s:s, s:s?, s:s, s:o, s:I, s:o, s:s?, s:s?}", "name", app->spec.name,
			  "tenant", app->spec.tenant, "state", app_state_name(app_state(app)),
			  "pid", pack_id(app_pid(app)), "restarts", (json_int_t)app->restarts,
			  "since", methods_time(app->since_usec), "last_cause",
			  app->last != NULL ? cause_name(app->last->cause) : NULL, "health",
			  app->instance.health != NULL
				  ? health_state_name(health_tracker(app->instance.health)->state)
				  : NULL);

	if (stats && row != NULL && app->has_slice)
		add_stats(row, app);
	return row;
}

static int list_apps(struct call *call, const json_t *params, void *userdata, struct error *err)
{
	const struct daemon *daemon = userdata;
	const char *tenant = rpc_params_string(params, "tenant", NULL);
	const char *state = rpc_params_string(params, "state", NULL);
	bool stats = rpc_params_boolean(params, "stats", false);
	json_t *apps = json_array();

	if (apps == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < daemon->app_count; i++) {
		const struct app *app = daemon->apps[i];
		const char *of = app->spec.tenant;

		if (!methods_may_see(call, of) ||
		    (tenant != NULL && (of == NULL || strcmp(tenant, of) != 0)) ||
		    (state != NULL && strcmp(state, app_state_name(app_state(app))) != 0))
			continue;
		(void)json_array_append_new(apps, pack_row(app, stats));
	}
	call_reply(call, json_pack("{s:o}", "apps", apps));
	return 0;
}

static int get_stats(struct call *call, const json_t *params, void *userdata, struct error *err)
{
	const struct app *app = methods_find_app(userdata, call, params, err);

	if (app == NULL)
		return -ENOENT;
	if (!app->has_slice)
		return error_set(err, ERROR_CONFLICT, 0, "app %s is %s: it uses nothing",
				 app->spec.name, app_state_name(app_state(app)));
	call_reply(call, methods_app_stats(app));
	return 0;
}

/* --- logs ----------------------------------------------------------------------------------- */

struct follower {
	struct subscription subscription;
	struct daemon *daemon;
	char *app; /* by name: it may be removed first */
};

static json_t *pack_line(unsigned stream, const char *line, size_t length)
{
	/* bytes that are no UTF-8 are written out */
	size_t size = length * 4 + 1;
	_cleanup_free_ char *text = malloc(size), *copy = strndup(line, length);

	if (text == NULL || copy == NULL)
		return NULL;
	escape_string(copy, ESCAPE_FOR_JSON, text, size);
	return json_pack("{s:s, s:s}", "stream", stream == 0 ? "stdout" : "stderr", "text", text);
}

static void on_line(void *userdata, unsigned stream, const char *line, size_t length)
{
	struct follower *follower = userdata;
	json_t *params = pack_line(stream, line, length);

	(void)json_object_set_new(params, "app", json_string(follower->app));
	if (params != NULL)
		(void)subscription_notify(&follower->subscription, "log", params);
}

static void on_follower_ended(struct subscription *subscription)
{
	struct follower *follower = subscription->userdata;
	struct app *app = daemon_find_app(follower->daemon, follower->app);

	if (app != NULL)
		app_log_unfollow(&app->log, on_line, follower);
	free(follower->app);
	free(follower);
}

static int follow(struct call *call, struct daemon *daemon, struct app *app, uint64_t *ret_id,
		  struct error *err)
{
	struct follower *follower = calloc(1, sizeof(*follower));
	int r;

	if (follower == NULL || (follower->app = strdup(app->spec.name)) == NULL) {
		free(follower);
		return error_no_memory(err);
	}
	follower->daemon = daemon;
	follower->subscription.userdata = follower;
	follower->subscription.ended = on_follower_ended;
	r = app_log_follow(&app->log, on_line, follower, err);
	if (r >= 0) {
		r = client_subscribe(call_client(call), &follower->subscription, err);
		if (r >= 0) {
			*ret_id = follower->subscription.id;
			return 0;
		}
		app_log_unfollow(&app->log, on_line, follower);
	}
	free(follower->app);
	free(follower);
	return r;
}

static int get_logs(struct call *call, const json_t *params, void *userdata, struct error *err)
{
	struct app *app = methods_find_app(userdata, call, params, err);
	const char *lines[LOG_TAIL_LINES];
	unsigned streams[LOG_TAIL_LINES];
	json_t *array, *result;
	size_t count, wanted;
	uint64_t id = 0;
	int r;

	if (app == NULL)
		return -ENOENT;
	wanted = (size_t)rpc_params_integer(params, "lines", LOG_LINES_DEFAULT);
	array = json_array();
	count = app_log_lines(&app->log, lines, streams);
	for (size_t i = count > wanted ? count - wanted : 0; i < count; i++)
		(void)json_array_append_new(array,
					    pack_line(streams[i], lines[i], strlen(lines[i])));
	result = json_pack("{s:o}", "lines", array);
	if (rpc_params_boolean(params, "follow", false)) {
		r = follow(call, userdata, app, &id, err);
		if (r < 0) {
			json_decref(result);
			return r;
		}
		(void)json_object_set_new(result, "subscription", json_integer((json_int_t)id));
	}
	call_reply(call, result);
	return 0;
}

/* --- wait ----------------------------------------------------------------------------------- */

static void on_waited(struct app *app, int result, void *userdata)
{
	struct call *call = userdata;
	struct error err;

	if (result == 0) {
		call_reply(call, methods_name_and_state(app));
		return;
	}
	if (result == -ETIMEDOUT)
		(void)error_set(&err, ERROR_FAILED, 0, "app %s is still %s", app->spec.name,
				app_state_name(app_state(app)));
	else
		(void)error_set(&err, ERROR_NOT_FOUND, 0, "app %s was removed", app->spec.name);
	call_fail(call, &err);
}

static int wait_for(struct call *call, const json_t *params, void *userdata, struct error *err)
{
	struct app *app = methods_find_app(userdata, call, params, err);
	const json_t *states = rpc_params_value(params, "states");
	struct app_wait wait = { .usec = rpc_params_usec(params, "timeout", WAIT_DEFAULT_USEC),
				 .callback = on_waited,
				 .is_gone = methods_is_gone,
				 .admin = call_tenant(call) == NULL,
				 .userdata = call };

	if (app == NULL)
		return -ENOENT;
	for (size_t i = 0; i < json_array_size(states); i++) {
		enum app_state state;

		/* the table has checked the names */
		if (app_state_parse(json_string_value(json_array_get(states, i)), &state) >= 0)
			wait.states |= 1U << state;
	}
	return app_wait(app, &wait, err);
}

/* --- the table ------------------------------------------------------------------------------ */

static const char *const state_choices[] = { "stopped", "starting", "running",	 "stopping",
					     "backoff", "failed",   "suspended", NULL };

#define NAME                                                                            \
	{                                                                               \
		.name = "name", .type = RPC_STRING, .required = true, .help = "The app" \
	}

static const struct rpc_param name_only[] = { NAME };
static const struct rpc_param list_params[] = {
	{ .name = "tenant", .type = RPC_STRING, .help = "Only the apps of this tenant" },
	{ .name = "state",
	  .type = RPC_STRING,
	  .choices = state_choices,
	  .help = "Only those in this state" },
	{ .name = "stats", .type = RPC_BOOLEAN, .help = "With memory and CPU" },
};
static const struct rpc_param logs_params[] = {
	NAME,
	{ .name = "lines",
	  .type = RPC_INTEGER,
	  .min = 0,
	  .max = LOG_TAIL_LINES,
	  .help = "How many of the newest lines" },
	{ .name = "follow",
	  .type = RPC_BOOLEAN,
	  .help = "Lines to come are sent as notifications" },
};
static const struct rpc_param wait_params[] = {
	NAME,
	{ .name = "states",
	  .type = RPC_STRINGS,
	  .required = true,
	  .choices = state_choices,
	  .help = "Any of these states ends the wait" },
	{ .name = "timeout",
	  .type = RPC_DURATION,
	  .help = "Gives up after this time, 30s unless told" },
};

#define PARAMS(table) .params = (table), .param_count = ARRAY_SIZE(table)

const struct control_method methods_apps[] = {
	{ .name = "app.get",
	  .summary = "Tells all about one app",
	  .result = "name, tenant, plan, source, state, enabled, pid, uid, since, restarts, last, "
		    "health, denials, walls; spec: as it was declared; effective: with what plan "
		    "and defaults give",
	  .flags = METHOD_TENANT,
	  PARAMS(name_only),
	  .handle = get_app },
	{ .name = "app.list",
	  .summary = "Lists apps, a line each",
	  .result = "apps: objects of name, tenant, state, pid, restarts, since, last_cause, "
		    "health, and "
		    "with stats memory, memory_max, cpu_usec",
	  .flags = METHOD_TENANT,
	  PARAMS(list_params),
	  .handle = list_apps },
	{ .name = "app.stats",
	  .summary = "Tells what a running app uses",
	  .result = "memory, cpu, pids, io, pressure",
	  .flags = METHOD_TENANT,
	  PARAMS(name_only),
	  .handle = get_stats },
	{ .name = "app.logs",
	  .summary = "Shows the newest lines of an app's output, and follows it",
	  .result = "lines: objects of stream and text; subscription, of the notifications `log`",
	  .flags = METHOD_TENANT,
	  PARAMS(logs_params),
	  .handle = get_logs },
	{ .name = "app.wait",
	  .summary = "Answers when the app is in one of these states",
	  .result = "name, state",
	  .flags = METHOD_TENANT,
	  PARAMS(wait_params),
	  .handle = wait_for },
};
const size_t methods_apps_count = ARRAY_SIZE(methods_apps);
