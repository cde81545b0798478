/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "supervisor/runs.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[128], base[64];

static void make_base(void)
{
	snprintf(base, sizeof(base), "/tmp/pysbx-test-XXXXXX");
	cr_assert_not_null(mkdtemp(base));
	snprintf(directory, sizeof(directory), "%s/run", base);
}

static void remove_base(void)
{
	(void)rmdir(directory);
	(void)rmdir(base);
}

TestSuite(runs, .init = make_base, .fini = remove_base);

static void count(const char *id, void *userdata)
{
	(void)id;
	(*(int *)userdata)++;
}

static bool exists(const char *id)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", directory, id);
	return access(path, F_OK) == 0;
}

Test(runs, a_living_run_is_not_swept)
{
	struct error err;
	int fd = -1, swept = 0;

	cr_assert_eq(runs_register(directory, "web-1", &fd, &err), 0);
	cr_assert_eq(runs_sweep(directory, count, &swept, &err), 0);
	cr_assert_eq(swept, 0);
	cr_assert(exists("web-1"));
	runs_unregister(directory, "web-1");
	close(fd);
}

Test(runs, a_dead_run_is_swept_once)
{
	struct error err;
	int fd = -1, swept = 0;

	cr_assert_eq(runs_register(directory, "web-1", &fd, &err), 0);
	cr_assert_eq(runs_note_cgroup(fd, "/sys/fs/cgroup/no/such/pysbx-run-web-1", &err), 0);
	close(fd);
	cr_assert_eq(runs_sweep(directory, count, &swept, &err), 0);
	cr_assert_eq(runs_sweep(directory, count, &swept, &err), 0);
	cr_assert_eq(swept, 1);
	cr_assert(!exists("web-1"));
}

Test(runs, a_note_that_points_elsewhere_is_refused_and_kept)
{
	const char *const notes[] = { "/etc/web-1", "web-1", "/", "/sys/fs/cgroup/system.slice" };
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(notes); i++) {
		int fd = -1, swept = 0;

		cr_assert_eq(runs_register(directory, "web-1", &fd, &err), 0, "%s", err.text);
		cr_assert_eq(runs_note_cgroup(fd, notes[i], &err), 0);
		close(fd);
		cr_assert_lt(runs_sweep(directory, count, &swept, &err), 0, "%s", notes[i]);
		cr_assert_eq(swept, 0);
		cr_assert(exists("web-1"));
		runs_unregister(directory, "web-1");
	}
	cr_assert_eq(access("/etc", F_OK), 0);
}

Test(runs, the_same_id_twice_is_refused)
{
	struct error err;
	int fd = -1, other = -1;

	cr_assert_eq(runs_register(directory, "web-1", &fd, &err), 0);
	cr_assert_eq(runs_register(directory, "web-1", &other, &err), -EEXIST);
	cr_assert_eq(other, -1);
	runs_unregister(directory, "web-1");
	close(fd);
}

Test(runs, no_directory_yet_is_nothing_to_sweep)
{
	struct error err;

	cr_assert_eq(runs_sweep("/nonexistent/pysbx", NULL, NULL, &err), 0);
}
