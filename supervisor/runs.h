/* SPDX-License-Identifier: MIT */
/*
 * Which `pysbx run`s live on this machine: one file a run in RUNS_DIRECTORY, named by its id,
 * locked (flock) by the supervisor and its anchor for as long as one of them lives, holding the
 * path of the run's cgroup. A file whose lock is free belongs to a run that was killed with all its
 * keepers; the next run sweeps what it left.
 */
#pragma once

#include "policy/error.h"

#define RUNS_DIRECTORY "/run/pysbx/run"
#define RUN_ID_MAX     96

/* Makes the file and takes its lock. id: "web-1a2b3c4d". *ret_fd keeps the lock. */
int runs_register(const char *directory, const char *id, int *ret_fd, struct error *err);

/* Notes where the run's cgroup is (absolute path), before anything is made there. */
int runs_note_cgroup(int fd, const char *path, struct error *err);

void runs_unregister(const char *directory, const char *id);

/* Sweeps each dead run: kills what is left in its cgroup and removes it. Calls swept (may be NULL)
 * with the id of each. Errors of one run don't stop the others; the last one is raised. */
int runs_sweep(const char *directory, void (*swept)(const char *id, void *userdata), void *userdata,
	       struct error *err);
