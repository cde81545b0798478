/* SPDX-License-Identifier: MIT */
#include "policy/rate.h"

#include "policy/quantity.h"

static uint64_t multiply(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static uint64_t add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

void rate_init(struct rate *rate, uint64_t per_second, uint64_t burst, uint64_t now_usec)
{
	*rate = (struct rate){ .per_second = per_second,
			       .burst = burst,
			       .credit = multiply(burst, USEC_PER_SEC),
			       .usec = now_usec };
}

bool rate_take(struct rate *rate, uint64_t now_usec)
{
	uint64_t full = multiply(rate->burst, USEC_PER_SEC);

	if (rate->per_second == LIMIT_MAX)
		return true;
	if (now_usec > rate->usec) {
		rate->credit = add(rate->credit, multiply(now_usec - rate->usec, rate->per_second));
		rate->usec = now_usec;
	}
	if (rate->credit > full)
		rate->credit = full;
	if (rate->credit < USEC_PER_SEC)
		return false;
	rate->credit -= USEC_PER_SEC;
	return true;
}

void drops_add(struct drops *drops, uint64_t count, uint64_t now_usec)
{
	if (count == 0)
		return;
	if (drops->untold == 0) {
		drops->due_usec = now_usec + DROPS_SETTLE_USEC;
		if (drops->told_usec != 0 &&
		    drops->due_usec < drops->told_usec + DROPS_INTERVAL_USEC)
			drops->due_usec = drops->told_usec + DROPS_INTERVAL_USEC;
	}
	drops->untold += count;
	drops->total += count;
}

uint64_t drops_due(const struct drops *drops)
{
	return drops->untold > 0 ? drops->due_usec : UINT64_MAX;
}

uint64_t drops_tell(struct drops *drops, uint64_t now_usec)
{
	uint64_t untold = drops->untold;

	drops->untold = 0;
	if (untold > 0)
		drops->told_usec = now_usec;
	return untold;
}
