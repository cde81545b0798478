/* SPDX-License-Identifier: MIT */
#include "policy/pace.h"

#include <criterion/criterion.h>

Test(pace, gives_the_burst_at_once_and_then_one_each_interval)
{
	struct pace pace = { 0 };
	uint64_t now = 5000000;

	for (int i = 0; i < 20; i++)
		cr_assert(pace_take(&pace, now, 1000, 20, 1));
	cr_assert_not(pace_take(&pace, now, 1000, 20, 1));
	cr_assert_not(pace_take(&pace, now + 999, 1000, 20, 1));
	cr_assert(pace_take(&pace, now + 1000, 1000, 20, 1));
	cr_assert_not(pace_take(&pace, now + 1000, 1000, 20, 1));
}

Test(pace, over_a_minute_gives_the_rate_and_the_burst_and_no_more)
{
	struct pace pace = { 0 };
	int taken = 0;

	for (uint64_t now = 1; now <= 60000000; now += 137)
		taken += pace_take(&pace, now, 1000, 2000, 1);
	cr_assert_geq(taken, 61990);
	cr_assert_leq(taken, 62001);
}

Test(pace, is_idle_again_when_all_is_paid_for)
{
	struct pace pace = { 0 };

	cr_assert(pace_is_idle(&pace, 0));
	cr_assert(pace_take(&pace, 100, 1000, 5, 1));
	cr_assert_not(pace_is_idle(&pace, 1099));
	cr_assert(pace_is_idle(&pace, 1100));
}

Test(pace, many_at_once_cost_as_much_as_one_after_the_other)
{
	struct pace pace = { 0 };

	cr_assert(pace_take(&pace, 100, 1000, 20, 15));
	cr_assert_not(pace_take(&pace, 100, 1000, 20, 6));
	cr_assert(pace_take(&pace, 100, 1000, 20, 5));
	cr_assert_not(pace_take(&pace, 100, 1000, 20, 1));
	cr_assert_not(pace_take(&pace, 20099, 1000, 20, 5000));
	cr_assert(pace_take(&pace, 20100, 1000, 20, 5000), "when nothing is owed");
	cr_assert_not(pace_take(&pace, 20100, 1000, 20, 1));
}
