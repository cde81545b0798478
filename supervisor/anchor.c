/* SPDX-License-Identifier: MIT */
#include "supervisor/anchor.h"

#include "policy/own.h"
#include "supervisor/keeper_socket.h"
#include "supervisor/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child: async-signal-safe calls only. The two fds first go out of the way of the fixed
 * numbers. */
static void __attribute__((noreturn)) become_anchor(const char *program, int socket_fd, int lock_fd)
{
	char *const argv[] = { (char *)"pysbx-anchor", NULL };
	char *const environment[] = { NULL };
	int high_socket = fcntl(socket_fd, F_DUPFD_CLOEXEC, 64);
	int high_lock = lock_fd >= 0 ? fcntl(lock_fd, F_DUPFD_CLOEXEC, 64) : -1;
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t all;

	if (high_socket < 0 || (lock_fd >= 0 && high_lock < 0) || null_fd < 0)
		_exit(125);
	(void)setsid();
	if (dup2(null_fd, 0) < 0 || dup2(null_fd, 1) < 0 || dup2(null_fd, 2) < 0 ||
	    dup2(high_socket, ANCHOR_FD_SOCKET) < 0)
		_exit(125);
	(void)syscall(SYS_close_range, ANCHOR_FD_SOCKET + 1U, ~0U, CLOSE_RANGE_CLOEXEC);
	if (high_lock >= 0 && dup2(high_lock, ANCHOR_FD_LOCK) < 0)
		_exit(125);
	/* it reads its signals: one that comes before that shall wait */
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	execve(program, argv, environment);
	_exit(errno == ENOENT ? 127 : 126);
}

int anchor_spawn(const char *program, int lock_fd, struct anchor *ret, struct error *err)
{
	_cleanup_close_ int ours = -1, theirs = -1;
	int pidfd = -1, pair[2];
	struct clone_args args = { .flags = CLONE_PIDFD,
				   .pidfd = (uint64_t)(uintptr_t)&pidfd,
				   .exit_signal = SIGCHLD };
	pid_t pid;

	if (access(program, X_OK) < 0)
		return error_set(err, ERROR_UNSUPPORTED, errno,
				 "pysbx is not installed completely: %s", program);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "anchor: socketpair");
	ours = pair[0];
	theirs = pair[1];
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		return error_set(err, ERROR_SYSTEM, errno, "anchor: clone3");
	if (pid == 0)
		become_anchor(program, theirs, lock_fd);
	*ret = (struct anchor){ .pid = pid, .pidfd = pidfd, .socket = TAKE_FD(ours) };
	return 0;
}

static int send_charge(const struct anchor *anchor, struct anchor_charge *charge, const int *fds,
		       size_t count, struct error *err)
{
	size_t fd_bytes = count * sizeof(int);
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(3 * sizeof(int))];
	} control = { 0 };
	struct iovec part = { .iov_base = charge, .iov_len = sizeof(*charge) };
	struct msghdr header = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.space,
				 .msg_controllen = CMSG_SPACE(fd_bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&header);

	charge->version = ANCHOR_VERSION;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(fd_bytes);
	memcpy(CMSG_DATA(c), fds, fd_bytes);
	if (sendmsg(anchor->socket, &header, MSG_NOSIGNAL) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "anchor: send its charge");
	return 0;
}

int anchor_charge(const struct anchor *anchor, int run_fd, int keep_fd, int parent_fd,
		  const char *name, const char *own_leaf, uint32_t patience_msec, struct error *err)
{
	struct anchor_charge charge = { .patience_msec = patience_msec };
	const int fds[3] = { run_fd, keep_fd >= 0 ? keep_fd : run_fd, parent_fd };

	if (name != NULL)
		snprintf(charge.remove_name, sizeof(charge.remove_name), "%s", name);
	snprintf(charge.own_leaf, sizeof(charge.own_leaf), "%s", own_leaf);
	return send_charge(anchor, &charge, fds, parent_fd >= 0 ? 3 : 2, err);
}

int anchor_charge_keep(const struct anchor *anchor, int run_fd, const char *path, struct error *err)
{
	_cleanup_close_ int listen_fd = -1;
	struct anchor_charge charge = { .keep = 1 };
	int r;

	r = keeper_socket_listen(path, &listen_fd, err);
	if (r < 0) {
		error_prefix(err, "anchor");
		return r;
	}
	return send_charge(anchor, &charge, (const int[]){ run_fd, listen_fd }, 2, err);
}

int anchor_adopt(const char *path, struct anchor *ret, struct error *err)
{
	int fd, r;

	r = keeper_socket_connect(path, &fd, err);
	if (r < 0) {
		error_prefix(err, "anchor");
		return r;
	}
	*ret = (struct anchor){ .pidfd = -1, .socket = fd };
	return 0;
}

void anchor_leave(struct anchor *anchor)
{
	close_and_clear(&anchor->socket);
	close_and_clear(&anchor->pidfd);
}

void anchor_kill(const struct anchor *anchor)
{
	if (anchor->pidfd >= 0)
		pidfd_kill(anchor->pidfd);
}

void anchor_finish(struct anchor *anchor, int timeout_msec)
{
	struct pollfd poller = { .fd = anchor->pidfd, .events = POLLIN };
	siginfo_t info;

	close_and_clear(&anchor->socket);
	if (anchor->pidfd < 0)
		return;
	if (poll(&poller, 1, timeout_msec) == 0)
		pidfd_kill(anchor->pidfd);
	(void)waitid((idtype_t)P_PIDFD, (id_t)anchor->pidfd, &info, WEXITED);
	close_and_clear(&anchor->pidfd);
}
