/* SPDX-License-Identifier: MIT */
/*
 * What is done to apps over the daemon's socket, on real processes: freezing them, signals,
 * waiting, figures, and events that nobody misses.
 */
#include "tests/system/harness_daemon.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define QUIET_MSEC 1000

TestSuite(control, .timeout = TEST_TIMEOUT_SEC);

static const char *open_with(struct bench *bench, const char *word, const char *const *words)
{
	const char *name;

	daemon_reset();
	bench_open(bench, word);
	daemon_start();
	name = bench_format(bench, "app-%s", bench->name);
	app_apply(app_object(bench, name, words));
	app_await_state(name, "running", START_MSEC);
	return name;
}

static void finish(struct bench *bench)
{
	daemon_reset();
	bench_close(bench);
}

static bool is_frozen(const char *name)
{
	_cleanup_free_ char *events = app_read(name, "0/cgroup.events");

	return strstr(events, "frozen 1") != NULL;
}

Test(control, a_suspended_app_is_frozen_and_goes_on_or_is_stopped)
{
	struct bench bench;
	const char *name = open_with(&bench, "frozen", WORDS("sleep", "600"));
	pid_t pid = app_main_pid(name);

	daemon_do("app.suspend", "{s:s}", "name", name);
	app_await_state(name, "suspended", 0);
	cr_expect(AWAIT(is_frozen(name), REACTION_MSEC));
	daemon_do("app.resume", "{s:s}", "name", name);
	app_await_state(name, "running", 0);
	cr_expect(AWAIT(!is_frozen(name), REACTION_MSEC));
	cr_expect_eq(app_main_pid(name), pid);
	daemon_do("app.suspend", "{s:s}", "name", name);
	cr_expect(AWAIT(is_frozen(name), REACTION_MSEC));
	daemon_do("app.stop", "{s:s}", "name", name);
	app_await_state(name, "stopped", 0);
	app_await_pids(name, 0, REACTION_MSEC);
	cr_expect_eq(app_count_incidents(name), 0);
	json_decref(daemon_refusal("conflict", "app.suspend", json_pack("{s:s}", "name", name)));
	finish(&bench);
}

/* The pid that a gunicorn worker has inside; "" if none answers. */
static const char *worker(struct bench *bench)
{
	struct reply reply;

	http_get(bench, "/pid", &reply, REACTION_MSEC);
	return bench_format(bench, "%s", reply.status == 200 ? reply.body : "");
}

static bool another_answers(struct bench *bench, const char *first)
{
	const char *now = worker(bench);

	return now[0] != '\0' && strcmp(now, first) != 0;
}

Test(control, hup_has_gunicorn_replace_its_workers)
{
	struct bench bench;
	const char *name, *first;
	pid_t pid;

	daemon_reset();
	bench_open(&bench, "hup");
	daemon_start();
	name = bench_format(&bench, "app-%s", bench.name);
	app_apply(app_object(&bench, name,
			     WORDS("gunicorn", "-w", "1", "-b",
				   bench_format(&bench, "127.0.0.1:%d", bench.port),
				   "wsgi_app:app")));
	cr_assert(AWAIT(worker(&bench)[0] != '\0', START_MSEC));
	first = worker(&bench);
	pid = app_main_pid(name);
	daemon_do("app.signal", "{s:s, s:s}", "name", name, "signal", "HUP");
	cr_expect(AWAIT(another_answers(&bench, first), START_MSEC), "worker %s is still there",
		  first);
	cr_expect_eq(app_main_pid(name), pid);
	cr_expect_eq(app_count_incidents(name), 0);
	finish(&bench);
}

Test(control, restart_and_stop_answer_when_they_are_done)
{
	struct bench bench;
	const char *name = open_with(&bench, "again", WORDS("sleep", "600"));
	pid_t pid = app_main_pid(name);

	daemon_do("app.restart", "{s:s}", "name", name);
	app_await_state(name, "running", 0);
	cr_expect_neq(app_main_pid(name), pid);
	cr_expect_lt(kill(pid, 0), 0);
	daemon_do("app.stop", "{s:s}", "name", name);
	app_await_state(name, "stopped", 0);
	json_decref(daemon_refusal("conflict", "app.signal",
				   json_pack("{s:s, s:s}", "name", name, "signal", "HUP")));
	daemon_do("app.start", "{s:s}", "name", name);
	app_await_state(name, "running", 0);
	finish(&bench);
}

Test(control, a_start_that_can_never_succeed_is_tried_once_and_explained)
{
	_cleanup_json_ json_t *error = NULL, *incident = NULL, *app = NULL, *object = NULL;
	struct bench bench;
	const char *name;

	daemon_reset();
	bench_open(&bench, "none");
	daemon_start();
	name = bench_format(&bench, "none-%s", bench.name);
	object = app_object(&bench, name, WORDS("no-such-program"));
	error = daemon_refusal("failed", "app.apply", json_pack("{s:O}", "app", object));
	cr_expect_not_null(strstr(field_text(error, "message"), "no-such-program"), "%s",
			   field_text(error, "message"));
	app_await_state(name, "failed", 0);
	incident = app_await_incident(name, 1, REACTION_MSEC);
	cr_expect_str_eq(field_text(incident, "cause"), "start-failed");
	app = app_get(name);
	cr_expect(field_is_null(app, "pid"));
	cr_expect_eq(field_number(app, "restarts"), 0);
	finish(&bench);
}

Test(control, a_wait_ends_with_the_state_or_with_its_time)
{
	_cleanup_json_ json_t *still = NULL;
	struct bench bench;
	const char *name = open_with(&bench, "wait", WORDS("sleep", "600"));
	struct link link;
	int64_t began;

	daemon_do("app.wait", "{s:s, s:[s, s]}", "name", name, "states", "running", "failed");
	began = clock_msec();
	json_decref(daemon_refusal("failed", "app.wait",
				   json_pack("{s:s, s:[s], s:s}", "name", name, "states", "stopped",
					     "timeout", "1s")));
	cr_expect_geq(clock_msec() - began, 1000);
	link_open(&link);
	link_request(&link, 7, "app.wait",
		     json_pack("{s:s, s:[s]}", "name", name, "states", "stopped"));
	still = link_next(&link, QUIET_MSEC);
	cr_expect_null(still);
	/* others on the same connection are not held up */
	link_request(&link, 8, "app.stop", json_pack("{s:s}", "name", name));
	for (int i = 0; i < 2; i++) {
		json_t *line = link_next(&link, REACTION_MSEC);

		cr_assert_not_null(line);
		cr_expect_str_eq(field_text(line, "result.state"), "stopped");
		json_decref(line);
	}
	link_close(&link);
	finish(&bench);
}

static bool has_said(const char *name, const char *text)
{
	_cleanup_json_ json_t *logs = daemon_call("app.logs", "{s:s}", "name", name);
	const json_t *line;
	size_t i;

	json_array_foreach(json_object_get(logs, "lines"), i,
			   line) if (strcmp(field_text(line, "text"), text) == 0) return true;
	return false;
}

/* Whether app.stats shows at least `anon` bytes of anonymous memory; *ret gets its answer.
 * Memory.stat is behind memory.current by up to the 2 s of the kernel's flush. */
static bool has_anon(const char *name, long long anon, json_t **ret)
{
	json_decref(*ret);
	*ret = daemon_call("app.stats", "{s:s}", "name", name);
	return field_number(*ret, "memory.anon") > anon;
}

Test(control, the_figures_of_an_app_are_those_of_its_cgroup)
{
	_cleanup_json_ json_t *stats = NULL, *list = NULL, *app = NULL;
	const json_t *row;
	struct bench bench;
	const char *name;

	daemon_reset();
	bench_open(&bench, "stats");
	daemon_start();
	name = bench_format(&bench, "app-%s", bench.name);
	app = app_object(&bench, name,
			 WORDS("python3", "-c",
			       "import time\nx = bytearray(b'x') * (30 << 20)\nprint('held', "
			       "flush=True)\ntime.sleep(600)"));
	json_object_set_new(
		app, "limits",
		json_pack("{s:s, s:s, s:i}", "memory", "100M", "cpu", "90%", "pids", 9));
	daemon_do("app.apply", "{s:O}", "app", app);
	/* from then on it does not grow any more: the figures are read one after the other */
	cr_assert(AWAIT(has_said(name, "held"), START_MSEC));
	cr_assert(AWAIT(has_anon(name, 30 << 20, &stats), START_MSEC));
	cr_expect_eq(field_number(stats, "memory.max"), 100 << 20);
	cr_expect_geq(field_number(stats, "memory.current"), field_number(stats, "memory.anon"));
	cr_expect_geq(field_number(stats, "memory.peak"), field_number(stats, "memory.current"));
	cr_expect_gt(field_number(stats, "cpu.usage_usec"), 1000);
	cr_expect_eq(field_number(stats, "pids.current"), 1);
	cr_expect_eq(field_number(stats, "pids.max"), 9);
	cr_expect_not_null(field(stats, "pressure.memory.some_avg10"));
	list = daemon_call("app.list", "{s:b}", "stats", 1);
	row = json_array_get(json_object_get(list, "apps"), 0);
	cr_expect_gt(field_number(row, "memory"), 30 << 20);
	cr_expect_eq(field_number(row, "memory_max"), 100 << 20);
	finish(&bench);
}

/* --- events ----------------------------------------------------------------------------------- */

/* Subscribes and returns the answer's result. */
static const char *state_of_wall(const json_t *app, const char *name)
{
	const json_t *walls = field(app, "walls");

	for (size_t i = 0; i < json_array_size(walls); i++)
		if (strcmp(field_text(json_array_get(walls, i), "name"), name) == 0)
			return field_text(json_array_get(walls, i), "state");
	cr_assert_fail("no wall %s", name);
	return NULL;
}

static const char *up_from(unsigned abi)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1U) >= (long)abi ? "up" : "down";
}

Test(control, the_walls_of_an_app_are_told_also_by_the_next_daemon)
{
	static const char *const up[] = { "namespaces", "root",		"seccomp",
					  "identity",	"capabilities", "no-new-privileges" };
	struct bench bench;
	const char *name = open_with(&bench, "walls", WORDS("sleep", "600"));

	for (int daemons = 0; daemons < 2; daemons++) {
		_cleanup_json_ json_t *app = app_get(name);
		_cleanup_free_ char *told = shell_output("pysbx status %s", name);

		for (size_t i = 0; i < ARRAY_SIZE(up); i++)
			cr_expect_str_eq(state_of_wall(app, up[i]), "up", "%s", up[i]);
		cr_expect_str_eq(state_of_wall(app, "landlock"), up_from(2));
		cr_expect_str_eq(state_of_wall(app, "abstract-sockets"), up_from(6));
		cr_expect_str_eq(state_of_wall(app, "network"), "down");
		cr_expect_not_null(strstr(told, "  walls up   namespaces, root, "), "%s", told);
		cr_expect_not_null(strstr(told, "  down       network: host: the network is the "
						"host's\n"),
				   "%s", told);
		daemon_restart();
		app_await_state(name, "running", START_MSEC);
	}
	finish(&bench);
}

static json_t *subscribe(struct link *link, json_t *params)
{
	_cleanup_json_ json_t *answer = NULL;

	link_open(link);
	link_request(link, 1, "events.subscribe", params);
	answer = link_next(link, REACTION_MSEC);
	cr_assert_not_null(json_object_get(answer, "result"), "%s", json_dumps(answer, 0));
	return json_incref(json_object_get(answer, "result"));
}

/* Reads what comes up to the newest event, and expects that no number is left out after `cursor`.
 * Returns the last one. */
static long long follow_on(struct link *link, long long cursor)
{
	long long newest = newest_event();

	while (cursor < newest) {
		_cleanup_json_ json_t *line = link_next(link, REACTION_MSEC);

		cr_assert_not_null(line, "no event after %lld of %lld", cursor, newest);
		cr_expect_eq(field_number(line, "params.cursor"), cursor + 1, "after %lld: %s",
			     cursor, json_dumps(line, 0));
		cursor = field_number(line, "params.cursor");
	}
	return cursor;
}

Test(control, who_comes_back_with_a_cursor_has_missed_nothing)
{
	_cleanup_json_ json_t *second = NULL, *third = NULL, *fourth = NULL;
	struct bench bench;
	const char *name = open_with(&bench, "cursor", WORDS("sleep", "600"));
	long long cursor, later;
	struct link link;

	json_decref(subscribe(&link, json_pack("{s:i}", "cursor", 0)));
	cursor = follow_on(&link, 0);
	cr_expect_gt(cursor, 1);
	link_close(&link);
	daemon_do("app.restart", "{s:s}", "name", name);
	second = subscribe(&link, json_pack("{s:I}", "cursor", (json_int_t)cursor));
	cr_expect_eq(field_number(second, "missed"), 0);
	later = follow_on(&link, cursor);
	cr_expect_geq(later, cursor + 4); /* stopping, stopped, starting, running */
	link_close(&link);
	/* after a restart of the daemon the numbers go on */
	daemon_restart();
	third = subscribe(&link, json_pack("{s:I}", "cursor", (json_int_t)later));
	cr_expect_eq(field_number(third, "missed"), 0);
	daemon_do("app.restart", "{s:s}", "name", name);
	cr_expect_geq(follow_on(&link, later), later + 4);
	link_close(&link);
	/* and what only the old one knew is told to be missing */
	fourth = subscribe(&link, json_pack("{s:I}", "cursor", (json_int_t)cursor));
	cr_expect_eq(field_number(fourth, "missed"), later - cursor);
	link_close(&link);
	finish(&bench);
}
