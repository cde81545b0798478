/* SPDX-License-Identifier: MIT */
#include "policy/pressure.h"

#include "policy/own.h"

#include <criterion/criterion.h>

TestSuite(pressure);

#define MIB    (UINT64_C(1) << 20)
#define LIMIT  (UINT64_C(100) * MIB) /* so that a MiB is a percent */
#define SECOND USEC_PER_SEC

static const struct pressure_policy all = {
	.at = { 70, 80, 90, 95, 98 },
	.cooldown_usec = 30 * SECOND,
};

static struct pressure_state state;
static uint64_t now;

static void begin(void)
{
	state = (struct pressure_state){ 0 };
	now = 1000 * SECOND;
}

static struct pressure_reading at(uint64_t percent)
{
	return (struct pressure_reading){ .limit = LIMIT,
					  .fixed = percent * MIB,
					  .full_avg10 = UINT32_MAX };
}

static enum pressure_step step_at(const struct pressure_policy *policy, uint64_t percent)
{
	struct pressure_reading reading = at(percent);

	return pressure_next(policy, &state, &reading, now);
}

#define EXPECT_STEP(percent, step)                                                        \
	do {                                                                              \
		enum pressure_step got_ = step_at(&all, percent);                         \
		cr_expect_eq(got_, step, "%s at %d %%, not %s", pressure_step_name(got_), \
			     (int)(percent), pressure_step_name(step));                   \
	} while (0)

Test(pressure, leaves_alone_what_is_below_all_thresholds, .init = begin)
{
	for (int i = 0; i < 1000; i++, now += SECOND)
		EXPECT_STEP(69, PRESSURE_NONE);
}

Test(pressure, takes_each_rung_at_its_threshold)
{
	for (unsigned step = 0; step < PRESSURE_STEP_COUNT; step++) {
		struct pressure_policy policy = { .cooldown_usec = all.cooldown_usec };

		begin();
		policy.at[step] = all.at[step];
		cr_expect_eq(step_at(&policy, all.at[step] - 1), PRESSURE_NONE);
		cr_expect_eq(step_at(&policy, all.at[step]), (enum pressure_step)step);
		now += 29 * SECOND;
		cr_expect_eq(step_at(&policy, 100), PRESSURE_NONE);
		now += 1 * SECOND;
		cr_expect_eq(step_at(&policy, 100), (enum pressure_step)step);
	}
}

Test(pressure, begins_with_the_gentlest_and_lets_each_show, .init = begin)
{
	EXPECT_STEP(99, PRESSURE_NOTIFY);
	EXPECT_STEP(99, PRESSURE_NONE);
	now += PRESSURE_SETTLE_USEC - 1;
	EXPECT_STEP(99, PRESSURE_NONE);
	now += 1;
	EXPECT_STEP(99, PRESSURE_RECLAIM);
	now += PRESSURE_SETTLE_USEC;
	EXPECT_STEP(99, PRESSURE_RECYCLE);
}

Test(pressure, waits_between_two_steps_that_cost_something, .init = begin)
{
	for (int i = 0; i < 3; i++, now += SECOND)
		(void)step_at(&all, 99);
	/* recycled at 1002: a worker takes its time to end */
	for (; now < 1032 * SECOND; now += SECOND) {
		enum pressure_step step = step_at(&all, 99);

		cr_expect(step < PRESSURE_RECYCLE || step == PRESSURE_NONE, "%s",
			  pressure_step_name(step));
	}
	while (step_at(&all, 99) != PRESSURE_RESTART && now < 1100 * SECOND)
		now += SECOND;
	cr_expect_leq(now, 1036 * SECOND);
}

Test(pressure, goes_on_when_memory_grows_during_the_cool_down, .init = begin)
{
	EXPECT_STEP(72, PRESSURE_NOTIFY);
	now += 2 * SECOND;
	EXPECT_STEP(78, PRESSURE_NONE);
	now += 2 * SECOND;
	EXPECT_STEP(83, PRESSURE_RECLAIM);
	now += 2 * SECOND;
	EXPECT_STEP(91, PRESSURE_RECYCLE);
}

Test(pressure, is_not_driven_by_flapping, .init = begin)
{
	unsigned taken = 0;

	for (int i = 0; i < 600; i++, now += SECOND)
		taken += step_at(&all, i % 2 == 0 ? 71 : 50) == PRESSURE_NOTIFY ? 1 : 0;
	cr_expect_eq(taken, 20, "%u in 10 minutes", taken);
}

Test(pressure, nags_less_and_less_where_memory_rests, .init = begin)
{
	unsigned taken = 0;

	for (int i = 0; i < 86400; i++, now += SECOND)
		taken += step_at(&all, 75) == PRESSURE_NOTIFY ? 1 : 0;
	/* 30 s, 1 min ... 32 min, then every hour */
	cr_expect(taken >= 24 && taken <= 34, "%u in a day", taken);
	/* well below it for a moment, it is news again */
	(void)step_at(&all, 64);
	now += 31 * SECOND;
	EXPECT_STEP(75, PRESSURE_NOTIFY);
}

Test(pressure, knows_nothing_without_a_limit, .init = begin)
{
	static const uint64_t limits[] = { LIMIT_MAX, LIMIT_UNSET, 0 };

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct pressure_reading reading = { .limit = limits[i], .fixed = 1 << 30 };

		cr_expect_eq(pressure_next(&all, &state, &reading, now), PRESSURE_NONE);
		cr_expect_not(pressure_is_near(&all, &reading));
		cr_expect_eq(pressure_reclaim_bytes(&all, &reading), 0);
	}
}

Test(pressure, follows_a_limit_that_is_changed, .init = begin)
{
	struct pressure_reading reading = at(72);

	EXPECT_STEP(72, PRESSURE_NOTIFY);
	now += 60 * SECOND;
	reading.limit = 2 * LIMIT;
	cr_expect_eq(pressure_next(&all, &state, &reading, now), PRESSURE_NONE);
	now += 60 * SECOND;
	reading.limit = LIMIT;
	cr_expect_eq(pressure_next(&all, &state, &reading, now), PRESSURE_NOTIFY);
	reading.limit = LIMIT_MAX;
	now += 60 * SECOND;
	cr_expect_eq(pressure_next(&all, &state, &reading, now), PRESSURE_NONE);
}

Test(pressure, leaves_out_what_is_off, .init = begin)
{
	struct pressure_policy policy = all;

	policy.at[PRESSURE_RECLAIM] = LIMIT_MAX;
	policy.at[PRESSURE_RECYCLE] = LIMIT_MAX;
	cr_expect_eq(step_at(&policy, 100), PRESSURE_NOTIFY);
	now += SECOND;
	cr_expect_eq(step_at(&policy, 100), PRESSURE_RESTART);
	policy = (struct pressure_policy){ 0 };
	now += 100 * SECOND;
	cr_expect_eq(step_at(&policy, 100), PRESSURE_NONE);

	begin();
	cr_expect_eq(step_at(&pressure_default, 100), PRESSURE_NOTIFY);
	now += SECOND;
	cr_expect_eq(step_at(&pressure_default, 100), PRESSURE_RECLAIM);
	now += SECOND;
	cr_expect_eq(step_at(&pressure_default, 100), PRESSURE_NONE);
}

Test(pressure, asks_for_no_more_than_can_be_given_back)
{
	struct pressure_reading reading = at(80);

	cr_expect_eq(pressure_reclaim_bytes(&all, &reading), 0);
	reading.reclaimable = 12 * MIB;
	cr_expect_eq(pressure_reclaim_bytes(&all, &reading), 12 * MIB);
	/* 60 are fixed, 38 are cache: 18 bring it to 80 */
	reading.fixed = 60 * MIB;
	reading.reclaimable = 38 * MIB;
	cr_expect_eq(pressure_reclaim_bytes(&all, &reading), 18 * MIB);
	reading.fixed = 80 * MIB;
	reading.reclaimable = PRESSURE_RECLAIM_MIN - 1;
	cr_expect_eq(pressure_reclaim_bytes(&all, &reading), 0);
	reading = (struct pressure_reading){ .limit = UINT64_C(1) << 40,
					     .fixed = UINT64_C(1) << 39,
					     .reclaimable = UINT64_C(1) << 39 };
	cr_expect_eq(pressure_reclaim_bytes(&all, &reading), PRESSURE_RECLAIM_MAX);
}

Test(pressure, is_measured_by_the_limit_that_comes_first)
{
	cr_expect_eq(pressure_limit(10, 20), 10);
	cr_expect_eq(pressure_limit(20, 10), 10);
	cr_expect_eq(pressure_limit(20, LIMIT_UNSET), 20);
	cr_expect_eq(pressure_limit(20, LIMIT_MAX), 20);
	cr_expect_eq(pressure_limit(LIMIT_MAX, 10), 10);
	cr_expect_eq(pressure_limit(LIMIT_UNSET, LIMIT_UNSET), LIMIT_UNSET);
}

Test(pressure, does_not_overflow)
{
	struct pressure_reading reading = { .limit = SIZE_LIMIT_BYTES, .fixed = UINT64_C(1) << 62 };

	cr_expect(pressure_is_near(&all, &reading));
	reading.fixed = SIZE_LIMIT_BYTES / 2;
	cr_expect_not(pressure_is_near(&all, &reading));
}

Test(pressure, is_told_with_its_reading)
{
	struct pressure_reading reading = at(91);
	char text[PRESSURE_TEXT_MAX];

	cr_expect_str_eq(pressure_describe(&reading, text), "memory 91 % of 100M");
	reading.full_avg10 = 1234;
	cr_expect_str_eq(pressure_describe(&reading, text), "memory 91 % of 100M, full avg10 12.3");
	cr_expect_str_eq(pressure_step_name(PRESSURE_RECYCLE), "recycle");
	cr_expect_str_eq(pressure_step_name(PRESSURE_NONE), "none");
}
