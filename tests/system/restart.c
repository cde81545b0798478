/* SPDX-License-Identifier: MIT */
/*
 * Restarts, and runs beside and after one another.
 */
#include "tests/system/harness.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(restart, .timeout = TEST_TIMEOUT_SEC);

static size_t count_lines(const char *text)
{
	size_t lines = 0;

	for (; *text != '\0'; text++)
		lines += *text == '\n';
	return lines;
}

Test(restart, on_failure_goes_on_until_the_app_is_given_up_with_its_own_code)
{
	_cleanup_json_ json_t *incidents = NULL;
	struct bench bench;
	struct run run;

	bench_open(&bench, "failing");
	cr_expect_eq(run_through(&run, &bench,
				 WORDS("--max-restarts", "2", "--backoff", "50ms", "--", "sh", "-c",
				       "echo start; exit 3")),
		     3, "%s", run_story(&run));
	cr_expect_str_eq(run_stdout(&run), "start\nstart\nstart\n");
	incidents = run_incidents(&run);
	cr_assert_eq(json_array_size(incidents), 3, "%s", run_story(&run));
	for (size_t i = 0; i < 3; i++) {
		const json_t *incident = json_array_get(incidents, i);

		cr_expect_str_eq(field_text(incident, "cause"), "exit");
		cr_expect_eq(field_number(incident, "exit.code"), 3);
		cr_expect_str_eq(field_text(incident, "decision.action"),
				 i < 2 ? "restart" : "gave-up");
		if (i < 2)
			cr_expect_eq(field_number(incident, "decision.delay_usec"), 50000LL << i);
	}
	bench_close(&bench);
}

Test(restart, on_failure_leaves_a_clean_exit_alone)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "clean");
	cr_expect_eq(run_through(&run, &bench, WORDS("--", "sh", "-c", "echo start")), 0, "%s",
		     run_story(&run));
	cr_expect_str_eq(run_stdout(&run), "start\n");
	bench_close(&bench);
}

Test(restart, always_restarts_a_clean_exit_too_and_ends_on_request)
{
	struct bench bench;
	struct run run;
	int code;

	bench_open(&bench, "always");
	run_start(&run, &bench,
		  WORDS("--restart", "always", "--max-restarts", "1000", "--backoff", "20ms", "--",
			"sh", "-c", "echo start"));
	run_await_stdout(&run, "start\nstart\nstart\n", REACTION_MSEC);
	run_signal(&run, SIGTERM);
	code = run_wait(&run, REACTION_MSEC);
	/* it was between two starts, or just running and told to end */
	cr_expect(code == 0 || code == 128 + SIGTERM, "%d%s", code, run_story(&run));
	cr_expect_geq(count_lines(run_stdout(&run)), 3);
	bench_close(&bench);
}

/* A stop that comes in the pause before a restart takes effect at once. */
Test(restart, a_stop_during_the_backoff_does_not_wait_for_it)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "backoff");
	run_start(&run, &bench, WORDS("--backoff", "10min", "--", "sh", "-c", "exit 3"));
	json_decref(run_await_incident(&run, 1, REACTION_MSEC));
	run_signal(&run, SIGTERM);
	cr_expect_eq(run_wait(&run, REACTION_MSEC), 3, "%s", run_story(&run));
	bench_close(&bench);
}

/* A worker of a restarted app is as confined as the first one. */
Test(restart, the_second_start_has_the_same_limits_and_a_clean_tmp)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "again");
	run_start(&run, &bench,
		  WORDS("--mem", "64M", "--pids", "20", "--backoff", "50ms", "--rw", bench.data,
			"--", "sh", "-c",
			bench_format(&bench,
				     "ls /tmp; touch /tmp/trace; if [ -e %s/once ]; then echo up; "
				     "exec sleep 600; fi; touch %s/once; exit 1",
				     bench.data, bench.data)));
	run_await_stdout(&run, "up\n", REACTION_MSEC);
	cr_expect_str_eq(run_stdout(&run), "up\n", "/tmp was not clean%s", run_story(&run));
	cr_expect_str_eq(run_limit(&run, "memory.max"), "67108864");
	cr_expect_str_eq(run_limit(&run, "pids.max"), "20");
	run_await_pids(&run, 1, REACTION_MSEC);
	run_signal(&run, SIGTERM);
	cr_expect_eq(run_wait(&run, REACTION_MSEC), 128 + SIGTERM, "%s", run_story(&run));
	bench_close(&bench);
}

/* --- runs beside and after one another -------------------------------------------------------- */

/* Two of the same name: both run, or the second one is told plainly that it can't. */
Test(restart, a_second_run_of_the_same_name_runs_or_is_refused_in_one_line)
{
	struct run first, second;
	struct bench bench;
	int code;

	bench_open(&bench, "twice");
	run_start(&first, &bench, WORDS("--", "sh", "-c", "echo up; exec sleep 600"));
	run_await_stdout(&first, "up\n", REACTION_MSEC);
	code = run_through(&second, &bench, WORDS("--", "sh", "-c", "echo second"));
	if (code == 0) {
		cr_expect_str_eq(run_stdout(&second), "second\n");
	} else {
		cr_expect_eq(code, 125, "%s", run_story(&second));
		cr_expect_eq(count_lines(run_stderr(&second)), 1, "%s", run_story(&second));
		cr_expect_not_null(strstr(run_stderr(&second), bench.name), "%s",
				   run_story(&second));
	}
	cr_expect(!run_has_ended(&first), "the first run was ended by the second%s",
		  run_story(&first));
	run_await_pids(&first, 1, REACTION_MSEC);
	run_signal(&first, SIGTERM);
	cr_expect_eq(run_wait(&first, REACTION_MSEC), 128 + SIGTERM, "%s", run_story(&first));
	bench_close(&bench);
}

/* Starts a process of our own in the run's leaf: it stands for whatever outlives all keepers. */
static pid_t start_stray(struct run *run)
{
	const char *procs = bench_format(run->bench, "%s/0/cgroup.procs", run_slice(run));
	_cleanup_close_ int fd = open(procs, O_WRONLY | O_CLOEXEC);
	pid_t pid;

	cr_assert_geq(fd, 0, "%s: %s", procs, strerror(errno));
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		if (write(fd, "0", 1) == 1)
			pause();
		_exit(99);
	}
	return pid;
}

static void kill_the_keepers(struct run *run)
{
	const char *procs = bench_format(run->bench, "%s/../init/cgroup.procs", run_slice(run));
	_cleanup_free_ char *keepers = read_text(procs);
	char *rest = keepers;

	cr_assert_eq(count_lines(keepers), 2, "anchor and launcher, not:\n%s", keepers);
	run_signal(run, SIGSTOP); /* or it would react to their end */
	for (char *line; (line = strsep(&rest, "\n")) != NULL;)
		if (line[0] != '\0')
			cr_assert_eq(kill((pid_t)strtol(line, NULL, 10), SIGKILL), 0);
	run_signal(run, SIGKILL);
	cr_assert_eq(run_wait(run, REACTION_MSEC), 1000 + SIGKILL);
}

Test(restart, the_next_run_sweeps_what_a_killed_run_and_its_keepers_left)
{
	struct bench orphaned, next;
	struct run run;
	int status = 0;
	pid_t stray;

	bench_open(&orphaned, "orphan");
	run_start(&run, &orphaned, WORDS("--", "sh", "-c", "echo up; exec sleep 600"));
	run_await_stdout(&run, "up\n", REACTION_MSEC);
	stray = start_stray(&run);
	run_await_pids(&run, 2, REACTION_MSEC);
	kill_the_keepers(&run);
	run_await_pids(&run, 1, REACTION_MSEC); /* the orphan is there: with the stray in it */

	bench_open(&next, "sweeper");
	cr_expect_eq(run_through(&run, &next, WORDS("--", "true")), 0, "%s", run_story(&run));
	cr_expect_eq(waitpid(stray, &status, WNOHANG), stray, "the stray lives");
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	bench_close(&next);
	bench_close(&orphaned);
}
