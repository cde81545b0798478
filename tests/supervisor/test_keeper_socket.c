/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "supervisor/keeper_socket.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];

static void choose_path(void)
{
	snprintf(path, sizeof(path), "/tmp/pysbx-test-%d.sock", (int)getpid());
}

static void remove_path(void)
{
	(void)unlink(path);
}

TestSuite(keeper_socket, .init = choose_path, .fini = remove_path, .timeout = 30);

Test(keeper_socket, is_found_by_its_path_and_belongs_to_its_owner)
{
	_cleanup_close_ int listener = -1, ours = -1, theirs = -1;
	struct stat file;
	struct error err;

	cr_assert_eq(keeper_socket_listen(path, &listener, &err), 0, "%s", err.text);
	cr_assert_eq(stat(path, &file), 0);
	cr_expect_eq(file.st_mode & 07777, 0600);
	cr_assert_eq(keeper_socket_connect(path, &ours, &err), 0, "%s", err.text);
	theirs = accept(listener, NULL, NULL);
	cr_expect_geq(theirs, 0);
}

Test(keeper_socket, takes_the_place_of_an_older_one)
{
	_cleanup_close_ int older = -1, newer = -1, ours = -1;
	struct error err;

	cr_assert_eq(keeper_socket_listen(path, &older, &err), 0);
	cr_assert_eq(keeper_socket_listen(path, &newer, &err), 0, "%s", err.text);
	cr_assert_eq(keeper_socket_connect(path, &ours, &err), 0);
	cr_expect_geq(accept(newer, NULL, NULL), 0);
}

Test(keeper_socket, tells_a_dead_one_from_a_busy_one)
{
	int listener = -1, ours[16], fd = -1, r = 0;
	size_t count = 0;
	struct error err;

	cr_expect_lt(keeper_socket_connect(path, &fd, &err), 0);
	cr_expect_eq(err.kind, ERROR_NOT_FOUND);
	cr_assert_eq(keeper_socket_listen(path, &listener, &err), 0);
	while (count < ARRAY_SIZE(ours) &&
	       (r = keeper_socket_connect(path, &ours[count], &err)) == 0)
		count++;
	cr_expect_eq(r, -EAGAIN);
	cr_expect_eq(err.kind, ERROR_UNREACHABLE);
	while (count > 0)
		close(ours[--count]);
	close(listener);
	cr_expect_lt(keeper_socket_connect(path, &fd, &err), 0);
	cr_expect_eq(err.kind, ERROR_NOT_FOUND);
	cr_expect_eq(fd, -1);
}

Test(keeper_socket, refuses_a_path_that_is_too_long)
{
	char too_long[200];
	struct error err;
	int fd = -1;

	memset(too_long, 'x', sizeof(too_long) - 1);
	too_long[0] = '/';
	too_long[sizeof(too_long) - 1] = '\0';
	cr_expect_eq(keeper_socket_listen(too_long, &fd, &err), -ENAMETOOLONG);
	cr_expect_eq(err.kind, ERROR_INVALID);
	cr_expect_eq(keeper_socket_connect(too_long, &fd, &err), -ENAMETOOLONG);
	cr_expect_eq(fd, -1);
}
