/* SPDX-License-Identifier: MIT */
/* app.history, app.usage: what the recorders have seen. No file is read for these. */
#include "policy/own.h"
#include "policy/quantity.h"
#include "supervisor/clock.h"
#include "supervisor/methods.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define WINDOW_USEC UINT64_C(5000000)
#define POINTS_MAX  120
#define STEP_USEC   UINT64_C(2000000)
#define APPS_MAX    200 /* whose series are told in one answer */
#define FIELD(name) offsetof(struct recording_sample, name)
#define PERCENT(x)  json_real((double)(x) / 100.0)
#define NUMBER(x)   json_integer((json_int_t)(x))

/* A limit as others tell it: a number, "max", or null where nothing is said. */
static json_t *pack_limit(uint64_t limit)
{
	if (limit == LIMIT_UNSET)
		return json_null();
	return limit == LIMIT_MAX ? json_string("max") : NUMBER(limit);
}

/* --- history ---------------------------------------------------------------------------------- */

/* One that runs and has not been looked at for a second is looked at now. */
static void look_now(struct app *app, uint64_t now)
{
	struct recorder *recorder = &app->instance.recorder;
	const struct recording_sample *newest = recording_newest(&recorder->recording);

	if (recorder->at_work && (newest == NULL || newest->time_usec + RECORDING_BUSY_USEC < now))
		recorder_look(recorder, NULL);
}

static int get_history(struct call *call, const json_t *params, void *userdata, struct error *err)
{
	struct app *app = methods_find_app(userdata, call, params, err);
	uint64_t since = rpc_params_usec(params, "since", RECORDING_SPAN_USEC);
	const struct limits *limits;
	uint64_t now = clock_monotonic_usec();
	json_t *history;

	if (app == NULL)
		return -ENOENT;
	look_now(app, now);
	limits = &app->spec.limits;
	now = clock_monotonic_usec();
	history = recorder_to_json(&app->instance.recorder, since < now ? now - since : 0,
				   RECORDING_JSON_SAMPLES);
	if (history == NULL)
		return error_no_memory(err);
	call_reply(call, json_pack("{s:s, s:s, s:s, s:{s:o, s:o, s:o, s:o}, s:o}", "name",
				   app->spec.name, "state", app_state_name(app_state(app)), "pace",
				   recording_pace_name(app->instance.recorder.pace), "limits",
				   "memory", pack_limit(limits->memory_max), "memory_high",
				   pack_limit(limits->memory_high), "cpu_milli",
				   pack_limit(limits->cpu_max), "pids",
				   pack_limit(limits->pids_max), "history", history));
	return 0;
}

/* --- usage ------------------------------------------------------------------------------------ */

static json_t *pack_pressure(const struct recording_sample *sample)
{
	return json_pack("{s:{s:o, s:o}, s:{s:o}, s:{s:o, s:o}}", "memory", "some_avg10",
			 PERCENT(sample->memory_some_avg10), "full_avg10",
			 PERCENT(sample->memory_full_avg10), "cpu", "some_avg10",
			 PERCENT(sample->cpu_some_avg10), "io", "some_avg10",
			 PERCENT(sample->io_some_avg10), "full_avg10",
			 PERCENT(sample->io_full_avg10));
}

static void add_usage(json_t *row, const struct app *app, uint64_t now)
{
	const struct recording *recording = &app->instance.recorder.recording;
	const struct recording_sample *newest = recording_newest(recording);
	struct recording_rates rates;
	json_t *usage;

	if (newest == NULL || !app->instance.recorder.at_work)
		return;
	recording_rates(recording, WINDOW_USEC, now, &rates);
	usage = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "cpu",
			  PERCENT(rates.cpu_percent_x100), "throttled",
			  PERCENT(rates.throttled_percent_x100), "memory",
			  NUMBER(newest->memory_current), "unreclaimable",
			  NUMBER(recording_unreclaimable(newest)), "growth",
			  json_integer(rates.memory_per_second), "swap",
			  NUMBER(newest->memory_swap), "io", NUMBER(rates.io_per_second), "pids",
			  NUMBER(newest->pids), "queue", NUMBER(newest->listen_queue), "backlog",
			  NUMBER(newest->listen_backlog), "pressure", pack_pressure(newest));
	if (usage == NULL)
		return;
	(void)json_object_update(row, usage);
	json_decref(usage);
}

/* Percent of a core in each step; null where nothing is known. */
static json_t *pack_cpu_series(const uint64_t *values, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 1; i < count; i++) {
		uint64_t used = values[i] > values[i - 1] ? values[i] - values[i - 1] : 0;

		(void)json_array_append_new(array,
					    values[i - 1] == RECORDING_UNKNOWN
						    ? json_null()
						    : PERCENT(recording_share(used, STEP_USEC)));
	}
	return array;
}

static json_t *pack_memory_series(const uint64_t *values, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 1; i < count; i++)
		(void)json_array_append_new(
			array, values[i] == RECORDING_UNKNOWN ? json_null() : NUMBER(values[i]));
	return array;
}

static void add_series(json_t *row, const struct app *app, size_t points, uint64_t now)
{
	const struct recording *recording = &app->instance.recorder.recording;
	uint64_t values[POINTS_MAX + 1];

	(void)recording_series(recording, FIELD(cpu_usage_usec), STEP_USEC, now, values,
			       points + 1);
	(void)json_object_set_new(row, "cpu_series", pack_cpu_series(values, points + 1));
	(void)recording_series(recording, FIELD(memory_current), STEP_USEC, now, values,
			       points + 1);
	(void)json_object_set_new(row, "memory_series", pack_memory_series(values, points + 1));
}

static json_t *pack_row(const struct app *app, size_t points, uint64_t now)
{
	const struct limits *limits = &app->spec.limits;
	json_t *row =
		json_pack("{s:s, s:s?, s:s, s:s, s:I, s:o, s:o, s:o, s:o}", "name", app->spec.name,
			  "tenant", app->spec.tenant, "state", app_state_name(app_state(app)),
			  "pace", recording_pace_name(app->instance.recorder.pace), "restarts",
			  (json_int_t)app->restarts, "since", methods_time(app->since_usec),
			  "memory_max", pack_limit(limits->memory_max), "cpu_milli",
			  pack_limit(limits->cpu_max), "pids_max", pack_limit(limits->pids_max));

	if (row == NULL)
		return NULL;
	add_usage(row, app, now);
	if (points > 0)
		add_series(row, app, points, now);
	return row;
}

static bool is_named(const json_t *names, const char *name)
{
	const json_t *one;
	size_t index;

	if (names == NULL)
		return true;
	json_array_foreach(names, index,
			   one) if (strcmp(json_string_value(one), name) == 0) return true;
	return false;
}

static int get_usage(struct call *call, const json_t *params, void *userdata, struct error *err)
{
	const struct daemon *daemon = userdata;
	const char *tenant = rpc_params_string(params, "tenant", NULL);
	const json_t *names = rpc_params_value(params, "names");
	size_t points = (size_t)rpc_params_integer(params, "points", 0);
	uint64_t now = clock_monotonic_usec();
	json_t *apps;

	if (json_array_size(names) > APPS_MAX)
		return error_set(err, ERROR_USAGE, 0, "names: more than %d", APPS_MAX);
	apps = json_array();
	if (apps == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < daemon->app_count; i++) {
		const struct app *app = daemon->apps[i];
		const char *of = app->spec.tenant;

		if (methods_may_see(call, of) &&
		    (tenant == NULL || (of != NULL && strcmp(tenant, of) == 0)) &&
		    is_named(names, app->spec.name))
			(void)json_array_append_new(apps,
						    pack_row(app, names != NULL ? points : 0, now));
	}
	call_reply(call, json_pack("{s:o}", "apps", apps));
	return 0;
}

/* --- the table -------------------------------------------------------------------------------- */

static const struct rpc_param history_params[] = {
	{ .name = "name", .type = RPC_STRING, .required = true, .help = "The app" },
	{ .name = "since",
	  .type = RPC_DURATION,
	  .help = "Only the last so long, of five minutes at the most" },
};
static const struct rpc_param usage_params[] = {
	{ .name = "tenant", .type = RPC_STRING, .help = "Only the apps of this tenant" },
	{ .name = "names", .type = RPC_STRINGS, .help = "Only these apps, 200 at the most" },
	{ .name = "points",
	  .type = RPC_INTEGER,
	  .min = 0,
	  .max = POINTS_MAX,
	  .help = "With names: so many points of two seconds each, of cpu_series and "
		  "memory_series" },
};

const struct control_method methods_history[] = {
	{ .name = "app.history",
	  .summary = "Tells what an app used in the last five minutes",
	  .result = "name, state, pace, limits; history: a series a field, all as long as "
		    "time_msec",
	  .flags = METHOD_TENANT,
	  .params = history_params,
	  .param_count = ARRAY_SIZE(history_params),
	  .handle = get_history },
	{ .name = "app.usage",
	  .summary = "Tells what all apps use now, as their recorders have seen it last",
	  .result = "apps: objects of name, tenant, state, pace, restarts, since, memory_max, "
		    "cpu_milli, pids_max, and of one that runs cpu, throttled, memory, "
		    "unreclaimable, growth, swap, io, pids, queue, backlog, pressure; with points "
		    "cpu_series and memory_series",
	  .flags = METHOD_TENANT,
	  .params = usage_params,
	  .param_count = ARRAY_SIZE(usage_params),
	  .handle = get_usage },
};
const size_t methods_history_count = ARRAY_SIZE(methods_history);
