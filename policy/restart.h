/* SPDX-License-Identifier: MIT */
/*
 * Restart with exponential backoff. The delay starts at policy->backoff_usec, doubles with each
 * restart up to backoff_max_usec, and is set back, like the count, by a run of stable_usec: what
 * has run well for so long is started again at once, and only if that fails too the delays begin.
 * max_restarts restarts in a row end it: the app is given up.
 */
#pragma once

#include "policy/spec.h"
#include "policy/verdict.h"

/* Would this end be restarted at all? `failure` = anything but exit code 0. */
bool restart_wanted(const struct restart_policy *policy, bool failure);

/* Decides after an end of a run of uptime_usec. True: restart after *ret_delay_usec; state moved
 * on. False: given up; state untouched. */
bool restart_after(const struct restart_policy *policy, uint64_t uptime_usec,
		   struct restart_state *state, uint64_t *ret_delay_usec);
