/* SPDX-License-Identifier: MIT */
/* The supervisor may die: no worker notices, and the next one has missed nothing. */
#include "tests/system/harness_daemon.h"

#include <signal.h>

TestSuite(survives, .timeout = TEST_TIMEOUT_SEC);

Test(survives, an_app_runs_on_over_a_kill_of_the_daemon)
{
	pid_t before[BENCH_PIDS_MAX], after[BENCH_PIDS_MAX], daemon;
	char mark[JOURNAL_MARK_MAX];
	struct bench bench;

	bench_open(&bench, "on");
	daemon_reset();
	daemon_start();
	app_apply(app_object(&bench, bench.name, WORDS("sleep", "1000")));
	cr_assert_eq(app_pids(bench.name, before), 1);
	daemon = daemon_pid();
	journal_mark(mark);
	daemon_kill(SIGKILL);
	daemon_await_successor(daemon, REACTION_MSEC);
	app_await_state(bench.name, "running", REACTION_MSEC);
	cr_assert_eq(app_pids(bench.name, after), 1);
	cr_expect_eq(before[0], after[0]);
	json_decref(journal_await(mark, WORDS(EVENT_APP_ADOPTED), 1, REACTION_MSEC));
	daemon_do("app.remove", "{s:s}", "name", bench.name);
	bench_close(&bench);
}
