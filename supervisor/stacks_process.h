/* SPDX-License-Identifier: MIT */
/*
 * One process, as pysbx-stacks reads it: pinned, its Python found, its threads as the kernel knows
 * them, all joined to the JSON that supervisor/stacks.h describes.
 *
 * Everything of /proc is read below a directory that was opened once, and which is of this process
 * for ever. process_vm_readv(2) takes a number: at the end the pidfd is asked whether the process
 * was there all the time; if not, nothing that was read is told. Whose number it was before that is
 * asked of its cgroup: a number that has been given to a process of another app is not in there.
 */
#pragma once

#include "policy/error.h"
#include "policy/foreign.h"
#include "policy/python_threads.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STACKS_MAPS_MAX	      65536 /* lines of /proc/PID/maps that are looked at */
#define STACKS_CANDIDATES_MAX 16    /* files in it that may be a Python */
#define STACKS_PATH_MAX	      4096
#define STACKS_ROOM	      ((size_t)2 << 20) /* bytes of JSON for frames and threads of all */

struct stacks_process {
	pid_t pid;
	int directory; /* /proc/PID */
	int pidfd;
	uint64_t deadline_usec; /* CLOCK_MONOTONIC; nothing is read of its memory after it */
};

/* A mapped file that may hold an interpreter. */
struct stacks_candidate {
	uint64_t base;
	char path[STACKS_PATH_MAX]; /* as it is called inside; " (deleted)" may stand behind it */
};

struct stacks_candidates {
	size_t count;
	struct stacks_candidate items[STACKS_CANDIDATES_MAX]; /* the program itself first */
	unsigned named_minor; /* 3.N, from names of extension modules; 0: none says it */
	bool is_pypy;
};

/* Where the interpreter is. */
struct stacks_python {
	uint64_t runtime;
	uint32_t version; /* PY_VERSION_HEX; 0: its memory has to tell */
};

/* A thread, as the kernel knows it. */
struct stacks_task {
	pid_t tid, tid_inside;
	char name[64];
	char state;
	uint64_t minor_faults, cpu_usec;
};

struct stacks_tasks { /* zero-initialised: empty */
	size_t count;
	bool truncated;
	struct stacks_task *items;
};

/* --- stacks_process.c ------------------------------------------------------------------------ */

/* {"pid", "name", "python", "threads", ...}: never fails but for lack of memory (NULL); what could
 * not be read is its "error". cgroup: the directory of the one that it has to live in, else it has
 * ended; -1: any. *room as in policy/python_frames.h. */
json_t *stacks_process_read(pid_t pid, int cgroup, uint64_t deadline_usec, size_t *room);

/* Fills a page of its memory: a foreign_read_fn, userdata is a struct stacks_process. */
bool stacks_process_page(uint64_t address, void *page, void *userdata);

/* --- stacks_find.c: which of its files is a Python, and where in it is what ------------------ */

int stacks_candidates_read(const struct stacks_process *process, struct stacks_candidates *ret,
			   struct error *err);
/* One line of /proc/PID/maps; executable: what /proc/PID/exe is called. */
void stacks_candidates_add(struct stacks_candidates *candidates, char *line,
			   const char *executable);

/* ERROR_NOT_FOUND: not a Python. ERROR_UNSUPPORTED: one that can't be read. */
int stacks_find_python(const struct stacks_process *process, struct foreign *memory,
		       const struct stacks_candidates *candidates, struct stacks_python *ret,
		       struct error *err);

/* A regular file below root, for reading; -1: there is none, or a link on the way to it. */
int stacks_open_below(int root, const char *path);

/* 3.N of a file's name ("libpython3.9.so.1.0", "/usr/bin/python3.9 (deleted)"); 0: none. */
unsigned stacks_minor_in_name(const char *path);

/* --- stacks_tasks.c -------------------------------------------------------------------------- */

int stacks_tasks_read(const struct stacks_process *process, struct stacks_tasks *ret,
		      struct error *err);
void stacks_tasks_clear(struct stacks_tasks *tasks);
#define _cleanup_stacks_tasks_ __attribute__((cleanup(stacks_tasks_clear)))

/* The number that the process has in its own namespace; 0: unknown. */
pid_t stacks_pid_inside(const struct stacks_process *process);

/* One line of /proc/PID/task/TID/stat. False: it is none. */
bool stacks_task_parse(const char *text, struct stacks_task *ret);

/* Which task each thread of Python is; ret_tasks[i] is an index, or -1. */
void stacks_tasks_match(const struct stacks_tasks *tasks, const struct python_threads *threads,
			struct foreign *memory, int ret_tasks[static PYTHON_THREADS_MAX]);
