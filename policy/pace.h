/* SPDX-License-Identifier: MIT */
/*
 * A rate with a burst, as one number: the moment at which all that was taken is paid for (the
 * "generic cell rate algorithm"). Zero-initialised = nothing taken yet. Pure: `now` is an argument.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pace {
	uint64_t paid_usec;
};

/* Takes `count`, of `burst` at once and one more each interval. False if it is too early. More than
 * the burst is taken as the burst: it waits until nothing is owed. */
static inline bool pace_take(struct pace *pace, uint64_t now_usec, uint64_t interval_usec,
			     uint64_t burst, uint64_t count)
{
	uint64_t from = pace->paid_usec > now_usec ? pace->paid_usec : now_usec;

	count = count < burst ? count : burst;
	if (from - now_usec + count * interval_usec > burst * interval_usec)
		return false;
	pace->paid_usec = from + count * interval_usec;
	return true;
}

/* Nothing is owed: as good as new. */
static inline bool pace_is_idle(const struct pace *pace, uint64_t now_usec)
{
	return pace->paid_usec <= now_usec;
}
