/* SPDX-License-Identifier: MIT */
#include "policy/moment.h"

/* Clocks of two readings may be out of order, and a total that can't be read is 0. */
static uint64_t minus(uint64_t now, uint64_t then)
{
	return now > then ? now - then : 0;
}

bool moment_matters(const struct moment *then, const struct moment *now, uint64_t within_usec)
{
	uint64_t passed = minus(now->usec, then->usec);

	return then->usec != 0 &&
	       minus(passed, minus(now->cpu_wait_usec, then->cpu_wait_usec)) < within_usec;
}
