/* SPDX-License-Identifier: MIT */
/*
 * Somebody says far more than he may, and goes on: by then what is let through is a sample, and
 * need not be as large as what he might say otherwise. Pure: the time is an argument (any clock
 * that does not go back, microseconds).
 *
 * It is a flood from the fifth second in a row on in which more than twice the rate came. Then a
 * tenth of the rate passes at the beginning of each second, one line after the other, so that a
 * traceback is whole; the first second without so many ends it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define FLOOD_WINDOW_USEC UINT64_C(1000000)
#define FLOOD_FACTOR	  2  /* times the rate is too much ... */
#define FLOOD_WINDOWS	  5  /* ... in so many windows in a row */
#define FLOOD_SHARE	  10 /* one of so many passes */

/* Zero-initialised = none. */
struct flood {
	uint64_t began_usec; /* this window */
	uint64_t came;	     /* in it */
	uint32_t windows; /* before it, in a row, in which too much came; FLOOD_WINDOWS at most */
	uint32_t left;	  /* of what may pass in it */
};

/* It is `now`; the rate may be LIMIT_MAX, beyond which nothing comes. */
void flood_pass_time(struct flood *flood, uint64_t per_second, uint64_t now_usec);
/* So many have come, whether they pass or not. */
void flood_add(struct flood *flood, uint64_t count);
bool flood_lasts(const struct flood *flood);
/* May one more pass, as far as that goes? */
bool flood_take(struct flood *flood);
