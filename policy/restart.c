/* SPDX-License-Identifier: MIT */
#include "policy/restart.h"

#include <limits.h>

bool restart_wanted(const struct restart_policy *policy, bool failure)
{
	return policy->mode == RESTART_ALWAYS || (policy->mode == RESTART_ON_FAILURE && failure);
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t doubled(uint64_t delay_usec)
{
	return delay_usec > UINT64_MAX / 2 ? UINT64_MAX : delay_usec * 2;
}

bool restart_after(const struct restart_policy *policy, uint64_t uptime_usec,
		   struct restart_state *state, uint64_t *ret_delay_usec)
{
	bool stable = uptime_usec >= policy->stable_usec;
	unsigned in_row = stable ? 0 : state->in_row;
	uint64_t delay_usec = in_row == 0 ? policy->backoff_usec : state->next_delay_usec;

	if (policy->max_restarts != LIMIT_MAX && in_row >= policy->max_restarts)
		return false;

	delay_usec = smaller(delay_usec, policy->backoff_max_usec);
	state->in_row = in_row < UINT_MAX ? in_row + 1 : UINT_MAX;
	state->next_delay_usec =
		stable ? delay_usec : smaller(doubled(delay_usec), policy->backoff_max_usec);
	*ret_delay_usec = stable ? 0 : delay_usec;
	return true;
}
