/* SPDX-License-Identifier: MIT */
/*
 * Something that has happened to an app, and whether an end that comes later may follow from it:
 * a fork or a call was refused, say, and the worker ends of it a moment later. A moment is counted
 * in what the app could use of it. Where it is throttled, or the machine is busy, the way from the
 * one to the other takes long, and is no shorter for that.
 *
 * Pure: what was read, and when, are arguments.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct moment {
	uint64_t usec;		/* CLOCK_MONOTONIC; 0: it has not come */
	uint64_t cpu_wait_usec; /* cpu.pressure of the app, "some", total: 0 where it isn't told */
};

/* Did the app have less than so many microseconds between the two, not counting those in which a
 * process of it waited for a processor? */
bool moment_matters(const struct moment *then, const struct moment *now, uint64_t within_usec);
