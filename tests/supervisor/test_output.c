/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "supervisor/output.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void make_pipe(int pair[2])
{
	cr_assert_eq(pipe2(pair, O_CLOEXEC), 0);
	(void)signal(SIGPIPE, SIG_IGN);
}

static size_t read_all(int fd, char *buffer, size_t size)
{
	size_t length = 0;
	ssize_t n;

	cr_assert_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while (length < size && (n = read(fd, buffer + length, size - length)) > 0)
		length += (size_t)n;
	return length;
}

Test(output, writes_through_to_a_pipe)
{
	struct output output;
	struct error err;
	char text[16] = "";
	int pair[2];

	make_pipe(pair);
	cr_assert_eq(output_open(&output, pair[1], &err), 0);
	output_write(&output, "hello\n", 6);
	cr_assert_eq(read_all(pair[0], text, sizeof(text)), 6);
	cr_assert_str_eq(text, "hello\n");
	output_close(&output);
}

Test(output, leaves_the_callers_descriptor_blocking)
{
	struct output output;
	struct error err;
	int pair[2];

	make_pipe(pair);
	cr_assert_eq(output_open(&output, pair[1], &err), 0);
	cr_assert_eq(fcntl(pair[1], F_GETFL) & O_NONBLOCK, 0, "the user's shell shares it");
	output_close(&output);
	cr_assert_geq(fcntl(pair[1], F_GETFD), 0, "closing an output closes only what it opened");
}

Test(output, buffers_what_a_full_pipe_does_not_take_and_drops_whole_writes_beyond, .timeout = 30)
{
	static char chunk[4096], got[4 * 1024 * 1024];
	struct output output;
	struct error err;
	size_t offered = 0, length;
	int pair[2];

	make_pipe(pair);
	cr_assert_eq(output_open(&output, pair[1], &err), 0);
	memset(chunk, 'x', sizeof(chunk));
	chunk[sizeof(chunk) - 1] = '\n';
	for (int i = 0; i < 500; i++, offered += sizeof(chunk))
		output_write(&output, chunk, sizeof(chunk));

	cr_assert_eq(output.dropped_bytes % sizeof(chunk), 0);
	cr_assert_eq(output.dropped_lines, output.dropped_bytes / sizeof(chunk));
	cr_assert_gt(output.dropped_lines, 0);
	cr_assert_leq(output.length, OUTPUT_BUFFER_MAX);

	length = read_all(pair[0], got, sizeof(got));
	for (;;) {
		size_t more;

		output_flush(&output, 0);
		more = read_all(pair[0], got + length, sizeof(got) - length);
		if (more == 0)
			break;
		length += more;
	}
	cr_assert_eq(length, offered - output.dropped_bytes, "what was taken arrives, once");
	output_close(&output);
}

Test(output, goes_quiet_when_the_reader_has_left)
{
	struct output output;
	struct error err;
	int pair[2];

	make_pipe(pair);
	cr_assert_eq(output_open(&output, pair[1], &err), 0);
	close(pair[0]);
	output_write(&output, "lost\n", 5);
	cr_assert(output.closed);
	output_write(&output, "lost\n", 5);
	cr_assert_eq(output.length, 0);
	output_close(&output);
}

Test(output, a_stopped_flush_ends_at_its_deadline, .timeout = 30)
{
	static char chunk[OUTPUT_BUFFER_MAX];
	struct output output;
	struct error err;
	int pair[2];

	make_pipe(pair);
	cr_assert_eq(output_open(&output, pair[1], &err), 0);
	output_write(&output, chunk, sizeof(chunk));
	output_flush(&output, 50);
	cr_assert_gt(output.length, 0);
	output_close(&output);
}

Test(output, sends_to_a_socket_without_blocking, .timeout = 30)
{
	static char chunk[65536];
	struct output output;
	struct error err;
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	cr_assert_eq(output_open(&output, pair[1], &err), 0);
	for (int i = 0; i < 20; i++)
		output_write(&output, chunk, sizeof(chunk));
	cr_assert_gt(output.dropped_bytes, 0);
	output_close(&output);
}

Test(output, a_closed_descriptor_is_no_error)
{
	struct output output;
	struct error err;

	cr_assert_eq(output_open(&output, 1000, &err), 0);
	output_write(&output, "x", 1);
	cr_assert(output.closed);
	output_close(&output);
}
