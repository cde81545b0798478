/* SPDX-License-Identifier: MIT */
#include "policy/recording.h"

#include "policy/limits.h"
#include "policy/own.h"

#include "tests/policy/json.h"

#include <criterion/criterion.h>

#define START	UINT64_C(86400000000)
#define SECOND	UINT64_C(1000000)
#define MINUTES (60 * SECOND)
#define MIB	UINT64_C(1048576)
#define LIMIT	(256 * MIB)

static void clear(struct recording *recording)
{
	recording_clear(recording);
}
#define _cleanup_recording_ __attribute__((cleanup(clear)))

/* All fields move, by about as much as those of a busy server do. */
static struct recording_sample busy_sample(uint64_t time_usec)
{
	struct recording_sample sample = { .time_usec = time_usec };
	uint64_t values[RECORDING_FIELDS], seed = time_usec;

	memcpy(values, &sample, sizeof(values));
	for (size_t i = 1; i < RECORDING_FIELDS; i++) {
		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		values[i] = 100 * MIB + i * 1000 + (seed >> 44);
	}
	memcpy(&sample, values, sizeof(values));
	return sample;
}

static void add(struct recording *recording, uint64_t time_usec, uint64_t cpu_usec, uint64_t anon)
{
	const struct recording_sample sample = { .time_usec = time_usec,
						 .cpu_usage_usec = cpu_usec,
						 .memory_anon = anon,
						 .memory_current = anon };

	cr_assert_eq(recording_add(recording, &sample), 0);
}

/* --- the ring -------------------------------------------------------------------------------- */

Test(recording, is_empty_and_without_memory_at_first)
{
	struct recording recording = { 0 };
	struct recording_sample sample;
	struct recording_cursor cursor;

	cr_expect_null(recording_newest(&recording));
	cr_expect_eq(recording_bytes(&recording), 0);
	recording_begin(&recording, &cursor);
	cr_expect_not(recording_next(&cursor, &sample));
	recording_expire(&recording, START);
}

Test(recording, gives_back_what_was_put_in_bit_by_bit)
{
	_cleanup_recording_ struct recording recording = { 0 };
	struct recording_sample sample, expected;
	struct recording_cursor cursor;
	unsigned count = 0;

	for (unsigned i = 0; i < 200; i++) {
		expected = busy_sample(START + i * SECOND);
		cr_assert_eq(recording_add(&recording, &expected), 0);
	}
	recording_begin(&recording, &cursor);
	for (; recording_next(&cursor, &sample); count++) {
		expected = busy_sample(START + count * SECOND);
		cr_assert_arr_eq(&sample, &expected, sizeof(sample), "sample %u", count);
	}
	cr_expect_eq(count, 200);
	cr_expect_arr_eq(recording_newest(&recording), &expected, sizeof(expected));
}

Test(recording, holds_numbers_of_all_sizes_and_steps_in_both_directions)
{
	static const uint64_t values[] = { 0,	UINT64_MAX,	1, UINT64_C(1) << 63,		127,
					   128, UINT64_MAX - 1, 0, UINT64_C(0x7fffffffffffffff) };
	_cleanup_recording_ struct recording recording = { 0 };
	struct recording_sample sample;
	struct recording_cursor cursor;

	for (unsigned i = 0; i < ARRAY_SIZE(values); i++)
		add(&recording, START + i * SECOND, values[i], values[ARRAY_SIZE(values) - 1 - i]);
	recording_begin(&recording, &cursor);
	for (unsigned i = 0; i < ARRAY_SIZE(values); i++) {
		cr_assert(recording_next(&cursor, &sample));
		cr_expect_eq(sample.cpu_usage_usec, values[i]);
		cr_expect_eq(sample.memory_anon, values[ARRAY_SIZE(values) - 1 - i]);
	}
}

Test(recording, holds_five_minutes_of_a_busy_app_in_less_than_64_kib)
{
	_cleanup_recording_ struct recording recording = { 0 };
	uint64_t now = START;

	for (; now < START + 20 * MINUTES; now += SECOND) {
		const struct recording_sample sample = busy_sample(now);

		cr_assert_eq(recording_add(&recording, &sample), 0);
		cr_assert_lt(recording_bytes(&recording) + sizeof(recording), 65536);
	}
	cr_expect_geq(recording_count(&recording), 180, "%zu", recording_count(&recording));
}

Test(recording, holds_half_a_minute_of_ten_a_second_beside_the_five_minutes)
{
	_cleanup_recording_ struct recording recording = { 0 };
	struct recording_sample sample, before = { 0 };
	struct recording_cursor cursor;
	uint64_t now = START, oldest = 0;
	unsigned fine = 0;

	for (; now < START + 10 * MINUTES; now += SECOND / 10) {
		add(&recording, now, now - START, (now - START) * 20);
		cr_assert_lt(recording_bytes(&recording) + sizeof(recording), 65536);
	}
	recording_begin(&recording, &cursor);
	for (unsigned i = 0; recording_next(&cursor, &sample); i++) {
		cr_assert_gt(sample.time_usec, before.time_usec, "in order");
		if (i == 0)
			oldest = sample.time_usec;
		fine += i > 0 && sample.time_usec - before.time_usec == SECOND / 10;
		before = sample;
	}
	cr_expect_leq(oldest, now - RECORDING_SPAN_USEC + 2 * SECOND);
	cr_expect_geq(oldest, now - RECORDING_SPAN_USEC - 2 * SECOND);
	cr_expect(fine >= 290 && fine <= 310, "%u", fine);
}

Test(recording, of_an_idle_app_takes_less_than_two_kib)
{
	_cleanup_recording_ struct recording recording = { 0 };

	for (uint64_t i = 0; i < 1000; i++)
		add(&recording, START + i * 10 * SECOND, i * 1500, 30 * MIB + i * 4096);
	cr_expect_leq(recording_count(&recording), 32);
	cr_expect_lt(recording_bytes(&recording) + sizeof(recording), 2048);
}

Test(recording, gives_memory_back_when_an_app_becomes_idle)
{
	_cleanup_recording_ struct recording recording = { 0 };

	for (uint64_t now = START; now < START + 5 * MINUTES; now += SECOND / 10) {
		const struct recording_sample sample = busy_sample(now);

		cr_assert_eq(recording_add(&recording, &sample), 0);
	}
	cr_expect_gt(recording_bytes(&recording), 30000);
	recording_expire(&recording, START + 11 * MINUTES);
	cr_expect_eq(recording_count(&recording), 1, "the last one stays");
	cr_expect_lt(recording_bytes(&recording) + sizeof(recording), 2048);
}

Test(recording, passes_over_what_is_too_close_or_from_before)
{
	_cleanup_recording_ struct recording recording = { 0 };

	add(&recording, START, 1, 1);
	add(&recording, START + RECORDING_CLOSEST_USEC - 1, 2, 2);
	add(&recording, START - SECOND, 3, 3);
	cr_expect_eq(recording_count(&recording), 1);
	add(&recording, START + RECORDING_CLOSEST_USEC, 4, 4);
	cr_expect_eq(recording_count(&recording), 2);
	cr_expect_eq(recording_newest(&recording)->memory_anon, 4);
}

Test(recording, survives_made_up_times_and_values_with_its_bounds)
{
	_cleanup_recording_ struct recording recording = { 0 };
	uint64_t seed = 1, now = START;

	for (unsigned i = 0; i < 50000; i++) {
		struct recording_sample sample;
		struct recording_cursor cursor;

		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		now += (seed >> 33) % (1U << (seed >> 60) % 28);
		sample = busy_sample(now);
		if ((seed >> 40 & 15) == 0)
			memset(&sample.memory_current, 0xff, 20 * sizeof(uint64_t));
		cr_assert_eq(recording_add(&recording, &sample), 0);
		cr_assert_lt(recording_bytes(&recording) + sizeof(recording), 65536);
		if ((seed >> 50 & 63) == 0)
			recording_expire(&recording, now);
		if ((seed >> 45 & 255) != 0)
			continue;
		recording_begin(&recording, &cursor);
		for (size_t left = recording_count(&recording); left > 0; left--)
			cr_assert(recording_next(&cursor, &sample));
		cr_assert_not(recording_next(&cursor, &sample));
		cr_assert_arr_eq(&sample, recording_newest(&recording), sizeof(sample));
	}
}

/* --- figures --------------------------------------------------------------------------------- */

#define ANON offsetof(struct recording_sample, memory_anon)
#define CPU  offsetof(struct recording_sample, cpu_usage_usec)

Test(recording, tells_how_fast_something_grows)
{
	_cleanup_recording_ struct recording recording = { 0 };
	struct recording_change change;

	for (uint64_t i = 0; i <= 60; i++)
		add(&recording, START + i * SECOND, 0,
		    10 * MIB + (i > 40 ? (i - 40) * 2 * MIB : 0));
	cr_assert(recording_change(&recording, ANON, 20 * SECOND, &change));
	cr_expect_eq(change.by, 40 * MIB);
	cr_expect_eq(change.usec, 20 * SECOND);
	cr_expect_eq(change.per_second, 2 * MIB);
	cr_assert(recording_change(&recording, ANON, 40 * SECOND, &change));
	cr_expect_eq(change.per_second, MIB);
	cr_assert(recording_change(&recording, ANON, 600 * SECOND, &change));
	cr_expect_eq(change.usec, 60 * SECOND, "no more is known");
}

Test(recording, tells_what_shrinks_as_less_than_nothing)
{
	_cleanup_recording_ struct recording recording = { 0 };
	struct recording_change change;

	add(&recording, START, 0, 100 * MIB);
	add(&recording, START + 2 * SECOND, 0, 40 * MIB);
	cr_assert(recording_change(&recording, ANON, 10 * SECOND, &change));
	cr_expect_eq(change.by, -60 * (int64_t)MIB);
	cr_expect_eq(change.per_second, -30 * (int64_t)MIB);
}

Test(recording, knows_no_change_of_one_sample_and_takes_the_one_before_a_long_pause)
{
	_cleanup_recording_ struct recording recording = { 0 };
	struct recording_change change = { .by = 7 };

	cr_expect_not(recording_change(&recording, ANON, SECOND, &change));
	add(&recording, START, 0, 5);
	cr_expect_not(recording_change(&recording, ANON, SECOND, &change));
	cr_expect_eq(change.by, 7, "untouched");
	add(&recording, START + 100 * SECOND, 0, 1005);
	cr_assert(recording_change(&recording, ANON, SECOND, &change));
	cr_expect_eq(change.usec, 100 * SECOND);
	cr_expect_eq(change.per_second, 10);
}

Test(recording, counts_as_held_what_the_kernel_cannot_take_back)
{
	const struct recording_sample sample = { .memory_current = 1000,
						 .memory_anon = 1,
						 .memory_file = 500,
						 .memory_shmem = 20,
						 .memory_slab_reclaimable = 300,
						 .memory_slab_unreclaimable = 4,
						 .memory_kernel_stack = 8,
						 .memory_pagetables = 16,
						 .memory_sock = 32 };

	cr_expect_eq(recording_unreclaimable(&sample), 81);
}

Test(recording, tells_shares_without_overflow)
{
	cr_expect_eq(recording_share(1, 2), 5000);
	cr_expect_eq(recording_share(3, 2), 15000);
	cr_expect_eq(recording_share(1, 0), 0);
	cr_expect_eq(recording_share(5, LIMIT_MAX), 0);
	cr_expect_eq(recording_share(5, LIMIT_UNSET), 0);
	cr_expect_eq(recording_share(UINT64_MAX / 2, UINT64_MAX / 2), 10000);
	cr_expect_eq(recording_share(UINT64_MAX - 5, 1), UINT32_MAX);
}

Test(recording, tells_what_is_used_now)
{
	_cleanup_recording_ struct recording recording = { 0 };
	struct recording_rates rates = { .io_per_second = 7 };
	struct recording_sample sample = { .time_usec = START };

	recording_rates(&recording, 5 * SECOND, START, &rates);
	cr_expect_eq(rates.io_per_second, 0);
	cr_assert_eq(recording_add(&recording, &sample), 0);
	sample = (struct recording_sample){ .time_usec = START + 4 * SECOND,
					    .cpu_usage_usec = 6 * SECOND,
					    .memory_anon = 8 * MIB,
					    .cpu_periods = 40,
					    .cpu_throttled = 10,
					    .io_read_bytes = 3000,
					    .io_write_bytes = 1000 };
	cr_assert_eq(recording_add(&recording, &sample), 0);
	recording_rates(&recording, 5 * SECOND, sample.time_usec, &rates);
	cr_expect_eq(rates.cpu_percent_x100, 15000);
	cr_expect_eq(rates.throttled_percent_x100, 2500);
	cr_expect_eq(rates.memory_per_second, 2 * MIB);
	cr_expect_eq(rates.io_per_second, 1000);
	recording_rates(&recording, 5 * SECOND, sample.time_usec + 31 * SECOND, &rates);
	cr_expect_eq(rates.cpu_percent_x100, 0, "nothing has moved since");
}

Test(recording, tells_a_field_at_points_in_time)
{
	static const uint64_t expected[] = { RECORDING_UNKNOWN, 100, 200, 150, 100, 100 };
	_cleanup_recording_ struct recording recording = { 0 };
	uint64_t values[ARRAY_SIZE(expected)];

	cr_expect_eq(recording_series(&recording, ANON, SECOND, START, values, 3), 0);
	cr_expect_eq(values[2], RECORDING_UNKNOWN);
	add(&recording, START, 0, 100);
	add(&recording, START + 10 * SECOND, 0, 200);
	add(&recording, START + 30 * SECOND, 0, 100);
	cr_expect_eq(recording_series(&recording, ANON, 10 * SECOND, START + 40 * SECOND, values,
				      ARRAY_SIZE(values)),
		     5);
	cr_expect_arr_eq(values, expected, sizeof(expected));
}

/* --- the pace -------------------------------------------------------------------------------- */

static enum recording_pace pace_after(uint64_t seconds, uint64_t cpu_usec_a_second, uint64_t anon,
				      uint64_t anon_a_second)
{
	_cleanup_recording_ struct recording recording = { 0 };

	for (uint64_t i = 0; i <= seconds; i++)
		add(&recording, START + i * SECOND, i * cpu_usec_a_second,
		    anon + i * anon_a_second);
	return recording_pace(&recording, LIMIT);
}

Test(recording, looks_at_a_new_app_every_second_and_at_a_quiet_one_no_more)
{
	const struct recording empty = { 0 };

	cr_expect_eq(recording_pace(&empty, LIMIT), RECORDING_BUSY);
	cr_expect_eq(pace_after(1, 0, MIB, 0), RECORDING_BUSY);
	cr_expect_eq(pace_after(3, 0, MIB, 0), RECORDING_IDLE);
	cr_expect_eq(pace_after(60, 19000, MIB, 0), RECORDING_IDLE);
	cr_expect_eq(pace_after(60, 21000, MIB, 0), RECORDING_BUSY);
}

Test(recording, is_woken_by_the_processor_time_of_one_long_step)
{
	_cleanup_recording_ struct recording recording = { 0 };

	add(&recording, START, 0, MIB);
	/* nothing for five minutes, so nothing was kept; then busy within the last ten seconds */
	add(&recording, START + 300 * SECOND, 150000, MIB);
	cr_expect_eq(recording_pace(&recording, LIMIT), RECORDING_IDLE);
	add(&recording, START + 310 * SECOND, 400000, MIB);
	cr_expect_eq(recording_pace(&recording, LIMIT), RECORDING_BUSY);
}

Test(recording, looks_closely_when_the_limit_is_near_or_coming)
{
	cr_expect_eq(pace_after(20, 0, 230 * MIB, 0), RECORDING_IDLE, "rests there");
	cr_expect_eq(pace_after(20, 0, 230 * MIB, MIB / 4), RECORDING_NEAR);
	cr_expect_eq(pace_after(10, 500000, 40 * MIB, 2 * MIB), RECORDING_BUSY, "far yet");
	cr_expect_eq(pace_after(10, 500000, 40 * MIB, 12 * MIB), RECORDING_NEAR, "ten seconds");
}

Test(recording, needs_no_limit_to_see_that_all_stands_still_for_memory)
{
	_cleanup_recording_ struct recording recording = { 0 };
	struct recording_sample sample = { .time_usec = START };

	cr_assert_eq(recording_add(&recording, &sample), 0);
	sample.time_usec += 20 * SECOND;
	sample.memory_anon = 500 * MIB;
	cr_assert_eq(recording_add(&recording, &sample), 0);
	cr_expect_eq(recording_pace(&recording, LIMIT_MAX), RECORDING_IDLE);
	sample.time_usec += SECOND;
	sample.memory_full_avg10 = 1200;
	cr_assert_eq(recording_add(&recording, &sample), 0);
	cr_expect_eq(recording_pace(&recording, LIMIT_MAX), RECORDING_NEAR);
}

Test(recording, looks_closely_while_events_move_near_the_limit)
{
	_cleanup_recording_ struct recording recording = { 0 };
	struct recording_sample sample = { .time_usec = START,
					   .memory_anon = 240 * MIB,
					   .events_max = 10 };

	cr_assert_eq(recording_add(&recording, &sample), 0);
	sample.time_usec += 5 * SECOND;
	sample.events_max = 11;
	cr_assert_eq(recording_add(&recording, &sample), 0);
	cr_expect_eq(recording_pace(&recording, LIMIT), RECORDING_NEAR);
	sample.time_usec += 6 * SECOND;
	cr_assert_eq(recording_add(&recording, &sample), 0);
	sample.time_usec += 6 * SECOND;
	cr_assert_eq(recording_add(&recording, &sample), 0);
	cr_expect_eq(recording_pace(&recording, LIMIT), RECORDING_IDLE);
}

Test(recording, has_an_interval_and_a_name_for_each_pace)
{
	cr_expect_eq(recording_interval(RECORDING_IDLE), 10 * SECOND);
	cr_expect_eq(recording_interval(RECORDING_BUSY), SECOND);
	cr_expect_eq(recording_interval(RECORDING_NEAR), SECOND / 10);
	cr_expect_str_eq(recording_pace_name(RECORDING_NEAR), "near");
}

/* --- JSON ------------------------------------------------------------------------------------ */

Test(recording, is_written_as_a_series_a_field)
{
	_cleanup_recording_ struct recording recording = { 0 };
	_cleanup_free_ char *text = NULL;
	struct recording_sample sample = { .time_usec = START,
					   .memory_current = 4096,
					   .starts = 1 };
	json_t *value;

	cr_assert_eq(recording_add(&recording, &sample), 0);
	sample.time_usec += SECOND;
	sample.memory_current = 8192;
	sample.memory_full_avg10 = 150;
	cr_assert_eq(recording_add(&recording, &sample), 0);
	value = recording_to_json(&recording, 0, RECORDING_JSON_SAMPLES, START + 2 * SECOND,
				  UINT64_C(1700000000000000));
	text = json_text(value);
	json_decref(value);
	cr_expect_str_eq(text, "{'time_msec':[1699999998000,1699999999000],"
			       "'memory_current':[4096,8192],'memory_full_avg10':[0.0,1.5],"
			       "'starts':[1,1]}");
}

Test(recording, names_all_fields)
{
	_cleanup_recording_ struct recording recording = { 0 };
	const struct recording_sample sample = busy_sample(START);
	json_t *value;

	cr_assert_eq(recording_add(&recording, &sample), 0);
	value = recording_to_json(&recording, 0, RECORDING_JSON_SAMPLES, START, START);
	cr_expect_eq(json_object_size(value), RECORDING_FIELDS);
	cr_expect_eq(json_integer_value(json_array_get(json_object_get(value, "io_writes"), 0)),
		     (json_int_t)sample.io_writes);
	cr_expect_eq(
		json_integer_value(json_array_get(json_object_get(value, "listen_backlog"), 0)),
		(json_int_t)sample.listen_backlog);
	json_decref(value);
}

Test(recording, is_written_from_a_time_on)
{
	_cleanup_recording_ struct recording recording = { 0 };
	json_t *value;

	for (unsigned i = 0; i < 100; i++)
		add(&recording, START + i * SECOND, i, i);
	value = recording_to_json(&recording, START + 90 * SECOND, RECORDING_JSON_SAMPLES, START,
				  START);
	cr_expect_eq(json_array_size(json_object_get(value, "time_msec")), 10);
	cr_expect_eq(json_array_size(json_object_get(value, "memory_anon")), 10);
	json_decref(value);
	value = recording_to_json(&recording, START + 100 * SECOND, RECORDING_JSON_SAMPLES, START,
				  START);
	cr_expect_eq(json_array_size(json_object_get(value, "time_msec")), 0);
	json_decref(value);
}

Test(recording, is_thinned_where_it_is_oldest)
{
	_cleanup_recording_ struct recording recording = { 0 };
	json_t *value, *anon;

	for (unsigned i = 0; i < 290; i++)
		add(&recording, START + i * SECOND, i, i);
	value = recording_to_json(&recording, 0, 100, START, START);
	anon = json_object_get(value, "memory_anon");
	cr_expect_eq(json_array_size(anon), 98);
	cr_expect_eq(json_integer_value(json_array_get(anon, 1)), 5);
	cr_expect_eq(json_integer_value(json_array_get(anon, 47)), 235);
	cr_expect_eq(json_integer_value(json_array_get(anon, 48)), 240);
	cr_expect_eq(json_integer_value(json_array_get(anon, 49)), 241);
	cr_expect_eq(json_integer_value(json_array_get(anon, 97)), 289);
	json_decref(value);
}
