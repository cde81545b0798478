/* SPDX-License-Identifier: MIT */
/*
 * Processes outside the sandbox, its init, and those of the same app. The victim of
 * ATTEMPT_VICTIM is a process of the host, named by the host's pid.
 */
#include "tests/system/attempts/attempt.h"

#include "policy/own.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define INIT		    1
#define IOPRIO_WHO_PROCESS  1
#define IOPRIO_OF(class, n) ((class) << 13 | (n))
#define PTRACE_WAIT_SEC	    30

/* --- tracing ---------------------------------------------------------------------------------- */

static pid_t start_sleeper(void)
{
	pid_t child = fork();

	if (child == 0) {
		alarm(PTRACE_WAIT_SEC);
		for (;;)
			pause();
	}
	return child;
}

static int on_sleeper(int (*act)(pid_t pid))
{
	pid_t child = start_sleeper();
	int r;

	if (child < 0)
		return -errno;
	r = act(child);
	kill(child, SIGKILL);
	waitpid(child, NULL, __WALL);
	return r;
}

static int attach(pid_t pid)
{
	return answer(ptrace(PTRACE_ATTACH, pid, NULL, NULL));
}

static int seize(pid_t pid)
{
	return answer(ptrace(PTRACE_SEIZE, pid, NULL, NULL));
}

static int read_memory(pid_t pid)
{
	static char here;
	char byte;
	struct iovec local = { &byte, 1 }, remote = { &here, 1 };

	return answer(process_vm_readv(pid, &local, 1, &remote, 1, 0));
}

static int write_memory(pid_t pid)
{
	static char here;
	char byte = 1;
	struct iovec local = { &byte, 1 }, remote = { &here, 1 };

	return answer(process_vm_writev(pid, &local, 1, &remote, 1, 0));
}

static int take_fd(pid_t pid)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	return pidfd < 0 ? -errno : answer(syscall(SYS_pidfd_getfd, pidfd, 0, 0));
}

static int ptrace_attach(void)
{
	return on_sleeper(attach);
}

static int ptrace_seize(void)
{
	return on_sleeper(seize);
}

static int process_vm_read(void)
{
	return on_sleeper(read_memory);
}

static int process_vm_write(void)
{
	return on_sleeper(write_memory);
}

static int pidfd_take(void)
{
	return on_sleeper(take_fd);
}

/* Seized, not attached to: that would leave it stopped. */
static int ptrace_init(void)
{
	return seize(INIT);
}

static int process_vm_read_init(void)
{
	return read_memory(INIT);
}

static int pidfd_take_of_init(void)
{
	return take_fd(INIT);
}

/* --- others' signals, priority, limits -------------------------------------------------------- */

static int on_victim(int (*act)(pid_t pid))
{
	pid_t victim = (pid_t)bait_number("ATTEMPT_VICTIM");

	return victim == 0 ? NOT_TRIED : act(victim);
}

static int stop(pid_t pid)
{
	return answer(kill(pid, SIGUSR1));
}

static int stop_by_pidfd(pid_t pid)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	return pidfd < 0 ? -errno : answer(syscall(SYS_pidfd_send_signal, pidfd, SIGUSR1, 0, 0));
}

static int renice(pid_t pid)
{
	return answer(setpriority(PRIO_PROCESS, (id_t)pid, 19));
}

static int bind_to_a_cpu(pid_t pid)
{
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	return answer(sched_setaffinity(pid, sizeof(first), &first));
}

static int limit(pid_t pid)
{
	struct rlimit old;

	return answer(prlimit(pid, RLIMIT_NOFILE, NULL, &old));
}

static int slow_io(pid_t pid)
{
	return answer(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, pid, IOPRIO_OF(3, 0)));
}

static int kill_victim(void)
{
	return on_victim(stop);
}

static int kill_victim_by_pidfd(void)
{
	return on_victim(stop_by_pidfd);
}

static int renice_victim(void)
{
	return on_victim(renice);
}

static int pin_victim(void)
{
	return on_victim(bind_to_a_cpu);
}

static int limit_victim(void)
{
	return on_victim(limit);
}

static int ionice_victim(void)
{
	return on_victim(slow_io);
}

static int trace_victim(void)
{
	return on_victim(seize);
}

static int read_victim(void)
{
	char path[64];
	pid_t victim = (pid_t)bait_number("ATTEMPT_VICTIM");

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)victim);
	return victim == 0 ? NOT_TRIED : try_read(path);
}

/* Whoever may send this one may send any; and where it may be sent, it does no harm. */
#define HARMLESS SIGWINCH

static int kill_init(void)
{
	return answer(kill(INIT, HARMLESS));
}

static int kill_init_by_thread(void)
{
	return answer(syscall(SYS_tgkill, INIT, INIT, HARMLESS));
}

static int queue_to_init(void)
{
	union sigval value = { 0 };

	return answer(sigqueue(INIT, HARMLESS, value));
}

static int limit_init(void)
{
	struct rlimit limit;

	if (prlimit(INIT, RLIMIT_NOFILE, NULL, &limit) < 0)
		return -errno;
	return answer(prlimit(INIT, RLIMIT_NOFILE, &limit, NULL));
}

/* The kernel tells where a process keeps its robust futexes: an address, so no ASLR. */
static int robust_list_of_init(void)
{
	void *head;
	size_t length;

	return answer(syscall(SYS_get_robust_list, INIT, &head, &length));
}

/* Its own importance. */
static int nice_negative(void)
{
	errno = 0;
	return answer(setpriority(PRIO_PROCESS, 0, -5));
}

static int realtime(void)
{
	struct sched_param param = { .sched_priority = 1 };

	return answer(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &param));
}

static int batch(void)
{
	struct sched_param param = { 0 };

	return answer(syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &param));
}

static int realtime_io(void)
{
	return answer(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_OF(1, 0)));
}

/* A pid that is used again: who holds a pidfd of the dead never reaches the living. */
static int signal_the_dead(void)
{
	_cleanup_close_ int pidfd = -1;
	pid_t child = start_sleeper();

	if (child < 0)
		return -errno;
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return answer(syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, 0, 0));
}

static const struct attempt attempts[] = {
	{ .name = "ptrace_traceme",
	  .control = true,
	  .door = true,
	  CALL(SYS_ptrace, PTRACE_TRACEME) },
	{ .name = "ptrace_attach", .control = true, .door = true, .act = ptrace_attach },
	{ .name = "ptrace_seize", .control = true, .act = ptrace_seize },
	{ .name = "ptrace_init", .control = true, .act = ptrace_init },
	{ .name = "ptrace_victim", .control = true, .act = trace_victim },
	{ .name = "process_vm_read", .control = true, .door = true, .act = process_vm_read },
	{ .name = "process_vm_write", .control = true, .door = true, .act = process_vm_write },
	{ .name = "process_vm_read_init", .act = process_vm_read_init },
	{ .name = "pidfd_getfd", .control = true, .door = true, .act = pidfd_take },
	{ .name = "pidfd_getfd_of_init", .control = true, .act = pidfd_take_of_init },
	{ .name = "kcmp",
	  .control = true,
	  .door = true,
	  CALL(SYS_kcmp, INIT, INIT, 1 /* KCMP_VM */) },
	{ .name = "process_madvise", .door = true, CALL(SYS_process_madvise, -1) },
	{ .name = "process_mrelease", .door = true, CALL(SYS_process_mrelease, -1) },
	{ .name = "init_memory",
	  .about = "/proc/1/mem, CVE-2016-9962: its init, traced",
	  .expected = "EPERM EACCES ENOENT",
	  .control = true,
	  CALL(SYS_open, P("/proc/1/mem"), O_RDWR) },
	{ .name = "init_maps",
	  .expected = "EPERM EACCES ENOENT",
	  .control = true,
	  CALL(SYS_open, P("/proc/1/maps"), O_RDONLY) },
	{ .name = "init_environ",
	  .expected = "EPERM EACCES ENOENT",
	  .control = true,
	  CALL(SYS_open, P("/proc/1/environ"), O_RDONLY) },
	{ .name = "init_syscall",
	  .expected = "EPERM EACCES ENOENT",
	  .control = true,
	  CALL(SYS_open, P("/proc/1/syscall"), O_RDONLY) },
	{ .name = "init_robust_list", .act = robust_list_of_init },
	{ .name = "init_kill", .act = kill_init },
	{ .name = "init_tgkill", .act = kill_init_by_thread },
	{ .name = "init_sigqueue", .act = queue_to_init },
	{ .name = "init_limits", .act = limit_init },
	{ .name = "victim_kill", .expected = "ESRCH", .control = true, .act = kill_victim },
	{ .name = "victim_kill_by_pidfd",
	  .expected = "ESRCH",
	  .control = true,
	  .act = kill_victim_by_pidfd },
	{ .name = "victim_renice", .expected = "ESRCH", .control = true, .act = renice_victim },
	{ .name = "victim_pin", .expected = "ESRCH", .control = true, .act = pin_victim },
	{ .name = "victim_limits",
	  .expected = "ESRCH EPERM",
	  .control = true,
	  .act = limit_victim },
	{ .name = "victim_ionice", .expected = "ESRCH", .control = true, .act = ionice_victim },
	{ .name = "victim_environ", .expected = "ENOENT", .control = true, .act = read_victim },
	{ .name = "nice_negative",
	  .expected = "EPERM EACCES",
	  .control = true,
	  .act = nice_negative },
	{ .name = "realtime", .control = true, .act = realtime },
	{ .name = "scheduling_class", .control = true, .door = true, .act = batch },
	{ .name = "realtime_io", .control = true, .act = realtime_io },
	{ .name = "migrate_pages", .door = true, CALL(SYS_migrate_pages, 0, 1) },
	{ .name = "move_pages", .control = true, .door = true, CALL(SYS_move_pages, 0) },
	{ .name = "signal_the_dead",
	  .about = "PID reuse",
	  .expected = "ESRCH",
	  .act = signal_the_dead },
};

const struct attempt_group group_processes = { "processes",
					       "processes outside, and the sandbox's init",
					       attempts, ARRAY_SIZE(attempts) };
