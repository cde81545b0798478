/* SPDX-License-Identifier: MIT */
#include "supervisor/foreign_socket.h"

#include "policy/own.h"
#include "supervisor/clock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define LINGER_SEC    60
#define TOO_LONG_USEC UINT64_C(20000000)

static int ours = -1, theirs = -1, receiver = -1;

static void prepare(void)
{
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	ours = ends[0];
	theirs = ends[1];
}

static void leave_nothing(void)
{
	close_and_clear(&ours);
	close_and_clear(&theirs);
	close_and_clear(&receiver);
}

TestSuite(foreign_socket, .init = prepare, .fini = leave_nothing, .timeout = 120);

/* A TCP socket with more in it than `receiver` takes, whose last close waits for that. */
static int make_lingering(void)
{
	static const char bytes[65536];
	const struct linger linger = { .l_onoff = 1, .l_linger = LINGER_SEC };
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	_cleanup_close_ int door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(door, (struct sockaddr *)&address, length), 0);
	cr_assert_eq(listen(door, 1), 0);
	cr_assert_eq(getsockname(door, (struct sockaddr *)&address, &length), 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&address, length), 0);
	receiver = accept4(door, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_geq(receiver, 0);
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	return fd;
}

/* With a byte; the sender has it no longer. */
static void send_away(int over, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte = 'x';
	struct iovec vector = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &vector,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };

	control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
					   .cmsg_level = SOL_SOCKET,
					   .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	cr_assert_eq(sendmsg(over, &message, MSG_NOSIGNAL), 1);
	close(fd);
}

static void expect_no_timer(void)
{
	struct itimerval timer;

	cr_assert_eq(getitimer(ITIMER_REAL, &timer), 0);
	cr_expect_eq(timer.it_value.tv_sec + timer.it_value.tv_usec, 0);
}

Test(foreign_socket, reads_without_waiting_for_a_descriptor_that_came_along)
{
	uint64_t begun;
	char bytes[8];

	send_away(theirs, make_lingering());
	begun = clock_monotonic_usec();
	cr_expect_eq(foreign_socket_read(ours, bytes, sizeof(bytes)), 1);
	cr_expect_lt(clock_monotonic_usec() - begun, TOO_LONG_USEC);
	expect_no_timer();
}

Test(foreign_socket, closes_without_waiting_for_a_descriptor_that_nobody_has_read)
{
	uint64_t begun;

	send_away(theirs, make_lingering());
	begun = clock_monotonic_usec();
	foreign_socket_close(&ours);
	cr_expect_eq(ours, -1);
	cr_expect_lt(clock_monotonic_usec() - begun, TOO_LONG_USEC);
	expect_no_timer();
}

Test(foreign_socket, does_not_wait_for_one_within_a_socket_that_came_along)
{
	uint64_t begun;
	char bytes[8];
	int inner[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, inner), 0);
	send_away(inner[1], make_lingering());
	close(inner[1]);
	send_away(theirs, inner[0]);
	begun = clock_monotonic_usec();
	cr_expect_eq(foreign_socket_read(ours, bytes, sizeof(bytes)), 1);
	cr_expect_lt(clock_monotonic_usec() - begun, TOO_LONG_USEC);
}

Test(foreign_socket, says_what_recv_says)
{
	char bytes[8];

	cr_expect_eq(foreign_socket_read(ours, bytes, sizeof(bytes)), -1);
	cr_expect_eq(errno, EAGAIN);
	cr_assert_eq(send(theirs, "abc", 3, 0), 3);
	cr_expect_eq(foreign_socket_read(ours, bytes, sizeof(bytes)), 3);
	cr_expect_eq(memcmp(bytes, "abc", 3), 0);
	close_and_clear(&theirs);
	cr_expect_eq(foreign_socket_read(ours, bytes, sizeof(bytes)), 0);
	expect_no_timer();
}

Test(foreign_socket, closes_nothing_where_nothing_is_open)
{
	int none = -1;

	foreign_socket_close(&none);
	cr_expect_eq(none, -1);
	expect_no_timer();
}
