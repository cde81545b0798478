/* SPDX-License-Identifier: MIT */
#include "supervisor/accept_queue.h"
#include "tests/supervisor/cgroup_fixture.h"
#include "tests/supervisor/network_fixture.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int root = -1, cgroup = -1;
static char name[64];
static struct error err;
static struct accept_queue queue;

static void prepare(void)
{
	if (!cgroup_fixture_open(&root) || !network_fixture_enter())
		cr_skip_test("needs root, a mounted cgroup v2 and network namespaces");
	snprintf(name, sizeof(name), "pysbx-test-%d", (int)getpid());
	cr_assert_eq(cgroup_make(root, name, &cgroup, &err), 0, "%s", err.text);
}

static void leave_nothing(void)
{
	accept_queue_clear(&queue);
	close_and_clear(&cgroup);
	if (root >= 0 && name[0] != '\0')
		cr_assert_eq(cgroup_destroy(root, name, 5000, &err), 0, "%s", err.text);
}

TestSuite(accept_queue, .init = prepare, .fini = leave_nothing, .timeout = 30);

static const struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = 0x401f /* 8000 */ };

/* A process of the cgroup that listens and never accepts; it says so by the pipe. */
static pid_t start_listener(void)
{
	int ready[2];
	char byte;
	pid_t child;

	cr_assert_eq(pipe(ready), 0);
	child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		int fd;

		if (cgroup_move(cgroup, 0, &err) < 0)
			_exit(1);
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		    listen(fd, 7) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

Test(accept_queue, counts_who_waits_by_the_cgroup_that_listens)
{
	pid_t child = start_listener();
	uint64_t waiting = 9, room = 9;
	struct stat status;
	int fds[2];

	cr_assert_eq(fstat(cgroup, &status), 0);
	for (unsigned i = 0; i < 2; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		cr_expect_eq(connect(fds[i], (const struct sockaddr *)&address, sizeof(address)),
			     0);
	}
	accept_queue_count(&queue, status.st_ino, 1000000, &waiting, &room);
	cr_expect_eq(waiting, 2);
	cr_expect_eq(room, 7);
	accept_queue_count(&queue, status.st_ino + 1, 1000000, &waiting, &room);
	cr_expect_eq(waiting, 0, "another's");
	cr_expect_eq(room, 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	accept_queue_count(&queue, status.st_ino, 1000001, &waiting, &room);
	cr_expect_eq(waiting, 2, "the answer is kept for a while");
	accept_queue_count(&queue, status.st_ino, 3000000, &waiting, &room);
	cr_expect_eq(waiting, 0);
	for (unsigned i = 0; i < 2; i++)
		close(fds[i]);
}
