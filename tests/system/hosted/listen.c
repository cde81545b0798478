/* SPDX-License-Identifier: MIT */
/*
 * Listeners that the daemon holds: nobody is refused over a restart of the app, nor while the
 * daemon is away.
 */
#include "tests/system/harness_hosting.h"

#include <criterion/criterion.h>

TestSuite(held_listeners, .timeout = TEST_TIMEOUT_SEC);

static void start_server(struct bench *bench)
{
	json_t *app = app_object(bench, bench->name, WORDS("python3", "held.py", "9"));
	json_t *isolation = json_object_get(app, "isolation");

	if (isolation == NULL) {
		isolation = json_object();
		json_object_set_new(app, "isolation", isolation);
	}
	json_object_set_new(isolation, "network", json_string("private"));
	json_object_set_new(app, "listen",
			    json_pack("[s]", bench_format(bench, "127.0.0.1:%d", bench->port)));
	json_object_set_new(app, "restart",
			    json_pack("{s:s, s:s}", "mode", "always", "backoff", "2s"));
	app_apply(app);
	app_await_state(bench->name, "running", START_MSEC);
}

static void expect_served(struct bench *bench)
{
	struct reply reply;
	int connection = http_send(bench, "/");

	cr_assert_geq(connection, 0, "refused");
	http_receive(connection, &reply, START_MSEC);
	cr_expect_eq(reply.status, 200);
}

Test(held_listeners, keep_who_waits_over_restarts_of_the_app_and_of_the_daemon)
{
	struct bench bench;
	struct reply reply;
	int waiting;
	pid_t pid;

	daemon_reset();
	bench_open(&bench, "held");
	daemon_start();
	start_server(&bench);
	expect_served(&bench);
	/* it ends, and whoever comes now waits for the next one */
	http_get(&bench, "/end", &reply, REACTION_MSEC);
	cr_expect_eq(reply.status, 0);
	waiting = http_send(&bench, "/");
	cr_assert_geq(waiting, 0, "refused");
	http_receive(waiting, &reply, START_MSEC);
	cr_expect_eq(reply.status, 200);
	/* asked for */
	daemon_do("app.restart", "{s:s}", "name", bench.name);
	expect_served(&bench);
	/* the daemon goes, and the next one is given the sockets */
	pid = app_main_pid(bench.name);
	daemon_stop();
	expect_served(&bench);
	daemon_start();
	cr_expect_eq(app_main_pid(bench.name), pid);
	daemon_do("app.restart", "{s:s}", "name", bench.name);
	expect_served(&bench);
	cr_expect_neq(app_main_pid(bench.name), pid);
	daemon_do("app.stop", "{s:s}", "name", bench.name);
	/* the launcher lets go of it a moment after it has said its last */
	cr_expect(AWAIT(http_send(&bench, "/") < 0, REACTION_MSEC), "nobody holds it any more");
	daemon_reset();
	bench_close(&bench);
}
