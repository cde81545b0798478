/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "supervisor/clock.h"
#include "supervisor/stacks_process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_MAX 4096

void stacks_tasks_clear(struct stacks_tasks *tasks)
{
	free(tasks->items);
	*tasks = (struct stacks_tasks){ 0 };
}

static size_t read_small(int directory, const char *name, char *text, size_t size)
{
	_cleanup_close_ int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, size - 1) : -1;

	text[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

/* The last of "NSpid:\tN\tN...": that of its own namespace. */
static pid_t last_number(int directory, const char *name)
{
	char text[STATUS_MAX];
	const char *at;
	pid_t number = 0;

	if (read_small(directory, name, text, sizeof(text)) == 0)
		return 0;
	at = strstr(text, "\nNSpid:");
	if (at == NULL)
		return 0;
	at += strlen("\nNSpid:");
	while (*at == '\t') {
		char *end;

		number = (pid_t)strtol(at + 1, &end, 10);
		at = end;
	}
	return number;
}

pid_t stacks_pid_inside(const struct stacks_process *process)
{
	return last_number(process->directory, "status");
}

/* --- /proc/PID/task/TID/stat ------------------------------------------------------------------ */

enum stat_field { /* behind the name, from 0 */
		  STAT_STATE = 0,
		  STAT_MINOR_FAULTS = 7,
		  STAT_USER = 11,
		  STAT_SYSTEM = 12,
};

/* The name may hold anything, a parenthesis too: it ends at the last one. */
bool stacks_task_parse(const char *text, struct stacks_task *ret)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	uint64_t ticks = 0, per_second = (uint64_t)sysconf(_SC_CLK_TCK);
	const char *at;
	size_t length;

	if (open == NULL || close == NULL || close < open || close[1] != ' ' || close[2] == '\0')
		return false;
	length = (size_t)(close - open) - 1;
	if (length >= sizeof(ret->name))
		length = sizeof(ret->name) - 1;
	memcpy(ret->name, open + 1, length);
	ret->name[length] = '\0';
	ret->state = close[2];
	at = close + 2;
	for (unsigned field = 0; at != NULL && field <= STAT_SYSTEM; field++) {
		if (field == STAT_MINOR_FAULTS)
			ret->minor_faults = strtoull(at, NULL, 10);
		else if (field == STAT_USER || field == STAT_SYSTEM)
			ticks += strtoull(at, NULL, 10);
		at = strchr(at, ' ');
		if (at != NULL)
			at++;
	}
	ret->cpu_usec = per_second > 0 ? ticks * (1000000 / per_second) : 0;
	return true;
}

static bool read_task(int tasks, const char *name, bool namespaced, struct stacks_task *ret)
{
	_cleanup_close_ int directory = openat(tasks, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char text[STATUS_MAX];
	struct stacks_task task = { .tid = (pid_t)strtol(name, NULL, 10) };
	uint64_t nsec;

	if (directory < 0 || read_small(directory, "stat", text, sizeof(text)) == 0 ||
	    !stacks_task_parse(text, &task))
		return false;
	/* to the nanosecond, where the kernel has it */
	if (read_small(directory, "schedstat", text, sizeof(text)) > 0 &&
	    sscanf(text, "%" SCNu64, &nsec) == 1)
		task.cpu_usec = nsec / 1000;
	task.tid_inside = namespaced ? last_number(directory, "status") : task.tid;
	*ret = task;
	return true;
}

static void read_all(DIR *stream, bool namespaced, uint64_t deadline_usec,
		     struct stacks_tasks *tasks)
{
	struct dirent *entry;

	while ((entry = readdir(stream)) != NULL) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		if (tasks->count == PYTHON_THREADS_MAX || clock_monotonic_usec() > deadline_usec) {
			tasks->truncated = true;
			break;
		}
		if (read_task(dirfd(stream), entry->d_name, namespaced,
			      &tasks->items[tasks->count]))
			tasks->count++;
	}
}

int stacks_tasks_read(const struct stacks_process *process, struct stacks_tasks *ret,
		      struct error *err)
{
	_cleanup_close_ int fd =
		openat(process->directory, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
	pid_t inside = stacks_pid_inside(process);

	if (stream == NULL)
		return error_set(err, ERROR_SYSTEM, errno, "task");
	(void)TAKE_FD(fd);
	ret->items = calloc(PYTHON_THREADS_MAX, sizeof(*ret->items));
	if (ret->items != NULL)
		read_all(stream, inside != 0 && inside != process->pid, process->deadline_usec,
			 ret);
	closedir(stream);
	return ret->items != NULL ? 0 : error_no_memory(err);
}

/* --- which is which -------------------------------------------------------------------------- */

static int find_inside(const struct stacks_tasks *tasks, uint64_t inside)
{
	for (size_t i = 0; i < tasks->count; i++)
		if (inside != 0 && inside == (uint64_t)tasks->items[i].tid_inside)
			return (int)i;
	return -1;
}

/* pthread_t is the address of glibc's struct pthread, which has the number in it. Not so elsewhere
 * (musl): there a number is found that no task has. */
static int find_by_pthread(const struct stacks_tasks *tasks, struct foreign *memory, uint64_t id)
{
#if defined(__aarch64__)
	const uint64_t offset = 0xd0;
#else
	const uint64_t offset = 0x2d0;
#endif
	uint32_t number;

	if (id == 0 || id % sizeof(uint64_t) != 0 || !foreign_u32(memory, id + offset, &number))
		return -1;
	return find_inside(tasks, number);
}

/* CPython's own note of the number first: but a process that has forked goes on with that of its
 * parent's thread in some versions, and 3.9 and 3.10 have none. */
void stacks_tasks_match(const struct stacks_tasks *tasks, const struct python_threads *threads,
			struct foreign *memory, int ret_tasks[static PYTHON_THREADS_MAX])
{
	for (size_t i = 0; i < threads->count; i++) {
		const struct python_thread *thread = &threads->items[i];
		int task = find_inside(tasks, thread->native);

		if (task < 0)
			task = find_by_pthread(tasks, memory, thread->id);
		ret_tasks[i] = task;
	}
	/* one of each is left: they belong together */
	if (threads->count == 1 && ret_tasks[0] < 0 && tasks->count == 1)
		ret_tasks[0] = 0;
}
