/* SPDX-License-Identifier: MIT */
/*
 * The worker, from clone3 to execve. The child walks a table of steps, allocates nothing, and tells
 * its parent on a close-on-exec socket which step failed; it explains nothing: the parent still may
 * read what the worker may not, and has no seccomp filter. The listener of that filter comes the
 * same way.
 *
 * The end of that socket means either that execve succeeded or that the child was killed (by the
 * OOM killer, if the memory limit is too low for execve itself). The exit signal tells the two
 * apart: clone3 sets none, and a successful execve sets SIGCHLD (execve(2)), after which waitid's
 * __WCLONE no longer knows the child.
 */
#include "sandbox/worker.h"

#include "policy/filter_door.h"
#include "policy/own.h"
#include "sandbox/command.h"
#include "sandbox/denials.h"
#include "sandbox/fds.h"
#include "sandbox/identity.h"
#include "sandbox/inherited.h"
#include "sandbox/landlock.h"
#include "sandbox/output.h"

#include <fcntl.h>
#include <linux/ioprio.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define KERNEL_SIGNALS	64 /* numbers 1 to 64; the libc's wrappers hide some of them */
#define EXIT_CODE_SHIFT 8  /* in a wait status */
/* linux/ioprio.h has them by other names in each version */
#define IOPRIO_LEVEL_NORMAL 4
#define IOPRIO_LEVEL_MASK   7

struct worker {
	const struct plan *plan;
	const struct launcher *launcher;
	const struct strings *candidates;
	const struct sock_fprog *asking; /* see denials.h; its filter is NULL if there is none */
	int status;			 /* the child's end of the status socket */
	uint64_t key;			 /* of the filter's door; in no other process's memory */
	size_t detail;			 /* which rlimit, which candidate */
};

struct worker_failure { /* what goes through the status socket */
	uint32_t step;
	int32_t errnum;
	uint64_t detail;
};

/* --- the child's steps: 0 or a negative errno -------------------------------------------------*/

static int enter_cgroup_namespace(struct worker *worker)
{
	(void)worker;
	return unshare(CLONE_NEWCGROUP) < 0 ? -errno : 0;
}

/* A signal that the supervisor was started with ignored would stay ignored over execve. */
static int reset_signals(struct worker *worker)
{
	/* as the kernel has it: handler (SIG_DFL), flags, restorer, mask, all zero */
	static const unsigned long all_default[4];
	sigset_t none;

	(void)worker;
	for (int number = 1; number <= KERNEL_SIGNALS; number++)
		if (number != SIGKILL && number != SIGSTOP &&
		    syscall(SYS_rt_sigaction, number, all_default, NULL, KERNEL_SIGNALS / 8) < 0)
			return -errno;
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

/* Whether keyctl is refused as a whole, as by the seccomp filter of a container around us. Asking
 * for one's own keyring is otherwise never forbidden. */
static bool keys_are_refused(void)
{
	return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) < 0 &&
	       errno == EPERM;
}

/* A nameless session keyring is always a new one. Where nobody can use keys, be it for a kernel
 * without them or a filter, there is nothing to share. */
static int start_session(struct worker *worker)
{
	(void)worker;
	if (setsid() < 0)
		return -errno;
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0 || errno == ENOSYS)
		return 0;
	if (errno != EPERM)
		return -errno;
	return keys_are_refused() ? 0 : -EPERM;
}

/* What survives execve and weakens it: no address randomization, executable data. */
static int reset_personality(struct worker *worker)
{
	(void)worker;
	return personality(PER_LINUX) < 0 ? -errno : 0;
}

/* A supervisor with a real-time class or a negative nice value must not hand it on: cpu.max does
 * not bound the one, and the worker could starve the machine. What makes it weaker (SCHED_IDLE,
 * positive nice) stays: it was meant. By syscall(2), as not every libc has the first two. */
static int reset_scheduling(struct worker *worker)
{
	const struct sched_param none = { 0 };
	long policy = syscall(SYS_sched_getscheduler, 0);

	(void)worker;
	if (policy < 0)
		return -errno;
	policy &= ~SCHED_RESET_ON_FORK;
	if ((policy == SCHED_FIFO || policy == SCHED_RR || policy == SCHED_DEADLINE) &&
	    syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &none) < 0)
		return -errno;
	errno = 0;
	if (getpriority(PRIO_PROCESS, 0) < 0 && errno == 0 && setpriority(PRIO_PROCESS, 0, 0) < 0)
		return -errno;
	return 0;
}

/* The same for the disk: a real-time class, or a higher place among the others. */
static int reset_io_scheduling(struct worker *worker)
{
	long priority = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0);
	long class = priority >> IOPRIO_CLASS_SHIFT;
	bool above =
		class == IOPRIO_CLASS_RT ||
		(class == IOPRIO_CLASS_BE && (priority & IOPRIO_LEVEL_MASK) < IOPRIO_LEVEL_NORMAL);

	(void)worker;
	if (priority < 0)
		return errno == ENOSYS ? 0 : -errno;
	if (above && syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, 0) < 0)
		return -errno;
	return 0;
}

static int set_oom_score(struct worker *worker)
{
	_cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	char text[16];
	int length;

	if (fd < 0)
		return -errno;
	length = snprintf(text, sizeof(text), "%d", worker->plan->oom_score_adj);
	return write(fd, text, (size_t)length) < 0 ? -errno : 0;
}

/* Without CAP_SYS_RESOURCE, as in a container, "unlimited" is as much as we have. */
static int set_most(unsigned resource)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0)
		return -1;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(resource, &limit);
}

#define LOGIN_UID_UNSET "4294967295"

/* Whom the audit trail names. While nobody has logged in, as in a service, every process may say so
 * once, and say root; that once is now. Where a login started us, it stays the one who did. */
static int set_login_uid(struct worker *worker)
{
	_cleanup_close_ int fd = open("/proc/self/loginuid", O_RDWR | O_CLOEXEC);
	char text[16];
	ssize_t length;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno; /* a kernel without an audit trail */
	length = read(fd, text, sizeof(text) - 1);
	if (length < 0)
		return -errno;
	text[length] = '\0';
	if (strcmp(text, LOGIN_UID_UNSET) != 0)
		return 0;
	length = snprintf(text, sizeof(text), "%u", worker->plan->uid);
	return pwrite(fd, text, (size_t)length, 0) < 0 ? -errno : 0;
}

static int set_rlimits(struct worker *worker)
{
	const struct plan *plan = worker->plan;

	for (size_t i = 0; i < plan->rlimit_count; i++) {
		const struct rlimit limit = { plan->rlimits[i].soft, plan->rlimits[i].hard };
		const unsigned resource = (unsigned)plan->rlimits[i].resource;

		worker->detail = i;
		if (setrlimit(resource, &limit) == 0)
			continue;
		if (errno != EPERM || limit.rlim_cur != RLIM_INFINITY || set_most(resource) < 0)
			return -errno;
	}
	return 0;
}

static int enter_landlock(struct worker *worker)
{
	return landlock_enter(worker->launcher);
}

/* stdin is the sandbox's own /dev/null, stdout and stderr are the pipes, then the sockets to listen
 * on; of all other fds only the status socket is left, until execve. */
static int connect_output(struct worker *worker)
{
	const struct launcher *launcher = worker->launcher;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int status = fcntl(worker->status, F_DUPFD_CLOEXEC, LAUNCH_FD_HIGH), next;

	if (null < 0 || status < 0)
		return -errno;
	if (dup2(null, STDIN_FILENO) < 0 ||
	    dup2(launcher->output_write[OUTPUT_STDOUT], STDOUT_FILENO) < 0 ||
	    dup2(launcher->output_write[OUTPUT_STDERR], STDERR_FILENO) < 0)
		return -errno;
	next = inherited_pass(launcher);
	if (next < 0)
		return next;
	if (dup3(status, next, O_CLOEXEC) < 0)
		return -errno;
	worker->status = next;
	umask(worker->plan->umask_bits);
	return fds_close_range((unsigned)next + 1, ~0U, 0) < 0 ? -errno : 0;
}

static int change_identity(struct worker *worker)
{
	return identity_become(worker->plan);
}

static int drop_capabilities(struct worker *worker)
{
	(void)worker;
	return identity_drop_all();
}

static int enter_directory(struct worker *worker)
{
	return chdir(worker->plan->directory) < 0 ? -errno : 0;
}

/* A profile without execve is one whose worker may not execute: this start goes through the
 * filter's door (policy/filter_door.h). The programs are this child's own copies. Where we are
 * under a listener already (a container's), the kernel allows no second one: what is only to be
 * explained is enforced without a word then. */
static int load_filter(struct worker *worker)
{
	const struct sock_fprog *filter = &worker->launcher->filter;
	const struct sock_fprog *asking = worker->asking;
	int r = -EBUSY;

	if (getrandom(&worker->key, sizeof(worker->key), 0) != (ssize_t)sizeof(worker->key))
		return -errno;
	(void)filter_door_open(filter->filter, filter->len, worker->key);
	if (asking->filter != NULL) {
		(void)filter_door_open(asking->filter, asking->len, worker->key);
		r = denials_load(asking, worker->status);
	}
	if (r != -EBUSY || worker->plan->refusals > REFUSALS_EXPLAINED)
		return r;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter) < 0 ? -errno : 0;
}

/* As execvp: goes on after a file that is missing or refused, and a refusal is what is told if none
 * can be executed. But no shell is tried on a file that is no program. */
static int execute(struct worker *worker)
{
	const struct strings *candidates = worker->candidates;
	const struct plan *plan = worker->plan;
	char *const empty[] = { NULL };
	char *const *environment = plan->environment.count > 0 ? plan->environment.items : empty;
	int result = -ENOENT;

	for (size_t i = 0; i < candidates->count; i++) {
		/* six arguments: the last one is for the filter alone */
		syscall(SYS_execve, candidates->items[i], plan->argv.items, environment, 0L, 0L,
			worker->key);
		switch (errno) {
		case EACCES:
			if (result != -EACCES)
				worker->detail = i;
			result = -EACCES;
			break;
		case ENOENT:
		case ENOTDIR:
			break;
		default:
			worker->detail = i;
			return -errno;
		}
	}
	return result;
}

static const struct {
	enum launch_stage stage;
	const char *what;
	int (*act)(struct worker *worker);
} steps[] = {
	{ STAGE_CGROUP, "make a cgroup namespace", enter_cgroup_namespace },
	{ STAGE_LIMITS, "reset signals", reset_signals },
	{ STAGE_LIMITS, "start a session with a keyring", start_session },
	{ STAGE_LIMITS, "reset the personality", reset_personality },
	{ STAGE_LIMITS, "reset scheduling class and nice value", reset_scheduling },
	{ STAGE_LIMITS, "reset the io priority", reset_io_scheduling },
	{ STAGE_LIMITS, "write /proc/self/oom_score_adj", set_oom_score },
	{ STAGE_LIMITS, "write /proc/self/loginuid", set_login_uid },
	/* what follows closes the ruleset, and opens nothing that the worker couldn't */
	{ STAGE_LANDLOCK, "enter the Landlock domain", enter_landlock },
	{ STAGE_LIMITS, "open /dev/null and connect the output", connect_output },
	/* not earlier: some of what is open until then has a high number, which RLIMIT_NOFILE may
	 * be below */
	{ STAGE_LIMITS, "set resource limit", set_rlimits },
	{ STAGE_IDENTITY, "set groups, gid and uid", change_identity },
	{ STAGE_CAPABILITIES, "drop all capabilities", drop_capabilities },
	{ STAGE_DIRECTORY, "enter directory", enter_directory },
	{ STAGE_SECCOMP, "load the seccomp filter", load_filter },
	{ STAGE_EXEC, "execute", execute },
};

__attribute__((noreturn)) static void run_child(struct worker *worker)
{
	struct worker_failure failure = { 0 };

	for (uint32_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int r;

		worker->detail = 0;
		r = steps[i].act(worker);
		if (r < 0) {
			failure = (struct worker_failure){ i, -r, worker->detail };
			break;
		}
	}
	(void)!write(worker->status, &failure, sizeof(failure));
	_exit(1);
}

/* --- the parent -------------------------------------------------------------------------------*/

static pid_t clone_into_cgroup(int *ret_pidfd)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = 0, /* see above */
		.cgroup = LAUNCH_FD_CGROUP,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid > 0)
		*ret_pidfd = pidfd;
	return pid;
}

/* Takes one record off the status socket. 1: the child failed, *ret says how; 0: that is all;
 * -EAGAIN: it was the listener, there may be more (err untouched). */
static int take_status(struct launcher *launcher, int status, struct worker_failure *ret,
		       struct error *err)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec data = { ret, sizeof(*ret) };
	struct msghdr packet = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(status, &packet, MSG_CMSG_CLOEXEC);

	if (n < 0)
		return error_set(err, ERROR_SYSTEM, errno, "read the worker's status");
	if (n == 1 && (CMSG_FIRSTHDR(&packet) == NULL || (packet.msg_flags & MSG_CTRUNC) != 0))
		return error_set(err, ERROR_SYSTEM, EMFILE, "take the seccomp filter's listener");
	if (n == 1) {
		memcpy(&launcher->listener, CMSG_DATA(CMSG_FIRSTHDR(&packet)), sizeof(int));
		return -EAGAIN;
	}
	return n == sizeof(*ret) && ret->step < ARRAY_SIZE(steps) ? 1 : 0;
}

/* Waits for the child's word: as take_status, but for -EAGAIN. */
static int wait_for_status(struct launcher *launcher, int status, struct worker_failure *ret,
			   struct error *err)
{
	struct pollfd watched[] = {
		{ .fd = status, .events = POLLIN },
		/* no events: a hang-up alone; messages wait until the worker runs */
		{ .fd = launcher->plan->end_with_supervisor ? LAUNCH_FD_SOCKET : -1 },
	};
	int r = -EAGAIN;

	while (r == -EAGAIN) {
		if (poll(watched, ARRAY_SIZE(watched), -1) < 0 && errno != EINTR)
			return error_set(err, ERROR_SYSTEM, errno, "poll");
		if (watched[1].revents != 0)
			return error_set(err, ERROR_UNREACHABLE, ECONNRESET,
					 "the supervisor is gone");
		if (watched[0].revents != 0)
			r = take_status(launcher, status, ret, err);
	}
	return r;
}

static int explain(struct launcher *launcher, const struct strings *candidates,
		   const struct worker_failure *failure, struct error *err)
{
	const struct plan *plan = launcher->plan;
	const char *what = steps[failure->step].what;

	launcher->stage = steps[failure->step].stage;
	if (launcher->stage == STAGE_EXEC)
		return command_explain(plan, candidates, failure->detail, failure->errnum, err);
	if (steps[failure->step].act == enter_directory)
		return error_set(err, ERROR_SYSTEM, failure->errnum, "%s %s as uid %u", what,
				 plan->directory, plan->uid);
	if (steps[failure->step].act == set_rlimits && failure->detail < plan->rlimit_count)
		return error_set(err, ERROR_SYSTEM, failure->errnum, "%s %s", what,
				 plan_rlimit_name(plan->rlimits[failure->detail].resource));
	return error_set(err, ERROR_SYSTEM, failure->errnum, "%s", what);
}

static const char *death_hint(int number)
{
	switch (number) {
	case SIGKILL:
		return "; is the memory limit too low?";
	case SIGSYS:
		return "; does the seccomp filter refuse execve?";
	default:
		return "";
	}
}

/* The socket has ended without a word: 0 if the worker executes, else what became of it. */
static int check_executed(struct launcher *launcher, struct error *err)
{
	const char *name = launcher->plan->argv.items[0];
	siginfo_t info = { 0 };
	int r;

	do
		r = waitid((idtype_t)P_PIDFD, (id_t)launcher->worker_pidfd, &info,
			   WEXITED | (int)__WCLONE);
	while (r < 0 && errno == EINTR);
	if (r < 0 && errno == ECHILD)
		return 0;
	launcher->stage = STAGE_EXEC;
	if (r < 0)
		return error_set(err, ERROR_SYSTEM, errno, "waitid");
	if (info.si_code == CLD_EXITED) {
		launcher->wait_status = info.si_status << EXIT_CODE_SHIFT;
		return error_set(err, ERROR_INTERNAL, 0,
				 "execute %s: the child gave up without a word", name);
	}
	launcher->wait_status = info.si_status;
	return error_set(err, ERROR_SYSTEM, 0,
			 "execute %s: killed by signal %d before it could execute%s", name,
			 info.si_status, death_hint(info.si_status));
}

static int start(struct launcher *launcher, const struct strings *candidates,
		 const struct sock_fprog *asking, struct error *err)
{
	_cleanup_close_ int status_read = -1;
	struct worker worker = {
		.plan = launcher->plan,
		.launcher = launcher,
		.candidates = candidates,
		.asking = asking,
		.status = -1,
	};
	struct worker_failure failure = { 0 };
	struct timespec now;
	int status[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, status) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "socketpair");
	status_read = status[0];
	worker.status = status[1];
	launcher->worker = clone_into_cgroup(&launcher->worker_pidfd);
	if (launcher->worker == 0)
		run_child(&worker);
	close(worker.status);
	if (launcher->worker < 0)
		return error_set(err, ERROR_SYSTEM, errno, "start a process in its cgroup");
	clock_gettime(CLOCK_MONOTONIC, &now);
	launcher->started_nsec = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;

	r = wait_for_status(launcher, status_read, &failure, err);
	if (r > 0)
		return explain(launcher, candidates, &failure, err);
	return r < 0 ? r : check_executed(launcher, err);
}

int worker_start(struct launcher *launcher, struct error *err)
{
	_cleanup_strings_ struct strings candidates = { 0 };
	struct sock_fprog asking = { 0 };
	int r;

	r = command_candidates(launcher->plan, &candidates, err);
	if (r == 0) {
		r = denials_program(launcher, &asking, err);
		if (r < 0)
			launcher->stage = STAGE_SECCOMP;
	}
	if (r == 0)
		r = start(launcher, &candidates, &asking, err);
	free(asking.filter);
	output_close_write_ends(launcher);
	close_and_clear(&launcher->landlock_ruleset);
	close(LAUNCH_FD_CGROUP);
	return r;
}
