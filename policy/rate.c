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

static uint64_t full_credit(const struct rate *rate)
{
	return multiply(rate->burst, USEC_PER_SEC);
}

static uint64_t credit_at(const struct rate *rate, uint64_t now_usec)
{
	uint64_t passed = now_usec > rate->usec ? now_usec - rate->usec : 0;
	uint64_t credit = add(rate->credit, multiply(passed, rate->per_second));

	return credit < full_credit(rate) ? credit : full_credit(rate);
}

void rate_change(struct rate *rate, uint64_t per_second, uint64_t burst, uint64_t now_usec)
{
	rate->credit = credit_at(rate, now_usec);
	if (now_usec > rate->usec)
		rate->usec = now_usec;
	rate->per_second = per_second;
	rate->burst = burst;
	if (rate->credit > full_credit(rate))
		rate->credit = full_credit(rate);
}

bool rate_take(struct rate *rate, uint64_t now_usec, uint64_t count)
{
	uint64_t price = multiply(count, USEC_PER_SEC);

	if (rate->per_second == LIMIT_MAX)
		return true;
	rate->credit = credit_at(rate, now_usec);
	if (now_usec > rate->usec)
		rate->usec = now_usec;
	if (price > full_credit(rate) && rate->burst > 0)
		price = full_credit(rate);
	if (rate->credit < price)
		return false;
	rate->credit -= price;
	return true;
}

bool rate_is_idle(const struct rate *rate, uint64_t now_usec)
{
	return rate->per_second == LIMIT_MAX || credit_at(rate, now_usec) == full_credit(rate);
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
