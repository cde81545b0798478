/* SPDX-License-Identifier: MIT */
#include "policy/health.h"

#include "policy/own.h"

#include <criterion/criterion.h>
#include <string.h>

#define SECONDS(n) ((uint64_t)(n)*USEC_PER_SEC)

static struct health_policy policy;
static struct health_tracker tracker;
static uint64_t now;

static void begin(void)
{
	policy = (struct health_policy){ .http = (char *)"http://127.0.0.1:8000/",
					 .interval_usec = SECONDS(10),
					 .timeout_usec = SECONDS(2),
					 .failures = 3,
					 .start_usec = SECONDS(60),
					 .restart = HEALTH_RESTART_HUNG };
	now = SECONDS(1000);
	health_begin(&tracker, now, now);
}

TestSuite(health, .init = begin);

/* An interval later. */
static bool add(enum health_outcome outcome)
{
	struct health_result result = { .outcome = outcome,
					.status = outcome == HEALTH_WELL	 ? 200
						  : outcome == HEALTH_BAD_STATUS ? 500
										 : 0 };

	now += SECONDS(10);
	return health_add(&tracker, &policy, &result, now - SECONDS(2), now);
}

static void expect(enum health_state state, unsigned failures)
{
	cr_expect_eq(tracker.state, state, "%s", health_state_name(tracker.state));
	cr_expect_eq(tracker.failures, failures, "%u", tracker.failures);
}

Test(health, starts_and_is_well)
{
	expect(HEALTH_STARTING, 0);
	cr_expect(add(HEALTH_WELL));
	expect(HEALTH_HEALTHY, 0);
	cr_expect_eq(tracker.since_usec, now);
	cr_expect_not(add(HEALTH_WELL));
	expect(HEALTH_HEALTHY, 0);
}

Test(health, counts_failures_in_a_row)
{
	(void)add(HEALTH_WELL);
	cr_expect(add(HEALTH_NO_ANSWER));
	expect(HEALTH_FAILING, 1);
	cr_expect_eq(tracker.row_usec, now - SECONDS(2));
	cr_expect_not(add(HEALTH_NO_ANSWER));
	expect(HEALTH_FAILING, 2);
	cr_expect(add(HEALTH_WELL));
	expect(HEALTH_HEALTHY, 0);
	cr_expect(add(HEALTH_REFUSED));
	(void)add(HEALTH_NO_ANSWER);
	cr_expect(add(HEALTH_BAD_STATUS));
	expect(HEALTH_UNHEALTHY, 3);
	cr_expect_not(add(HEALTH_NO_ANSWER));
	expect(HEALTH_UNHEALTHY, 4);
	cr_expect(add(HEALTH_WELL));
	expect(HEALTH_HEALTHY, 0);
}

Test(health, is_unhealthy_at_once_if_one_failure_is_enough)
{
	policy.failures = 1;
	(void)add(HEALTH_WELL);
	cr_expect(add(HEALTH_CLOSED));
	expect(HEALTH_UNHEALTHY, 1);
}

Test(health, lets_an_app_start_slowly)
{
	for (unsigned i = 0; i < 5; i++)
		cr_expect_not(add(HEALTH_REFUSED));
	expect(HEALTH_STARTING, 0);
	cr_expect(add(HEALTH_REFUSED)); /* a minute is over */
	expect(HEALTH_FAILING, 1);
}

Test(health, ends_the_start_with_the_first_good_answer)
{
	(void)add(HEALTH_WELL);
	cr_expect(add(HEALTH_NO_ANSWER));
	expect(HEALTH_FAILING, 1);
}

Test(health, has_no_start_without_a_period)
{
	policy.start_usec = 0;
	cr_expect(add(HEALTH_REFUSED));
	expect(HEALTH_FAILING, 1);
}

/* Found running by a new daemon. */
Test(health, counts_at_once_for_an_app_that_began_long_ago)
{
	health_begin(&tracker, now - SECONDS(3600), now);
	cr_expect(add(HEALTH_NO_ANSWER));
	expect(HEALTH_FAILING, 1);
}

Test(health, takes_no_failure_of_its_own_for_one_of_the_app)
{
	(void)add(HEALTH_WELL);
	for (unsigned i = 0; i < 100; i++)
		cr_expect_not(add(HEALTH_NOT_ASKED));
	expect(HEALTH_HEALTHY, 0);
	cr_expect_eq(tracker.count, 1);
}

Test(health, forgets_a_row_over_a_pause)
{
	(void)add(HEALTH_WELL);
	(void)add(HEALTH_NO_ANSWER);
	(void)add(HEALTH_NO_ANSWER);
	health_forget_row(&tracker, now);
	expect(HEALTH_HEALTHY, 0);
	(void)add(HEALTH_NO_ANSWER);
	expect(HEALTH_FAILING, 1);
}

Test(health, keeps_the_newest_results)
{
	json_t *object, *history, *last;

	for (unsigned i = 0; i < HEALTH_HISTORY * 2 + 3; i++)
		(void)add(HEALTH_WELL);
	(void)add(HEALTH_BAD_STATUS);
	cr_expect_eq(tracker.count, HEALTH_HISTORY);
	cr_expect_eq(health_last(&tracker)->status, 500);

	object = health_to_json(&tracker, &policy, UINT64_C(1796000000250000));
	history = json_object_get(object, "history");
	cr_assert_eq(json_array_size(history), HEALTH_HISTORY);
	last = json_array_get(history, HEALTH_HISTORY - 1);
	cr_expect_str_eq(json_string_value(json_object_get(last, "outcome")), "bad-status");
	cr_expect_eq(json_integer_value(json_object_get(last, "status")), 500);
	cr_expect_str_eq(json_string_value(json_object_get(json_array_get(history, 0), "outcome")),
			 "well");
	cr_expect_str_eq(json_string_value(json_object_get(object, "state")), "failing");
	cr_expect_str_eq(json_string_value(json_object_get(object, "since")),
			 "2026-11-30T00:53:20.250Z");
	json_decref(object);
}

/* --- why -------------------------------------------------------------------------------------- */

/* In percent of 20 s. */
struct sample {
	enum health_outcome outcome;
	bool was_well;
	unsigned cpu, cpu_wait, throttled, io, memory, busiest;
	uint64_t quota;
	enum health_reason reason;
};

static struct health_facts facts_of(const struct sample *sample)
{
	const uint64_t percent = SECONDS(20) / 100;

	return (struct health_facts){ .wall_usec = SECONDS(20),
				      .cpu_usec = sample->cpu * percent,
				      .cpu_wait_usec = sample->cpu_wait * percent,
				      .io_full_usec = sample->io * percent,
				      .memory_full_usec = sample->memory * percent,
				      .quota_milli = sample->quota != 0 ? sample->quota : LIMIT_MAX,
				      .quota_cpu_usec = sample->cpu * percent,
				      .throttled_usec = sample->throttled * percent,
				      .look_cpu_usec = 500000,
				      .look_busiest_usec = sample->busiest * UINT64_C(5000) };
}

Test(health, tells_hung_from_throttled_and_busy)
{
	static const struct sample samples[] = {
		/* deadlock, blocked socket, stopped worker */
		{ HEALTH_NO_ANSWER, true, 0, 0, 0, 0, 0, 0, 0, HEALTH_REASON_WAITING },
		{ HEALTH_NO_CONNECTION, true, 2, 1, 0, 0, 0, 0, 0, HEALTH_REASON_WAITING },
		/* and under a limit that is not in its way */
		{ HEALTH_NO_ANSWER, true, 1, 1, 1, 0, 0, 0, 500, HEALTH_REASON_WAITING },
		{ HEALTH_NO_ANSWER, false, 0, 0, 0, 0, 0, 0, 0, HEALTH_REASON_WAITING },
		/* its listening socket is gone, and it does nothing about it */
		{ HEALTH_REFUSED, true, 0, 0, 0, 0, 0, 0, 0, HEALTH_REASON_WAITING },
		/* an endless loop: alone, beside neighbours, and where a whole core is its limit */
		{ HEALTH_NO_ANSWER, true, 99, 0, 0, 0, 0, 100, 0, HEALTH_REASON_SPINNING },
		{ HEALTH_NO_ANSWER, true, 60, 38, 0, 0, 0, 95, 0, HEALTH_REASON_SPINNING },
		{ HEALTH_NO_ANSWER, true, 97, 3, 3, 0, 0, 100, 1000, HEALTH_REASON_SPINNING },
		/* held back by its limit: the same loop, or much work */
		{ HEALTH_NO_ANSWER, true, 5, 95, 95, 0, 0, 100, 50, HEALTH_REASON_CPU_THROTTLED },
		{ HEALTH_NO_ANSWER, true, 50, 90, 240, 0, 0, 30, 500, HEALTH_REASON_CPU_THROTTLED },
		/* the same numbers without a limit are not its own doing */
		{ HEALTH_NO_ANSWER, true, 5, 95, 95, 0, 0, 100, 0, HEALTH_REASON_BUSY },
		/* disks */
		{ HEALTH_NO_ANSWER, true, 1, 0, 0, 90, 0, 0, 0, HEALTH_REASON_IO_THROTTLED },
		{ HEALTH_NO_ANSWER, true, 10, 0, 0, 60, 0, 50, 0, HEALTH_REASON_IO_THROTTLED },
		/* thrash */
		{ HEALTH_NO_ANSWER, true, 2, 0, 0, 10, 70, 0, 0, HEALTH_REASON_MEMORY },
		/* several threads, or a little of everything */
		{ HEALTH_NO_ANSWER, true, 180, 10, 0, 0, 0, 50, 0, HEALTH_REASON_BUSY },
		{ HEALTH_NO_ANSWER, true, 95, 60, 0, 0, 0, 30, 0, HEALTH_REASON_BUSY },
		{ HEALTH_NO_ANSWER, true, 30, 2, 0, 0, 0, 100, 0, HEALTH_REASON_BUSY },
		{ HEALTH_NO_ANSWER, true, 30, 70, 0, 0, 0, 100, 0, HEALTH_REASON_BUSY },
		/* whoever answers does not hang */
		{ HEALTH_BAD_STATUS, true, 0, 0, 0, 0, 0, 0, 0, HEALTH_REASON_ANSWERS },
		{ HEALTH_CLOSED, true, 0, 0, 0, 0, 0, 0, 0, HEALTH_REASON_ANSWERS },
		{ HEALTH_NOT_HTTP, true, 0, 0, 0, 0, 0, 0, 0, HEALTH_REASON_ANSWERS },
		{ HEALTH_NOT_OURS, true, 0, 0, 0, 0, 0, 0, 0, HEALTH_REASON_NEVER_THERE },
		{ HEALTH_REFUSED, false, 0, 0, 0, 0, 0, 0, 0, HEALTH_REASON_NEVER_THERE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct health_facts facts = facts_of(&samples[i]);
		enum health_reason reason;

		begin();
		if (samples[i].was_well)
			(void)add(HEALTH_WELL);
		(void)add(samples[i].outcome);
		reason = health_judge(&tracker, &facts);
		cr_expect_eq(reason, samples[i].reason, "sample %zu: %s", i,
			     health_reason_name(reason));
	}
}

Test(health, judges_nothing_without_time_or_result)
{
	struct health_facts facts = { .quota_milli = LIMIT_MAX };

	cr_expect_eq(health_judge(&tracker, &facts), HEALTH_REASON_BUSY);
	(void)add(HEALTH_NO_ANSWER);
	cr_expect_eq(health_judge(&tracker, &facts), HEALTH_REASON_BUSY);
}

Test(health, ends_what_the_policy_says)
{
	static const unsigned ends[HEALTH_REASON_COUNT] = {
		[HEALTH_REASON_ANSWERS] = 1U << HEALTH_RESTART_UNHEALTHY,
		[HEALTH_REASON_NEVER_THERE] = 1U << HEALTH_RESTART_UNHEALTHY,
		[HEALTH_REASON_BUSY] = 1U << HEALTH_RESTART_UNHEALTHY,
		[HEALTH_REASON_WAITING] =
			1U << HEALTH_RESTART_UNHEALTHY | 1U << HEALTH_RESTART_HUNG,
		[HEALTH_REASON_SPINNING] =
			1U << HEALTH_RESTART_UNHEALTHY | 1U << HEALTH_RESTART_HUNG,
	};

	for (unsigned reason = 0; reason < HEALTH_REASON_COUNT; reason++)
		for (unsigned restart = 0; restart < HEALTH_RESTART_COUNT; restart++) {
			policy.restart = (enum health_restart)restart;
			cr_expect_eq(health_is_end(&policy, (enum health_reason)reason),
				     (ends[reason] & 1U << restart) != 0, "%s, %u",
				     health_reason_name((enum health_reason)reason), restart);
		}
}

/* --- words ------------------------------------------------------------------------------------ */

Test(health, says_what_a_plan_would_need)
{
	struct health_facts facts = { .wall_usec = SECONDS(10),
				      .quota_milli = 500,
				      .quota_cpu_usec = SECONDS(5),
				      .throttled_usec = SECONDS(24) };
	char text[HEALTH_TEXT_MAX];

	cr_expect_str_eq(
		health_throttled_text(&facts, HEALTH_REASON_CPU_THROTTLED, DOOR_FILE, text),
		"uses 100 % of its 50% of cpu, and is kept from running 83 % of the time; "
		"without that limit it would use 2.9 cores or more");
	facts.tenant = "acme";
	cr_expect_str_eq(
		health_throttled_text(&facts, HEALTH_REASON_CPU_THROTTLED, DOOR_FILE, text),
		"all apps of tenant acme together: uses 100 % of its 50% of cpu, and is "
		"kept from running 83 % of the time; without that limit it would use 2.9 "
		"cores or more");
}

Test(health, says_which_io_limit_holds_back)
{
	struct health_facts facts = { .wall_usec = SECONDS(30),
				      .io_full_usec = SECONDS(27),
				      .io_bytes = 123 << 20,
				      .io = { IO_WBPS, 8, 0, 4 << 20, 119 << 20, true } };
	char text[HEALTH_TEXT_MAX];

	cr_expect_str_eq(
		health_throttled_text(&facts, HEALTH_REASON_IO_THROTTLED, DOOR_FILE, text),
		"is held back by io.max: wrote 4.0M of 4M a second for 30s, and waited for it 90 % "
		"of "
		"the time (PSI io full); raise wbps of disk 8:0 in limits.io, or let it write "
		"less");
	facts.io = (struct io_use){ IO_RIOPS, 254, 16, 100, 2900, true };
	cr_expect_str_eq(
		health_throttled_text(&facts, HEALTH_REASON_IO_THROTTLED, DOOR_OPTIONS, text),
		"is held back by io.max: made reading 96 of 100 requests a second for 30s, and "
		"waited "
		"for it 90 % of the time (PSI io full); raise riops of disk 254:16 in --io, or let "
		"it "
		"read less");
	facts.io_tenant = "acme";
	facts.io.key = IO_RBPS;
	facts.io.limit = 100 << 10;
	cr_expect_str_eq(
		health_throttled_text(&facts, HEALTH_REASON_IO_THROTTLED, DOOR_OPTIONS, text),
		"is held back by io.max of tenant acme: read 96B of 100K a second for 30s, and "
		"waited "
		"for it 90 % of the time (PSI io full); raise rbps of disk 254:16 in limits.io of "
		"tenant acme, or let it read less");
}

Test(health, does_not_blame_a_limit_that_lets_more_through)
{
	struct health_facts facts = { .wall_usec = SECONDS(30),
				      .io_full_usec = SECONDS(24),
				      .io_bytes = 30 << 20 };
	char text[HEALTH_TEXT_MAX];

	cr_expect_str_eq(
		health_throttled_text(&facts, HEALTH_REASON_IO_THROTTLED, DOOR_FILE, text),
		"waits for disks 80 % of the time (PSI io full), and moves 1.0M a second; no limit "
		"of "
		"its own is in the way");
	facts.io = (struct io_use){ IO_WBPS, 8, 0, 4 << 20, 30 << 20, false };
	cr_expect_str_eq(
		health_throttled_text(&facts, HEALTH_REASON_IO_THROTTLED, DOOR_FILE, text),
		"waits for disks 80 % of the time (PSI io full), and moves 1.0M a second; io.max "
		"lets "
		"more through (wrote 1.0M of 4M a second): the disk is slow, or busy with others");
}

Test(health, says_what_was_found)
{
	static const struct {
		struct health_result result;
		const char *text;
	} samples[] = {
		{ { .outcome = HEALTH_BAD_STATUS, .status = 503 }, "answered 503" },
		{ { .outcome = HEALTH_NO_ANSWER }, "no answer within 2s" },
		{ { .outcome = HEALTH_NO_CONNECTION }, "no connection within 2s" },
		{ { .outcome = HEALTH_REFUSED }, "nobody listens there" },
	};
	char text[HEALTH_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		cr_expect_str_eq(health_result_text(&samples[i].result, &policy, text),
				 samples[i].text);
}

Test(health, has_a_name_for_everything)
{
	for (unsigned i = 0; i < HEALTH_STATE_COUNT; i++)
		cr_expect_str_neq(health_state_name((enum health_state)i), "unknown");
	for (unsigned i = 0; i < HEALTH_OUTCOME_COUNT; i++)
		cr_expect_str_neq(health_outcome_name((enum health_outcome)i), "unknown");
	for (unsigned i = 0; i < HEALTH_REASON_COUNT; i++)
		cr_expect_str_neq(health_reason_name((enum health_reason)i), "unknown");
}
