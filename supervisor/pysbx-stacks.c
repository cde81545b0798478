/* SPDX-License-Identifier: MIT */
/*
 * The program of supervisor/stacks.h: reads the Python stacks of the processes that it is told, and
 * prints them as one JSON object. Pids are arguments, or lines on standard input. Behind --cgroup
 * only such of them are read that live in the cgroup whose directory is open as descriptor 3: a pid
 * that has become another process's is one that has ended.
 *
 * It stops reading after half a second, and tells what it has; it ends after twice that whatever
 * happens: a clock of the kernel's kills it.
 */
#include "policy/own.h"
#include "supervisor/clock.h"
#include "supervisor/stacks.h"
#include "supervisor/stacks_confine.h"
#include "supervisor/stacks_process.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

struct pids {
	int cgroup; /* directory; -1: they may live anywhere */
	size_t count;
	pid_t items[STACKS_PIDS_MAX];
};

static int add_pid(struct pids *pids, const char *text, struct error *err)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number < 1 ||
	    number > INT_MAX)
		return error_set(err, ERROR_USAGE, 0,
				 "not a process number (usage: pysbx-stacks [--cgroup] [PID...])");
	if (pids->count < STACKS_PIDS_MAX)
		pids->items[pids->count++] = (pid_t)number;
	return 0;
}

static int read_pids(int argc, char *argv[], struct pids *pids, struct error *err)
{
	char line[32];
	int first = 1, r = 0;

	pids->cgroup = -1;
	if (argc > 1 && strcmp(argv[1], STACKS_CGROUP_OPTION) == 0) {
		pids->cgroup = STACKS_CGROUP_FD;
		first++;
	}
	for (int i = first; r >= 0 && i < argc; i++)
		r = add_pid(pids, argv[i], err);
	while (argc <= first && r >= 0 && fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		r = add_pid(pids, line, err);
	}
	return r;
}

/* The kernel's own: also ends what waits for a lock of another process, as soon as it is let. */
static int set_deadline(struct error *err)
{
	const struct itimerval timer = { .it_value = { .tv_sec = STACKS_KILL_SEC } };

	(void)signal(SIGALRM, SIG_DFL);
	if (setitimer(ITIMER_REAL, &timer, NULL) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "setitimer");
	return 0;
}

static int print_stacks(const struct pids *pids, uint64_t deadline_usec, struct error *err)
{
	size_t room = STACKS_ROOM;
	json_t *processes = json_array();
	json_t *result = json_pack("{s:o}", "processes", processes);
	int r = 0;

	for (size_t i = 0; i < pids->count; i++)
		(void)json_array_append_new(
			processes,
			stacks_process_read(pids->items[i], pids->cgroup, deadline_usec, &room));
	if (json_array_size(processes) != pids->count)
		r = error_no_memory(err);
	else if (json_dumpf(result, stdout, JSON_COMPACT) < 0 || putchar('\n') == EOF ||
		 fflush(stdout) != 0)
		r = error_set(err, ERROR_SYSTEM, errno, "output");
	json_decref(result);
	return r;
}

int main(int argc, char *argv[])
{
	const uint64_t deadline_usec = clock_monotonic_usec() + STACKS_DEADLINE_USEC;
	struct pids pids = { 0 };
	struct error err;
	int r;

	r = set_deadline(&err);
	if (r >= 0)
		r = stacks_confine(&err);
	if (r >= 0)
		r = read_pids(argc, argv, &pids, &err);
	if (r >= 0)
		r = print_stacks(&pids, deadline_usec, &err);
	if (r < 0)
		fprintf(stderr, "pysbx-stacks: %s\n", err.text);
	return r < 0 ? STACKS_PROGRAM_FAILED : 0;
}
