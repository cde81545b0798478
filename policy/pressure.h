/* SPDX-License-Identifier: MIT */
/*
 * The pressure ladder: what is done, in which order, before an app meets its memory limit. Each
 * rung has a threshold, a share of the limit; what counts is memory that can't be given back (file
 * cache is no reason). Pure: readings and times are arguments, a step is the answer.
 *
 *   notify   tells the app (MEMORY_PRESSURE_WATCH)     harmless, like reclaim: on by default
 *   reclaim  has the kernel take back what it can
 *   recycle  asks the server's largest worker to end, for its master to replace
 *   restart  of the app, gracefully
 *   kill     of the app
 *
 * Between two steps PRESSURE_SETTLE_USEC pass, in which the gentler one shows; a rung is taken
 * again after the cool-down, and after a step that costs something (recycle and on) as long passes
 * before the next such. Memory that rests above a threshold is no news: each repetition doubles the
 * wait, up to PRESSURE_WAIT_MAX_USEC, until it has fallen PRESSURE_REARM_PERCENT points below.
 */
#pragma once

#include "policy/quantity.h"

#define PRESSURE_SETTLE_USEC	  (1 * USEC_PER_SEC)
#define PRESSURE_WAIT_MAX_USEC	  (3600 * USEC_PER_SEC)
#define PRESSURE_REARM_PERCENT	  5
#define PRESSURE_NOTIFY_DEFAULT	  70 /* percent of the limit */
#define PRESSURE_RECLAIM_DEFAULT  80
#define PRESSURE_COOLDOWN_DEFAULT (30 * USEC_PER_SEC)
#define PRESSURE_COOLDOWN_MIN	  (1 * USEC_PER_SEC)
#define PRESSURE_COOLDOWN_MAX	  (86400 * USEC_PER_SEC)
#define PRESSURE_TEXT_MAX	  96

enum pressure_step {
	PRESSURE_NOTIFY,
	PRESSURE_RECLAIM,
	PRESSURE_RECYCLE,
	PRESSURE_RESTART,
	PRESSURE_KILL,
	PRESSURE_STEP_COUNT,
	PRESSURE_NONE = PRESSURE_STEP_COUNT,
};

struct pressure_policy {
	uint64_t at[PRESSURE_STEP_COUNT]; /* percent, 1 to 100; else off, as LIMIT_MAX */
	uint64_t cooldown_usec;
};

extern const struct pressure_policy pressure_default;

static inline bool pressure_is_on(const struct pressure_policy *policy, enum pressure_step step)
{
	return policy->at[step] >= 1 && policy->at[step] <= 100;
}

struct pressure_reading {
	uint64_t limit;	      /* bytes; LIMIT_MAX, LIMIT_UNSET: none */
	uint64_t fixed;	      /* bytes that can't be given back */
	uint64_t reclaimable; /* bytes that can */
	uint32_t full_avg10;  /* of memory.pressure, percent x 100; UINT32_MAX: unknown */
};

struct pressure_state { /* zero-initialised: nothing was done yet */
	struct {
		uint64_t taken_usec; /* 0: never */
		uint64_t wait_usec;
	} rungs[PRESSURE_STEP_COUNT];
	uint64_t last_usec, costly_usec; /* of any step; of one that costs something */
};

/* The limit that comes first. */
uint64_t pressure_limit(uint64_t memory_max, uint64_t memory_high);

/* Below the lowest rung there is nothing to do or to remember. */
bool pressure_is_near(const struct pressure_policy *policy, const struct pressure_reading *reading);

/* The step to take now, which counts as taken; or PRESSURE_NONE. now_usec: any clock that starts
 * above 0 and does not go back. */
enum pressure_step pressure_next(const struct pressure_policy *policy, struct pressure_state *state,
				 const struct pressure_reading *reading, uint64_t now_usec);

/* How much to ask the kernel for: what brings usage back to the rung of reclaim, as far as there is
 * something to be given back. 0: it is not worth it. */
uint64_t pressure_reclaim_bytes(const struct pressure_policy *policy,
				const struct pressure_reading *reading);
#define PRESSURE_RECLAIM_MIN (UINT64_C(1) << 20)
#define PRESSURE_RECLAIM_MAX (UINT64_C(256) << 20)

/* A worker that holds less than this of the limit is none that a recycling would help. */
uint64_t pressure_worth_bytes(const struct pressure_reading *reading);

/* "memory 91 % of 256M, full avg10 12.3". text holds PRESSURE_TEXT_MAX bytes and is returned. */
const char *pressure_describe(const struct pressure_reading *reading, char *text);

const char *pressure_step_name(enum pressure_step step);
