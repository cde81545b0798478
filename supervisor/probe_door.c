/* SPDX-License-Identifier: MIT */
/*
 * The process that gets a socket where the worker is. It has a copy of our memory and keeps one
 * descriptor of ours, over which it sends what it has found: an outcome, and with HEALTH_WELL the
 * socket.
 *
 * /proc/PID/root and /proc/PID/ns are for who may trace the process: root without CAP_SYS_PTRACE
 * may not, the process's own user may (ptrace(2), access mode checking). It is that user who looks.
 * A pid that has become another process's, which can have another user, leads nowhere: a pidfd is
 * opened first, then the worker's cgroup is asked whether the number is in there, and what was
 * found counts only if the pidfd's process is still there.
 */
#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/file.h"
#include "supervisor/pidfd.h"
#include "supervisor/probe_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS_MAX 4096

/* In the child. */
#define ANSWER_FD (STDERR_FILENO + 1)
#define LEAF_FD	  (STDERR_FILENO + 2)
#define FREE_FD	  (STDERR_FILENO + 3)

/* --- in the child --------------------------------------------------------------------------- */

/* The first number behind "\nKEY:\t"; 0 if there is none. */
static unsigned status_number(const char *status, const char *key)
{
	const char *at = strstr(status, key);

	return at != NULL ? (unsigned)strtoul(at + strlen(key), NULL, 10) : 0;
}

/* Root stays the real and saved user: for the way back. */
static bool become_user_of(pid_t worker)
{
	char status[STATUS_MAX];
	unsigned uid, gid;

	if (file_read_proc(worker, "status", status, sizeof(status)) == 0)
		return false;
	uid = status_number(status, "\nUid:\t");
	gid = status_number(status, "\nGid:\t");
	/* not a worker yet, or something else altogether */
	if (uid == 0 || gid == 0)
		return false;
	return syscall(SYS_setgroups, 0, NULL) == 0 && syscall(SYS_setresgid, -1, gid, -1) == 0 &&
	       syscall(SYS_setresuid, -1, uid, -1) == 0;
}

static bool become_root(void)
{
	return syscall(SYS_setresuid, -1, 0, -1) == 0 && syscall(SYS_setresgid, -1, 0, -1) == 0;
}

static int open_of(pid_t worker, const char *name, int flags)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)worker, name);
	return open(path, flags | O_CLOEXEC);
}

static bool is_our_network(int fd)
{
	struct stat other, own;

	return fstat(fd, &other) < 0 || stat("/proc/self/ns/net", &own) < 0 ||
	       (other.st_dev == own.st_dev && other.st_ino == own.st_ino);
}

static enum health_outcome get_tcp(const struct health_target *target, pid_t worker, int *ret_fd)
{
	int network = open_of(worker, "ns/net", O_RDONLY);

	if (network < 0 || !become_root() || is_our_network(network) ||
	    setns(network, CLONE_NEWNET) < 0)
		return HEALTH_NOT_ASKED;
	*ret_fd = socket(target->ipv6 ? AF_INET6 : AF_INET,
			 SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return *ret_fd < 0 ? HEALTH_NOT_ASKED : probe_socket_begin(*ret_fd, target);
}

/* Below the worker's root, whatever links say; the socket that was looked at is the one that is
 * connected. */
static enum health_outcome get_unix(const struct health_target *target, pid_t worker, int *ret_fd)
{
	const struct open_how how = { .flags = O_PATH | O_CLOEXEC,
				      .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int root = open_of(worker, "root", O_PATH | O_DIRECTORY), found;
	struct stat stat;

	if (root < 0)
		return HEALTH_NOT_ASKED;
	found = (int)syscall(SYS_openat2, root, target->path, &how, sizeof(how));
	if (found < 0)
		return errno == ENOENT || errno == ENOTDIR ? HEALTH_REFUSED
		       : errno == EACCES || errno == ELOOP ? HEALTH_NOT_OURS
							   : HEALTH_NOT_ASKED;
	if (fstat(found, &stat) < 0 || !S_ISSOCK(stat.st_mode))
		return HEALTH_REFUSED;
	*ret_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*ret_fd < 0)
		return HEALTH_NOT_ASKED;
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", found);
	if (connect(*ret_fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return HEALTH_WELL;
	return errno == EAGAIN	       ? HEALTH_NO_CONNECTION
	       : errno == ECONNREFUSED ? HEALTH_REFUSED
				       : HEALTH_NOT_OURS;
}

static void answer(int socket, enum health_outcome outcome, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char word = (char)outcome;
	struct iovec vector = { .iov_base = &word, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	if (outcome == HEALTH_WELL) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
						   .cmsg_level = SOL_SOCKET,
						   .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	(void)sendmsg(socket, &message, MSG_NOSIGNAL);
}

/* Clients and locks of the daemon are none of its own: they close when the daemon closes them. */
static void __attribute__((noreturn))
child(const struct health_target *target, const struct probe_place *place, int socket)
{
	enum health_outcome outcome = HEALTH_NOT_ASKED;
	const pid_t worker = place->worker;
	int leaf = fcntl(place->leaf, F_DUPFD, FREE_FD), pidfd, fd = -1;

	if (dup2(socket, ANSWER_FD) < 0 || dup2(leaf, LEAF_FD) < 0)
		_exit(1);
	(void)close_range(FREE_FD, ~0U, 0);
	pidfd = (int)syscall(SYS_pidfd_open, worker, 0);
	if (pidfd >= 0 && cgroup_has_process(LEAF_FD, worker) && become_user_of(worker))
		outcome = target->is_unix ? get_unix(target, worker, &fd)
					  : get_tcp(target, worker, &fd);
	if (pidfd < 0 || pidfd_has_ended(pidfd))
		outcome = HEALTH_NOT_ASKED;
	answer(ANSWER_FD, outcome, fd);
	_exit(0);
}

/* --- outside -------------------------------------------------------------------------------- */

int probe_door_open(const struct health_target *target, const struct probe_place *place,
		    struct probe_door *ret, struct error *err)
{
	int pidfd = -1, ends[2];
	struct clone_args args = { .flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)&pidfd };
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "socketpair");
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		child(target, place, ends[1]);
	close(ends[1]);
	if (pid < 0) {
		int errnum = errno;

		close(ends[0]);
		return error_set(err, ERROR_SYSTEM, errnum, "clone3");
	}
	*ret = (struct probe_door){ .pidfd = pidfd, .socket = ends[0] };
	return 0;
}

enum health_outcome probe_door_receive(struct probe_door *door, int *ret_fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	unsigned char word = 0;
	struct iovec vector = { .iov_base = &word, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &vector,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };

	if (recvmsg(door->socket, &message, MSG_CMSG_CLOEXEC) != 1 || word >= HEALTH_OUTCOME_COUNT)
		return HEALTH_NOT_ASKED;
	if (word != HEALTH_WELL)
		return (enum health_outcome)word;
	if (message.msg_controllen < CMSG_LEN(sizeof(int)) ||
	    control.header.cmsg_type != SCM_RIGHTS)
		return HEALTH_NOT_ASKED;
	memcpy(ret_fd, CMSG_DATA(&control.header), sizeof(*ret_fd));
	return HEALTH_WELL;
}

/* False: it has not gone yet. */
static bool reap(int pidfd)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | __WALL) < 0 ||
	       info.si_pid != 0;
}

bool probe_door_close(struct probe_door *door)
{
	close_and_clear(&door->socket);
	if (door->pidfd < 0)
		return true;
	if (!reap(door->pidfd)) {
		pidfd_kill(door->pidfd);
		return false;
	}
	close_and_clear(&door->pidfd);
	return true;
}

static int on_gone(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)events, (void)userdata;

	(void)reap(fd);
	(void)sd_event_source_set_floating(source,
					   0); /* nobody else has it: it goes, with the pidfd */
	return 0;
}

void probe_door_leave(struct probe_door *door, sd_event *event)
{
	sd_event_source *source = NULL;

	if (probe_door_close(door) ||
	    sd_event_add_io(event, &source, door->pidfd, EPOLLIN, on_gone, NULL) < 0) {
		close_and_clear(&door->pidfd);
		return;
	}
	(void)sd_event_source_set_io_fd_own(source, 1);
	(void)sd_event_source_set_floating(source, 1);
	sd_event_source_unref(source); /* floating: the loop has it */
	door->pidfd = -1;
}
