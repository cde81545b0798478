/* SPDX-License-Identifier: MIT */
/*
 * The limits hold: what was asked for is in the kernel's files, and a process that wants more does
 * not get it.
 */
#include "tests/system/harness.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEASURE_MSEC	5000
#define BOMB_PIDS	"48"
#define BOMB_PIDS_MAX	48
#define BOMB_LOOKS	20
#define ANSWER_MAX_MSEC 5000
#define WRITE_RATE	2097152 /* 2M a second, in bytes */

TestSuite(limits, .timeout = TEST_TIMEOUT_SEC);

/* "MAJOR:MINOR" of the whole disk that path is on. */
static const char *disk_of(struct bench *bench, const char *path)
{
	_cleanup_free_ char *number = NULL;
	const char *node;
	struct stat st;

	cr_assert_eq(stat(path, &st), 0);
	node = bench_format(bench, "/sys/dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));
	if (access(bench_format(bench, "%s/partition", node), F_OK) == 0)
		node = bench_format(bench, "%s/..", node);
	number = read_text(bench_format(bench, "%s/dev", node));
	cr_assert_neq(number[0], '\0', "%s is on no disk", path);
	number[strcspn(number, "\n")] = '\0';
	return bench_format(bench, "%s", number);
}

Test(limits, all_are_in_the_kernels_files_as_they_were_asked_for)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "files");
	run_start(&run, &bench,
		  WORDS("--mem", "64M", "--mem-high", "48M", "--swap", "16M", "--cpu", "150%",
			"--cpu-weight", "50", "--pids", "20", "--nofile", "99", "--io",
			bench_format(&bench, "%s=1M/2M/100/200", bench.data), "--", "sh", "-c",
			"echo files $(ulimit -Sn) $(ulimit -Hn); exec sleep 600"));
	run_await_stdout(&run, "files 99 99\n", REACTION_MSEC);
	cr_expect_str_eq(run_limit(&run, "memory.max"), "67108864");
	cr_expect_str_eq(run_limit(&run, "memory.high"), "50331648");
	cr_expect_str_eq(run_limit(&run, "memory.swap.max"), "16777216");
	cr_expect_str_eq(run_limit(&run, "cpu.max"), "150000 100000");
	cr_expect_str_eq(run_limit(&run, "cpu.weight"), "50");
	cr_expect_str_eq(run_limit(&run, "pids.max"), "20");
	cr_expect_str_eq(run_limit(&run, "io.max"),
			 bench_format(&bench, "%s rbps=1048576 wbps=2097152 riops=100 wiops=200",
				      disk_of(&bench, bench.data)));
	/* the leaf has none of its own, the scope none that systemd made up */
	cr_expect_str_eq(run_limit(&run, "0/pids.max"), "max");
	cr_expect_str_eq(run_limit(&run, "../pids.max"), "max");
	run_signal(&run, SIGTERM);
	cr_expect_eq(run_wait(&run, REACTION_MSEC), 128 + SIGTERM, "%s", run_story(&run));
	bench_close(&bench);
}

Test(limits, what_was_not_limited_stays_unlimited)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "free");
	run_start(&run, &bench, WORDS("--mem", "64M", "--", "sh", "-c", "echo up; exec sleep 600"));
	run_await_stdout(&run, "up\n", REACTION_MSEC);
	cr_expect_str_eq(run_limit(&run, "memory.max"), "67108864");
	cr_expect_str_eq(run_limit(&run, "memory.high"), "max");
	cr_expect_str_eq(run_limit(&run, "pids.max"), "1024"); /* pysbx's own default */
	/* without --cpu there is no need for the controller, so no file either */
	cr_expect_str_eq(run_limit(&run, "cpu.max"), "");
	run_signal(&run, SIGTERM);
	cr_expect_eq(run_wait(&run, REACTION_MSEC), 128 + SIGTERM, "%s", run_story(&run));
	bench_close(&bench);
}

Test(limits, a_busy_loop_gets_half_a_core_of_50_percent)
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

Test(limits, direct_writes_are_held_to_their_rate)
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

Test(limits, a_tmpfs_is_as_large_as_it_was_asked_for)
{
	static const char script[] = "dd if=/dev/zero of=/tmp/fits bs=1k count=900 && "
				     "dd if=/dev/zero of=/tmp/no bs=1k count=900; "
				     "stat -c 'size %s' /tmp/fits; df --output=size -k /tmp";
	struct bench bench;
	struct run run;

	bench_open(&bench, "tmp");
	cr_expect_eq(run_through(&run, &bench,
				 WORDS("--tmp-size", "1M", "--restart", "never", "--", "sh", "-c",
				       script)),
		     0, "%s", run_story(&run));
	cr_expect_not_null(strstr(run_stderr(&run), "No space left on device"), "%s",
			   run_story(&run));
	cr_expect_not_null(strstr(run_stdout(&run), "size 921600\n"), "%s", run_story(&run));
	cr_expect_not_null(strstr(run_stdout(&run), " 1024\n"), "%s", run_story(&run));
	bench_close(&bench);
}

/* --- processes -------------------------------------------------------------------------------- */

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

Test(limits, a_fork_bomb_is_contained_and_ends_on_request)
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

Test(limits, a_refused_fork_is_the_cause_of_the_end_that_follows)
{
	_cleanup_json_ json_t *incident = NULL;
	struct bench bench;
	struct run run;

	bench_open(&bench, "pids");
	cr_expect_eq(run_through(&run, &bench,
				 WORDS("--pids", "12", "--restart", "never", "--", "python3",
				       "forkbomb.py", "60", "once")),
		     1, "%s", run_story(&run));
	incident = run_await_incident(&run, 1, 0);
	cr_expect_str_eq(field_text(incident, "cause"), "pids");
	cr_expect_not_null(strstr(field_text(incident, "sentence"), "12"), "no limit in: %s",
			   field_text(incident, "sentence"));
	cr_expect_eq(field_number(incident, "limits.pids_max"), 12);
	expect_incident_is_told(&run, incident);
	bench_close(&bench);
}
