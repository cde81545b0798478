/* SPDX-License-Identifier: MIT */
/*
 * What Python and its servers cannot see for themselves: that they live under limits. Environment
 * variables that follow from the limits, each set only where nobody has said otherwise.
 *
 *   always            PYTHONUNBUFFERED=1       a log line is out before the process is killed
 *                     PYTHONFAULTHANDLER=1     a crash shows Python's stack
 *   read-only code    PYTHONDONTWRITEBYTECODE=1
 *   memory limit      MALLOC_ARENA_MAX=2       glibc's default of 8 arenas a core fragments the
 * heap CPU limit         PYTHON_CPU_COUNT         os.cpu_count() of Python 3.13 and newer
 *                     OMP_NUM_THREADS          BLAS and OpenMP start one thread per host core else
 *   either limit      WEB_CONCURRENCY          gunicorn and uvicorn: see python_worker_count
 */
#pragma once

#include "policy/spec.h"

/* What one web worker is given of the memory limit. A Flask or Django worker with a database driver
 * rests at 40 to 90 MiB and needs room to answer; Heroku plans 256 MiB. Fewer workers are slow, one
 * too many is an OOM kill of our own making. */
#define PYTHON_WORKER_BYTES (UINT64_C(128) << 20)

struct python_situation {
	const struct strings *command; /* as typed */
	const struct limits *limits;
	unsigned cpu_count;  /* cores this host would let the app use; 0 = unknown */
	bool read_only_code; /* the app's directory is not writable */
};

/* Appends to env what is not there yet. */
int python_environment_add(const struct python_situation *situation, struct strings *env,
			   struct error *err);

/* Whole cores for a limit in thousandths, rounded up, at least 1. */
unsigned python_core_count(uint64_t cpu_milli);

/*
 * The WEB_CONCURRENCY for this command, or 0 if it shall not be set.
 *
 * It is set only where the command is gunicorn, uvicorn or fastapi (also as "python -m NAME"):
 * these read it as their default number of workers and load the app from an import string, so
 * several processes are possible. A script of its own that calls uvicorn.run(app) with the object
 * would end at once when WEB_CONCURRENCY asks for more than one; hypercorn, waitress and uWSGI do
 * not read it.
 *
 * gunicorn's workers block, so it gets two a core and one; an event loop fills a core, so the
 * others get one a core; never more than the memory limit has room for, never less than one.
 */
unsigned python_worker_count(const struct python_situation *situation);
