/* SPDX-License-Identifier: MIT */
/*
 * A worker takes all that it can get of something. It is stopped by a limit of its own, and the
 * host and another app have as much as before.
 */
#include "tests/system/harness_daemon.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOST_FILES 512

TestSuite(exhaustion, .timeout = TEST_TIMEOUT_SEC);

/* Started, and at its limit: how many it got, and which errno ended it. */
static long take_all(struct run *run, struct bench *bench, const char *kind, const char *pids,
		     char ret_errno[static 32])
{
	char told[32] = "";
	long count = 0;

	free(shell_output("cp $(dirname $(readlink /proc/%d/exe))/attempt %s/", (int)getpid(),
			  bench->apps));
	run_start(run, bench,
		  WORDS("--mem", "128M", "--pids", pids, "--restart", "never", "--",
			bench_format(bench, "%s/attempt", bench->apps), "exhaust", kind));
	run_await_stdout(run, "\n", START_MSEC);
	// NOLINTNEXTLINE(cert-err34-c)
	cr_assert_eq(sscanf(run_stdout(run), "%31s %ld %31s", told, &count, ret_errno), 3, "%s",
		     run_story(run));
	cr_assert_str_eq(told, kind);
	return count;
}

/* Beside it the host works, and so does another app. */
static void expect_room_for_others(struct bench *bench)
{
	struct run other;
	int fds[HOST_FILES], inotify = inotify_init1(IN_CLOEXEC);

	cr_expect_geq(inotify, 0, "no inotify for root");
	close(inotify);
	for (size_t i = 0; i < HOST_FILES; i++)
		cr_expect_geq(fds[i] = dup(STDERR_FILENO), 0, "no file for root");
	for (size_t i = 0; i < HOST_FILES; i++)
		close(fds[i]);
	cr_expect_eq(shell(NULL, "true"), 0, "no process for root");
	run_start_with(&other, bench, &(struct run_setup){ .bare = true },
		       WORDS("--name", bench_format(bench, "other-%s", bench->name), "--quiet",
			     "--mem", "32M", "--", "sh", "-c",
			     "echo word >/tmp/word && cat /tmp/word | cat"));
	cr_expect_eq(run_wait(&other, START_MSEC), 0, "%s", run_story(&other));
}

static void try_to_take_all(const char *kind, const char *pids, const char *expected, long least,
			    long most)
{
	char errno_name[32] = "";
	struct bench bench;
	struct run run;
	long count;

	bench_open(&bench, kind);
	count = take_all(&run, &bench, kind, pids, errno_name);
	cr_expect_str_eq(errno_name, expected, "%s: %ld, then %s", kind, count, errno_name);
	cr_expect(count >= least && count <= most, "%ld %s, not %ld to %ld", count, kind, least,
		  most);
	expect_room_for_others(&bench);
	run_signal(&run, SIGTERM);
	run_wait(&run, START_MSEC);
	bench_close(&bench);
}

/* The default; a few are open already. */
Test(exhaustion, of_files_ends_at_the_apps_own_limit)
{
	try_to_take_all("files", "64", "EMFILE", 65000, 65536);
}

/* The kernel's limits of inotify are a user's, and each app is a user of its own. */
Test(exhaustion, of_inotify_instances_is_of_the_apps_own_user)
{
	try_to_take_all("inotify", "64", "EMFILE", 16, 65536);
}

Test(exhaustion, of_scratch_space_ends_at_its_size)
{
	/* a quarter of 128M each, in chunks of 64K */
	try_to_take_all("tmpfs", "64", "ENOSPC", 512, 1024);
}

/* A file that holds something takes a page of the 32M; there is some room for empty ones. */
Test(exhaustion, of_inodes_ends_with_the_scratch_space)
{
	try_to_take_all("inodes", "64", "ENOSPC", 8192, 9216);
}

/* The kernel has one number of ptys for all; each sandbox has a share. */
Test(exhaustion, of_terminals_ends_at_the_sandboxes_own_limit)
{
	try_to_take_all("terminals", "64", "ENOSPC", 64, 64);
}

Test(exhaustion, of_processes_ends_at_the_apps_own_limit)
{
	try_to_take_all("processes", "64", "EAGAIN", 60, 64);
}

Test(exhaustion, of_threads_ends_at_the_apps_own_limit)
{
	try_to_take_all("threads", "64", "EAGAIN", 60, 64);
}
