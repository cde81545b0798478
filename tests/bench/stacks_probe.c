/* SPDX-License-Identifier: MIT */
/*
 * How long it takes to read the stacks of a process: stacks-probe PROGRAM PID ROUNDS. The reading
 * itself is timed in this process, as pysbx-stacks does it; then the whole program, from fork to
 * its end. One line: frames, and medians and 99th percentiles in microseconds.
 */
#include "policy/own.h"
#include "supervisor/clock.h"
#include "supervisor/stacks_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#define ROUNDS_MAX 100000

static int compare(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

static void print(const char *what, uint64_t *times, size_t count)
{
	qsort(times, count, sizeof(*times), compare);
	printf(", %s %llu us (p99 %llu)", what, (unsigned long long)times[count / 2],
	       (unsigned long long)times[count * 99 / 100]);
}

static size_t count_frames(const json_t *process)
{
	const json_t *thread;
	size_t index, frames = 0;

	json_array_foreach(json_object_get(process, "threads"), index, thread)
	{
		frames += json_array_size(json_object_get(thread, "frames"));
	}
	return frames;
}

static size_t read_once(pid_t pid, uint64_t *ret_usec)
{
	uint64_t start = clock_monotonic_usec();
	size_t room = STACKS_ROOM;
	json_t *process = stacks_process_read(pid, -1, start + 1000000, &room);
	size_t frames = count_frames(process);

	*ret_usec = clock_monotonic_usec() - start;
	json_decref(process);
	return frames;
}

static uint64_t run_once(const char *program, const char *pid)
{
	uint64_t start = clock_monotonic_usec();
	char *const words[] = { (char *)program, (char *)pid, NULL };
	pid_t child;

	if (posix_spawn(&child, program, NULL, NULL, words, NULL) != 0)
		abort();
	(void)waitpid(child, NULL, 0);
	return clock_monotonic_usec() - start;
}

int main(int argc, char *argv[])
{
	static uint64_t times[ROUNDS_MAX];
	size_t rounds = argc == 4 ? (size_t)strtoul(argv[3], NULL, 10) : 0, frames = 0;
	int output = dup(STDOUT_FILENO), null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (rounds == 0 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: stacks-probe PROGRAM PID ROUNDS\n");
		return 2;
	}
	for (size_t i = 0; i < rounds; i++)
		frames = read_once((pid_t)strtol(argv[2], NULL, 10), &times[i]);
	printf("%zu frames", frames);
	print("reading", times, rounds);
	fflush(stdout);
	dup2(null_fd, STDOUT_FILENO);
	for (size_t i = 0; i < rounds; i++)
		times[i] = run_once(argv[1], argv[2]);
	dup2(output, STDOUT_FILENO);
	print("whole program", times, rounds);
	printf("\n");
	return 0;
}
