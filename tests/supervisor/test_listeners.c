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
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int root = -1, cgroup = -1;
static char directory[] = "/run/pysbx-test-XXXXXX"; /* root's alone, as it has to be */
static char name[64];
static struct listeners held;
static bool shut[LISTEN_MAX];
static struct strings list;
static struct error err;

/* In a network of its own, in which every port is free. */
static void prepare(void)
{
	if (!cgroup_fixture_open(&root) || !network_fixture_enter())
		cr_skip_test("needs root, a mounted cgroup v2 and network namespaces");
	snprintf(name, sizeof(name), "pysbx-test-%d", (int)getpid());
	cr_assert_eq(cgroup_make(root, name, &cgroup, &err), 0, "%s", err.text);
	cr_assert(mkdtemp(directory) != NULL && chmod(directory, 0755) == 0);
}

static void leave_nothing(void)
{
	char command[64];

	listeners_close(&held);
	strings_clear(&list);
	close_and_clear(&cgroup);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	cr_assert_eq(system(command), 0);
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
	cr_assert_eq(listeners_hold(&held, &list, cgroup, shut, &err), 0, "%s", err.text);
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
	cr_assert_eq(listeners_hold(&held, &list, cgroup, shut, &err), 0);
	cr_expect_eq(held.count, 0);
}

Test(listeners, stay_in_a_list_that_is_another_with_who_waits_in_them)
{
	hold("127.0.0.1:8000", "127.0.0.1:8001");
	cr_assert_eq(dial(8001), 0);
	hold("127.0.0.1:8001", "127.0.0.1:8002");
	cr_expect_geq(accept4(held.fds[0], NULL, NULL, SOCK_CLOEXEC), 0);
	cr_expect_eq(dial(8000), ECONNREFUSED);
	cr_expect_eq(dial(8002), 0);
}

Test(listeners, that_cannot_be_had_are_named_and_nothing_is_held)
{
	struct listeners other = { 0 };

	hold("127.0.0.1:8000", NULL);
	say("127.0.0.1:8001", "127.0.0.1:8000");
	shut[1] = true;
	cr_expect_eq(listeners_hold(&other, &list, cgroup, shut, &err), -EADDRINUSE);
	cr_expect(shut[1], "untouched");
	cr_expect_str_eq(err.text, "listen: 127.0.0.1:8000: Address already in use");
	cr_expect_str_eq(err.path, "listen[1]");
	cr_expect_eq(other.count, 0);
	cr_expect_eq(dial(8001), ECONNREFUSED);
}

Test(listeners, that_are_held_stay_with_who_waits_in_them_when_another_cannot_be_had)
{
	struct listeners other = { 0 };

	hold("127.0.0.1:8001", NULL);
	cr_assert_eq(dial(8001), 0);
	say("127.0.0.1:8000", NULL);
	cr_assert_eq(listeners_hold(&other, &list, cgroup, shut, &err), 0, "%s", err.text);
	say("127.0.0.1:8000", "127.0.0.1:8001");
	cr_expect_eq(listeners_hold(&held, &list, cgroup, shut, &err), -EADDRINUSE);
	cr_assert_eq(held.count, 1);
	listeners_close(&other);
	hold("127.0.0.1:8000", "127.0.0.1:8001");
	cr_expect_geq(accept4(held.fds[1], NULL, NULL, SOCK_CLOEXEC), 0, "who waited is gone");
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
	cr_assert_eq(listeners_hold(&other, &list, cgroup, shut, &err), 0, "%s", err.text);
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

/* By a worker that has it as well, as its launcher does for a moment longer. */
static int shut_down(size_t i, int how)
{
	int other = dup(held.fds[i]);

	cr_assert_eq(shutdown(other, how), 0);
	return other;
}

Test(listeners, that_were_shut_down_are_made_anew_and_the_others_stay)
{
	const int ways[] = { SHUT_RD, SHUT_RDWR };

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		int other;

		hold("127.0.0.1:8000", "127.0.0.1:8001");
		cr_assert_eq(dial(8001), 0);
		other = shut_down(0, ways[i]);
		cr_expect_eq(dial(8000), ECONNREFUSED);
		hold("127.0.0.1:8000", "127.0.0.1:8001");
		cr_expect(shut[0]);
		cr_expect_not(shut[1]);
		cr_expect_eq(dial(8000), 0);
		cr_expect_geq(accept4(held.fds[1], NULL, NULL, SOCK_CLOEXEC), 0, "way %zu", i);
		hold("127.0.0.1:8000", "127.0.0.1:8001");
		cr_expect_not(shut[0], "told once");
		close(other);
		listeners_end(&held);
	}
}

/* Nothing is ever sent on it. */
Test(listeners, that_were_shut_down_for_writing_stay)
{
	int other;

	hold("127.0.0.1:8000", NULL);
	other = shut_down(0, SHUT_WR);
	cr_assert_eq(dial(8000), 0);
	hold("127.0.0.1:8000", NULL);
	cr_expect_not(shut[0]);
	cr_expect_geq(accept4(held.fds[0], NULL, NULL, SOCK_CLOEXEC), 0);
	close(other);
}

/* --- unix sockets --------------------------------------------------------------------------- */

/* Of a file in the directory, "unix:" in front; good until the next but three. */
static const char *entry_of(const char *file)
{
	static char entries[4][128];
	static unsigned next;
	char *entry = entries[next++ % 4];

	snprintf(entry, sizeof(entries[0]), "unix:%s/%s", directory, file);
	return entry;
}

static const char *path_of(const char *file)
{
	return strchr(entry_of(file), '/');
}

/* 0 or the errno of a connection. */
static int dial_path(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	r = connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
	close(fd);
	return r;
}

static void expect_refused(const char *entry, const char *text)
{
	say(entry, NULL);
	cr_expect_lt(listeners_hold(&held, &list, cgroup, shut, &err), 0, "%s was taken", entry);
	cr_expect_str_eq(err.path, "listen[0]");
	cr_expect_not_null(strstr(err.text, text), "%s", err.text);
	cr_expect_eq(held.count, 0);
}

Test(listeners, listen_at_a_path_that_everybody_may_connect_to)
{
	struct stat stat;

	umask(077);
	hold(entry_of("a.sock"), "127.0.0.1:8000");
	cr_expect_eq(dial_path(path_of("a.sock")), 0);
	cr_expect_eq(dial(8000), 0);
	cr_assert_eq(lstat(path_of("a.sock"), &stat), 0);
	cr_expect_eq(stat.st_mode, S_IFSOCK | 0666);
	cr_expect_eq(stat.st_uid, 0);
	cr_expect_eq(umask(022), 077, "is as it was");
}

Test(listeners, at_a_path_need_no_cgroup)
{
	say(entry_of("a.sock"), NULL);
	cr_assert_eq(listeners_hold(&held, &list, -1, shut, &err), 0, "%s", err.text);
	cr_expect_eq(dial_path(path_of("a.sock")), 0);
}

Test(listeners, at_a_path_stay_with_who_waits_and_go_with_the_file_at_the_end)
{
	struct stat before, after;

	hold(entry_of("a.sock"), NULL);
	cr_assert_eq(lstat(path_of("a.sock"), &before), 0);
	cr_assert_eq(dial_path(path_of("a.sock")), 0);
	hold(entry_of("a.sock"), NULL);
	cr_assert_eq(lstat(path_of("a.sock"), &after), 0);
	cr_expect_eq(before.st_ino, after.st_ino);
	cr_expect_geq(accept4(held.fds[0], NULL, NULL, SOCK_CLOEXEC), 0);
	/* let go of: others hold it still */
	listeners_close(&held);
	cr_expect_eq(access(path_of("a.sock"), F_OK), 0);
	hold(entry_of("a.sock"), NULL);
	listeners_end(&held);
	cr_expect_eq(access(path_of("a.sock"), F_OK), -1);
	cr_expect_eq(held.count, 0);
}

Test(listeners, at_a_path_that_is_not_named_any_more_go)
{
	hold(entry_of("a.sock"), NULL);
	hold(entry_of("b.sock"), NULL);
	cr_expect_eq(access(path_of("a.sock"), F_OK), -1);
	cr_expect_eq(dial_path(path_of("b.sock")), 0);
}

Test(listeners, whose_file_was_removed_are_made_anew)
{
	hold(entry_of("a.sock"), NULL);
	cr_assert_eq(unlink(path_of("a.sock")), 0);
	hold(entry_of("a.sock"), NULL);
	cr_expect_eq(dial_path(path_of("a.sock")), 0);
}

Test(listeners, at_a_path_that_were_shut_down_are_made_anew)
{
	const int ways[] = { SHUT_RD, SHUT_RDWR };

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		int other;

		hold(entry_of("a.sock"), entry_of("b.sock"));
		cr_assert_eq(dial_path(path_of("b.sock")), 0);
		other = shut_down(0, ways[i]);
		cr_expect_eq(dial_path(path_of("a.sock")), ECONNREFUSED);
		hold(entry_of("a.sock"), entry_of("b.sock"));
		cr_expect(shut[0]);
		cr_expect_not(shut[1]);
		cr_expect_eq(dial_path(path_of("a.sock")), 0);
		cr_expect_geq(accept4(held.fds[1], NULL, NULL, SOCK_CLOEXEC), 0, "way %zu", i);
		close(other);
		listeners_end(&held);
	}
	hold(entry_of("a.sock"), NULL);
	close(shut_down(0, SHUT_WR));
	hold(entry_of("a.sock"), NULL);
	cr_expect_not(shut[0]);
}

Test(listeners, whose_place_another_has_taken_leave_it_alone)
{
	struct listeners other = { 0 };

	hold(entry_of("a.sock"), NULL);
	cr_assert_eq(unlink(path_of("a.sock")), 0);
	cr_assert_eq(listeners_hold(&other, &list, cgroup, shut, &err), 0, "%s", err.text);
	/* it does not take the other's for its own, nor the other's away */
	cr_expect_eq(listeners_hold(&held, &list, cgroup, shut, &err), -EADDRINUSE);
	cr_expect_eq(held.count, 0);
	cr_expect_eq(dial_path(path_of("a.sock")), 0);
	listeners_end(&other);
	cr_expect_eq(access(path_of("a.sock"), F_OK), -1);
}

Test(listeners, take_the_place_of_a_socket_that_nobody_listens_on)
{
	struct listeners left = { 0 };

	hold(entry_of("a.sock"), NULL);
	listeners_close(&held);
	cr_assert_eq(dial_path(path_of("a.sock")), ECONNREFUSED);
	hold(entry_of("a.sock"), NULL);
	cr_expect_eq(dial_path(path_of("a.sock")), 0);
	left = held;
	held = (struct listeners){ 0 };
	expect_refused(entry_of("a.sock"), "a.sock: Address already in use");
	cr_expect_eq(dial_path(path_of("a.sock")), 0, "it serves on");
	listeners_close(&left);
}

Test(listeners, take_no_place_of_a_file_or_a_link)
{
	int file = open(path_of("file"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	cr_assert_geq(file, 0);
	close(file);
	expect_refused(entry_of("file"), "/file: is there, and no socket: File exists");
	cr_assert_eq(symlink("/run/elsewhere", path_of("link")), 0);
	expect_refused(entry_of("link"), "/link: is there, and no socket: File exists");
	cr_expect_eq(access("/run/elsewhere", F_OK), -1);
}

Test(listeners, stand_only_where_root_alone_writes)
{
	cr_assert_eq(mkdir(path_of("theirs"), 0755), 0);
	cr_assert_eq(chown(path_of("theirs"), 4242, 4242), 0);
	expect_refused(entry_of("theirs/a.sock"), "/theirs: others than root can change this");
	/* nor below such a one, whoever owns the last directory */
	cr_assert_eq(mkdir(path_of("theirs/ours"), 0755), 0);
	expect_refused(entry_of("theirs/ours/a.sock"), "/theirs: others than root can change this");
	cr_assert_eq(mkdir(path_of("open"), 0755), 0);
	cr_assert_eq(chmod(path_of("open"), 0775), 0);
	expect_refused(entry_of("open/a.sock"), "/open: others than root can change this");
	expect_refused("unix:/tmp/a.sock", "/tmp: others than root can change this");
	cr_assert_eq(symlink("open", path_of("link")), 0);
	expect_refused(entry_of("link/a.sock"), "/link: Not a directory");
	expect_refused(entry_of("missing/a.sock"), "/missing: No such file or directory");
	/* group and others may enter or not, as root likes */
	cr_assert_eq(mkdir(path_of("web"), 0750), 0);
	cr_assert_eq(chown(path_of("web"), 0, 33), 0);
	hold(entry_of("web/a.sock"), NULL);
	cr_expect_eq(dial_path(path_of("web/a.sock")), 0);
}

Test(listeners, of_which_one_fails_leave_no_file)
{
	say(entry_of("a.sock"), "unix:/tmp/a.sock");
	cr_expect_lt(listeners_hold(&held, &list, cgroup, shut, &err), 0);
	cr_expect_str_eq(err.path, "listen[1]");
	cr_expect_eq(access(path_of("a.sock"), F_OK), -1);
}

Test(listeners, say_which_paths_they_take)
{
	struct listen_address address;

	hold(entry_of("a.sock"), "127.0.0.1:8000");
	cr_assert_eq(listen_parse(entry_of("a.sock"), &address, &err), 0);
	cr_expect(listeners_serve(&held, &address));
	cr_assert_eq(listen_parse(entry_of("b.sock"), &address, &err), 0);
	cr_expect_not(listeners_serve(&held, &address));
}

/* Neither the one that listens nor one that it has accepted. */
Test(listeners, at_a_path_cannot_be_made_to_connect)
{
	const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	struct sockaddr_un other = { .sun_family = AF_UNIX };
	int accepted;

	hold(entry_of("a.sock"), entry_of("b.sock"));
	strncpy(other.sun_path, path_of("b.sock"), sizeof(other.sun_path) - 1);
	cr_assert_eq(dial_path(path_of("a.sock")), 0);
	accepted = accept4(held.fds[0], NULL, NULL, SOCK_CLOEXEC);
	cr_assert_geq(accepted, 0);
	cr_expect_eq(connect(accepted, &nowhere, sizeof(nowhere)), -1);
	(void)shutdown(accepted, SHUT_RDWR);
	cr_expect_eq(connect(accepted, (struct sockaddr *)&other, sizeof(other)), -1);
	cr_expect_eq(connect(held.fds[0], &nowhere, sizeof(nowhere)), -1);
	(void)shutdown(held.fds[0], SHUT_RDWR);
	cr_expect_eq(connect(held.fds[0], (struct sockaddr *)&other, sizeof(other)), -1);
	close(accepted);
}
