/* SPDX-License-Identifier: MIT */
/*
 * Trying a seccomp profile on an app that matters: it is enforced until refusals show that it does
 * not fit, and then lifted. Pure: the time is an argument.
 *
 * One call or two, which a library tries at its import and does without, are no reason; a request
 * that needs what is refused comes again and again. Who makes refused calls on purpose can have the
 * filter lifted that way: a canary is for code that is trusted (pysbx.json(5)).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CANARY_DENIALS	   5
#define CANARY_WINDOW_USEC UINT64_C(60000000)
#define CANARY_RULES_MAX   8 /* kept for the proposal: as many as are told in a window */

/* Zero-initialised = nothing refused yet. */
struct canary {
	uint64_t usec[CANARY_DENIALS]; /* when the last ones were, in a ring */
	unsigned next, count;
};

/* `count` more calls were refused. True if that makes CANARY_DENIALS within the window. */
bool canary_add(struct canary *canary, uint64_t count, uint64_t now_usec);
