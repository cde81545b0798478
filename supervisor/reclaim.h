/* SPDX-License-Identifier: MIT */
/*
 * memory.reclaim of a cgroup (Linux 5.19): the kernel gives back so much of its memory, if it can.
 * The write takes as long as that does, seconds on a slow disk, so a process of its own does it.
 */
#pragma once

#include "policy/error.h"

#include <stdint.h>
#include <systemd/sd-event.h>

#define RECLAIM_PATIENCE_USEC UINT64_C(10000000)

typedef void reclaim_callback(void *userdata);

/* path: of the cgroup, below root. Calls back when it is done, as far as it could be. */
int reclaim_start(sd_event *event, int root, const char *path, uint64_t bytes,
		  reclaim_callback *callback, void *userdata, struct error *err);
