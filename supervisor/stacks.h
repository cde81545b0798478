/* SPDX-License-Identifier: MIT */
/*
 * Python stacks of running processes, from outside. The reading is done by a program of its own,
 * pysbx-stacks: what it reads is hostile and may be locked, so it has CAP_SYS_PTRACE alone, a
 * system call filter and a deadline; and the loop never waits for it.
 *
 * The result is an object:
 *
 *   {"processes": [{
 *     "pid": N, "pid_inside": N?, "name": "gunicorn"?,
 *     "python": "3.11" | null, "error": "unsupported: PyPy"?,
 *     "interpreters": N, "truncated": true?,
 *     "threads": [{
 *       "tid": N, "tid_inside": N?, "name": "gunicorn"?, "state": "S"?, "minor_faults": N?,
 *       "cpu_usec": N?, "gil": bool, "interpreter": N?, "truncated": true?,
 *       "frames": [{"function": "load", "file": "/srv/app/views.py", "line": 42?}, ...]
 *     }, ...]
 *   }, ...]}
 *
 * Frames are innermost first; file is as it is called inside. A process that could not be read has
 * an "error", and of its threads what the kernel knows; one that has ended has none. Threads
 * without Python have no frames. tid is 0 if it could not be found out (then what the kernel knows
 * of the thread is missing too). "interpreter" is missing in the main one. Strings are UTF-8, and
 * not fit for a terminal (policy/escape.h).
 *
 * Readings are bounded (policy/budget.h): each is a process of root's, and what it looks at may do
 * all that it can to bring about many and to make them long.
 */
#pragma once

#include "policy/budget.h"
#include "policy/error.h"

#include <jansson.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#define STACKS_PATH PYSBX_LIBEXECDIR "/pysbx-stacks"

#define STACKS_PIDS_MAX	     256	      /* of one reading; those beyond are left out */
#define STACKS_DEADLINE_USEC UINT64_C(500000) /* of its reading; it tells what it has by then */
#define STACKS_KILL_SEC	     1		      /* of its life, by the kernel's clock */
/* After which it is killed by us, and not waited for: it may be where no signal reaches. */
#define STACKS_PATIENCE_USEC  UINT64_C(1500000)
#define STACKS_OUTPUT_MAX     ((size_t)4 << 20)
#define STACKS_PROGRAM_FAILED 125 /* its exit status then; its last line says why */
/* Its first argument, if it has the directory of a cgroup open as this descriptor, and is to read
 * processes that live in it alone. */
#define STACKS_CGROUP_OPTION "--cgroup"
#define STACKS_CGROUP_FD     3

/* All readings of a process of ours. */
struct stacks_readers {
	sd_event *event; /* borrowed */
	const char *program;
	struct budget budget;
};

struct stacks_request; /* one reading that is under way */

struct stacks_question {
	const pid_t *pids;
	size_t count;
	/* The directory of the cgroup that they live in, for the call alone: a pid that has become
	 * another process's is not read. -1: wherever they live. */
	int leaf;
	const char *app, *tenant; /* at whose expense; NULL: nobody's */
};

/* result is borrowed; NULL on error. Comes from the loop, never from stacks_read itself, and once;
 * the request is gone then. */
typedef void (*stacks_done_fn)(json_t *result, const struct error *err, void *userdata);

/* The program is STACKS_PATH. */
void stacks_readers_init(struct stacks_readers *readers, sd_event *event);
/* When the loop is not run any more. */
void stacks_readers_clear(struct stacks_readers *readers);

/* *ret is valid until `done` or stacks_cancel. readers: NULL: there is nobody to read
 * (ERROR_UNSUPPORTED). ERROR_TOO_MANY: it would be more than its app, its tenant or all may have.
 */
int stacks_read(struct stacks_readers *readers, const struct stacks_question *question,
		stacks_done_fn done, void *userdata, struct stacks_request **ret,
		struct error *err);

/* Ends it; `done` does not come. NULL is fine. */
void stacks_cancel(struct stacks_request *request);
