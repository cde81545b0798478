/* SPDX-License-Identifier: MIT */
/*
 * On a cgroup v2 tree without controllers, if that is all there is: names, processes, kill,
 * removal. Limits are tried by the system tests.
 */
#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/file.h"
#include "supervisor/process_table.h"
#include "tests/supervisor/cgroup_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int root = -1;
static struct reader reader;
static char name[64];

static void find_root(void)
{

	if (!cgroup_fixture_open(&root))
		cr_skip_test("needs root and a mounted cgroup v2");
	snprintf(name, sizeof(name), "pysbx-test-%d", (int)getpid());
}

static void leave_nothing(void)
{
	struct error err;

	reader_stop(&reader);
	if (root >= 0 && name[0] != '\0')
		cr_assert_eq(cgroup_destroy(root, name, 5000, &err), 0, "%s", err.text);
}

TestSuite(cgroup, .init = find_root, .fini = leave_nothing, .timeout = 30);

static pid_t start_sleeper(int dir)
{
	struct error err;
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/sleep", "sleep", "1000", (char *)NULL);
		_exit(1);
	}
	cr_assert_gt(pid, 0);
	cr_assert_eq(cgroup_move(dir, pid, &err), 0, "%s", err.text);
	return pid;
}

Test(cgroup, destroy_kills_what_lives_in_the_whole_tree)
{
	_cleanup_close_ int dir = -1, below = -1;
	struct error err;
	int status = 0;
	pid_t pid;

	cr_assert_eq(cgroup_make(root, name, &dir, &err), 0, "%s", err.text);
	cr_assert_eq(cgroup_make(dir, "below", &below, &err), 0);
	pid = start_sleeper(below);
	cr_assert_eq(cgroup_destroy(root, name, 5000, &err), 0, "%s", err.text);
	cr_assert_eq(faccessat(root, name, F_OK, 0), -1);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

Test(cgroup, says_whether_anything_lives_in_it)
{
	_cleanup_close_ int dir = -1;
	bool populated = true;
	struct error err;
	pid_t pid;

	cr_assert_eq(cgroup_make(root, name, &dir, &err), 0);
	cr_assert_eq(cgroup_populated(dir, &populated, &err), 0);
	cr_assert_not(populated);
	pid = start_sleeper(dir);
	cr_assert_eq(cgroup_populated(dir, &populated, &err), 0);
	cr_assert(populated);
	cr_assert_eq(cgroup_wait_empty(dir, 20, &err), -ETIMEDOUT);
	kill(pid, SIGKILL);
	cr_assert_eq(cgroup_wait_empty(dir, 5000, &err), 0);
	waitpid(pid, NULL, 0);
}

Test(cgroup, names_a_controller_that_is_missing)
{
	_cleanup_close_ int dir = -1, below = -1;
	struct error err;

	cr_assert_eq(cgroup_make(root, name, &dir, &err), 0);
	cr_assert_eq(cgroup_make(dir, "below", &below, &err), 0);
	/* nothing was enabled for the children of dir, so below has none to give */
	cr_assert_lt(cgroup_enable(below, CONTROLLER_IO, "/some/where", &err), 0);
	cr_assert_eq(err.kind, ERROR_UNSUPPORTED);
	cr_assert_not_null(strstr(err.text, "/some/where has no io controller"), "%s", err.text);
}

Test(cgroup, destroying_what_is_not_there_is_fine)
{
	struct error err;

	cr_assert_eq(cgroup_destroy(root, "pysbx-test-nothing", 10, &err), 0);
}

Test(cgroup, knows_the_cgroup_of_a_process)
{
	_cleanup_close_ int dir = -1;
	char path[CGROUP_PATH_MAX];
	struct error err;
	pid_t pid;

	cr_assert_eq(cgroup_make(root, name, &dir, &err), 0);
	pid = start_sleeper(dir);
	cr_assert_eq(cgroup_of_process(pid, path, sizeof(path), &err), 0, "%s", err.text);
	cr_assert_str_eq(strrchr(path, '/') + 1, name);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

Test(cgroup, the_process_table_names_one_that_is_gone)
{
	static struct process_table table;
	_cleanup_close_ int dir = -1;
	const struct process *dead;
	struct error err;
	pid_t pid;

	cr_assert_eq(cgroup_make(root, name, &dir, &err), 0);
	pid = start_sleeper(dir);
	for (int tries = 0; tries < 500 && (table.count == 0 || strcmp(table.items[0].command_line,
								       "sleep\n1000") != 0);
	     tries++) {
		process_table_refresh(&table, dir, &reader);
		if (table.count > 0)
			table.items[0].asked = 0; /* it is between fork and exec for a while */
		(void)poll(NULL, 0, 10);
	}
	cr_assert_eq(table.count, 1);
	cr_assert_null(process_table_find_dead(&table, 0));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	dead = process_table_find_dead(&table, 0);
	cr_assert_not_null(dead);
	cr_assert_eq(dead->pid, pid);
	cr_assert_str_eq(dead->command_line, "sleep\n1000");
	cr_assert_null(process_table_find_dead(&table, pid),
		       "the main process is asked about elsewhere");
	process_table_forget_dead(&table);
	cr_assert_eq(table.count, 0);
	process_table_clear(&table);
}

Test(cgroup, the_process_table_takes_the_largest_of_the_dead)
{
	static struct process_table table;
	struct process *large;
	_cleanup_close_ int dir = -1;
	struct error err;
	pid_t first, second;

	cr_assert_eq(cgroup_make(root, name, &dir, &err), 0);
	first = start_sleeper(dir);
	second = start_sleeper(dir);
	process_table_refresh(&table, dir, &reader);
	cr_assert_eq(table.count, 2);
	large = &table.items[table.items[0].pid == second ? 0 : 1];
	large->rss_bytes = UINT64_C(1) << 40;
	kill(first, SIGKILL);
	kill(second, SIGKILL);
	waitpid(first, NULL, 0);
	waitpid(second, NULL, 0);
	cr_assert_eq(process_table_find_dead(&table, 0)->pid, second);
	process_table_clear(&table);
}
