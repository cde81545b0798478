/* SPDX-License-Identifier: MIT */
#include "policy/restart.h"

#include <criterion/criterion.h>

#define SECOND USEC_PER_SEC
#define MINUTE (60 * SECOND)

static const struct restart_policy usual = {
	.mode = RESTART_ON_FAILURE,
	.max_restarts = 5,
	.backoff_usec = 1 * SECOND,
	.backoff_max_usec = 10 * SECOND,
	.stable_usec = MINUTE,
};

static void expect_restart(const struct restart_policy *policy, uint64_t uptime_usec,
			   struct restart_state *state, uint64_t delay_usec, unsigned in_row)
{
	uint64_t delay = 0;

	cr_expect(restart_after(policy, uptime_usec, state, &delay), "gave up at %u",
		  state->in_row);
	cr_expect_eq(delay, delay_usec, "restart %u", in_row);
	cr_expect_eq(state->in_row, in_row);
}

static void expect_gave_up(const struct restart_policy *policy, uint64_t uptime_usec,
			   const struct restart_state *before)
{
	struct restart_state state = *before;
	uint64_t delay = 4242;

	cr_expect_not(restart_after(policy, uptime_usec, &state, &delay));
	cr_expect_eq(delay, 4242, "touched");
	cr_expect(state.in_row == before->in_row &&
			  state.next_delay_usec == before->next_delay_usec,
		  "touched");
}

Test(restart, is_wanted_as_the_mode_says)
{
	static const struct {
		enum restart_mode mode;
		bool failure, wanted;
	} rows[] = {
		{ RESTART_ALWAYS, true, true },	    { RESTART_ALWAYS, false, true },
		{ RESTART_ON_FAILURE, true, true }, { RESTART_ON_FAILURE, false, false },
		{ RESTART_NEVER, true, false },	    { RESTART_NEVER, false, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct restart_policy policy = { .mode = rows[i].mode };

		cr_expect_eq(restart_wanted(&policy, rows[i].failure), rows[i].wanted, "row %zu",
			     i);
	}
}

Test(restart, delays_double_up_to_the_cap_and_then_it_gives_up)
{
	struct restart_state state = { 0 };

	expect_restart(&usual, 0, &state, 1 * SECOND, 1);
	expect_restart(&usual, 0, &state, 2 * SECOND, 2);
	expect_restart(&usual, 0, &state, 4 * SECOND, 3);
	expect_restart(&usual, 0, &state, 8 * SECOND, 4);
	expect_restart(&usual, 0, &state, 10 * SECOND, 5);
	expect_gave_up(&usual, 0, &state);
	expect_gave_up(&usual, MINUTE - 1, &state);
}

Test(restart, a_stable_run_sets_delay_and_count_back)
{
	struct restart_state state = { 0 };

	for (unsigned i = 0; i < 4; i++)
		cr_assert(restart_after(&usual, 0, &state, &(uint64_t){ 0 }));
	expect_restart(&usual, MINUTE, &state, 0, 1);
	expect_restart(&usual, MINUTE - 1, &state, 1 * SECOND, 2);

	/* also when the row is full */
	state = (struct restart_state){ .in_row = 5, .next_delay_usec = 10 * SECOND };
	expect_restart(&usual, MINUTE, &state, 0, 1);
}

Test(restart, max_restarts_zero_never_restarts)
{
	struct restart_policy policy = usual;
	struct restart_state state = { 0 };

	policy.max_restarts = 0;
	expect_gave_up(&policy, 0, &state);
	expect_gave_up(&policy, 100 * MINUTE, &state);
}

Test(restart, without_a_limit_it_goes_on_for_ever_at_the_cap)
{
	struct restart_policy policy = usual;
	struct restart_state state = { 0 };
	uint64_t slept = 0, delay = 0;

	policy.max_restarts = LIMIT_MAX;
	for (unsigned i = 0; i < 10000; i++) {
		cr_assert(restart_after(&policy, 0, &state, &delay));
		slept += delay;
	}
	cr_expect_eq(slept, UINT64_C(99975) * SECOND);
	cr_expect_eq(state.in_row, 10000);

	state.in_row = UINT32_MAX;
	cr_expect(restart_after(&policy, 0, &state, &delay));
	cr_expect_eq(state.in_row, UINT32_MAX);
}

Test(restart, huge_delays_do_not_wrap_around)
{
	struct restart_policy policy = usual;
	struct restart_state state = { 0 };

	policy.backoff_usec = UINT64_MAX / 2 + 1;
	policy.backoff_max_usec = UINT64_MAX;
	expect_restart(&policy, 0, &state, UINT64_MAX / 2 + 1, 1);
	expect_restart(&policy, 0, &state, UINT64_MAX, 2);
	expect_restart(&policy, 0, &state, UINT64_MAX, 3);
}

Test(restart, the_cap_holds_for_the_first_delay_too)
{
	struct restart_policy policy = usual;
	struct restart_state state = { 0 };

	policy.backoff_usec = 30 * SECOND;
	expect_restart(&policy, 0, &state, 10 * SECOND, 1);
	expect_restart(&policy, 0, &state, 10 * SECOND, 2);
}

Test(restart, a_backoff_of_zero_restarts_at_once_until_it_gives_up)
{
	struct restart_policy policy = usual;
	struct restart_state state = { 0 };

	policy.backoff_usec = 0;
	for (unsigned i = 1; i <= 5; i++)
		expect_restart(&policy, 0, &state, 0, i);
	expect_gave_up(&policy, 0, &state);
}

/* A day of an app that crashes 10 minutes after each start: always stable in between, so never
 * given up, and always started again at once. */
Test(restart, a_slow_crasher_is_restarted_all_day)
{
	struct restart_state state = { 0 };
	uint64_t now = 0, delay = 0;
	unsigned restarts = 0;

	while (now < UINT64_C(24) * 60 * MINUTE) {
		now += 10 * MINUTE;
		cr_assert(restart_after(&usual, 10 * MINUTE, &state, &delay));
		cr_assert_eq(delay, 0);
		now += delay;
		restarts++;
	}
	cr_expect_eq(restarts, 144);
}
