/* SPDX-License-Identifier: MIT */
/* The program of supervisor/anchor.h: waits for its supervisor's end, then leaves nothing behind;
 * or keeps its scope for the next one. */
#include "policy/own.h"
#include "supervisor/anchor.h"
#include "supervisor/cgroup.h"
#include "supervisor/pidfd.h"
#include "supervisor/release.h"

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
#define STOP_LOOK_MSEC	   100

struct state {
	struct anchor_charge charge;
	int run_fd;    /* -1 until charged */
	int parent_fd; /* -1: the run's directory is not ours to remove */
	int listen_fd; /* -1: there will be no next supervisor */
	bool connected;
	bool told_to_stop;
};

static bool is_charge(const struct anchor_charge *charge, ssize_t size)
{
	return size == (ssize_t)sizeof(*charge) && charge->version == ANCHOR_VERSION;
}

/* Returns 0 at the supervisor's end. A charge that makes no sense is dropped, as is a second one.
 */
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
	int fds[3] = { -1, -1, -1 }; /* fds[1] is only held open, or listens */
	ssize_t n = recvmsg(ANCHOR_FD_SOCKET, &header, MSG_CMSG_CLOEXEC);

	if (n <= 0)
		return n < 0 && errno == EINTR ? 1 : 0;
	c = CMSG_FIRSTHDR(&header);
	if (c != NULL && c->cmsg_type == SCM_RIGHTS && c->cmsg_len <= CMSG_LEN(sizeof(fds)))
		memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	if (!is_charge(&charge, n) || fds[charge.keep != 0 ? 1 : 0] < 0 || state->run_fd >= 0) {
		for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
			close_and_clear(&fds[i]);
		return 1;
	}
	charge.remove_name[sizeof(charge.remove_name) - 1] = '\0';
	charge.own_leaf[sizeof(charge.own_leaf) - 1] = '\0';
	state->charge = charge;
	state->run_fd = fds[0];
	state->parent_fd = fds[2];
	if (charge.keep != 0)
		state->listen_fd = fds[1];
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
		pidfd_kill(pidfd);
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

/* Nobody but root can reach the socket, and nobody but root is let in. */
static bool is_root(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == 0;
}

/* `systemctl stop`: the supervisor, outside the scope, must hear of it. */
static void tell_to_stop(void)
{
	(void)send(ANCHOR_FD_SOCKET, "T", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* The newer one's socket gets the older one's number, which closes that. */
static void accept_supervisor(struct state *state)
{
	_cleanup_close_ int fd = accept4(state->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0 || !is_root(fd) || dup3(fd, ANCHOR_FD_SOCKET, O_CLOEXEC) < 0)
		return;
	state->connected = true;
	if (state->told_to_stop)
		tell_to_stop();
}

/* True at the end of a supervisor that is not to be followed by another one. */
static bool handle(struct state *state, const struct pollfd pollers[static 3])
{
	struct signalfd_siginfo info;

	if (pollers[0].revents != 0 && receive_charge(state) == 0) {
		state->connected = false;
		/* one that has come already sets its own */
		if (state->run_fd >= 0 && pollers[2].revents == 0)
			release_apps(state->run_fd);
		if (state->listen_fd < 0)
			return true;
	}
	if (pollers[1].revents != 0 &&
	    read(pollers[1].fd, &info, sizeof(info)) == (ssize_t)sizeof(info) &&
	    !state->told_to_stop) {
		state->told_to_stop = true;
		tell_to_stop();
	}
	if (pollers[2].revents != 0)
		accept_supervisor(state);
	return false;
}

/* Until the supervisor's end; or, for one who keeps, until all launchers have ended, which were
 * told to stop as we were. They can't be waited for: they are not ours. */
static void serve(struct state *state, int signals)
{
	for (;;) {
		bool waits = state->listen_fd >= 0 && state->told_to_stop;
		struct pollfd pollers[3] = {
			{ .fd = state->connected ? ANCHOR_FD_SOCKET : -1, .events = POLLIN },
			{ .fd = signals, .events = POLLIN },
			{ .fd = state->listen_fd, .events = POLLIN },
		};

		if (waits && !launchers_left(state->run_fd))
			return;
		if (poll(pollers, 3, waits ? STOP_LOOK_MSEC : -1) > 0 && handle(state, pollers))
			return;
	}
}

/* "--release DIRECTORY": of a daemon that has just ended, whose anchor may have ended too. */
static int release_by_hand(const char *directory)
{
	_cleanup_close_ int root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root >= 0)
		release_apps(root);
	return 0; /* no such directory: nothing runs */
}

int main(int argc, char *argv[])
{
	struct state state = { .run_fd = -1, .parent_fd = -1, .listen_fd = -1, .connected = true };
	sigset_t signals;
	int signals_fd;

	if (argc == 3 && strcmp(argv[1], "--release") == 0)
		return release_by_hand(argv[2]);
	sigfillset(&signals);
	sigprocmask(SIG_SETMASK, &signals, NULL);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	signals_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals_fd < 0 || fcntl(ANCHOR_FD_SOCKET, F_GETFD) < 0) {
		fprintf(stderr, "pysbx-anchor: is started by pysbx, not by hand\n");
		return 125;
	}
	serve(&state, signals_fd);
	if (state.listen_fd < 0)
		clean_up(&state);
	return 0;
}
