/* SPDX-License-Identifier: MIT */
#include "policy/rate.h"

#include "policy/quantity.h"

#include <criterion/criterion.h>

#define NOW UINT64_C(5000000000)

static unsigned take_all(struct rate *rate, uint64_t now_usec, unsigned wanted)
{
	unsigned taken = 0;

	for (unsigned i = 0; i < wanted; i++)
		taken += rate_take(rate, now_usec, 1);
	return taken;
}

Test(rate, lets_the_burst_pass_and_then_no_more)
{
	struct rate rate;

	rate_init(&rate, 10, 30, NOW);
	cr_expect_eq(take_all(&rate, NOW, 100), 30);
	cr_expect_eq(take_all(&rate, NOW + 99999, 100), 0);
	cr_expect_eq(take_all(&rate, NOW + 100000, 100), 1);
}

Test(rate, refills_at_its_rate_and_not_beyond_the_burst)
{
	struct rate rate;

	rate_init(&rate, 10, 30, NOW);
	take_all(&rate, NOW, 100);
	cr_expect_eq(take_all(&rate, NOW + USEC_PER_SEC, 100), 10);
	cr_expect_eq(take_all(&rate, NOW + 3600 * USEC_PER_SEC, 100), 30, "an hour of silence");
}

Test(rate, loses_nothing_to_small_steps_of_time)
{
	struct rate rate;
	unsigned taken = 0;

	rate_init(&rate, 3, 1, NOW);
	for (uint64_t usec = 1; usec <= 10 * USEC_PER_SEC; usec += 7)
		taken += rate_take(&rate, NOW + usec, 1);
	cr_expect(taken == 30 || taken == 31, "%u", taken);
}

Test(rate, over_a_minute_gives_the_rate_and_the_burst_and_no_more)
{
	struct rate rate;
	int taken = 0;

	rate_init(&rate, 1000, 2000, 0);
	for (uint64_t now = 1; now <= 60 * USEC_PER_SEC; now += 137)
		taken += rate_take(&rate, now, 1);
	cr_expect(taken >= 61990 && taken <= 62001, "%d", taken);
}

Test(rate, many_at_once_cost_as_much_as_one_after_the_other)
{
	struct rate rate;

	rate_init(&rate, 1000, 20, NOW);
	cr_expect(rate_take(&rate, NOW, 15));
	cr_expect_not(rate_take(&rate, NOW, 6));
	cr_expect(rate_take(&rate, NOW, 5));
	cr_expect_not(rate_take(&rate, NOW, 1));
	cr_expect_not(rate_take(&rate, NOW + 19999, 5000));
	cr_expect(rate_take(&rate, NOW + 20000, 5000), "when nothing is owed");
	cr_expect_not(rate_take(&rate, NOW + 20000, 1));
}

Test(rate, is_idle_again_when_all_is_paid_for)
{
	struct rate rate;

	rate_init(&rate, 1000, 5, NOW);
	cr_expect(rate_is_idle(&rate, NOW));
	cr_expect(rate_take(&rate, NOW, 1));
	cr_expect_not(rate_is_idle(&rate, NOW + 999));
	cr_expect(rate_is_idle(&rate, NOW + 1000));
	rate_init(&rate, LIMIT_MAX, 5, NOW);
	cr_expect(rate_take(&rate, NOW, 100));
	cr_expect(rate_is_idle(&rate, NOW));
}

Test(rate, a_change_gives_nothing_back_and_takes_what_is_beyond_the_new_burst)
{
	struct rate rate;

	rate_init(&rate, 10, 30, NOW);
	cr_expect_eq(take_all(&rate, NOW, 25), 25);
	rate_change(&rate, 2, 20, NOW);
	cr_expect_eq(take_all(&rate, NOW, 100), 5);
	cr_expect_eq(take_all(&rate, NOW + USEC_PER_SEC, 100), 2);
	rate_change(&rate, 10, 30, NOW + 100 * USEC_PER_SEC);
	cr_expect_eq(take_all(&rate, NOW + 100 * USEC_PER_SEC, 100), 20,
		     "what it was until then it has gained by the former rate and burst");
	rate_init(&rate, 10, 30, NOW);
	rate_change(&rate, 10, 3, NOW);
	cr_expect_eq(take_all(&rate, NOW, 100), 3);
}

Test(rate, no_bound_is_no_bound)
{
	struct rate rate;

	rate_init(&rate, LIMIT_MAX, 0, NOW);
	cr_expect_eq(take_all(&rate, NOW, 100000), 100000);
}

Test(rate, neither_large_numbers_nor_a_clock_that_stands_overflow)
{
	struct rate rate;

	rate_init(&rate, LIMIT_MAX - 2, LIMIT_MAX - 2, 0);
	cr_expect_eq(take_all(&rate, 0, 1000), 1000);
	cr_expect_eq(take_all(&rate, UINT64_MAX, 1000), 1000);
	cr_expect_eq(take_all(&rate, 1, 1000), 1000, "time that goes back counts as none");

	rate_init(&rate, 0, 0, NOW);
	cr_expect_eq(take_all(&rate, UINT64_MAX, 10), 0);
}

Test(drops, nothing_is_due_before_something_was_dropped)
{
	struct drops drops = { 0 };

	cr_expect_eq(drops_due(&drops), UINT64_MAX);
	drops_add(&drops, 0, NOW);
	cr_expect_eq(drops_due(&drops), UINT64_MAX);
	cr_expect_eq(drops_tell(&drops, NOW), 0);
}

Test(drops, are_told_soon_after_they_begin_and_then_now_and_again)
{
	struct drops drops = { 0 };
	uint64_t first;

	drops_add(&drops, 1, NOW);
	first = drops_due(&drops);
	cr_expect_eq(first, NOW + DROPS_SETTLE_USEC);
	drops_add(&drops, 99, NOW + 10);
	cr_expect_eq(drops_due(&drops), first, "more of them do not put it off");
	cr_expect_eq(drops_tell(&drops, first), 100);
	cr_expect_eq(drops_due(&drops), UINT64_MAX);

	drops_add(&drops, 5, first + 20);
	cr_expect_eq(drops_due(&drops), first + DROPS_INTERVAL_USEC);
	cr_expect_eq(drops_tell(&drops, first + DROPS_INTERVAL_USEC), 5);

	/* long after: soon again */
	drops_add(&drops, 1, first + 100 * DROPS_INTERVAL_USEC);
	cr_expect_eq(drops_due(&drops), first + 100 * DROPS_INTERVAL_USEC + DROPS_SETTLE_USEC);
	cr_expect_eq(drops.total, 106);
}
