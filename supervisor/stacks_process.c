/* SPDX-License-Identifier: MIT */
#include "supervisor/stacks_process.h"

#include "policy/escape.h"
#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/clock.h"
#include "supervisor/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define THREAD_ROOM \
	640 /* bytes of JSON that a thread takes without its frames: its name is escaped */

bool stacks_process_page(uint64_t address, void *page, void *userdata)
{
	const struct stacks_process *process = userdata;
	struct iovec here = { .iov_base = page, .iov_len = FOREIGN_PAGE };
	struct iovec there = { .iov_base = (void *)(uintptr_t)address, .iov_len = FOREIGN_PAGE };

	if (clock_monotonic_usec() > process->deadline_usec)
		return false;
	return process_vm_readv(process->pid, &here, 1, &there, 1, 0) == FOREIGN_PAGE;
}

static void close_process(struct stacks_process *process)
{
	close_and_clear(&process->directory);
	close_and_clear(&process->pidfd);
}

static int open_process(struct stacks_process *process, int cgroup, struct error *err)
{
	char path[32];

	process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	if (process->pidfd < 0)
		return error_set(err, errno == ESRCH ? ERROR_NOT_FOUND : ERROR_SYSTEM, errno,
				 "pidfd_open");
	snprintf(path, sizeof(path), "/proc/%d", (int)process->pid);
	process->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* alive afterwards: the directory is of the same process as the pidfd, and so was the
	 * number in the cgroup */
	if (process->directory < 0 || (cgroup >= 0 && !cgroup_has_process(cgroup, process->pid)) ||
	    pidfd_has_ended(process->pidfd))
		return error_set(err, ERROR_NOT_FOUND, ESRCH, "it has ended");
	return 0;
}

/* --- JSON ----------------------------------------------------------------------------------- */

static json_t *foreign_string(const char *text)
{
	char safe[256];

	return json_string(escape_string(text, ESCAPE_FOR_JSON, safe, sizeof(safe)));
}

static json_t *pack_thread(const struct stacks_task *task, const struct python_thread *thread)
{
	json_t *object = json_object();

	(void)json_object_set_new(object, "tid", json_integer(task != NULL ? task->tid : 0));
	if (task != NULL) {
		char state[2] = { task->state, '\0' };

		if (task->tid_inside != task->tid && task->tid_inside != 0)
			(void)json_object_set_new(object, "tid_inside",
						  json_integer(task->tid_inside));
		(void)json_object_set_new(object, "name", foreign_string(task->name));
		(void)json_object_set_new(object, "state", foreign_string(state));
		(void)json_object_set_new(object, "minor_faults",
					  json_integer((json_int_t)task->minor_faults));
		(void)json_object_set_new(object, "cpu_usec",
					  json_integer((json_int_t)task->cpu_usec));
	}
	(void)json_object_set_new(object, "gil",
				  json_boolean(thread != NULL && thread->holds_lock));
	if (thread != NULL && thread->interpreter > 0)
		(void)json_object_set_new(object, "interpreter", json_integer(thread->interpreter));
	if (thread != NULL)
		(void)json_object_set(object, "frames", thread->frames);
	else
		(void)json_object_set_new(object, "frames", json_array());
	if (thread != NULL && thread->truncated)
		(void)json_object_set_new(object, "truncated", json_true());
	return object;
}

static bool take_room(size_t *room)
{
	if (*room < THREAD_ROOM)
		return false;
	*room -= THREAD_ROOM;
	return true;
}

/* Those of Python first, in the order of their making; then those that it does not know of. */
static void pack_threads(json_t *object, const struct stacks_tasks *tasks,
			 const struct python_threads *threads, const int *task_of, size_t *room)
{
	bool told[PYTHON_THREADS_MAX] = { false };
	bool whole = !threads->truncated && !tasks->truncated;
	json_t *array = json_array();

	for (size_t i = 0; i < threads->count; i++) {
		const struct stacks_task *task = task_of[i] >= 0 ? &tasks->items[task_of[i]] : NULL;

		if (!take_room(room)) {
			whole = false;
			break;
		}
		if (task != NULL)
			told[task_of[i]] = true;
		(void)json_array_append_new(array, pack_thread(task, &threads->items[i]));
	}
	for (size_t i = 0; i < tasks->count; i++) {
		if (told[i])
			continue;
		if (!take_room(room)) {
			whole = false;
			break;
		}
		(void)json_array_append_new(array, pack_thread(&tasks->items[i], NULL));
	}
	(void)json_object_set_new(object, "threads", array);
	if (!whole)
		(void)json_object_set_new(object, "truncated", json_true());
}

/* --- one process ---------------------------------------------------------------------------- */

static int read_python(struct stacks_process *process, struct foreign *memory, size_t *room,
		       struct python_threads *ret, struct error *err)
{
	_cleanup_free_ struct stacks_candidates *candidates = malloc(sizeof(*candidates));
	struct stacks_python python;
	int r;

	if (candidates == NULL)
		return error_no_memory(err);
	r = stacks_candidates_read(process, candidates, err);
	if (r >= 0)
		r = stacks_find_python(process, memory, candidates, &python, err);
	if (r >= 0)
		r = python_threads_read(memory, python.runtime, python.version, room, ret, err);
	return r;
}

static void pack_python(json_t *object, const struct python_threads *threads,
			const struct error *err)
{
	char text[PYTHON_VERSION_TEXT_MAX];

	python_version_text(threads->version, text);
	(void)json_object_set_new(object, "python",
				  threads->version != 0 ? json_string(text) : json_null());
	if (err != NULL) {
		char safe[ERROR_TEXT_MAX];

		(void)json_object_set_new(
			object, "error",
			json_string(escape_string(err->text, ESCAPE_FOR_JSON, safe, sizeof(safe))));
	}
	(void)json_object_set_new(object, "interpreters", json_integer(threads->interpreters));
}

/* An error of the process as a whole: there is nothing to tell of it. */
static json_t *pack_failure(json_t *object, const struct error *err)
{
	const struct python_threads none = { 0 };

	pack_python(object, &none, err);
	(void)json_object_set_new(object, "threads", json_array());
	return object;
}

static int describe(struct stacks_process *process, size_t *room, json_t *object, struct error *err)
{
	_cleanup_python_threads_ struct python_threads threads = { 0 };
	_cleanup_stacks_tasks_ struct stacks_tasks tasks = { 0 };
	_cleanup_foreign_ struct foreign *memory = foreign_new(stacks_process_page, process);
	struct error why = { .kind = ERROR_NONE };
	pid_t inside = stacks_pid_inside(process);
	int task_of[PYTHON_THREADS_MAX];
	int r = memory != NULL ? stacks_tasks_read(process, &tasks, err) : error_no_memory(err);

	if (r < 0)
		return r;
	(void)read_python(process, memory, room, &threads, &why);
	stacks_tasks_match(&tasks, &threads, memory, task_of);
	if (pidfd_has_ended(process->pidfd))
		return error_set(err, ERROR_NOT_FOUND, ESRCH, "it has ended");
	if (why.kind != ERROR_NONE && clock_monotonic_usec() > process->deadline_usec)
		(void)error_set(&why, ERROR_SYSTEM, ETIMEDOUT, "its memory was not read in time");
	if (inside != 0 && inside != process->pid)
		(void)json_object_set_new(object, "pid_inside", json_integer(inside));
	if (tasks.count > 0)
		(void)json_object_set_new(object, "name", foreign_string(tasks.items[0].name));
	pack_python(object, &threads, why.kind != ERROR_NONE ? &why : NULL);
	pack_threads(object, &tasks, &threads, task_of, room);
	return 0;
}

json_t *stacks_process_read(pid_t pid, int cgroup, uint64_t deadline_usec, size_t *room)
{
	struct stacks_process process = {
		.pid = pid, .directory = -1, .pidfd = -1, .deadline_usec = deadline_usec
	};
	json_t *object = json_object();
	struct error err;
	int r;

	if (object == NULL)
		return NULL;
	(void)json_object_set_new(object, "pid", json_integer(pid));
	r = clock_monotonic_usec() > deadline_usec
		    ? error_set(&err, ERROR_SYSTEM, ETIMEDOUT, "not read in time")
		    : open_process(&process, cgroup, &err);
	if (r >= 0)
		r = describe(&process, room, object, &err);
	close_process(&process);
	return r < 0 ? pack_failure(object, &err) : object;
}
