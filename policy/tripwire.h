/* SPDX-License-Identifier: MIT */
/*
 * The ladder of tripwires below an app's memory limit. memory.high is never a state to rest in (an
 * app that grows against it livelocks); it is a wire that tells: whoever reaches a rung is looked
 * at (frozen, stacks read), then the rung is raised, and from the last one it goes to "max". So the
 * newest look is a few percent below the limit, before the kernel kills.
 *
 * Of what an app uses, page cache can be taken back. Reading a large file reaches every rung, and
 * is no alarm: only what can't be reclaimed counts. Without alarm the ladder climbs too, and stays
 * at its last rung, where reclaiming does no more than it would at the limit.
 *
 * Against the limit itself memory.events `max` tells instead (`high`, where the limit is the user's
 * own memory_high): one look more, if it is worth one.
 *
 * Pure: what was read, and when, are arguments.
 */
#pragma once

#include "policy/stall.h"

#include <stdbool.h>
#include <stdint.h>

#define TRIPWIRE_RUNGS 3
/* A rung that stands where a user's limit could is so much lower: nobody sets such a one. */
#define TRIPWIRE_MARK_BYTES UINT64_C(4096)
/* Between rungs, and from the last to the limit, is at least this: charges come in batches of
 * 256 KiB a processor. */
#define TRIPWIRE_GAP_MIN   (UINT64_C(1) << 20)
#define TRIPWIRE_GAP_SHARE 50 /* 2 %; between rungs twice that */
#define TRIPWIRE_ALARM	   85 /* percent of the limit that can't be reclaimed */
#define TRIPWIRE_CALM	   80 /* below this for so long it is over: */
#define TRIPWIRE_CALM_USEC UINT64_C(10000000)
/* Looks without being told, while something is going on; and while it only may. */
#define TRIPWIRE_LOOK_USEC	UINT64_C(1000000)
#define TRIPWIRE_SLOW_LOOK_USEC UINT64_C(5000000)
/* In a row: then it waits for the rungs, whatever it is made of (locked files, say). */
#define TRIPWIRE_SLOW_LOOKS 10

struct tripwire_reading {
	uint64_t now_usec;
	uint64_t current;    /* memory.current of the cgroup that has the rungs */
	uint64_t high_moves; /* its own `high` events so far */
	uint64_t top_moves;  /* `max` of those above it, and `high` where a user has set one */
	struct stall_reading stall;
};

struct tripwire {
	uint64_t limit; /* LIMIT_UNSET: none */
	bool on;	/* rungs are armed, and trips are looked at */
	unsigned rung;	/* that is armed; TRIPWIRE_RUNGS: none, memory.high is "max" */
	uint64_t high_moves, top_moves; /* seen so far */
	uint64_t snapped;	  /* what could not be reclaimed at the newest look; 0: none */
	bool told;		  /* that an episode has begun */
	bool moved;		  /* since the last look by the clock */
	unsigned slow_looks;	  /* by the clock, in a row, while it waited */
	uint64_t calm_since_usec; /* 0: it isn't */
	struct stall stall;
};

struct tripwire_answer {
	bool snapshot;	    /* look at the app, before memory.high is written */
	bool begins;	    /* the first of an episode: worth a word */
	bool stalled;	    /* end it: stall.h; of `finding` */
	bool waits;	    /* for memory, at this moment */
	uint64_t high;	    /* what memory.high is to be; LIMIT_MAX: "max" */
	uint64_t look_usec; /* look again then; 0: not before memory.events moves */
	struct stall_finding finding;
};

/* The lowest rung is 0. 0 where there is no room for that one: of a limit of a few MiB only the
 * upper ones are above TRIPWIRE_ALARM. */
uint64_t tripwire_rung(uint64_t limit, unsigned rung);

/* The marked rung; LIMIT_MAX stays. And whether memory.high of a cgroup with this limit is one. */
uint64_t tripwire_mark(uint64_t high);
bool tripwire_is_marked(uint64_t limit, uint64_t high);

/* limit: the lowest of those that bound the app; LIMIT_UNSET or LIMIT_MAX: none. moves: as they
 * are now. Arms the lowest rung above `current`. */
void tripwire_init(struct tripwire *tripwire, uint64_t limit, bool on,
		   const struct tripwire_reading *reading);
/* The same for one that is at work, when its limit changes. */
void tripwire_set_limit(struct tripwire *tripwire, uint64_t limit, bool on, uint64_t current);

/* Raises it above what is in use by now, which was read after the answer. */
void tripwire_rise(struct tripwire *tripwire, uint64_t current);

/* What memory.high is to be now; LIMIT_MAX: "max". */
uint64_t tripwire_high(const struct tripwire *tripwire);

/* Whenever memory.events has moved, and when it is time. by_clock: the latter. */
void tripwire_step(struct tripwire *tripwire, const struct tripwire_reading *reading, bool by_clock,
		   struct tripwire_answer *ret);
