/* SPDX-License-Identifier: MIT */
/*
 * So many a second, with bursts: a token bucket. And the telling of what was refused: how many,
 * soon after it begins and then not too often. Pure: the time is an argument (any clock that does
 * not go back, microseconds).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rate {
	uint64_t per_second; /* LIMIT_MAX: no bound */
	uint64_t burst;	     /* what may come at once */
	uint64_t credit;     /* tokens x 1,000,000 */
	uint64_t usec;	     /* when credit was last counted */
};

/* Starts full. */
void rate_init(struct rate *rate, uint64_t per_second, uint64_t burst, uint64_t now_usec);
/* Other bounds from now on; what has been used up stays so. */
void rate_change(struct rate *rate, uint64_t per_second, uint64_t burst, uint64_t now_usec);
/* May so many more pass? More than the burst counts as the burst: it waits until nothing is owed.
 */
bool rate_take(struct rate *rate, uint64_t now_usec, uint64_t count);
/* Nothing is owed: as good as new. */
bool rate_is_idle(const struct rate *rate, uint64_t now_usec);

/* Zero-initialised = nothing refused yet. */
struct drops {
	uint64_t total;
	uint64_t untold;
	uint64_t due_usec;  /* when the untold are to be told */
	uint64_t told_usec; /* last time; 0: never */
};

#define DROPS_SETTLE_USEC   UINT64_C(1000000)  /* the first number told is more than "1" */
#define DROPS_INTERVAL_USEC UINT64_C(30000000) /* between two tellings */

void drops_add(struct drops *drops, uint64_t count, uint64_t now_usec);
/* When to tell; UINT64_MAX if there is nothing to tell. */
uint64_t drops_due(const struct drops *drops);
/* How many to tell now, which then count as told. */
uint64_t drops_tell(struct drops *drops, uint64_t now_usec);
