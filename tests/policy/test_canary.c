/* SPDX-License-Identifier: MIT */
#include "policy/canary.h"

#include <criterion/criterion.h>

#define SECOND UINT64_C(1000000)

Test(canary, stays_for_stray_calls)
{
	struct canary canary = { 0 };

	/* for a day: one each quarter of a minute is four in the window */
	for (uint64_t now = SECOND; now < 86400 * SECOND; now += 16 * SECOND)
		cr_assert_not(canary_add(&canary, 1, now), "%llu", (unsigned long long)now);
}

Test(canary, goes_with_the_fifth_within_a_minute)
{
	struct canary canary = { 0 };

	for (uint64_t i = 0; i < CANARY_DENIALS - 1; i++)
		cr_expect_not(canary_add(&canary, 1, (100 + 15 * i) * SECOND));
	cr_expect(canary_add(&canary, 1, 160 * SECOND));
}

Test(canary, forgets_what_is_older_than_a_minute)
{
	struct canary canary = { 0 };

	cr_expect_not(canary_add(&canary, 4, 100 * SECOND));
	cr_expect_not(canary_add(&canary, 1, 160 * SECOND + 1));
	cr_expect_not(canary_add(&canary, 3, 161 * SECOND));
	cr_expect(canary_add(&canary, 1, 162 * SECOND));
}

Test(canary, goes_at_once_for_many)
{
	struct canary canary = { 0 };

	cr_expect_not(canary_add(&canary, 0, SECOND));
	cr_expect(canary_add(&canary, UINT64_MAX, SECOND));
}
