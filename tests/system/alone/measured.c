/* SPDX-License-Identifier: MIT */
/*
 * What is measured, and would come out otherwise beside other tests: shares, rates, and how a
 * machine answers under a fork bomb.
 */
#include "tests/system/harness.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEASURE_MSEC	5000
#define BOMB_PIDS	"48"
#define BOMB_PIDS_MAX	48
#define BOMB_LOOKS	20
#define ANSWER_MAX_MSEC 5000
#define WRITE_RATE	2097152 /* 2M a second, in bytes */

TestSuite(measured, .timeout = TEST_TIMEOUT_SEC);

Test(measured, a_busy_loop_gets_half_a_core_of_50_percent)
{
	struct bench bench;
	struct run run;
	uint64_t used, throttled;
	int64_t started, passed;
	double share;

	bench_open(&bench, "cpu");
	run_start(&run, &bench, WORDS("--cpu", "50%", "--", "python3", "spin.py"));
	run_await_stdout(&run, "spinning", START_MSEC);
	throttled = run_counter(&run, "cpu.stat", "nr_throttled");
	started = clock_msec();
	used = run_counter(&run, "cpu.stat", "usage_usec");
	pause_msec(MEASURE_MSEC);
	passed = clock_msec() - started;
	used = run_counter(&run, "cpu.stat", "usage_usec") - used;
	share = (double)used / ((double)passed * 1000) * 100;
	cr_expect(share >= 45 && share <= 55, "%.1f %% of a core", share);
	/* it is the limit that holds it, not a busy machine: nearly all of the 50 periods */
	cr_expect_gt(run_counter(&run, "cpu.stat", "nr_throttled") - throttled, 40);
	run_signal(&run, SIGTERM);
	cr_expect_eq(run_wait(&run, REACTION_MSEC), 128 + SIGTERM, "%s", run_story(&run));
	bench_close(&bench);
}

Test(measured, direct_writes_are_held_to_their_rate)
{
	struct bench bench;
	struct run run;
	double rate, off;

	bench_open(&bench, "io");
	cr_assert_eq(run_through(&run, &bench,
				 WORDS("--io", bench_format(&bench, "%s=-/2M", bench.data), "--rw",
				       bench.data, "--", "python3", "writer.py",
				       bench_format(&bench, "%s/file", bench.data), "5")),
		     0, "%s", run_story(&run));
	rate = strtod(run_stdout(&run), NULL);
	off = (rate / WRITE_RATE - 1) * 100;
	cr_expect(off >= -15 && off <= 15, "%.0f bytes a second: %.1f %% off", rate, off);
	bench_close(&bench);
}

/* How long the machine takes to start a program and see it end. */
static int64_t machine_answers_msec(void)
{
	char *const argv[] = { (char *)"true", NULL };
	int64_t started = clock_msec();
	int status = -1;
	pid_t pid;

	cr_assert_eq(posix_spawnp(&pid, "true", NULL, NULL, argv, NULL), 0);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	return clock_msec() - started;
}

/* Before Linux 6.11 a refusal is counted where the forking process is, since then where the limit
 * is. */
static uint64_t refused_forks(struct run *run)
{
	return run_counter(run, "pids.events", "max") + run_counter(run, "0/pids.events", "max");
}

Test(measured, a_fork_bomb_is_contained_and_ends_on_request)
{
	struct bench bench;
	struct run run;
	uint64_t most = 0;

	bench_open(&bench, "bomb");
	run_start(&run, &bench,
		  WORDS("--pids", BOMB_PIDS, "--mem", "512M", "--grace", "1s", "--", "python3",
			"forkbomb.py", "60"));
	run_await_stdout(&run, "forking", START_MSEC);
	cr_assert(AWAIT(refused_forks(&run) > 0, REACTION_MSEC), "%s", run_story(&run));
	for (int i = 0; i < BOMB_LOOKS; i++) {
		uint64_t now = strtoull(run_limit(&run, "pids.current"), NULL, 10);

		most = now > most ? now : most;
		cr_expect_leq(now, BOMB_PIDS_MAX);
		cr_expect_leq(machine_answers_msec(), ANSWER_MAX_MSEC);
	}
	cr_expect_gt(most, BOMB_PIDS_MAX / 2, "no bomb: %llu processes", (unsigned long long)most);
	run_signal(&run, SIGTERM); /* the bomb is deaf to it: pysbx has to kill it */
	cr_expect_eq(run_wait(&run, REACTION_MSEC), 137, "%s", run_story(&run));
	bench_close(&bench);
}
