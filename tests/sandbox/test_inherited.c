/* SPDX-License-Identifier: MIT */
/* The sockets that a worker is to listen on: from its supervisor, through the launcher. */
#include "policy/own.h"
#include "tests/sandbox/harness.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

static struct sandbox box;

static void tear_down(void)
{
	for (size_t i = 0; i < box.listener_count; i++)
		close(box.listeners[i]);
	for (size_t i = 0; i < box.told_listener_count; i++)
		close(box.told_listeners[i]);
	sandbox_clear(&box);
}

TestSuite(inherited, .init = sandbox_require, .fini = tear_down);

static int make_socket(bool listens)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	if (listens)
		cr_assert_eq(listen(fd, 4), 0);
	return fd;
}

/* A worker of this script, with so many sockets sent and this many in its plan. */
static void init_with(const char *script, size_t sent, unsigned planned)
{
	char *items[LISTEN_MAX];
	const struct strings list = { items, planned };
	struct error err;

	for (unsigned i = 0; i < planned; i++)
		items[i] = (char *)"127.0.0.1:8000";
	sandbox_init(&box, script);
	box.plan->listeners = planned;
	cr_assert_eq(listen_set_environment(&list, &box.plan->environment, &err), 0);
	for (size_t i = 0; i < sent; i++)
		box.listeners[box.listener_count++] = make_socket(true);
}

static ino_t inode_of(int fd)
{
	struct stat file;

	cr_assert_eq(fstat(fd, &file), 0);
	return file.st_ino;
}

static void expect_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void expect_line(const char *format, ...)
{
	char line[128], framed[130];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	snprintf(framed, sizeof(framed), "%s\n", line);
	cr_expect_not_null(strstr(box.text[0], framed), "no %s in %s", line, box.text[0]);
}

Test(inherited, are_at_3_and_up_and_told_by_the_environment)
{
	init_with("echo $LISTEN_FDS $LISTEN_FDNAMES; test $LISTEN_PID = $$ && echo mine;"
		  "for i in 3 4 5; do readlink /proc/$$/fd/$i || echo none; done",
		  2, 2);
	sandbox_run(&box);
	expect_line("2 8000:8000");
	expect_line("mine");
	expect_line("socket:[%lu]\nsocket:[%lu]\nnone", (unsigned long)inode_of(box.listeners[0]),
		    (unsigned long)inode_of(box.listeners[1]));
}

Test(inherited, may_be_as_many_as_there_can_be)
{
	init_with("echo $LISTEN_FDS; ls /proc/$$/fd | wc -l; readlink /proc/$$/fd/10", LISTEN_MAX,
		  LISTEN_MAX);
	sandbox_run(&box);
	expect_line("8");
	expect_line("socket:[%lu]", (unsigned long)inode_of(box.listeners[7]));
}

Test(inherited, are_none_where_none_are_planned)
{
	sandbox_run_script(&box, "echo [$LISTEN_FDS]; readlink /proc/$$/fd/3 || echo none");
	expect_line("[]");
	expect_line("none");
}

Test(inherited, fail_the_start_if_there_are_fewer)
{
	init_with("true", 1, 2);
	sandbox_expect_failure(&box, STAGE_PLAN, EBADF);
	cr_expect_str_eq(box.last.text, "listeners: 1 came, of 2");
}

Test(inherited, fail_the_start_if_none_came)
{
	init_with("true", 0, 1);
	sandbox_expect_failure(&box, STAGE_PLAN, EAGAIN);
}

Test(inherited, fail_the_start_if_one_does_not_listen)
{
	init_with("true", 1, 2);
	box.listeners[box.listener_count++] = make_socket(false);
	sandbox_expect_failure(&box, STAGE_PLAN, EINVAL);
	cr_expect_str_eq(box.last.text, "listeners: number 1 is no listening socket");
}

Test(inherited, are_given_to_a_supervisor_that_comes_later)
{
	init_with("sleep 1000", 2, 2);
	sandbox_keep(&box);
	sandbox_start(&box);
	cr_expect_eq(box.told_listener_count, 0);
	sandbox_hang_up(&box);
	sandbox_connect(&box, LAUNCH_RUNNING);
	cr_assert_eq(box.told_listener_count, 2);
	for (size_t i = 0; i < 2; i++)
		cr_expect_eq(inode_of(box.told_listeners[i]), inode_of(box.listeners[i]));
	cr_expect_eq(box.order[0], LAUNCH_PIPES);
	cr_expect_eq(box.order[1], LAUNCH_LISTENERS);
	sandbox_send(&box, LAUNCH_SIGNAL, SIGKILL);
	sandbox_finish(&box);
}
