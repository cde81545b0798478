/* SPDX-License-Identifier: MIT */
/*
 * The limits hold: what was asked for is in the kernel's files, and a process that wants more does
 * not get it.
 */
#include "tests/system/harness.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

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
			"--cpu-weight", "50", "--pids", "20", "--nofile", "16", "--io",
			bench_format(&bench, "%s=1M/2M/100/200", bench.data), "--", "sh", "-c",
			"echo files $(ulimit -Sn) $(ulimit -Hn); exec sleep 600"));
	run_await_stdout(&run, "files 16 16\n", REACTION_MSEC);
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
