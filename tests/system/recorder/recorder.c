/* SPDX-License-Identifier: MIT */
/*
 * What the flight recorder has seen of real apps under real limits: by the socket, and in
 * incidents.
 */
#include "tests/system/harness_daemon.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define MIB (1LL << 20)

TestSuite(recorder, .timeout = TEST_TIMEOUT_SEC);

static const char *start_app(struct bench *bench, const char *word, json_t *limits,
			     const char *const *words)
{
	const char *name = bench_format(bench, "%s-%s", word, bench->name);
	json_t *app = app_object(bench, name, words);

	json_object_set_new(app, "limits", limits);
	app_apply(app);
	return name;
}

static json_t *history_of(const char *name)
{
	return daemon_call("app.history", "{s:s}", "name", name);
}

static size_t history_count(const char *name)
{
	_cleanup_json_ json_t *answer = history_of(name);

	return json_array_size(field(answer, "history.time_msec"));
}

static bool pace_is(const char *name, const char *pace)
{
	_cleanup_json_ json_t *answer = history_of(name);

	return strcmp(field_text(answer, "pace"), pace) == 0;
}

static json_t *usage_of(const char *name)
{
	json_t *answer = daemon_call("app.usage", "{s:[s], s:i}", "names", name, "points", 10);
	json_t *row = json_incref(json_array_get(json_object_get(answer, "apps"), 0));

	json_decref(answer);
	cr_assert_not_null(row);
	return row;
}

static double number(const json_t *row, const char *key)
{
	return json_number_value(json_object_get(row, key));
}

static long long largest(const json_t *history, const char *key)
{
	const json_t *value;
	long long most = 0;
	size_t index;

	json_array_foreach(json_object_get(history, key), index,
			   value) if (json_integer_value(value) > most) most =
		json_integer_value(value);
	return most;
}

/* All series of it are as long as its times, and those go up. */
static void expect_whole(const json_t *history)
{
	size_t count = json_array_size(json_object_get(history, "time_msec"));
	const char *key;
	json_t *series;
	long long before = 0;

	json_object_foreach((json_t *)history, key, series) if (strcmp(key, "processes") != 0)
		cr_expect_eq(json_array_size(series), count, "%s", key);
	for (size_t i = 0; i < count; i++) {
		long long time = json_integer_value(
			json_array_get(json_object_get(history, "time_msec"), i));

		cr_expect_gt(time, before);
		before = time;
	}
}

Test(recorder, sees_that_an_app_is_throttled)
{
	_cleanup_json_ json_t *answer = NULL, *usage = NULL;
	const json_t *history, *process;
	struct bench bench;
	const char *name;

	daemon_reset();
	bench_open(&bench, "throttled");
	daemon_start();
	name = start_app(&bench, "spin", json_pack("{s:s, s:s}", "memory", "64M", "cpu", "30%"),
			 WORDS("python3", "spin.py"));
	cr_assert(AWAIT(history_count(name) >= 10, REACTION_MSEC));
	answer = history_of(name);
	history = field(answer, "history");
	expect_whole(history);
	cr_expect_str_eq(field_text(answer, "pace"), "busy");
	cr_expect_eq(field_number(answer, "limits.memory"), 64 * MIB);
	cr_expect_gt(largest(history, "cpu_throttled"), 10);
	cr_expect_gt(largest(history, "cpu_usage_usec"), 1000000);
	cr_expect_gt(largest(history, "memory_anon"), MIB);
	cr_expect_geq(largest(history, "pids"), 1);
	process = json_array_get(json_object_get(history, "processes"), 0);
	cr_expect_str_eq(field_text(process, "comm"), "python3");
	cr_expect_gt(field_number(process, "rss"), MIB);
	cr_expect_gt(field_number(process, "cpu_usec"), 500000);
	usage = usage_of(name);
	cr_expect(number(usage, "cpu") > 15 && number(usage, "cpu") < 40, "%f",
		  number(usage, "cpu"));
	cr_expect_gt(number(usage, "throttled"), 50);
	cr_expect_eq(json_array_size(json_object_get(usage, "cpu_series")), 10);
	daemon_do("app.remove", "{s:s}", "name", name);
	bench_close(&bench);
}

Test(recorder, leaves_an_idle_app_alone_and_wakes_when_it_is_busy)
{
	_cleanup_json_ json_t *answer = NULL;
	struct bench bench;
	const char *name;
	size_t before;

	daemon_reset();
	bench_open(&bench, "idle");
	free(shell_output("mkfifo -m 666 %s/go", bench.data));
	daemon_start();
	name = start_app(
		&bench, "wakes", json_object(),
		WORDS("sh", "-c",
		      bench_format(&bench, "read line <%s/go; exec python3 spin.py", bench.data)));
	cr_assert(AWAIT(pace_is(name, "idle"), START_MSEC));
	before = history_count(name);
	cr_expect_lt(before, 40);
	free(shell_output("echo go >%s/go", bench.data));
	cr_assert(AWAIT(pace_is(name, "busy"), REACTION_MSEC));
	answer = history_of(name);
	expect_whole(field(answer, "history"));
	daemon_do("app.remove", "{s:s}", "name", name);
	bench_close(&bench);
}

Test(recorder, history_is_in_the_incident_and_survives_the_worker)
{
	_cleanup_json_ json_t *incident = NULL, *answer = NULL;
	const json_t *history;
	struct bench bench;
	const char *name;
	json_t *app;

	daemon_reset();
	bench_open(&bench, "leaks");
	daemon_start();
	name = bench_format(&bench, "leak-%s", bench.name);
	/* a MiB in 10 ms and more: some seconds in the guest */
	app = app_object(&bench, name, WORDS("python3", "leak.py", "262144"));
	json_object_set_new(app, "limits", json_pack("{s:s}", "memory", "96M"));
	app_apply(app);
	incident = app_await_incident(name, 1, START_MSEC);
	cr_expect_str_eq(field_text(incident, "cause"), "oom");
	history = field(incident, "history");
	expect_whole(history);
	cr_expect_gt(largest(history, "memory_anon"), 80 * MIB);
	cr_expect_gt(largest(history, "events_max"), 0);
	cr_expect_geq(json_array_size(json_object_get(history, "time_msec")), 4);
	/* the next life */
	cr_assert(AWAIT(({
				json_t *again = history_of(name);
				long long starts =
					largest(json_object_get(again, "history"), "starts");

				json_decref(again);
				starts >= 2;
			}),
			REACTION_MSEC));
	answer = history_of(name);
	cr_expect_gt(largest(field(answer, "history"), "memory_anon"), 80 * MIB);
	daemon_do("app.remove", "{s:s}", "name", name);
	bench_close(&bench);
}

Test(recorder, pysbx_run_records_too)
{
	_cleanup_json_ json_t *incidents = NULL;
	const json_t *history;
	struct bench bench;
	struct run run;

	bench_open(&bench, "recorded");
	cr_expect_eq(run_through(&run, &bench,
				 WORDS("--mem", "64M", "--", "python3", "leak.py", "262144")),
		     128 + 9, "%s", run_story(&run));
	incidents = run_incidents(&run);
	history = field(json_array_get(incidents, 0), "history");
	expect_whole(history);
	cr_expect_gt(largest(history, "memory_anon"), 50 * MIB);
	bench_close(&bench);
}
