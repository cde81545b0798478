/* SPDX-License-Identifier: MIT */
/*
 * In the child only system calls are made, in memory that is its parent's (clone_run.h): raw ones
 * for ids and signals, which libc keeps records of.
 */
#include "supervisor/hook_child.h"

#include "policy/own.h"
#include "supervisor/clone_run.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FIRST_FREE   3 /* behind stdin, stdout and stderr */
#define CAP_LIMIT    64
#define SIGNAL_COUNT 64
#define MIB	     (UINT64_C(1) << 20)

static const struct {
	int resource;
	rlim_t limit;
} limits[] = {
	{ RLIMIT_CPU, 30 },	{ RLIMIT_AS, 1024 * MIB }, { RLIMIT_FSIZE, 16 * MIB },
	{ RLIMIT_NOFILE, 256 }, { RLIMIT_NPROC, 64 },	   { RLIMIT_MEMLOCK, 65536 },
	{ RLIMIT_CORE, 1 }, /* with 0 a core pattern that is a pipe would still be started */
};

/* The kernel's, which is another one than libc's. */
struct kernel_action {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

__attribute__((noreturn)) static void give_up(int code)
{
	(void)syscall(SYS_exit_group, code);
	__builtin_unreachable();
}

static void reset_signals(void)
{
	static const struct kernel_action by_default = { 0 };
	static const uint64_t none;

	for (int i = 1; i <= SIGNAL_COUNT; i++)
		(void)syscall(SYS_rt_sigaction, i, &by_default, NULL, sizeof(none));
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
}

/* The daemon's own protects it from the OOM killer; here it is as any other. */
static void reset_oom_score(void)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/oom_score_adj",
			      O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)syscall(SYS_write, fd, "0", 1);
}

static bool set_limits(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		const struct rlimit limit = { limits[i].limit, limits[i].limit };

		if (syscall(SYS_prlimit64, 0, limits[i].resource, &limit, NULL) < 0)
			return false;
	}
	return true;
}

/* No capability is left, and none can be gained: another uid has none, and no_new_privs keeps
 * programs from giving any. Where the bounding set may be emptied, that holds twice. */
static bool drop_all(const struct hook_child *child)
{
	if (syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return false;
	for (unsigned long i = 0; i < CAP_LIMIT; i++)
		(void)syscall(SYS_prctl, PR_CAPBSET_DROP, i, 0, 0, 0);
	(void)syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_setgroups, 0, NULL) == 0 &&
	       syscall(SYS_setresgid, child->gid, child->gid, child->gid) == 0 &&
	       syscall(SYS_setresuid, child->uid, child->uid, child->uid) == 0 &&
	       /* after the ids, whose change clears it */
	       syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0;
}

static bool place_descriptors(const struct hook_child *child)
{
	int input = fcntl(child->input_fd, F_DUPFD_CLOEXEC, FIRST_FREE);
	int output = fcntl(child->output_fd, F_DUPFD_CLOEXEC, FIRST_FREE);

	return input >= 0 && output >= 0 && dup2(input, STDIN_FILENO) >= 0 &&
	       dup2(output, STDOUT_FILENO) >= 0 && dup2(output, STDERR_FILENO) >= 0 &&
	       syscall(SYS_close_range, FIRST_FREE, ~0U, 0) == 0;
}

__attribute__((no_sanitize("address"))) static void become_hook(const void *argument)
{
	const struct hook_child *child = argument;
	char *const environment[] = { (char *)"PATH=/usr/local/bin:/usr/bin:/bin",
				      (char *)"LANG=C.UTF-8",
				      (char *)"HOME=/",
				      child->app,
				      child->incident,
				      NULL };

	reset_signals();
	reset_oom_score();
	(void)syscall(SYS_umask, 077);
	if (child->uid == 0 || syscall(SYS_setsid) < 0 || syscall(SYS_chdir, "/") < 0 ||
	    !place_descriptors(child) || !set_limits() || !drop_all(child))
		give_up(HOOK_CHILD_FAILED);
	(void)syscall(SYS_execve, child->command[0], child->command, environment);
	give_up(HOOK_CHILD_NOT_RUN);
}

int hook_child_start(const struct hook_child *child, int *ret_pidfd)
{
	int pidfd = -1;
	const struct clone_args args = { .flags = CLONE_PIDFD | CLONE_NEWPID,
					 .pidfd = (uint64_t)(uintptr_t)&pidfd,
					 .exit_signal = SIGCHLD };
	pid_t pid = clone_run(&args, become_hook, child);

	if (pid < 0)
		return (int)pid;
	*ret_pidfd = pidfd;
	return 0;
}
