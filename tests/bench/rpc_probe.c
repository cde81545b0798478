/* SPDX-License-Identifier: MIT */
/*
 * How fast a daemon answers on its unix socket: one connection, the same request again and again.
 *
 *   rpc-probe SOCKET line|http COUNT DEPTH <REQUEST
 *
 * "line": an answer ends with a newline (pysbxd). "http": it has a Content-Length (supervisord).
 * The answers are counted, not parsed, so the time is the daemon's. Up to DEPTH requests are under
 * way at once; with 1 each call's time is measured. SOCKET "-": a process of our own that sends
 * each request back, which is the least that a call can take here. Output, one line: calls a
 * second, median and 99th percentile of the calls' times in usec (with DEPTH 1, else 0), bytes of
 * the last answer.
 */
#include "policy/own.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX ((size_t)64 * 1024)
#define ANSWERS_MAX ((size_t)16 * 1024 * 1024) /* that have been received and not yet looked at */
#define COUNT_MAX   1000000

struct probe {
	int fd;
	bool http;
	size_t count, depth;
	char *request; /* `depth` times the request, as one send is one system call */
	size_t request_length;
	char *answers;
	size_t length, searched;
	size_t answer_length; /* of the last one */
};

static double now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int fail(const char *what)
{
	(void)fprintf(stderr, "rpc-probe: %s: %s\n", what, errno != 0 ? strerror(errno) : "bad");
	return -1;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		return fail("socket");
	memcpy(address.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail(path);
	return TAKE_FD(fd);
}

/* Ends with our end of the connection. */
static void __attribute__((noreturn)) echo(int fd)
{
	static char data[REQUEST_MAX];
	ssize_t n;

	while ((n = recv(fd, data, sizeof(data), 0)) > 0) {
		if (send(fd, data, (size_t)n, MSG_NOSIGNAL) != n)
			_exit(1);
	}
	_exit(0);
}

static int connect_to_echo(void)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return fail("socketpair");
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		echo(pair[1]);
	}
	close(pair[1]);
	if (pid > 0)
		return pair[0];
	close(pair[0]);
	return fail("fork");
}

/* The length of the first answer that is there, 0 if it is not whole yet. */
static size_t find_answer(struct probe *probe)
{
	const char *end =
		memchr(probe->answers + probe->searched, '\n', probe->length - probe->searched);
	const char *head_end, *field;
	size_t head, whole;

	if (!probe->http) {
		probe->searched = end != NULL ? 0 : probe->length;
		return end != NULL ? (size_t)(end - probe->answers) + 1 : 0;
	}
	head_end = memmem(probe->answers, probe->length, "\r\n\r\n", 4);
	if (head_end == NULL)
		return 0;
	head = (size_t)(head_end - probe->answers) + 4;
	field = memmem(probe->answers, head, "Content-Length: ", 16);
	if (field == NULL)
		return 0;
	whole = head + strtoul(field + 16, NULL, 10);
	return whole <= probe->length ? whole : 0;
}

/* Waits for one answer at least; returns how many came, -1 on failure. */
static ssize_t take_answers(struct probe *probe)
{
	ssize_t taken = 0;
	size_t at;

	while (taken == 0) {
		ssize_t n = recv(probe->fd, probe->answers + probe->length,
				 ANSWERS_MAX - probe->length, 0);

		if (n <= 0)
			return fail(n == 0 ? "the connection was closed" : "recv");
		probe->length += (size_t)n;
		while ((at = find_answer(probe)) > 0) {
			probe->answer_length = at;
			probe->length -= at;
			memmove(probe->answers, probe->answers + at, probe->length);
			taken++;
		}
	}
	return taken;
}

static int ask(const struct probe *probe, size_t times)
{
	size_t length = times * probe->request_length;

	for (size_t done = 0; done < length;) {
		ssize_t n = send(probe->fd, probe->request + done, length - done, MSG_NOSIGNAL);

		if (n < 0)
			return fail("send");
		done += (size_t)n;
	}
	return 0;
}

static int run(struct probe *probe, double *times)
{
	size_t asked = 0, answered = 0;

	while (answered < probe->count) {
		size_t room = probe->depth - (asked - answered);
		size_t more = probe->count - asked < room ? probe->count - asked : room;
		double began = now_usec();
		ssize_t taken;

		if (ask(probe, more) < 0)
			return -1;
		asked += more;
		taken = take_answers(probe);
		if (taken < 0)
			return -1;
		if (probe->depth == 1)
			times[answered] = now_usec() - began;
		answered += (size_t)taken;
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

/* Reads one request and lays it down `depth` times. */
static int read_request(struct probe *probe)
{
	_cleanup_free_ char *request = malloc(REQUEST_MAX);
	size_t length;

	if (request == NULL)
		return fail("memory");
	length = fread(request, 1, REQUEST_MAX, stdin);
	probe->request_length = length;
	probe->request = malloc(length * probe->depth + 1);
	probe->answers = malloc(ANSWERS_MAX);
	if (length == 0 || probe->request == NULL || probe->answers == NULL)
		return fail("request");
	for (size_t i = 0; i < probe->depth; i++)
		memcpy(probe->request + i * length, request, length);
	return 0;
}

static int measure(struct probe *probe, const char *path)
{
	_cleanup_free_ double *times = calloc(probe->count, sizeof(*times));
	double began, took;

	if (times == NULL)
		return fail("memory");
	probe->fd = strcmp(path, "-") == 0 ? connect_to_echo() : connect_to(path);
	if (probe->fd < 0 || read_request(probe) < 0)
		return -1;
	began = now_usec();
	if (run(probe, times) < 0)
		return -1;
	took = now_usec() - began;
	qsort(times, probe->count, sizeof(*times), compare);
	printf("%.1f %.1f %.1f %zu\n", (double)probe->count / took * 1e6, times[probe->count / 2],
	       times[probe->count * 99 / 100], probe->answer_length);
	return 0;
}

int main(int argc, char **argv)
{
	struct probe probe = { .fd = -1 };
	int r;

	if (argc != 5) {
		(void)fprintf(stderr, "usage: rpc-probe SOCKET line|http COUNT DEPTH <REQUEST\n");
		return 2;
	}
	probe.http = strcmp(argv[2], "http") == 0;
	probe.count = strtoul(argv[3], NULL, 10);
	probe.depth = strtoul(argv[4], NULL, 10);
	if (probe.count == 0 || probe.count > COUNT_MAX || probe.depth == 0 ||
	    probe.depth > probe.count)
		return 2;
	r = measure(&probe, argv[1]);
	free(probe.request);
	free(probe.answers);
	close_and_clear(&probe.fd);
	return r < 0;
}
