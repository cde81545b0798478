/* SPDX-License-Identifier: MIT */
#include "policy/flood.h"

#include "policy/quantity.h"

#include <criterion/criterion.h>

#define RATE  UINT64_C(100)
#define START (1000 * USEC_PER_SEC)

/* So many a second, in tenths, for so long. Returns how many were let through in the last second.
 */
static uint64_t say(struct flood *flood, uint64_t *now, uint64_t per_second, unsigned seconds)
{
	uint64_t passed = 0;

	for (unsigned i = 0; i < 10 * seconds; i++) {
		passed = i % 10 == 0 ? 0 : passed;
		flood_pass_time(flood, RATE, *now);
		for (uint64_t line = 0; line < per_second / 10; line++) {
			flood_add(flood, 1);
			passed += flood_take(flood);
		}
		*now += USEC_PER_SEC / 10;
	}
	return passed;
}

Test(flood, begins_when_more_than_twice_the_rate_has_come_for_five_seconds)
{
	struct flood flood = { 0 };
	uint64_t now = START;

	cr_expect_eq(say(&flood, &now, 10 * RATE, FLOOD_WINDOWS), 10 * RATE);
	cr_expect_not(flood_lasts(&flood));
	cr_expect_eq(say(&flood, &now, 10 * RATE, 1), RATE / FLOOD_SHARE);
	cr_expect(flood_lasts(&flood));
	cr_expect_eq(say(&flood, &now, 10 * RATE, 60), RATE / FLOOD_SHARE);
}

Test(flood, what_passes_of_it_comes_in_a_row)
{
	struct flood flood = { 0 };
	uint64_t now = START;

	say(&flood, &now, 10 * RATE, FLOOD_WINDOWS + 1);
	flood_pass_time(&flood, RATE, now);
	for (uint64_t i = 0; i < RATE / FLOOD_SHARE; i++)
		cr_expect(flood_take(&flood));
	cr_expect_not(flood_take(&flood));
	flood_pass_time(&flood, RATE, now + FLOOD_WINDOW_USEC - 1);
	cr_expect_not(flood_take(&flood));
}

Test(flood, twice_the_rate_is_none_however_long)
{
	struct flood flood = { 0 };
	uint64_t now = START;

	cr_expect_eq(say(&flood, &now, FLOOD_FACTOR * RATE, 100), FLOOD_FACTOR * RATE);
	cr_expect_not(flood_lasts(&flood));
}

Test(flood, a_calm_second_ends_it)
{
	static const uint64_t calm[] = { 0, 10, FLOOD_FACTOR * RATE };

	for (size_t i = 0; i < sizeof(calm) / sizeof(calm[0]); i++) {
		struct flood flood = { 0 };
		uint64_t now = START;

		say(&flood, &now, 10 * RATE, FLOOD_WINDOWS + 1);
		cr_assert(flood_lasts(&flood));
		say(&flood, &now, calm[i], 1);
		flood_pass_time(&flood, RATE, now);
		cr_expect_not(flood_lasts(&flood), "%d a second", (int)calm[i]);
		cr_expect(flood_take(&flood));
		say(&flood, &now, 10 * RATE, FLOOD_WINDOWS - 1);
		cr_expect_not(flood_lasts(&flood), "it begins anew");
	}
}

Test(flood, a_silent_one_ends_it_as_well)
{
	struct flood flood = { 0 };
	uint64_t now = START;

	say(&flood, &now, 10 * RATE, FLOOD_WINDOWS + 1);
	flood_pass_time(&flood, RATE, now + 2 * FLOOD_WINDOW_USEC);
	cr_expect_not(flood_lasts(&flood));
}

Test(flood, of_the_slowest_rate_one_passes)
{
	struct flood flood = { 0 };
	uint64_t now = START;

	for (unsigned i = 0; i <= FLOOD_WINDOWS; i++) {
		flood_pass_time(&flood, 1, now);
		flood_add(&flood, 3);
		now += FLOOD_WINDOW_USEC;
	}
	cr_assert(flood_lasts(&flood));
	cr_expect(flood_take(&flood));
	cr_expect_not(flood_take(&flood));
}

Test(flood, no_bound_is_never_too_much)
{
	struct flood flood = { 0 };
	uint64_t now = START;

	for (unsigned i = 0; i <= 2 * FLOOD_WINDOWS; i++) {
		flood_pass_time(&flood, LIMIT_MAX, now);
		flood_add(&flood, UINT64_MAX);
		flood_add(&flood, UINT64_MAX);
		now += FLOOD_WINDOW_USEC;
	}
	cr_expect_not(flood_lasts(&flood));
}
