/* SPDX-License-Identifier: MIT */
/* The program of supervisor/anchor.h: waits for its supervisor's end, then leaves nothing behind.
 */
#include "policy/own.h"
#include "supervisor/anchor.h"
#include "supervisor/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KILL_PATIENCE_MSEC 5000
#define LOOK_AGAIN_MSEC	   20

struct state {
	struct anchor_charge charge;
	int run_fd;    /* -1 until charged */
	int parent_fd; /* -1: the run's directory is not ours to remove */
};

/* Returns 1 when charged, 0 at the supervisor's end. */
static int receive_charge(struct state *state)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(3 * sizeof(int))];
	} control = { 0 };
	struct anchor_charge charge;
	struct iovec part = { .iov_base = &charge, .iov_len = sizeof(charge) };
	struct msghdr header = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.space,
				 .msg_controllen = sizeof(control.space) };
	struct cmsghdr *c;
	int fds[3] = { -1, -1, -1 }; /* fds[1] is only held open */
	ssize_t n = recvmsg(ANCHOR_FD_SOCKET, &header, MSG_CMSG_CLOEXEC);

	if (n <= 0)
		return n < 0 && errno == EINTR ? 1 : 0;
	c = CMSG_FIRSTHDR(&header);
	if ((size_t)n != sizeof(charge) || charge.version != ANCHOR_VERSION || c == NULL ||
	    c->cmsg_type != SCM_RIGHTS || c->cmsg_len > CMSG_LEN(sizeof(fds)))
		return 1;
	memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	charge.remove_name[sizeof(charge.remove_name) - 1] = '\0';
	charge.own_leaf[sizeof(charge.own_leaf) - 1] = '\0';
	*state = (struct state){ .charge = charge, .run_fd = fds[0], .parent_fd = fds[2] };
	return 1;
}

static bool is_other(pid_t pid, void *userdata)
{
	bool *found = userdata;

	*found = pid != getpid();
	return !*found;
}

/* Do launchers still live in init/? */
static bool launchers_left(int run_fd)
{
	_cleanup_close_ int init = -1;
	struct error ignored;
	bool found = false;

	if (cgroup_open(run_fd, ANCHOR_INIT_CGROUP, &init, &ignored) < 0)
		return false;
	(void)cgroup_each_process(init, is_other, &found, &ignored);
	return found;
}

static bool kill_other(pid_t pid, void *userdata)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	(void)userdata;

	if (pid != getpid() && pidfd >= 0)
		(void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	return true;
}

/* A launcher is pid 1 of its sandbox: with it, all in its PID namespace dies. */
static void kill_launchers(int run_fd)
{
	_cleanup_close_ int init = -1;
	struct error ignored;

	if (cgroup_open(run_fd, ANCHOR_INIT_CGROUP, &init, &ignored) < 0)
		return;
	(void)cgroup_each_process(init, kill_other, NULL, &ignored);
	for (int i = 0; i < KILL_PATIENCE_MSEC / LOOK_AGAIN_MSEC && launchers_left(run_fd); i++)
		(void)poll(NULL, 0, LOOK_AGAIN_MSEC);
}

/* stderr may be a pipe whose reader waits for its end: what failed is told to the kernel's log. */
static void complain(const struct error *err)
{
	_cleanup_close_ int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)dprintf(fd, "<3>pysbx-anchor: %s\n", err->text);
}

static void remove_apps(int run_fd, struct error *err)
{
	int copy = fcntl(run_fd, F_DUPFD_CLOEXEC, 3);
	DIR *stream = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *entry;

	if (stream == NULL) {
		close_and_clear(&copy);
		return;
	}
	while ((entry = readdir(stream)) != NULL) {
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
		    strcmp(entry->d_name, ANCHOR_INIT_CGROUP) != 0 &&
		    cgroup_destroy(run_fd, entry->d_name, KILL_PATIENCE_MSEC, err) < 0)
			complain(err);
	}
	closedir(stream);
}

/* The file that says this run is alive. Whoever ended well has removed it: then the link reads
 * "... (deleted)", and there is no such file. */
static void remove_run_file(void)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", ANCHOR_FD_LOCK);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return;
	path[n] = '\0';
	(void)unlink(path);
}

static void clean_up(const struct state *state)
{
	struct error err;

	if (state->run_fd < 0)
		return;
	for (uint32_t waited = 0;
	     waited < state->charge.patience_msec && launchers_left(state->run_fd);
	     waited += LOOK_AGAIN_MSEC)
		(void)poll(NULL, 0, LOOK_AGAIN_MSEC);
	kill_launchers(state->run_fd);
	remove_apps(state->run_fd, &err);
	if (state->parent_fd >= 0 && state->charge.remove_name[0] != '\0' &&
	    cgroup_destroy(state->parent_fd, state->charge.remove_name, KILL_PATIENCE_MSEC, &err) <
		    0)
		complain(&err);
	if (state->parent_fd >= 0 && state->charge.own_leaf[0] != '\0')
		cgroup_leave_leaf(state->parent_fd, state->charge.own_leaf);
	remove_run_file();
}

int main(void)
{
	struct state state = { .run_fd = -1, .parent_fd = -1 };
	struct pollfd pollers[2] = { { .fd = ANCHOR_FD_SOCKET, .events = POLLIN } };
	struct signalfd_siginfo info;
	sigset_t signals;
	bool told = false;

	sigfillset(&signals);
	sigprocmask(SIG_SETMASK, &signals, NULL);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	pollers[1] = (struct pollfd){ .fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK),
				      .events = POLLIN };
	if (pollers[1].fd < 0 || fcntl(ANCHOR_FD_SOCKET, F_GETFD) < 0) {
		fprintf(stderr, "pysbx-anchor: is started by pysbx, not by hand\n");
		return 125;
	}
	for (;;) {
		if (poll(pollers, 2, -1) < 0)
			continue;
		if ((pollers[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
		    receive_charge(&state) == 0)
			break;
		if ((pollers[1].revents & POLLIN) != 0 &&
		    read(pollers[1].fd, &info, sizeof(info)) == (ssize_t)sizeof(info) && !told) {
			/* `systemctl stop`: the supervisor, outside the scope, must hear of it */
			(void)send(ANCHOR_FD_SOCKET, "T", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
			told = true;
		}
	}
	clean_up(&state);
	return 0;
}
