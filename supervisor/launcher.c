/* SPDX-License-Identifier: MIT */
#include "supervisor/launcher.h"

#include "policy/own.h"
#include "supervisor/clone_run.h"
#include "supervisor/file.h"
#include "supervisor/keeper_socket.h"
#include "supervisor/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int not_installed(int r, struct error *err)
{
	error_prefix(err, "launcher: pysbx is not installed completely");
	err->kind = ERROR_UNSUPPORTED;
	return r;
}

int launcher_image(const char *path, int *ret_fd, struct error *err)
{
	_cleanup_free_ char *bytes = NULL;
	size_t length;
	int r;

	r = file_read_whole(path, LAUNCHER_IMAGE_MAX, &bytes, &length, err);
	if (r >= 0)
		r = file_sealed_memfd("pysbx-launch", bytes, length, true, ret_fd, err);
	return r < 0 ? not_installed(r, err) : 0;
}

int launcher_file(const char *path, int *ret_fd, struct error *err)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return not_installed(error_set(err, ERROR_SYSTEM, errno, "%s", path), err);
	*ret_fd = fd;
	return 0;
}

int launcher_mount(int file_fd, int *ret_fd, struct error *err)
{
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
						     MOUNT_ATTR_NODEV };
	_cleanup_close_ int tree =
		open_tree(file_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	char path[32];

	if (tree < 0 ||
	    mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
		return launcher_image(path, ret_fd, err);
	}
	*ret_fd = TAKE_FD(tree);
	return 0;
}

/* --- descriptors that are few --------------------------------------------------------------- */

int launcher_slots_open(struct launcher_slots *ret, struct error *err)
{
	*ret = LAUNCHER_SLOTS_NONE;
	ret->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (size_t i = 0; i < LAUNCHER_SLOTS; i++) {
		ret->fds[i] = fcntl(ret->null_fd, F_DUPFD_CLOEXEC, LAUNCH_FD_LISTEN + 1);
		if (ret->fds[i] < 0) {
			int r = error_set(err, ERROR_SYSTEM, errno, "launcher: /dev/null");

			launcher_slots_close(ret);
			return r;
		}
	}
	/* dup gives the lowest that is free, so each is above the one before */
	ret->end = (unsigned)ret->fds[LAUNCHER_SLOTS - 1] + 1;
	return 0;
}

void launcher_slots_close(struct launcher_slots *slots)
{
	for (size_t i = 0; i < LAUNCHER_SLOTS; i++)
		close_and_clear(&slots->fds[i]);
	close_and_clear(&slots->null_fd);
	slots->end = 0;
}

/* What the child takes along. */
struct passing {
	const struct launcher_start *start;
	int fds[LAUNCHER_SLOTS]; /* image, socket, plan, filter, leaf, listener (-1: none) */
};

static void empty_slots(const struct launcher_slots *slots)
{
	for (size_t i = 0; i < LAUNCHER_SLOTS; i++)
		(void)dup3(slots->null_fd, slots->fds[i], O_CLOEXEC);
}

static int fill_slots(const struct launcher_slots *slots, struct passing *passing,
		      struct error *err)
{
	for (size_t i = 0; i < LAUNCHER_SLOTS; i++) {
		if (passing->fds[i] < 0)
			continue;
		if (dup3(passing->fds[i], slots->fds[i], O_CLOEXEC) < 0)
			return error_set(err, ERROR_SYSTEM, errno, "launcher: dup3");
		passing->fds[i] = slots->fds[i];
	}
	return 0;
}

/* --- starting ------------------------------------------------------------------------------- */

/* In the child, between clone3 and execveat: async-signal-safe calls only, in memory that is its
 * parent's (clone_run.h). */
__attribute__((no_sanitize("address"))) static void become_launcher(const void *argument)
{
	const struct passing *passing = argument;
	const struct launcher_slots *slots = passing->start->slots;
	const size_t count = LAUNCHER_SLOTS - (passing->fds[LAUNCHER_SLOTS - 1] < 0);
	int high[LAUNCHER_SLOTS], null_fd;
	char *const argv[] = { (char *)"pysbx-launch", passing->start->plan->app, NULL };
	char *const environment[] = { NULL };
	sigset_t none;

	if (passing->start->plan->host_view &&
	    (setns(passing->start->view_fd, CLONE_NEWNS) < 0 || unshare(CLONE_NEWNS) < 0))
		_exit(125);
	/* until here the descriptors are the parent's own; now a copy of the first few */
	if (slots != NULL && syscall(SYS_close_range, slots->end, ~0U, CLOSE_RANGE_UNSHARE) < 0)
		_exit(125);
	/* out of the way of the fixed numbers first, then onto them (dup2 clears close-on-exec) */
	for (size_t i = 0; i < count; i++)
		high[i] = fcntl(passing->fds[i], F_DUPFD_CLOEXEC, LAUNCH_FD_HIGH);
	for (size_t i = 1; i < count; i++) {
		if (high[i] < 0 || dup2(high[i], LAUNCH_FD_SOCKET + (int)i - 1) < 0)
			_exit(125);
	}
	/* stays open if it becomes one of the standard streams, and else is closed below */
	null_fd = open(passing->start->plan->host_view ? PLAN_HOST_DIRECTORY "/dev/null"
						       : "/dev/null",
		       O_RDWR);
	if (null_fd < 0 || high[0] < 0 || dup2(null_fd, 0) < 0)
		_exit(125);
	/* a closed stdout or stderr must not become some other file's number: neither in the
	 * launcher, nor here, where the plan may have it */
	for (int fd = 1; fd <= 2; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (flags < 0 || (flags & FD_CLOEXEC) != 0)
			(void)dup3(0, fd, 0);
	}
	(void)syscall(SYS_close_range, LAUNCH_FD_SOCKET + (unsigned)count - 1, ~0U,
		      CLOSE_RANGE_CLOEXEC);

	/* those that are ignored stay so: the launcher blocks all, and the worker resets them */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)syscall(SYS_execveat, high[0], "", argv, environment, AT_EMPTY_PATH);
	_exit(125);
}

static int clone_launcher(struct passing *passing, pid_t *ret_pid, int *ret_pidfd,
			  struct error *err)
{
	const struct launcher_start *start = passing->start;
	struct clone_args args = {
		.flags = CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PIDFD |
			 CLONE_INTO_CGROUP,
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = (unsigned)start->init_cgroup_fd,
	};
	int r = 0;

	if (!start->plan->host_view)
		args.flags |= CLONE_NEWNS;
	if (start->plan->network_none)
		args.flags |= CLONE_NEWNET;
	if (start->slots != NULL) {
		args.flags |= CLONE_FILES;
		r = fill_slots(start->slots, passing, err);
	}
	if (r >= 0)
		*ret_pid = clone_run(&args, become_launcher, passing);
	if (start->slots != NULL)
		empty_slots(start->slots);
	if (r < 0)
		return r;
	if (*ret_pid < 0)
		return error_set(err, ERROR_SYSTEM, -*ret_pid,
				 "launcher: clone3 into the cgroup and new namespaces%s",
				 *ret_pid == -EPERM ? " (is pysbx itself confined?)" : "");
	return 0;
}

static int listen_at(const char *path, int *ret_fd, struct error *err)
{
	int r = keeper_socket_listen(path, ret_fd, err);

	if (r < 0)
		error_prefix(err, "launcher");
	return r;
}

/* Before there is a launcher: it finds them when it looks. */
static int send_listeners(int socket_fd, const struct listeners *listeners, struct error *err)
{
	struct launch_message message = { .version = LAUNCH_MESSAGE_VERSION,
					  .type = LAUNCH_LISTENERS };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(LISTEN_MAX * sizeof(int))];
	} control = { 0 };
	const size_t size = listeners->count * sizeof(int);
	struct iovec part = { &message, sizeof(message) };
	struct msghdr packet = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.space,
				 .msg_controllen = CMSG_SPACE(size) };

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(&control.header), listeners->fds, size);
	if (sendmsg(socket_fd, &packet, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "launcher: send the listeners");
	return 0;
}

int launcher_spawn(const struct launcher_start *start, struct launcher *ret, struct error *err)
{
	_cleanup_close_ int ours = -1, theirs = -1, plan_fd = -1, listen_fd = -1, image_fd = -1;
	_cleanup_bytes_ struct bytes plan = { 0 };
	struct passing passing;
	int pair[2], pidfd = -1, r;
	pid_t pid = -1;

	r = plan_encode(start->plan, &plan, err);
	if (r >= 0)
		r = file_sealed_memfd("pysbx-plan", bytes_front(&plan), plan.length, false,
				      &plan_fd, err);
	/* its last close, at our end here, takes 0.8 ms: the launcher has begun by then */
	if (r >= 0 && start->image_fd < 0)
		r = launcher_mount(start->file_fd, &image_fd, err);
	if (r >= 0 && start->keeper_path != NULL)
		r = listen_at(start->keeper_path, &listen_fd, err);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "launcher: socketpair");
	ours = pair[0];
	theirs = pair[1];
	if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "launcher: O_NONBLOCK");
	if (start->plan->listeners > 0) {
		r = send_listeners(ours, start->listeners, err);
		if (r < 0)
			return r;
	}

	passing = (struct passing){ .start = start,
				    .fds = { image_fd >= 0 ? image_fd : start->image_fd, theirs,
					     plan_fd, start->filter_fd, start->leaf_cgroup_fd,
					     listen_fd } };
	r = clone_launcher(&passing, &pid, &pidfd, err);
	if (r < 0)
		return r;
	*ret = (struct launcher){
		.pid = pid, .pidfd = pidfd, .socket = TAKE_FD(ours), .is_child = true
	};
	return 0;
}

int launcher_adopt(const char *keeper_path, struct launcher *ret, struct error *err)
{
	int fd, r;

	r = keeper_socket_connect(keeper_path, &fd, err);
	if (r < 0) {
		error_prefix(err, "launcher");
		return r;
	}
	*ret = (struct launcher){ .pidfd = -1, .socket = fd };
	return 0;
}

void launcher_take_pidfd(struct launcher *launcher, struct launcher_event *event)
{
	if (launcher->pidfd >= 0)
		return;
	launcher->pidfd = TAKE_FD(event->fds[1]);
	launcher->pid = pidfd_pid(launcher->pidfd);
}

/* The ring's two parts, one after the other. */
int launcher_read_spool(const struct launcher_event *event, size_t stream, char **ret_text,
			size_t *ret_length, struct error *err)
{
	const struct launch_spool *spool = &event->message.spool[stream];
	_cleanup_free_ char *text = malloc((size_t)spool->length + 1);
	size_t done = 0;

	if (text == NULL)
		return error_no_memory(err);
	while (done < spool->length) {
		size_t at = (spool->start + done) % LAUNCH_RING_BYTES;
		size_t part = spool->length - done;
		ssize_t n;

		if (part > LAUNCH_RING_BYTES - at)
			part = LAUNCH_RING_BYTES - at;
		n = pread(event->fds[stream], text + done, part, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_set(err, ERROR_SYSTEM, n < 0 ? errno : EIO,
					 "launcher: read the spool");
		done += (size_t)n;
	}
	text[done] = '\0';
	*ret_text = TAKE_PTR(text);
	*ret_length = done;
	return 0;
}

void launcher_rest(struct launcher *launcher)
{
	if (launcher->is_child)
		close_and_clear(&launcher->pidfd);
}

int launcher_wake(struct launcher *launcher, struct error *err)
{
	if (launcher->pidfd >= 0 || !launcher->is_child)
		return 0;
	launcher->pidfd = (int)syscall(SYS_pidfd_open, launcher->pid, 0);
	return launcher->pidfd < 0 ? error_set(err, ERROR_SYSTEM, errno, "launcher: pidfd_open")
				   : 0;
}

void launcher_close(struct launcher *launcher)
{
	close_and_clear(&launcher->pidfd);
	close_and_clear(&launcher->socket);
	/* a number without an owner may be anybody's tomorrow */
	*launcher = (struct launcher){ .pidfd = -1, .socket = -1 };
}

void launcher_event_clear(struct launcher_event *event)
{
	for (size_t i = 0; i < LAUNCHER_FDS_MAX; i++)
		close_and_clear(&event->fds[i]);
}

/* Takes the fds out of the control message; closes what is too many. */
static void take_fds(struct msghdr *header, int fds[static LAUNCHER_FDS_MAX])
{
	size_t taken = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (taken < LAUNCHER_FDS_MAX)
				fds[taken++] = fd;
			else
				close(fd);
		}
	}
}

int launcher_receive(const struct launcher *launcher, struct launcher_event *ret, struct error *err)
{
	char data[sizeof(struct launch_message)];
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE((LAUNCHER_FDS_MAX + 1) * sizeof(int))];
	} control = { 0 };
	struct iovec part = { .iov_base = data, .iov_len = sizeof(data) };
	struct msghdr header = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.space,
				 .msg_controllen = sizeof(control.space) };
	struct launcher_event event;
	ssize_t n = -1;
	int r;

	for (size_t i = 0; i < LAUNCHER_FDS_MAX; i++)
		event.fds[i] = -1;

	/* a launcher that left a record of ours unread gives ECONNRESET once, before what it said
	 */
	for (int tries = 0; tries < 3; tries++) {
		header.msg_controllen = sizeof(control.space);
		n = recvmsg(launcher->socket, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (n >= 0 || (errno != EINTR && errno != ECONNRESET))
			break;
	}
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return LAUNCHER_HANGUP;
	if (n < 0)
		return error_set(err, ERROR_SYSTEM, errno, "launcher: receive");
	take_fds(&header, event.fds);
	r = launch_message_check(data, (size_t)n, &event.message, err);
	if (r < 0) {
		launcher_event_clear(&event);
		error_prefix(err, "launcher");
		return r;
	}
	*ret = event;
	return 0;
}

int launcher_send(const struct launcher *launcher, enum launch_message_type type, int signal,
		  struct error *err)
{
	const struct launch_message message = { .version = LAUNCH_MESSAGE_VERSION,
						.type = type,
						.signal = signal };

	if (launcher->socket < 0)
		return 0;
	if (send(launcher->socket, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
	    errno != EPIPE && errno != ECONNRESET)
		return error_set(err, ERROR_SYSTEM, errno, "launcher: send");
	return 0;
}

void launcher_kill(struct launcher *launcher)
{
	struct pollfd poller = { .events = POLLIN };
	struct error ignored;
	int status;

	if (launcher_wake(launcher, &ignored) < 0 || launcher->pidfd < 0)
		return;
	poller.fd = launcher->pidfd;
	pidfd_kill(launcher->pidfd);
	(void)poll(&poller, 1, LAUNCHER_REAP_MSEC);
	(void)launcher_reap(launcher, &status);
}

bool launcher_reap(struct launcher *launcher, int *ret_status)
{
	siginfo_t info = { 0 };

	if (launcher->pidfd < 0)
		return false;
	if (waitid((idtype_t)P_PIDFD, (id_t)launcher->pidfd, &info, WEXITED | WNOHANG) < 0) {
		/* no child of ours (any more): somebody else reaps it, or has */
		if (errno != ECHILD || !pidfd_has_ended(launcher->pidfd))
			return false;
		*ret_status = 0;
		return true;
	}
	if (info.si_pid == 0)
		return false;
	*ret_status =
		info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8 : info.si_status & 0x7f;
	return true;
}
