/* SPDX-License-Identifier: MIT */
#include "sandbox/inherited.h"

#include "policy/listen.h"
#include "policy/own.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

static_assert(LAUNCH_FD_HIGH > LISTEN_FD_FIRST + LISTEN_MAX, "one is not put over another");

/* The fds of the record, not more than `max`; what is too many is closed. */
static size_t take_fds(struct msghdr *packet, int *fds, size_t max)
{
	size_t taken = 0;

	for (struct cmsghdr *at = CMSG_FIRSTHDR(packet); at != NULL; at = CMSG_NXTHDR(packet, at)) {
		if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (at->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(at) + i * sizeof(int), sizeof(fd));
			if (taken < max)
				fds[taken++] = fd;
			else
				close(fd);
		}
	}
	return taken;
}

static int receive(struct launcher *launcher, int *fds, size_t *ret_count, struct error *err)
{
	char record[sizeof(struct launch_message)];
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(LISTEN_MAX * sizeof(int))];
	} control = { 0 };
	struct iovec part = { record, sizeof(record) };
	struct msghdr packet = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.space,
				 .msg_controllen = sizeof(control.space) };
	struct launch_message message;
	ssize_t length = recvmsg(LAUNCH_FD_SOCKET, &packet, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	int r;

	if (length < 0)
		return error_set(err, ERROR_INTERNAL, errno, "listeners: receive");
	*ret_count = take_fds(&packet, fds, launcher->plan->listeners);
	r = launch_message_check(record, (size_t)length, &message, err);
	if (r == 0 && message.type != LAUNCH_LISTENERS)
		r = error_set(err, ERROR_INTERNAL, EPROTO,
			      "listeners: another record came: type %u", message.type);
	return r;
}

static bool is_listener(int fd)
{
	socklen_t length = sizeof(int);
	int listening = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 &&
	       listening != 0;
}

/* Out of the way of the numbers that the worker's have. */
static int keep(struct launcher *launcher, const int *fds, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		int high =
			is_listener(fds[i]) ? fcntl(fds[i], F_DUPFD_CLOEXEC, LAUNCH_FD_HIGH) : -1;

		if (high < 0)
			return error_set(err, ERROR_INTERNAL, EINVAL,
					 "listeners: number %zu is no listening socket", i);
		launcher->listeners[launcher->listener_count++] = high;
	}
	return 0;
}

int inherited_take(struct launcher *launcher, struct error *err)
{
	int fds[LISTEN_MAX];
	size_t count = 0;
	int r;

	if (launcher->plan->listeners == 0)
		return 0;
	r = receive(launcher, fds, &count, err);
	if (r == 0)
		r = keep(launcher, fds, count, err);
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	if (r == 0 && count != launcher->plan->listeners)
		r = error_set(err, ERROR_INTERNAL, EBADF, "listeners: %zu came, of %u", count,
			      launcher->plan->listeners);
	return r;
}

/* In place: it has room for any pid (listen_set_environment). A plan of another maker may lack it.
 */
static void set_pid(const struct strings *environment)
{
	static const char name[] = "LISTEN_PID=";

	for (size_t i = 0; i < environment->count; i++) {
		char *entry = environment->items[i];

		if (strncmp(entry, name, strlen(name)) == 0)
			snprintf(entry + strlen(name), strlen(entry + strlen(name)) + 1, "%d",
				 getpid());
	}
}

int inherited_pass(const struct launcher *launcher)
{
	for (unsigned i = 0; i < launcher->listener_count; i++)
		if (dup2(launcher->listeners[i], LISTEN_FD_FIRST + (int)i) < 0)
			return -errno;
	if (launcher->listener_count > 0)
		set_pid(&launcher->plan->environment);
	return LISTEN_FD_FIRST + (int)launcher->listener_count;
}
