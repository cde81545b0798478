/* SPDX-License-Identifier: MIT */
#include "policy/health.h"

#include "policy/own.h"

#include <string.h>

static bool is_same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool health_policy_equal(const struct health_policy *a, const struct health_policy *b)
{
	return is_same_text(a->http, b->http) && is_same_text(a->host, b->host) &&
	       a->interval_usec == b->interval_usec && a->timeout_usec == b->timeout_usec &&
	       a->failures == b->failures && a->start_usec == b->start_usec &&
	       a->restart == b->restart;
}

static void enter(struct health_tracker *tracker, enum health_state state, uint64_t now_usec)
{
	tracker->state = state;
	tracker->since_usec = now_usec;
}

void health_begin(struct health_tracker *tracker, uint64_t begun_usec, uint64_t now_usec)
{
	*tracker = (struct health_tracker){ .begun_usec = begun_usec };
	enter(tracker, HEALTH_STARTING, now_usec);
}

static void remember(struct health_tracker *tracker, const struct health_result *result)
{
	tracker->newest = tracker->count == 0 ? 0 : (tracker->newest + 1) % HEALTH_HISTORY;
	tracker->results[tracker->newest] = *result;
	if (tracker->count < HEALTH_HISTORY)
		tracker->count++;
}

const struct health_result *health_last(const struct health_tracker *tracker)
{
	return tracker->count > 0 ? &tracker->results[tracker->newest] : NULL;
}

/* One that has been well has started, however long it might take. */
static bool is_starting(const struct health_tracker *tracker, const struct health_policy *policy,
			uint64_t now_usec)
{
	return !tracker->was_well && now_usec - tracker->begun_usec < policy->start_usec;
}

bool health_add(struct health_tracker *tracker, const struct health_policy *policy,
		const struct health_result *result, uint64_t begun_usec, uint64_t now_usec)
{
	const enum health_state from = tracker->state;
	enum health_state to = HEALTH_HEALTHY;

	if (result->outcome == HEALTH_NOT_ASKED)
		return false;
	remember(tracker, result);
	if (result->outcome == HEALTH_WELL) {
		tracker->was_well = true;
		tracker->failures = 0;
	} else if (is_starting(tracker, policy, now_usec)) {
		return false;
	} else {
		if (tracker->failures == 0)
			tracker->row_usec = begun_usec;
		tracker->failures++;
		to = tracker->failures < policy->failures ? HEALTH_FAILING : HEALTH_UNHEALTHY;
	}
	if (to == from)
		return false;
	enter(tracker, to, now_usec);
	return true;
}

void health_forget_row(struct health_tracker *tracker, uint64_t now_usec)
{
	tracker->failures = 0;
	if (tracker->state == HEALTH_FAILING || tracker->state == HEALTH_UNHEALTHY)
		enter(tracker, tracker->was_well ? HEALTH_HEALTHY : HEALTH_STARTING, now_usec);
}

/* --- why ------------------------------------------------------------------------------------ */

static bool is_share(uint64_t part_usec, uint64_t whole_usec, unsigned percent)
{
	return part_usec >= whole_usec / 100 * percent;
}

/* Kept from running for longer than it ran: so it would be twice as fast at least. */
static bool is_throttled(const struct health_facts *facts)
{
	return limit_is_set(facts->quota_milli) &&
	       is_share(facts->throttled_usec, facts->wall_usec, HEALTH_THROTTLED_PERCENT) &&
	       facts->throttled_usec >= facts->quota_cpu_usec;
}

/* It wants to run all the time, and does for the most part: others don't keep it from it. */
static bool is_spinning(const struct health_facts *facts)
{
	const uint64_t wanted = facts->cpu_usec + facts->cpu_wait_usec;

	if (!is_share(wanted, facts->wall_usec, HEALTH_SPIN_PERCENT) ||
	    facts->cpu_usec < facts->cpu_wait_usec ||
	    is_share(facts->cpu_usec, facts->wall_usec, HEALTH_SPIN_ALONE_PERCENT))
		return false;
	return is_share(facts->look_busiest_usec, facts->look_cpu_usec, HEALTH_SPIN_PERCENT);
}

static bool is_waiting(const struct health_facts *facts)
{
	return !is_share(facts->cpu_usec, facts->wall_usec, HEALTH_IDLE_PERCENT) &&
	       !is_share(facts->cpu_wait_usec, facts->wall_usec, HEALTH_STARVED_PERCENT);
}

/* Whoever answers lives; and a worker that never listened where it is asked may be asked in the
 * wrong place. */
static bool is_silent(const struct health_tracker *tracker, const struct health_result *last,
		      enum health_reason *ret)
{
	*ret = HEALTH_REASON_ANSWERS;
	switch (last->outcome) {
	case HEALTH_NO_ANSWER:
	case HEALTH_NO_CONNECTION:
		return true;
	case HEALTH_REFUSED:
		*ret = HEALTH_REASON_NEVER_THERE;
		return tracker->was_well;
	case HEALTH_NOT_OURS:
		*ret = HEALTH_REASON_NEVER_THERE;
		return false;
	default:
		return false;
	}
}

enum health_reason health_judge(const struct health_tracker *tracker,
				const struct health_facts *facts)
{
	const struct health_result *last = health_last(tracker);
	enum health_reason reason;

	if (last == NULL || facts->wall_usec == 0)
		return HEALTH_REASON_BUSY;
	if (!is_silent(tracker, last, &reason))
		return reason;
	if (is_throttled(facts))
		return HEALTH_REASON_CPU_THROTTLED;
	if (is_share(facts->io_full_usec, facts->wall_usec, HEALTH_IO_PERCENT))
		return HEALTH_REASON_IO_THROTTLED;
	if (is_share(facts->memory_full_usec, facts->wall_usec, HEALTH_MEMORY_PERCENT))
		return HEALTH_REASON_MEMORY;
	if (is_waiting(facts))
		return HEALTH_REASON_WAITING;
	return is_spinning(facts) ? HEALTH_REASON_SPINNING : HEALTH_REASON_BUSY;
}

bool health_is_end(const struct health_policy *policy, enum health_reason reason)
{
	switch (policy->restart) {
	case HEALTH_RESTART_HUNG:
		return health_reason_is_hung(reason);
	case HEALTH_RESTART_UNHEALTHY:
		return !health_reason_is_throttled(reason) && reason != HEALTH_REASON_MEMORY;
	default:
		return false;
	}
}
