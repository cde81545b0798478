/* SPDX-License-Identifier: MIT */
/*
 * Egress of apps of the daemon: exchanged while they run, and in force whatever becomes of the
 * daemon. apps/egress.py tries two addresses without an end, and writes what came of it.
 */
#include "tests/system/harness_hosting.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(live_egress, .timeout = TEST_TIMEOUT_SEC);

#define HERE  "127.0.0.1"
#define THERE "127.0.0.2"

/* UDP needs nobody who listens. */
static const char *reached(const struct bench *bench, const char *address)
{
	static char result[32];
	_cleanup_free_ char *path = NULL, *text = NULL, *key = NULL;
	_cleanup_json_ json_t *seen = NULL;
	const json_t *found;

	cr_assert(asprintf(&path, "%s/seen", bench->data) >= 0 &&
		  asprintf(&key, "%s %d", address, bench->port) >= 0);
	text = read_text(path);
	seen = json_loads(text, 0, NULL);
	found = json_object_get(json_object_get(seen, key), "udp");
	snprintf(result, sizeof(result), "%s",
		 json_is_string(found) ? json_string_value(found) : "");
	return result;
}

static void expect_reached(const struct bench *bench, const char *address, const char *expected)
{
	cr_expect(AWAIT(strcmp(reached(bench, address), expected) == 0, REACTION_MSEC),
		  "%s: %s, not %s", address, reached(bench, address), expected);
}

static json_t *prober(struct bench *bench, json_t *egress)
{
	const char *port = bench_format(bench, "%d", bench->port);
	json_t *app = app_object(bench, bench->name,
				 WORDS("python3", "egress.py", "--watch",
				       bench_format(bench, "%s/seen", bench->data), HERE, port,
				       THERE, port));
	json_t *isolation = json_object_get(app, "isolation");

	if (isolation == NULL) {
		isolation = json_object();
		json_object_set_new(app, "isolation", isolation);
	}
	json_object_set_new(isolation, "writable", json_pack("[s]", bench->data));
	if (egress != NULL)
		json_object_set_new(isolation, "egress", egress);
	return app;
}

Test(live_egress, a_list_is_exchanged_and_lifted_and_nothing_restarts)
{
	struct bench bench;
	pid_t pid;

	daemon_reset();
	bench_open(&bench, "egress");
	daemon_start();
	app_apply(prober(&bench, json_pack("[s]", HERE)));
	app_await_state(bench.name, "running", START_MSEC);
	pid = app_main_pid(bench.name);
	expect_reached(&bench, HERE, "ok");
	expect_reached(&bench, THERE, "EPERM");
	app_apply(prober(&bench, json_pack("[s]", THERE)));
	expect_reached(&bench, THERE, "ok");
	expect_reached(&bench, HERE, "EPERM");
	app_apply(prober(&bench, NULL));
	expect_reached(&bench, HERE, "ok");
	expect_reached(&bench, THERE, "ok");
	app_apply(prober(&bench, json_pack("[s]", "none")));
	expect_reached(&bench, HERE, "EPERM");
	expect_reached(&bench, THERE, "EPERM");
	cr_expect_eq(app_main_pid(bench.name), pid);
	daemon_reset();
	bench_close(&bench);
}

Test(live_egress, a_list_holds_while_the_daemon_is_away_and_after_it_has_come_back)
{
	struct bench bench;
	pid_t pid;

	daemon_reset();
	bench_open(&bench, "stays");
	daemon_start();
	app_apply(prober(&bench, json_pack("[s]", HERE)));
	app_await_state(bench.name, "running", START_MSEC);
	pid = app_main_pid(bench.name);
	expect_reached(&bench, THERE, "EPERM");
	daemon_stop();
	shell(NULL, "rm %s/seen", bench.data);
	expect_reached(&bench, HERE, "ok");
	expect_reached(&bench, THERE, "EPERM");
	daemon_start();
	shell(NULL, "rm %s/seen", bench.data);
	expect_reached(&bench, HERE, "ok");
	expect_reached(&bench, THERE, "EPERM");
	app_apply(prober(&bench, json_pack("[s]", THERE)));
	expect_reached(&bench, HERE, "EPERM");
	expect_reached(&bench, THERE, "ok");
	cr_expect_eq(app_main_pid(bench.name), pid);
	/* and for the next process of the app */
	daemon_do("app.restart", "{s:s}", "name", bench.name);
	app_await_state(bench.name, "running", START_MSEC);
	shell(NULL, "rm %s/seen", bench.data);
	expect_reached(&bench, HERE, "EPERM");
	expect_reached(&bench, THERE, "ok");
	daemon_reset();
	bench_close(&bench);
}

Test(live_egress, a_wrong_entry_is_refused_with_its_path)
{
	_cleanup_json_ json_t *error = NULL;
	struct bench bench;

	daemon_reset();
	bench_open(&bench, "wrong");
	daemon_start();
	error = daemon_refusal(
		"invalid", "app.apply",
		json_pack("{s:o}", "app", prober(&bench, json_pack("[s,s]", "any", "db.example"))));
	cr_expect_str_eq(field_text(error, "data.path"), "isolation.egress[1]");
	daemon_reset();
	bench_close(&bench);
}

static void give_plan(json_t *egress)
{
	daemon_do("plan.apply", "{s:{s:s, s:{s:o}}}", "plan", "name", "walled", "isolation",
		  "egress", egress);
}

static json_t *planned(struct bench *bench, json_t *egress)
{
	json_t *app = prober(bench, egress);

	json_object_set_new(app, "plan", json_string("walled"));
	return app;
}

Test(live_egress, a_plan_gives_a_list_that_its_apps_may_tighten_but_not_leave)
{
	_cleanup_json_ json_t *error = NULL;
	struct bench bench;
	pid_t pid;

	daemon_reset();
	bench_open(&bench, "planned");
	daemon_start();
	give_plan(json_pack("[s]", HERE));
	app_apply(planned(&bench, NULL));
	app_await_state(bench.name, "running", START_MSEC);
	pid = app_main_pid(bench.name);
	expect_reached(&bench, HERE, "ok");
	expect_reached(&bench, THERE, "EPERM");
	error = daemon_refusal(
		"invalid", "app.apply",
		json_pack("{s:o}", "app", planned(&bench, json_pack("[s,s]", HERE, THERE))));
	cr_expect_str_eq(field_text(error, "data.path"), "isolation.egress[1]");
	cr_expect_not_null(
		strstr(field_text(error, "message"), "not within what plan walled gives"), "%s",
		field_text(error, "message"));
	/* the plan's new list holds for what runs */
	give_plan(json_pack("[s]", "127.0.0.0/8"));
	expect_reached(&bench, THERE, "ok");
	app_apply(planned(&bench, json_pack("[s]", THERE)));
	expect_reached(&bench, HERE, "EPERM");
	cr_expect_eq(app_main_pid(bench.name), pid);
	daemon_reset();
	bench_close(&bench);
}
