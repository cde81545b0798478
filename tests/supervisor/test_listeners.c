/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/listeners.h"
#include "tests/supervisor/cgroup_fixture.h"
#include "tests/supervisor/network_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int root = -1, cgroup = -1;
static char name[64];
static struct listeners held;
static struct strings list;
static struct error err;

/* In a network of its own, in which every port is free. */
static void prepare(void)
{
	if (!cgroup_fixture_open(&root) || !network_fixture_enter())
		cr_skip_test("needs root, a mounted cgroup v2 and network namespaces");
	snprintf(name, sizeof(name), "pysbx-test-%d", (int)getpid());
	cr_assert_eq(cgroup_make(root, name, &cgroup, &err), 0, "%s", err.text);
}

static void leave_nothing(void)
{
	listeners_close(&held);
	strings_clear(&list);
	close_and_clear(&cgroup);
	if (root >= 0 && name[0] != '\0')
		cr_assert_eq(cgroup_destroy(root, name, 5000, &err), 0, "%s", err.text);
}

TestSuite(listeners, .init = prepare, .fini = leave_nothing, .timeout = 30);

static void say(const char *first, const char *second)
{
	strings_clear(&list);
	cr_assert_eq(strings_append(&list, first, &err), 0);
	if (second != NULL)
		cr_assert_eq(strings_append(&list, second, &err), 0);
}

static void hold(const char *first, const char *second)
{
	say(first, second);
	cr_assert_eq(listeners_hold(&held, &list, cgroup, &err), 0, "%s", err.text);
}

/* 0 or the errno of a connection to 127.0.0.1. */
static int dial(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;

	close(fd);
	return r;
}

Test(listeners, listen_where_the_list_says)
{
	struct sockaddr_in6 address = { 0 };
	socklen_t length = sizeof(address);

	hold("127.0.0.1:8000", "[::]:8000");
	cr_assert_eq(held.count, 2);
	cr_expect_eq(dial(8000), 0);
	cr_expect_eq(fcntl(held.fds[0], F_GETFD), FD_CLOEXEC);
	cr_expect_neq(fcntl(held.fds[0], F_GETFL) & O_NONBLOCK, 0);
	cr_expect_eq(getsockname(held.fds[1], (struct sockaddr *)&address, &length), 0);
	cr_expect_eq(address.sin6_family, AF_INET6);
	cr_expect_eq(address.sin6_port, htons(8000));
	listeners_close(&held);
	cr_expect_eq(held.count, 0);
	cr_expect_eq(dial(8000), ECONNREFUSED);
}

Test(listeners, stay_while_the_list_is_the_same_with_who_waits_in_them)
{
	struct stat before, after;
	int accepted;

	hold("127.0.0.1:8000", NULL);
	cr_assert_eq(fstat(held.fds[0], &before), 0);
	cr_assert_eq(dial(8000), 0);
	hold("127.0.0.1:8000", NULL);
	cr_assert_eq(fstat(held.fds[0], &after), 0);
	cr_expect_eq(before.st_ino, after.st_ino);
	accepted = accept4(held.fds[0], NULL, NULL, SOCK_CLOEXEC);
	cr_expect_geq(accepted, 0);
	close(accepted);
}

Test(listeners, are_exchanged_when_the_list_is_another)
{
	hold("127.0.0.1:8000", NULL);
	hold("127.0.0.1:8001", NULL);
	cr_expect_eq(dial(8000), ECONNREFUSED);
	cr_expect_eq(dial(8001), 0);
	hold("127.0.0.1:8001", "127.0.0.1:8000");
	cr_expect_eq(dial(8000), 0);
	strings_clear(&list);
	cr_assert_eq(listeners_hold(&held, &list, cgroup, &err), 0);
	cr_expect_eq(held.count, 0);
}

Test(listeners, that_cannot_be_had_are_named_and_nothing_is_held)
{
	struct listeners other = { 0 };

	hold("127.0.0.1:8000", NULL);
	say("127.0.0.1:8001", "127.0.0.1:8000");
	cr_expect_eq(listeners_hold(&other, &list, cgroup, &err), -EADDRINUSE);
	cr_expect_str_eq(err.text, "listen: 127.0.0.1:8000: Address already in use");
	cr_expect_str_eq(err.path, "listen[1]");
	cr_expect_eq(other.count, 0);
	cr_expect_eq(dial(8001), ECONNREFUSED);
}

Test(listeners, are_taken_over)
{
	int fds[LISTEN_MAX] = { -1, -1, -1, -1, -1, -1, -1, -1 };
	struct listeners other = { 0 };
	int fd;

	hold("127.0.0.1:8000", NULL);
	fd = held.fds[0];
	fds[0] = dup(fd);
	listeners_take(&other, fds);
	cr_expect_eq(fds[0], -1);
	cr_assert_eq(other.count, 1);
	/* and are known for what they are */
	fd = other.fds[0];
	cr_assert_eq(listeners_hold(&other, &list, cgroup, &err), 0, "%s", err.text);
	cr_expect_eq(other.fds[0], fd);
	listeners_close(&other);
}

/* A listening socket is made one that does not listen, and an accepted one is let go of: both could
 * then be connected elsewhere, in the network that they were made in. */
Test(listeners, say_which_addresses_they_take)
{
	static const struct {
		const char *held, *asked;
		bool served;
	} cases[] = {
		{ "127.0.0.1:8000", "127.0.0.1:8000", true },
		{ "127.0.0.1:8000", "127.0.0.1:8001", false },
		{ "127.0.0.1:8000", "127.0.0.2:8000", false },
		{ "127.0.0.1:8000", "[::1]:8000", false },
		{ "0.0.0.0:8000", "127.0.0.1:8000", true },
		{ "0.0.0.0:8000", "[::1]:8000", false },
		{ "[::1]:8000", "[::1]:8000", true },
		{ "[::]:8000", "[::1]:8000", true },
		{ "[::]:8000", "127.0.0.1:8000", false },
	};
	struct listen_address address;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		hold(cases[i].held, "127.0.0.1:9000");
		cr_assert_eq(listen_parse(cases[i].asked, &address, &err), 0);
		cr_expect_eq(listeners_serve(&held, &address), cases[i].served, "%s of %s",
			     cases[i].asked, cases[i].held);
	}
	/* another declaration, which is not in force yet */
	say("127.0.0.1:8000", NULL);
	cr_assert_eq(listen_parse("127.0.0.1:8000", &address, &err), 0);
	cr_expect_not(listeners_serve(&held, &address));
	listeners_close(&held);
	cr_expect_not(listeners_serve(&held, &address));
}

Test(listeners, cannot_be_made_to_connect)
{
	const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(8001),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int accepted;

	hold("127.0.0.1:8000", "127.0.0.1:8001");
	cr_expect_eq(faccessat(cgroup, "listening", F_OK, 0), -1, "its cgroup has gone");
	cr_assert_eq(dial(8000), 0);
	accepted = accept4(held.fds[0], NULL, NULL, SOCK_CLOEXEC);
	cr_assert_geq(accepted, 0);
	cr_assert_eq(connect(accepted, &nowhere, sizeof(nowhere)), 0);
	cr_expect_eq(connect(accepted, (struct sockaddr *)&address, sizeof(address)), -1);
	cr_expect_eq(errno, EPERM, "%s", strerror(errno));
	cr_expect_eq(sendto(accepted, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL,
			    (struct sockaddr *)&address, sizeof(address)),
		     -1);
	cr_expect_eq(errno, EPERM, "%s", strerror(errno));
	close(accepted);
	cr_assert_eq(shutdown(held.fds[0], SHUT_RDWR), 0);
	cr_expect_eq(connect(held.fds[0], (struct sockaddr *)&address, sizeof(address)), -1);
	cr_expect_eq(errno, EPERM, "%s", strerror(errno));
	/* as any other socket can */
	cr_expect_eq(dial(8001), 0);
}

Test(listeners, tell_how_many_connections_wait_in_them)
{
	uint64_t waiting = 9, room = 9;

	listeners_count_waiting(&held, &waiting, &room);
	cr_expect_eq(waiting, 0);
	cr_expect_eq(room, 0);
	hold("127.0.0.1:8000", "127.0.0.1:8001");
	cr_assert_eq(dial(8000), 0);
	cr_assert_eq(dial(8001), 0);
	cr_assert_eq(dial(8001), 0);
	listeners_count_waiting(&held, &waiting, &room);
	cr_expect_eq(waiting, 3);
	cr_expect_gt(room, 3);
}
