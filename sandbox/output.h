/* SPDX-License-Identifier: MIT */
/* The pipes that the worker's stdout and stderr go through. */
#pragma once

#include "sandbox/launcher.h"
#include "sandbox/spool.h"

/* Step. Makes them, the worker's ids their owner (so that it can open /dev/stdout again). */
int output_open(struct launcher *launcher, struct error *err);

/* The worker has its ends: an end of file is to be seen when the last of its processes is gone. */
void output_close_write_ends(struct launcher *launcher);

/* Reads at most OUTPUT_DRAIN_BYTES of one pipe into the spool, or drops them if it is NULL. False
 * when there is nothing more to come. Only while no supervisor reads: two readers would tear lines
 * apart. */
#define OUTPUT_DRAIN_BYTES 16384
bool output_drain(const struct launcher *launcher, unsigned stream, struct spool *spool);

/* Does one of the pipes hold more than half of its capacity? A full pipe does, whatever the worker
 * writes: two writes that follow each other and don't share a page fill more than one. */
bool output_is_filling(const struct launcher *launcher);
