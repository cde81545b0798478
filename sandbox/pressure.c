/* SPDX-License-Identifier: MIT */
#include "sandbox/pressure.h"

#include "policy/own.h"
#include "policy/plan.h"
#include "sandbox/keeper.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#define BATCH	      16
#define NSEC_PER_USEC 1000
#define REST_NSEC     UINT64_C(100000000) /* when they connect faster than is taken */

int pressure_listen(int directory, const char *name, int *ret_fd, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "socket");
	if (strlen(name) >= sizeof(address.sun_path))
		return error_set(err, ERROR_INVALID, ENAMETOOLONG, "%s", name);
	memcpy(address.sun_path, name, strlen(name));
	/* There is no bindat(2), and /proc is not in sight here. The mode is that of umask 0: any
	 * uid of the sandbox may connect, and nobody else sees it. */
	if (fchdir(directory) < 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, PRESSURE_BACKLOG) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "make a socket");
	/* out of the way of what the worker is given */
	*ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, LAUNCH_FD_HIGH);
	return *ret_fd < 0 ? error_set(err, ERROR_SYSTEM, errno, "keep a socket") : 0;
}

void pressure_init(struct pressure *pressure, int listener, uint64_t now)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = listener };

	pressure->epoll = -1;
	pressure->listener = listener;
	pressure->rest_until = 0;
	pressure->count = 0;
	if (listener < 0)
		return;
	rate_init(&pressure->rate, PRESSURE_PER_SECOND, PRESSURE_WATCHERS_MAX, now / NSEC_PER_USEC);
	pressure->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (pressure->epoll >= 0 && epoll_ctl(pressure->epoll, EPOLL_CTL_ADD, listener, &event) < 0)
		close_and_clear(&pressure->epoll);
}

struct pollfd pressure_watch(const struct pressure *pressure, uint64_t now)
{
	bool rests = now < pressure->rest_until;

	return (struct pollfd){ .fd = rests ? -1 : pressure->epoll, .events = POLLIN };
}

uint64_t pressure_deadline(const struct pressure *pressure, uint64_t now)
{
	return now < pressure->rest_until ? pressure->rest_until : KEEPER_NEVER;
}

/* With no place left, those who come wait in the backlog. */
static void listen_again(const struct pressure *pressure, bool again)
{
	struct epoll_event event = { .events = again ? EPOLLIN : 0, .data.fd = pressure->listener };

	(void)epoll_ctl(pressure->epoll, EPOLL_CTL_MOD, pressure->listener, &event);
}

/* Whoever connects is to hear, not to speak: what it would send has nowhere to go (EPIPE), and what
 * is sent to one that does not read is little. */
static void take_watcher(struct pressure *pressure)
{
	_cleanup_close_ int fd =
		accept4(pressure->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct epoll_event event = { .data.fd = fd }; /* EPOLLHUP comes unasked */
	const int least = 1;

	if (fd < 0 || shutdown(fd, SHUT_RD) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)) < 0 ||
	    epoll_ctl(pressure->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return;
	pressure->watchers[pressure->count++] = TAKE_FD(fd);
	if (pressure->count == PRESSURE_WATCHERS_MAX)
		listen_again(pressure, false);
}

static void drop_watcher(struct pressure *pressure, int fd)
{
	for (size_t i = 0; i < pressure->count; i++) {
		if (pressure->watchers[i] != fd)
			continue;
		if (pressure->count == PRESSURE_WATCHERS_MAX)
			listen_again(pressure, true);
		close_and_clear(&pressure->watchers[i]);
		pressure->watchers[i] = pressure->watchers[--pressure->count];
		return;
	}
}

void pressure_handle(struct pressure *pressure, short revents, uint64_t now)
{
	struct epoll_event events[BATCH];
	int count = revents != 0 ? epoll_wait(pressure->epoll, events, BATCH, 0) : 0;

	for (int i = 0; i < count; i++) {
		if (events[i].data.fd != pressure->listener)
			drop_watcher(pressure, events[i].data.fd);
		else if (rate_take(&pressure->rate, now / NSEC_PER_USEC, 1))
			take_watcher(pressure);
		else
			pressure->rest_until = now + REST_NSEC;
	}
}

size_t pressure_tell(const struct pressure *pressure)
{
	for (size_t i = 0; i < pressure->count; i++)
		(void)send(pressure->watchers[i], "\n", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	return pressure->count;
}
