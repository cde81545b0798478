/* SPDX-License-Identifier: MIT */
/* The pipes that the worker's stdout and stderr go through. */
#pragma once

#include "sandbox/launcher.h"

/* Step. Makes them, the worker's ids their owner (so that it can open /dev/stdout again), and sends
 * the read ends to the supervisor as LAUNCH_PIPES. */
int output_open(struct launcher *launcher, struct error *err);

/* The worker has its ends: an end of file is to be seen when the last of its processes is gone. */
void output_close_write_ends(struct launcher *launcher);

/* Reads and drops at most OUTPUT_DRAIN_BYTES of one pipe. False when there is nothing more to come.
 * Only while no supervisor reads: two readers would tear lines apart. */
#define OUTPUT_DRAIN_BYTES 16384
bool output_drain(int fd);
