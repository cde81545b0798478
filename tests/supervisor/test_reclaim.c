/* SPDX-License-Identifier: MIT */
/* On a plain directory: what the process writes, and that nothing of it stays. */
#include "policy/own.h"
#include "supervisor/file.h"
#include "supervisor/reclaim.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB   (UINT64_C(1) << 20)
#define SLICE "web.slice"

static char directory[64];
static int root = -1;
static sd_event *event;
static unsigned calls;

static void put(const char *name, const char *text)
{
	_cleanup_close_ int fd = openat(root, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static const char *get(const char *name)
{
	static char text[256];
	struct error err;

	cr_assert_geq(file_read_at(root, name, text, sizeof(text), &err), 0, "%s", err.text);
	return text;
}

static void make_directory(void)
{
	snprintf(directory, sizeof(directory), "/tmp/pysbx-reclaim-XXXXXX");
	cr_assert_not_null(mkdtemp(directory));
	root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(root, 0);
	cr_assert_eq(mkdirat(root, SLICE, 0700), 0);
	put(SLICE "/memory.reclaim", "");
	put(SLICE "/memory.max", "");
	put(SLICE "/memory.high", "");
	put(SLICE "/memory.current", "314572800\n"); /* 300M */
	cr_assert_geq(sd_event_new(&event), 0);
	calls = 0;
}

static void leave_nothing(void)
{
	char command[128];

	sd_event_unref(event);
	close_and_clear(&root);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	cr_assert_eq(system(command), 0);
}

TestSuite(reclaim, .init = make_directory, .fini = leave_nothing, .timeout = 30);

static void on_done(const char *result, void *userdata)
{
	cr_expect_str_eq(result, "");
	cr_assert_eq(userdata, &calls);
	calls++;
}

static void run_until_called(void)
{
	for (unsigned turns = 0; calls == 0 && turns < 100; turns++)
		cr_assert_geq(sd_event_run(event, 1000000), 0);
	cr_assert_eq(calls, 1);
	errno = 0;
	cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1, "a child is left");
	cr_assert_eq(errno, ECHILD);
}

static int start(const char *path, uint64_t max, uint64_t high, bool force)
{
	struct limits limits = spec_no_limits;
	struct error err;

	limits.memory_max = max;
	limits.memory_high = high;
	return reclaim_start(event, root, path, &limits, force, on_done, &calls, &err);
}

Test(reclaim, lowers_what_fits_without_reclaiming)
{
	cr_assert_eq(start(SLICE, 512 * MIB, 400 * MIB, false), 0);
	run_until_called();
	cr_expect_str_eq(get(SLICE "/memory.reclaim"), "");
	cr_expect_str_eq(get(SLICE "/memory.max"), "536870912");
	cr_expect_str_eq(get(SLICE "/memory.high"), "419430400");
}

Test(reclaim, reclaims_and_leaves_all_as_it_is_if_that_does_not_help)
{
	cr_assert_eq(start(SLICE, 200 * MIB, 100 * MIB, false), 0);
	run_until_called();
	cr_expect_str_eq(get(SLICE "/memory.reclaim"), "104857600");
	cr_expect_str_eq(get(SLICE "/memory.max"), "");
	cr_expect_str_eq(get(SLICE "/memory.high"), "");
}

Test(reclaim, lowers_memory_max_below_what_is_in_use_with_force)
{
	cr_assert_eq(start(SLICE, 200 * MIB, LIMIT_UNSET, true), 0);
	run_until_called();
	cr_expect_str_eq(get(SLICE "/memory.reclaim"), "");
	cr_expect_str_eq(get(SLICE "/memory.max"), "209715200");
	cr_expect_str_eq(get(SLICE "/memory.high"), "");
}

Test(reclaim, leaves_it_to_the_kernel_to_reach_memory_high)
{
	cr_assert_eq(start(SLICE, LIMIT_UNSET, 100 * MIB, false), 0);
	run_until_called();
	cr_expect_str_eq(get(SLICE "/memory.high"), "104857600");
}

Test(reclaim, says_at_once_that_the_cgroup_is_gone)
{
	cr_assert_eq(start("other.slice", 512 * MIB, LIMIT_UNSET, false), -ENOENT);
	cr_assert_eq(calls, 0);
}

Test(reclaim, holds_no_descriptor_of_the_daemon_and_does_not_hold_it_up)
{
	int pair[2], fifo;
	char c;

	/* opened for writing, this waits for a reader, as a write may wait for a disk */
	cr_assert_eq(unlinkat(root, SLICE "/memory.max", 0), 0);
	cr_assert_eq(mkfifoat(root, SLICE "/memory.max", 0600), 0);
	cr_assert_eq(pipe2(pair, O_CLOEXEC), 0);
	cr_assert_eq(start(SLICE, 512 * MIB, LIMIT_UNSET, false), 0);
	close(pair[1]);
	cr_assert_eq(read(pair[0], &c, 1), 0, "the other end is open");
	close(pair[0]);
	cr_assert_eq(calls, 0);
	fifo = openat(root, SLICE "/memory.max", O_RDONLY | O_CLOEXEC);
	cr_assert_geq(fifo, 0);
	run_until_called();
	close(fifo);
}
