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
	cr_assert_eq(mkdirat(root, "web.slice", 0700), 0);
	put("web.slice/memory.reclaim", "");
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

static void on_done(void *userdata)
{
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

Test(reclaim, asks_for_so_many_bytes_and_calls_back)
{
	struct error err;

	cr_assert_eq(reclaim_start(event, root, "web.slice", 8192, on_done, &calls, &err), 0, "%s",
		     err.text);
	run_until_called();
	cr_assert_str_eq(get("web.slice/memory.reclaim"), "8192");
}

Test(reclaim, calls_back_when_the_cgroup_is_gone)
{
	struct error err;

	cr_assert_eq(reclaim_start(event, root, "other.slice", 8192, on_done, &calls, &err), 0);
	run_until_called();
}
