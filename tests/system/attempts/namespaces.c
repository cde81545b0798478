/* SPDX-License-Identifier: MIT */
/*
 * New namespaces, and those of others. A user namespace brings all capabilities back inside it:
 * most of the kernel's holes of the last years need one.
 */
#include "tests/system/attempts/attempt.h"

#include "policy/own.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

#define FDS_MAX	  1024
#define CHILD_SEC 1

/* clone(2) by its bare call: the child gets a copy of this stack, as with fork. */
static int clone_with(unsigned long flags)
{
	pid_t child = (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);

	if (child == 0)
		_exit(0);
	if (child < 0)
		return -errno;
	waitpid(child, NULL, 0);
	return 0;
}

static int clone_user(void)
{
	return clone_with(CLONE_NEWUSER);
}

static int clone_user_with_high_bits(void)
{
	return clone_with(CLONE_NEWUSER | 1UL << 32);
}

static int clone_all(void)
{
	return clone_with(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
			  CLONE_NEWUTS | CLONE_NEWCGROUP);
}

static int clone3_user(void)
{
	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	pid_t child = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (child == 0)
		_exit(0);
	if (child < 0)
		return -errno;
	waitpid(child, NULL, 0);
	return 0;
}

/* Into a cgroup that is held open: out of the limits. */
static int clone3_into_cgroup(void)
{
	_cleanup_close_ int directory = open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
	pid_t child;

	args.cgroup = (__u64)(unsigned)directory;
	child = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (child == 0)
		_exit(0);
	if (child < 0)
		return -errno;
	waitpid(child, NULL, 0);
	return 0;
}

static int enter(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : answer(syscall(SYS_setns, fd, 0));
}

static int enter_own(void)
{
	return enter("/proc/self/ns/uts");
}

static int enter_those_of_init(void)
{
	int r = enter("/proc/1/ns/mnt");

	return r < 0 ? r : enter("/proc/1/ns/pid");
}

static int enter_by_pidfd(void)
{
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, 1, 0);

	return fd < 0 ? -errno : answer(syscall(SYS_setns, fd, CLONE_NEWNS | CLONE_NEWNET));
}

/* An fd of a namespace that somebody forgot to close. */
static int enter_by_leftover_fds(void)
{
	for (int fd = 3; fd < FDS_MAX; fd++)
		if (syscall(SYS_setns, fd, 0) == 0)
			return 0;
	return -EBADF;
}

/* As root of a user namespace that somebody else has made. */
static int write_uid_map(void)
{
	return try_write("/proc/self/uid_map", "0 0 1\n");
}

static int write_setgroups(void)
{
	return try_write("/proc/self/setgroups", "deny");
}

static const struct attempt attempts[] = {
	{ .name = "unshare_user", .control = true, .door = true, CALL(SYS_unshare, CLONE_NEWUSER) },
	{ .name = "unshare_user_with_high_bits", CALL(SYS_unshare, CLONE_NEWUSER | 1L << 32) },
	{ .name = "unshare_mount", .control = true, .door = true, CALL(SYS_unshare, CLONE_NEWNS) },
	{ .name = "unshare_pid", .control = true, CALL(SYS_unshare, CLONE_NEWPID) },
	{ .name = "unshare_net", .control = true, .door = true, CALL(SYS_unshare, CLONE_NEWNET) },
	{ .name = "unshare_ipc", .control = true, CALL(SYS_unshare, CLONE_NEWIPC) },
	{ .name = "unshare_uts", .control = true, CALL(SYS_unshare, CLONE_NEWUTS) },
	{ .name = "unshare_cgroup", .control = true, CALL(SYS_unshare, CLONE_NEWCGROUP) },
	{ .name = "unshare_time", .control = true, CALL(SYS_unshare, CLONE_NEWTIME) },
	{ .name = "clone_user", .control = true, .door = true, .act = clone_user },
	{ .name = "clone_user_with_high_bits", .control = true, .act = clone_user_with_high_bits },
	{ .name = "clone_all", .control = true, .act = clone_all },
	{ .name = "clone3_user",
	  .expected = "ENOSYS",
	  .control = true,
	  .door = true,
	  .act = clone3_user },
	{ .name = "clone3_into_cgroup",
	  .about = "a child outside the limits",
	  .expected = "ENOSYS",
	  .control = true,
	  .act = clone3_into_cgroup },
	{ .name = "setns_own", .control = true, .door = true, .act = enter_own },
	{ .name = "setns_of_init",
	  .expected = "EPERM EACCES ENOENT",
	  .control = true,
	  .act = enter_those_of_init },
	{ .name = "setns_by_pidfd", .control = true, .act = enter_by_pidfd },
	{ .name = "setns_by_leftover_fds",
	  .about = "leaked fds, CVE-2024-21626",
	  .expected = "EBADF",
	  .act = enter_by_leftover_fds },
	{ .name = "write_uid_map", .expected = "EPERM EACCES ENOENT", .act = write_uid_map },
	{ .name = "write_setgroups",
	  .about = "CVE-2018-18955 and others: maps and groups",
	  .expected = "EPERM EACCES ENOENT",
	  .act = write_setgroups },
};

const struct attempt_group group_namespaces = { "namespaces", "new namespaces, and those of others",
						attempts, ARRAY_SIZE(attempts) };
