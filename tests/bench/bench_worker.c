/* SPDX-License-Identifier: MIT */
/*
 * The worker of the daemon's measurements. Static and small: what is measured is the supervisor.
 *
 *   bench-worker started FIFO          tells that it runs, and waits for signals
 *   bench-worker flood FIFO MEBIBYTES  writes so much log as fast as it is taken, and waits
 *   bench-worker bomb CHILDREN         forks whenever fewer than so many live; all write log
 *   bench-worker calls NAME COUNT      makes a system call so often; prints nanoseconds a call
 *
 * What it tells on the FIFO: CLOCK_MONOTONIC in nsec as a uint64_t, twice for the flood (first byte
 * and last). The reader's clock is the same.
 */
#include "policy/own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES    100
#define CHUNK_BYTES   (LINE_BYTES * 600) /* below a pipe's 64 KiB */
#define LINES_A_CHILD 500
#define CALL_PARTS    100

static uint64_t now_nsec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void __attribute__((noreturn)) wait_for_signals(void)
{
	for (;;)
		pause();
}

static int tell(const char *path, const uint64_t *stamps, size_t count)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t length = count * sizeof(*stamps);

	return fd >= 0 && write(fd, stamps, length) == (ssize_t)length ? 0 : -1;
}

static void fill_lines(char *chunk, size_t length)
{
	memset(chunk, 'x', length);
	for (size_t i = LINE_BYTES - 1; i < length; i += LINE_BYTES)
		chunk[i] = '\n';
}

static int write_lines(const char *chunk, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = write(STDOUT_FILENO, chunk + done, length - done);

		if (n < 0 && errno != EINTR)
			return -1;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int flood(const char *path, uint64_t bytes)
{
	static char chunk[CHUNK_BYTES];
	uint64_t stamps[2] = { now_nsec() };

	fill_lines(chunk, sizeof(chunk));
	for (uint64_t done = 0; done < bytes; done += sizeof(chunk)) {
		if (write_lines(chunk, sizeof(chunk)) < 0)
			return -1;
	}
	stamps[1] = now_nsec();
	if (tell(path, stamps, ARRAY_SIZE(stamps)) < 0)
		return -1;
	wait_for_signals();
}

static void __attribute__((noreturn)) bomb(unsigned long children)
{
	static char line[LINE_BYTES];
	unsigned long alive = 0;

	fill_lines(line, sizeof(line));
	for (;;) {
		pid_t pid = alive < children ? fork() : -1;

		if (pid == 0) {
			for (int i = 0; i < LINES_A_CHILD; i++)
				(void)write_lines(line, sizeof(line));
			_exit(0);
		}
		if (pid > 0)
			alive++;
		else if (waitpid(-1, NULL, 0) > 0)
			alive--;
	}
}

static void call_getppid(int fd)
{
	(void)fd;
	(void)getppid();
}

static void call_pread(int fd)
{
	static char page[4096];

	(void)!pread(fd, page, sizeof(page), 0);
}

/* A call whose arguments are looked at. */
static void call_ioctl(int fd)
{
	int count;

	(void)ioctl(fd, FIONREAD, &count);
}

/* The shortest of some parts: others are busy on the machine too. */
static int calls(const char *name, unsigned long count)
{
	static const struct {
		const char *name;
		void (*call)(int fd);
	} rows[] = { { "getppid", call_getppid },
		     { "pread", call_pread },
		     { "ioctl", call_ioctl } };
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	const unsigned long each = count / CALL_PARTS;
	uint64_t least = UINT64_MAX;
	size_t i = 0;

	while (i < ARRAY_SIZE(rows) && strcmp(rows[i].name, name) != 0)
		i++;
	if (i == ARRAY_SIZE(rows) || fd < 0)
		return -1;
	for (int part = 0; part < CALL_PARTS; part++) {
		uint64_t began = now_nsec(), took;

		for (unsigned long n = 0; n < each; n++)
			rows[i].call(fd);
		took = now_nsec() - began;
		least = took < least ? took : least;
	}
	printf("%.2f\n", (double)least / (double)each);
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t stamp = now_nsec();
	const char *mode = argc > 2 ? argv[1] : "";

	if (strcmp(mode, "started") == 0 && tell(argv[2], &stamp, 1) == 0)
		wait_for_signals();
	if (strcmp(mode, "flood") == 0 && argc > 3)
		return flood(argv[2], strtoull(argv[3], NULL, 10) << 20) < 0;
	if (strcmp(mode, "calls") == 0 && argc > 3)
		return calls(argv[2], strtoul(argv[3], NULL, 10)) < 0;
	if (strcmp(mode, "bomb") == 0)
		bomb(strtoul(argv[2], NULL, 10));
	(void)fprintf(stderr, "bench-worker: can't do that: %s\n", mode);
	return 1;
}
