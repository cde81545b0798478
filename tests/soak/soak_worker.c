/* SPDX-License-Identifier: MIT */
/*
 * The worker of `make soak`. Static and small: a machine that starts and buries ten thousand of
 * them shall be busy with the supervisor.
 *
 *   soak-worker die exit|segv|kill|oom   says so and dies of it, at once
 *   soak-worker wait DIRECTORY HOW       the same when DIRECTORY/die is there
 *   soak-worker parent                   its children die in all ways, its grandchildren as orphans
 *   soak-worker write DIRECTORY          waits for DIRECTORY/go, which holds two numbers: so many
 *                                        numbered lines of 64 bytes, over so many seconds; then
 * makes DIRECTORY/done and waits for the next DIRECTORY/go
 */
#include "policy/own.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES   64
#define CHUNK_LINES  1024
#define LOOK_MSEC    50
#define CHILD_MSEC   100
#define OOM_EVERY    32 /* children: each costs the kernel a report */
#define HOARD_BYTES  ((size_t)1 << 20)
#define DIE_LINES    5
#define PATH_BYTES   512
#define NSEC_A_SEC   1000000000LL
#define STATUS_OF_IT 3 /* of the exit */

static void pause_nsec(int64_t nsec)
{
	struct timespec left = { nsec / NSEC_A_SEC, nsec % NSEC_A_SEC };

	while (nsec > 0 && nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static void pause_msec(int msec)
{
	pause_nsec((int64_t)msec * 1000000);
}

static int write_all(int fd, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, data, length);

		if (n < 0 && errno != EINTR)
			return -1;
		data += n > 0 ? n : 0;
		length -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Until the kernel has had enough of it. */
static void __attribute__((noreturn)) hoard(void)
{
	for (;;) {
		char *memory = malloc(HOARD_BYTES);

		if (memory == NULL)
			_exit(1);
		for (size_t i = 0; i < HOARD_BYTES; i += 512)
			((volatile char *)memory)[i] = 1;
	}
}

static void __attribute__((noreturn)) die(const char *how)
{
	(void)signal(SIGSEGV, SIG_DFL);
	if (strcmp(how, "segv") == 0)
		(void)raise(SIGSEGV);
	else if (strcmp(how, "kill") == 0)
		(void)raise(SIGKILL);
	else if (strcmp(how, "oom") == 0)
		hoard();
	_exit(STATUS_OF_IT);
}

static void __attribute__((noreturn)) speak_and_die(const char *how)
{
	for (int i = 0; i < DIE_LINES; i++)
		(void)dprintf(STDERR_FILENO, "line %d before the end by %s\n", i, how);
	die(how);
}

static void __attribute__((noreturn)) wait_and_die(const char *directory, const char *how)
{
	char path[PATH_BYTES];

	(void)snprintf(path, sizeof(path), "%s/die", directory);
	while (unlink(path) < 0)
		pause_msec(LOOK_MSEC);
	speak_and_die(how);
}

/* A child that leaves an orphan, which dies when its parent is gone. */
static void __attribute__((noreturn)) be_child(const char *how)
{
	if (fork() == 0) {
		pause_msec(CHILD_MSEC / 4);
		_exit(0);
	}
	die(how);
}

static void __attribute__((noreturn)) be_parent(void)
{
	static const char *const ways[] = { "exit", "segv", "kill" };

	for (unsigned i = 0;; i++) {
		pid_t child = fork();

		if (child == 0)
			be_child(i % OOM_EVERY == OOM_EVERY - 1 ? "oom"
								: ways[i % ARRAY_SIZE(ways)]);
		if (child > 0)
			(void)waitpid(child, NULL, 0);
		pause_msec(CHILD_MSEC);
	}
}

/* --- writing ---------------------------------------------------------------------------------- */

struct task {
	uint64_t lines;
	int64_t seconds;
};

/* False: not yet there. A whole one ends with a newline. */
static bool take_task(const char *directory, struct task *ret)
{
	char path[PATH_BYTES], text[64] = { 0 }, *rest;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/go", directory);
	{
		_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

		n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	}
	if (n <= 0 || text[n - 1] != '\n' || unlink(path) < 0)
		return false;
	ret->lines = strtoull(text, &rest, 10);
	ret->seconds = strtoll(rest, NULL, 10);
	return true;
}

/* "line 000...123\n" */
static void put_line(char *at, uint64_t number)
{
	static const char word[] = { 'l', 'i', 'n', 'e', ' ' };

	memcpy(at, word, sizeof(word));
	for (char *digit = at + LINE_BYTES - 2; digit >= at + sizeof(word); digit--) {
		*digit = (char)('0' + number % 10);
		number /= 10;
	}
	at[LINE_BYTES - 1] = '\n';
}

static int64_t now_nsec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * NSEC_A_SEC + now.tv_nsec;
}

static int write_lines(const struct task *task)
{
	static char chunk[CHUNK_LINES * LINE_BYTES];
	int64_t began = now_nsec();
	uint64_t done = 0;

	while (done < task->lines) {
		size_t count = 0;
		int64_t due;

		for (; count < CHUNK_LINES && done < task->lines; count++, done++)
			put_line(chunk + count * LINE_BYTES, done);
		if (write_all(STDOUT_FILENO, chunk, count * LINE_BYTES) < 0)
			return -1;
		due = began + (int64_t)((double)task->seconds * NSEC_A_SEC * (double)done /
					(double)task->lines);
		pause_nsec(due - now_nsec());
	}
	return 0;
}

static int say_done(const char *directory)
{
	char path[PATH_BYTES];
	_cleanup_close_ int fd = -1;

	(void)snprintf(path, sizeof(path), "%s/done", directory);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	return fd < 0 ? -1 : 0;
}

static int keep_writing(const char *directory)
{
	struct task task;

	for (;;) {
		while (!take_task(directory, &task))
			pause_msec(LOOK_MSEC);
		if (write_lines(&task) < 0 || say_done(directory) < 0)
			return 1;
	}
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";

	if (strcmp(mode, "die") == 0 && argc == 3)
		speak_and_die(argv[2]);
	if (strcmp(mode, "wait") == 0 && argc == 4)
		wait_and_die(argv[2], argv[3]);
	if (strcmp(mode, "parent") == 0 && argc == 2)
		be_parent();
	if (strcmp(mode, "write") == 0 && argc == 3)
		return keep_writing(argv[2]);
	(void)fprintf(stderr, "soak-worker: can't do that: %s\n", mode);
	return 1;
}
