/* SPDX-License-Identifier: MIT */
/*
 * Whatever becomes of our stdout, the worker runs on: a pipe that nobody reads, a terminal that is
 * stopped, a reader that has gone, no stdout at all.
 */
#include "tests/system/harness.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FLOOD	    "4194304" /* bytes: more than a pipe and pysbx's own buffer hold together */
#define FLOOD_BYTES 4194304

TestSuite(output, .timeout = TEST_TIMEOUT_SEC);

/* Floods into stdout_fd, and expects the worker's own end, soon. */
static void flood(struct run *run, struct bench *bench, int stdout_fd)
{
	run_start_with(run, bench,
		       &(struct run_setup){ .own_stdout = true, .stdout_fd = stdout_fd },
		       WORDS("--restart", "never", "--", "python3", "flood.py", FLOOD, "7"));
	cr_expect_eq(run_wait(run, START_MSEC), 7, "%s", run_story(run));
	cr_expect_not_null(strstr(run_stderr(run), "flood is over\n"), "%s", run_story(run));
}

static void expect_drops_are_counted(struct run *run)
{
	_cleanup_json_ json_t *incident = run_await_incident(run, 1, 0);

	cr_expect_str_eq(field_text(incident, "cause"), "exit");
	cr_expect_gt(field_number(incident, "log.dropped"), 1000, "%s", run_story(run));
	cr_expect_lt(field_number(incident, "log.dropped"), FLOOD_BYTES / 64);
	/* the last lines are kept for the incident even so */
	cr_expect_eq(json_array_size(field(incident, "log.lines")), 50);
}

Test(output, a_full_pipe_does_not_block_the_worker_and_drops_are_counted)
{
	struct bench bench;
	struct run run;
	int ends[2];

	bench_open(&bench, "fullpipe");
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	flood(&run, &bench, ends[1]);
	expect_drops_are_counted(&run);
	/* our end of the pipe is as we gave it: the flag is shared with whoever else holds it */
	cr_expect_eq(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0, "pysbx left O_NONBLOCK behind");
	close(ends[0]);
	close(ends[1]);
	bench_close(&bench);
}

Test(output, a_stopped_terminal_does_not_block_the_worker)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), terminal;
	struct bench bench;
	struct run run;

	bench_open(&bench, "terminal");
	cr_assert(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	cr_assert_geq(terminal, 0);
	flood(&run, &bench, terminal);
	expect_drops_are_counted(&run);
	cr_expect_eq(fcntl(terminal, F_GETFL) & O_NONBLOCK, 0, "pysbx left O_NONBLOCK behind");
	close(terminal);
	close(master);
	bench_close(&bench);
}

Test(output, a_reader_that_has_gone_ends_neither_pysbx_nor_the_worker)
{
	struct bench bench;
	struct run run;
	int ends[2];

	bench_open(&bench, "gone");
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	close(ends[0]);
	flood(&run, &bench, ends[1]);
	close(ends[1]);
	bench_close(&bench);
}

Test(output, a_closed_stdout_is_no_obstacle)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "closed");
	flood(&run, &bench, -1);
	bench_close(&bench);
}

/* A reader that is slow but there gets every byte, in order. */
Test(output, what_is_read_arrives_whole)
{
	struct bench bench;
	struct run run;
	_cleanup_free_ char *text = NULL;

	bench_open(&bench, "whole");
	cr_expect_eq(run_through(&run, &bench, WORDS("--", "python3", "flood.py", "1048576", "0")),
		     0, "%s", run_story(&run));
	text = read_text(run.out_path);
	cr_assert_eq(strlen(text), 1048576);
	for (size_t line = 0; line < 1048576 / 64; line++)
		cr_assert_eq(strtoull(text + line * 64, NULL, 10), line, "line %zu is another",
			     line);
	bench_close(&bench);
}
