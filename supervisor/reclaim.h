/* SPDX-License-Identifier: MIT */
/*
 * Lowering memory.max and memory.high of a cgroup that uses more. Within the write of either the
 * kernel reclaims, for seconds on a slow disk, and for memory.max it kills in the end. So a process
 * of its own writes them, after memory.reclaim (Linux 5.19): then the kernel has nothing to kill.
 */
#pragma once

#include "policy/limits.h"

#include <systemd/sd-event.h>

#define RECLAIM_PATIENCE_USEC UINT64_C(10000000)

typedef void reclaim_callback(void *userdata);

/* path: of the cgroup, below root; of limits only memory_max and memory_high. What can't be
 * reclaimed keeps memory.max as it is, but with force, which lets the kernel kill. Calls back when
 * all is done, as far as it could be in that time: what holds then is to be read. */
int reclaim_start(sd_event *event, int root, const char *path, const struct limits *limits,
		  bool force, reclaim_callback *callback, void *userdata, struct error *err);
