/* SPDX-License-Identifier: MIT */
/*
 * Is the app well? Answers to a health check come in, with their times; states come out:
 *
 *   starting    has not been well yet, and its start period isn't over: failures don't count
 *   healthy     the last check was well
 *   failing     it was not, and not yet often enough
 *   unhealthy   it was not, `failures` times in a row
 *
 * And when it is unhealthy: why. Hung is an app that makes no progress although nothing holds it
 * back: it waits (has used no processor time), or one of its threads spins. Throttled is one that
 * its own limits slow down: it is left alone, since the next life would be as slow, and told about.
 * All else (it answers 500, it is busy with many threads) is said as it is.
 *
 * Pure: the time is an argument (CLOCK_MONOTONIC, microseconds).
 */
#pragma once

#include "policy/io_use.h"
#include "policy/spec.h"

#include <jansson.h>

#define HEALTH_HISTORY 16 /* results that are kept */

/* Bounds of health_judge(), in percent of the time looked at. */
/* What idle servers use for their heartbeats, and more: gunicorn's take 0.1 %. */
#define HEALTH_IDLE_PERCENT 3
/* One thread that never waits. The rest is the kernel's work for others on its CPU. */
#define HEALTH_SPIN_PERCENT 80
/* Of one core, in all: above it, several threads are at work. */
#define HEALTH_SPIN_ALONE_PERCENT 130
/* It was kept from running for as long as it ran, at least, and for this long: twice as slow. */
#define HEALTH_THROTTLED_PERCENT 25
#define HEALTH_IO_PERCENT	 50
#define HEALTH_MEMORY_PERCENT	 40 /* as a stall is judged */
#define HEALTH_STARVED_PERCENT	 25

enum health_state {
	HEALTH_STARTING,
	HEALTH_HEALTHY,
	HEALTH_FAILING,
	HEALTH_UNHEALTHY,
	HEALTH_STATE_COUNT
};

enum health_outcome {
	HEALTH_WELL,
	HEALTH_BAD_STATUS,    /* it answers, with a status that is not well */
	HEALTH_NO_ANSWER,     /* connected, and no status in time */
	HEALTH_NO_CONNECTION, /* not even that: nobody accepts, and the queue is full */
	HEALTH_REFUSED,	      /* nobody listens there */
	HEALTH_CLOSED,	      /* connection closed or reset before an answer */
	HEALTH_NOT_HTTP,      /* what it says is no status line */
	HEALTH_NOT_OURS,      /* somebody listens there who is not this app */
	HEALTH_NOT_ASKED,     /* we could not ask: says nothing about the app, counts for nothing */
	HEALTH_OUTCOME_COUNT,
};

struct health_result {
	enum health_outcome outcome;
	int status;	    /* HEALTH_BAD_STATUS, HEALTH_WELL */
	uint64_t time_usec; /* CLOCK_REALTIME, of its begin; for reports */
	uint64_t took_usec; /* until the status, or the failure */
};

struct health_tracker {
	enum health_state state;
	bool was_well;		/* ever, in this life */
	unsigned failures;	/* in a row, of those that count */
	uint64_t begun_usec;	/* when the app began */
	uint64_t since_usec;	/* of the state */
	uint64_t row_usec;	/* begin of the first failure of the row */
	unsigned count, newest; /* of results; newest: its index */
	struct health_result results[HEALTH_HISTORY];
};

/* Is it the same check? */
bool health_policy_equal(const struct health_policy *a, const struct health_policy *b);

/* begun_usec: of the app's life, also when it began before us. */
void health_begin(struct health_tracker *tracker, uint64_t begun_usec, uint64_t now_usec);

/* begun_usec: when the check began. Returns whether the state has changed. */
bool health_add(struct health_tracker *tracker, const struct health_policy *policy,
		const struct health_result *result, uint64_t begun_usec, uint64_t now_usec);

/* Suspended and resumed: what failed before says nothing about what is now. */
void health_forget_row(struct health_tracker *tracker, uint64_t now_usec);

/* NULL if there is none yet. */
const struct health_result *health_last(const struct health_tracker *tracker);

/* --- why ------------------------------------------------------------------------------------ */

/* What an app used in a time, and what it waited for (differences of two readings). */
struct health_facts {
	uint64_t wall_usec;
	uint64_t cpu_usec;	/* of its leaf */
	uint64_t cpu_wait_usec; /* PSI cpu, some */
	uint64_t io_full_usec;	/* PSI io, full */
	uint64_t memory_full_usec;
	uint64_t io_bytes;     /* read and written */
	struct io_use io;      /* of io.max, the limit that holds it back most; limit 0: none */
	const char *io_tenant; /* whose io.max that is; NULL: its own */
	/* of the cgroup whose cpu.max holds it back most: its own slice or its tenant's */
	const char *tenant;   /* NULL: its own */
	uint64_t quota_milli; /* cpu.max; LIMIT_UNSET or LIMIT_MAX: none */
	uint64_t quota_cpu_usec, throttled_usec;
	/* A close look, at the end of it: the busiest thread and all of them. 0: not taken yet. */
	uint64_t look_cpu_usec, look_busiest_usec;
};

enum health_reason {
	HEALTH_REASON_ANSWERS,	   /* it does answer, and not well */
	HEALTH_REASON_NEVER_THERE, /* nobody listens there, nor did in this life */
	HEALTH_REASON_CPU_THROTTLED,
	HEALTH_REASON_IO_THROTTLED,
	HEALTH_REASON_MEMORY,	/* it thrashes: the stall detector's */
	HEALTH_REASON_WAITING,	/* hung */
	HEALTH_REASON_SPINNING, /* hung; a close look must confirm that it is one thread */
	HEALTH_REASON_BUSY,
	HEALTH_REASON_COUNT,
};

enum health_reason health_judge(const struct health_tracker *tracker,
				const struct health_facts *facts);

static inline bool health_reason_is_hung(enum health_reason reason)
{
	return reason == HEALTH_REASON_WAITING || reason == HEALTH_REASON_SPINNING;
}

static inline bool health_reason_is_throttled(enum health_reason reason)
{
	return reason == HEALTH_REASON_CPU_THROTTLED || reason == HEALTH_REASON_IO_THROTTLED;
}

/* Is the app to be ended for it? */
bool health_is_end(const struct health_policy *policy, enum health_reason reason);

/* --- words ---------------------------------------------------------------------------------- */

#define HEALTH_TEXT_MAX 400

const char *health_state_name(enum health_state state);
const char *health_outcome_name(enum health_outcome outcome);
const char *health_reason_name(enum health_reason reason);

/* "answered 500", "no answer within 2s". */
const char *health_result_text(const struct health_result *result,
			       const struct health_policy *policy,
			       char text[static HEALTH_TEXT_MAX]);

/* What a plan would have to give, for a reason that is throttled:
 * "uses 100 % of its 50% of cpu, and is kept from running 83 % of the time; without that limit it
 * would use 2.9 cores or more"
 * "is held back by io.max: wrote 3.9M of 4M a second for 30s (wbps of disk 8:0), and waited for it
 * 92 % of the time (PSI io full); raise limits.io, or let it write less" */
const char *health_throttled_text(const struct health_facts *facts, enum health_reason reason,
				  enum spec_door door, char text[static HEALTH_TEXT_MAX]);

/* RFC 3339, UTC, milliseconds; of CLOCK_REALTIME microseconds. */
json_t *health_time(uint64_t usec);

/* {state, failures, since, http, reason?, history: [{time, outcome, status?, took_usec}]}, the
 * newest last. since_usec: CLOCK_REALTIME. NULL if there is no memory. */
json_t *health_to_json(const struct health_tracker *tracker, const struct health_policy *policy,
		       uint64_t since_usec);
