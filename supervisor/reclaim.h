/* SPDX-License-Identifier: MIT */
/*
 * Having the kernel take memory back from a cgroup: to lower memory.max and memory.high where more
 * is in use, or before an app meets its limit. Within the write of any of these files the kernel
 * reclaims, for seconds on a slow disk, and for memory.max it kills in the end. So a child of ours
 * writes them, memory.reclaim (Linux 5.19) first: then the kernel has nothing to kill.
 */
#pragma once

#include "policy/limits.h"
#include "supervisor/chore.h"

#include <systemd/sd-event.h>

#define RECLAIM_PATIENCE_USEC  UINT64_C(10000000)
#define RECLAIM_TAKE_BACK_USEC UINT64_C(2000000) /* the next step may be due */

/* path: of the cgroup, below root; of limits only memory_max and memory_high. What can't be
 * reclaimed keeps memory.max as it is, but with force, which lets the kernel kill. Calls back, with
 * nothing said, when all is done, as far as it could be in that time: what holds then is to be
 * read. */
int reclaim_start(sd_event *event, int root, const char *path, const struct limits *limits,
		  bool force, chore_callback *callback, void *userdata, struct error *err);

/* So many bytes; no limit is changed. The result says what came of it. */
int reclaim_take_back(sd_event *event, int root, const char *path, uint64_t bytes,
		      chore_callback *callback, void *userdata, struct chore **ret,
		      struct error *err);
