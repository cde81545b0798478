/* SPDX-License-Identifier: MIT */
#include "supervisor/thread.h"

#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "tests/supervisor/cgroup_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int root = -1;
static char name[64];

static void find_root(void)
{

	if (!cgroup_fixture_open(&root))
		cr_skip_test("needs root and a mounted cgroup v2");
	snprintf(name, sizeof(name), "pysbx-thread-%d", (int)getpid());
}

static void leave_nothing(void)
{
	struct error err;

	if (root >= 0 && name[0] != '\0')
		cr_assert_eq(cgroup_destroy(root, name, 5000, &err), 0, "%s", err.text);
}

TestSuite(thread, .init = find_root, .fini = leave_nothing, .timeout = 30);

static void *sleep_as_second(void *ready)
{
	prctl(PR_SET_NAME, "second\nline");
	(void)!write(*(int *)ready, "", 1);
	pause();
	return NULL;
}

/* Pid 1 of a namespace of its own, with a second thread: number 2 inside. Returns its pid. */
static pid_t start_two_threads(int dir, uid_t uid)
{
	struct clone_args args = {
		.flags = CLONE_NEWPID | CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (unsigned)dir,
	};
	int ready[2];
	char byte;
	pid_t pid;

	cr_assert_eq(pipe(ready), 0);
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		pthread_t second;

		/* readable for its user, as one that has executed since */
		if (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0 ||
		    prctl(PR_SET_DUMPABLE, 1) < 0)
			_exit(1);
		pthread_create(&second, NULL, sleep_as_second, &ready[1]);
		pause();
	}
	cr_assert_gt(pid, 0, "%s", strerror(errno));
	close(ready[1]);
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

Test(thread, is_found_by_the_number_that_it_has_inside)
{
	_cleanup_close_ int dir = -1;
	char self[THREAD_PATH_MAX] = "";
	struct thread first, second;
	struct error err;
	pid_t pid;

	cr_assert_eq(cgroup_make(root, name, &dir, &err), 0, "%s", err.text);
	pid = start_two_threads(dir, 0);
	cr_assert(thread_find(dir, 1, &first));
	cr_assert(thread_find(dir, 2, &second));
	cr_expect_eq(first.id, pid);
	cr_expect_eq(first.process, pid);
	cr_expect_neq(second.id, pid);
	cr_expect_eq(second.process, pid);
	cr_expect_str_eq(second.name, "second", "a newline does not forge a line");
	cr_assert_gt(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
	cr_expect_str_eq(second.executable, self);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* As the daemon's unit has it. */
static void give_up_tracing(void)
{
	const cap_value_t trace = CAP_SYS_PTRACE;
	cap_t set = cap_get_proc();

	cr_assert_eq(cap_set_flag(set, CAP_EFFECTIVE, 1, &trace, CAP_CLEAR), 0);
	cr_assert_eq(cap_set_flag(set, CAP_PERMITTED, 1, &trace, CAP_CLEAR), 0);
	cr_assert_eq(cap_set_proc(set), 0, "%s", strerror(errno));
	cap_free(set);
}

Test(thread, the_program_of_another_user_is_seen_without_a_privilege)
{
	_cleanup_close_ int dir = -1;
	char self[THREAD_PATH_MAX] = "", refused[64], link[THREAD_PATH_MAX];
	struct thread first;
	struct error err;
	pid_t pid;

	cr_assert_gt(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
	cr_assert_eq(cgroup_make(root, name, &dir, &err), 0, "%s", err.text);
	pid = start_two_threads(dir, 65534);
	give_up_tracing();
	snprintf(refused, sizeof(refused), "/proc/%d/exe", (int)pid);
	cr_expect_lt(readlink(refused, link, sizeof(link)), 0, "there is nothing to be seen here");
	cr_assert(thread_find(dir, 1, &first));
	cr_expect_str_eq(first.executable, self);
	cr_expect_eq(setfsuid((uid_t)-1), 0, "our own eyes again");
	cr_expect_eq(setfsgid((gid_t)-1), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

Test(thread, one_that_is_gone_is_not_found)
{
	_cleanup_close_ int dir = -1;
	struct thread found = { .id = 77 };
	struct error err;

	cr_assert_eq(cgroup_make(root, name, &dir, &err), 0, "%s", err.text);
	cr_expect_not(thread_find(dir, 1, &found));
	cr_expect_eq(found.id, 77, "nothing is touched");
}
