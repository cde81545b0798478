/* SPDX-License-Identifier: MIT */
#include "policy/pressure.h"

#include "policy/own.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

const struct pressure_policy pressure_default = {
	.at = { [PRESSURE_NOTIFY] = PRESSURE_NOTIFY_DEFAULT,
		[PRESSURE_RECLAIM] = PRESSURE_RECLAIM_DEFAULT,
		[PRESSURE_RECYCLE] = LIMIT_MAX,
		[PRESSURE_RESTART] = LIMIT_MAX,
		[PRESSURE_KILL] = LIMIT_MAX },
	.cooldown_usec = PRESSURE_COOLDOWN_DEFAULT,
};

static const char *const step_names[] = {
	[PRESSURE_NOTIFY] = "notify",	[PRESSURE_RECLAIM] = "reclaim",
	[PRESSURE_RECYCLE] = "recycle", [PRESSURE_RESTART] = "restart",
	[PRESSURE_KILL] = "kill",
};
static_assert(ARRAY_SIZE(step_names) == PRESSURE_STEP_COUNT, "a name for each step");

const char *pressure_step_name(enum pressure_step step)
{
	return (size_t)step < PRESSURE_STEP_COUNT ? step_names[step] : "none";
}

uint64_t pressure_limit(uint64_t memory_max, uint64_t memory_high)
{
	if (!limit_is_set(memory_max))
		return memory_high;
	return memory_high < memory_max ? memory_high : memory_max; /* unset and max are above */
}

/* Nothing overflows: a limit is at most SIZE_LIMIT_BYTES. */
static uint64_t share(uint64_t limit, uint64_t percent)
{
	return limit / 100 * percent + limit % 100 * percent / 100;
}

static bool is_bounded(const struct pressure_reading *reading)
{
	return limit_is_set(reading->limit) && reading->limit > 0;
}

static bool is_costly(unsigned step)
{
	return step >= PRESSURE_RECYCLE;
}

static bool is_reached(const struct pressure_policy *policy, const struct pressure_reading *reading,
		       unsigned step)
{
	return pressure_is_on(policy, (enum pressure_step)step) &&
	       reading->fixed >= share(reading->limit, policy->at[step]);
}

bool pressure_is_near(const struct pressure_policy *policy, const struct pressure_reading *reading)
{
	for (unsigned step = 0; is_bounded(reading) && step < PRESSURE_STEP_COUNT; step++)
		if (is_reached(policy, reading, step))
			return true;
	return false;
}

/* What has fallen well below its threshold is news again when it rises, but not sooner than the
 * cool-down: it may go up and down all day. */
static void rearm(const struct pressure_policy *policy, struct pressure_state *state,
		  const struct pressure_reading *reading)
{
	for (unsigned step = 0; step < PRESSURE_STEP_COUNT; step++) {
		uint64_t at = policy->at[step];

		if (!pressure_is_on(policy, (enum pressure_step)step) ||
		    at <= PRESSURE_REARM_PERCENT ||
		    reading->fixed < share(reading->limit, at - PRESSURE_REARM_PERCENT))
			state->rungs[step].wait_usec = policy->cooldown_usec;
	}
}

static bool has_passed(uint64_t since_usec, uint64_t wait_usec, uint64_t now_usec)
{
	return since_usec == 0 || now_usec - since_usec >= wait_usec;
}

static uint64_t next_wait(const struct pressure_policy *policy, uint64_t wait_usec)
{
	uint64_t most = PRESSURE_WAIT_MAX_USEC > policy->cooldown_usec ? PRESSURE_WAIT_MAX_USEC
								       : policy->cooldown_usec;

	if (wait_usec < policy->cooldown_usec)
		return policy->cooldown_usec;
	return wait_usec < most / 2 ? wait_usec * 2 : most;
}

static bool is_due(const struct pressure_policy *policy, const struct pressure_state *state,
		   const struct pressure_reading *reading, unsigned step, uint64_t now_usec)
{
	if (!is_reached(policy, reading, step) ||
	    !has_passed(state->rungs[step].taken_usec, state->rungs[step].wait_usec, now_usec))
		return false;
	return !is_costly(step) || has_passed(state->costly_usec, policy->cooldown_usec, now_usec);
}

static void take(const struct pressure_policy *policy, struct pressure_state *state, unsigned step,
		 uint64_t now_usec)
{
	uint64_t *wait_usec = &state->rungs[step].wait_usec;

	*wait_usec = state->rungs[step].taken_usec == 0 ? policy->cooldown_usec
							: next_wait(policy, *wait_usec);
	state->rungs[step].taken_usec = state->last_usec = now_usec;
	if (is_costly(step))
		state->costly_usec = now_usec;
}

/* Of the steps that are due, the one that was taken the longest ago, or never; of these the
 * gentlest: what has been tried does not stand in the way of what has not. */
enum pressure_step pressure_next(const struct pressure_policy *policy, struct pressure_state *state,
				 const struct pressure_reading *reading, uint64_t now_usec)
{
	unsigned best = PRESSURE_NONE;

	if (!is_bounded(reading))
		return PRESSURE_NONE;
	rearm(policy, state, reading);
	if (!has_passed(state->last_usec, PRESSURE_SETTLE_USEC, now_usec))
		return PRESSURE_NONE;
	for (unsigned step = 0; step < PRESSURE_STEP_COUNT; step++)
		if (is_due(policy, state, reading, step, now_usec) &&
		    (best == PRESSURE_NONE ||
		     state->rungs[step].taken_usec < state->rungs[best].taken_usec))
			best = step;
	if (best != PRESSURE_NONE)
		take(policy, state, best, now_usec);
	return (enum pressure_step)best;
}

uint64_t pressure_reclaim_bytes(const struct pressure_policy *policy,
				const struct pressure_reading *reading)
{
	uint64_t used = reading->fixed + reading->reclaimable, wanted = 0;

	if (is_bounded(reading) && pressure_is_on(policy, PRESSURE_RECLAIM) &&
	    used > share(reading->limit, policy->at[PRESSURE_RECLAIM]))
		wanted = used - share(reading->limit, policy->at[PRESSURE_RECLAIM]);
	if (wanted > reading->reclaimable)
		wanted = reading->reclaimable;
	if (wanted > PRESSURE_RECLAIM_MAX)
		wanted = PRESSURE_RECLAIM_MAX;
	return wanted < PRESSURE_RECLAIM_MIN ? 0 : wanted;
}

uint64_t pressure_worth_bytes(const struct pressure_reading *reading)
{
	return is_bounded(reading) ? reading->limit / 16 : UINT64_MAX;
}

const char *pressure_describe(const struct pressure_reading *reading, char *text)
{
	char limit[QUANTITY_TEXT_MAX];
	uint64_t hundredth = reading->limit / 100;
	int length;

	length = snprintf(text, PRESSURE_TEXT_MAX, "memory %" PRIu64 " %% of %s",
			  hundredth > 0 ? reading->fixed / hundredth : 100,
			  quantity_format_size(reading->limit, limit));
	if (reading->full_avg10 != UINT32_MAX && length > 0 && length < PRESSURE_TEXT_MAX)
		snprintf(text + length, (size_t)(PRESSURE_TEXT_MAX - length),
			 ", full avg10 %" PRIu32 ".%" PRIu32, reading->full_avg10 / 100,
			 reading->full_avg10 / 10 % 10);
	return text;
}
