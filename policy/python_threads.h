/* SPDX-License-Identifier: MIT */
/*
 * All threads of all interpreters of a CPython in a foreign memory, each with its frames. Pure: it
 * sees nothing but that memory, so what the kernel knows of the threads is for others to add.
 *
 * Of a process that runs, what is read may be torn: frames come and go meanwhile. Of one that is
 * frozen or waits it is exact.
 */
#pragma once

#include "policy/error.h"
#include "policy/foreign.h"
#include "policy/python_frames.h"

#define PYTHON_THREADS_MAX	1024
#define PYTHON_INTERPRETERS_MAX 64

struct python_thread {
	uint64_t id;	      /* pthread_t */
	uint64_t native;      /* gettid() in its own namespace; 0: not told (3.10 and older) */
	unsigned interpreter; /* in order of their making, from 0 */
	bool holds_lock;      /* of its interpreter: it runs, or is about to */
	bool truncated;	      /* there are more frames than these, or they could not be read */
	json_t *frames;	      /* owned */
};

struct python_threads {	  /* zero-initialised: empty */
	uint32_t version; /* PY_VERSION_HEX; 0: unknown */
	unsigned interpreters;
	bool truncated; /* there is more than this */
	size_t count;
	struct python_thread *items; /* the oldest of each interpreter first */
};

void python_threads_clear(struct python_threads *threads);
#define _cleanup_python_threads_ __attribute__((cleanup(python_threads_clear)))

/* runtime: where _PyRuntime is. version: PY_VERSION_HEX; 0: unknown, then the memory has to tell.
 * room as in policy/python_frames.h. ERROR_UNSUPPORTED: not a CPython
 * that can be read, and why. ret->version is also set then, if it is known. */
int python_threads_read(struct foreign *memory, uint64_t runtime, uint32_t version, size_t *room,
			struct python_threads *ret, struct error *err);
