/* SPDX-License-Identifier: MIT */
#include "policy/keyed.h"

#include "policy/own.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define UNTOUCHED UINT64_C(0xdeadbeef)

static uint64_t read_one(const char *text, const char *key)
{
	uint64_t value = UNTOUCHED;
	const struct keyed_field field = { key, &value };
	size_t found = keyed_read(text, &field, 1);

	cr_assert_eq(found, value == UNTOUCHED ? 0 : 1, "%s in \"%s\"", key, text);
	return value;
}

Test(keyed, reads_the_wanted_keys_of_a_real_file)
{
	uint64_t anon = UNTOUCHED, sock = UNTOUCHED, absent = UNTOUCHED;
	const struct keyed_field fields[] = {
		{ "anon", &anon },
		{ "sock", &sock },
		{ "no_such_key", &absent },
	};
	const char *text = "anon 252706816\nfile 3248128\nkernel 4403200\nanon_thp 8388608\n"
			   "sock 4096\nsome_new_key_of_linux_9 7\n";

	cr_assert_eq(keyed_read(text, fields, ARRAY_SIZE(fields)), 2);
	cr_assert_eq(anon, 252706816);
	cr_assert_eq(sock, 4096);
	cr_assert_eq(absent, UNTOUCHED);
}

Test(keyed, passes_over_what_is_malformed)
{
	static const struct {
		const char *text;
		uint64_t expected;
	} rows[] = {
		{ "", UNTOUCHED },
		{ "\n\n\n", UNTOUCHED },
		{ "oom_kill", UNTOUCHED },
		{ "oom_kill ", UNTOUCHED },
		{ "oom_kill \n", UNTOUCHED },
		{ "oom_kill\n3\n", UNTOUCHED },
		{ "oom_kill x\n", UNTOUCHED },
		{ "oom_kill -1\n", UNTOUCHED },
		{ "oom_kill +1\n", UNTOUCHED },
		{ "oom_kill 0x10\n", UNTOUCHED },
		{ "oom_kill  3\n", UNTOUCHED },
		{ "oom_kill\t3\n", UNTOUCHED },
		{ "oom_kill 3 4\n", UNTOUCHED },
		{ "oom_kill max\n", UNTOUCHED },
		{ " oom_kill 3\n", UNTOUCHED },
		{ "xoom_kill 3\n", UNTOUCHED },
		{ "oom_kill_x 3\n", UNTOUCHED },
		{ "oom 3\n", UNTOUCHED },
		{ "oom_kill 3", 3 },
		{ "oom_kill 0\n", 0 },
		{ "oom_kill 3\nrest", 3 },
		{ "garbage\noom_kill 3\n", 3 },
		/* a duplicate: the first that is well-formed */
		{ "oom_kill 3\noom_kill 4\n", 3 },
		{ "oom_kill x\noom_kill 4\n", 4 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(read_one(rows[i].text, "oom_kill"), rows[i].expected, "\"%s\"",
			     rows[i].text);
}

Test(keyed, holds_numbers_that_are_too_large_at_the_largest)
{
	cr_expect_eq(read_one("max 18446744073709551614\n", "max"), UINT64_MAX - 1);
	cr_expect_eq(read_one("max 18446744073709551615\n", "max"), UINT64_MAX);
	cr_expect_eq(read_one("max 18446744073709551616\n", "max"), UINT64_MAX);
	cr_expect_eq(read_one("max 99999999999999999999\n", "max"), UINT64_MAX);
	cr_expect_eq(read_one("max 1000000000000000000000000000001\n", "max"), UINT64_MAX);
}

Test(keyed, memory_events_are_told_apart_and_start_from_zero)
{
	struct memory_events events;

	memset(&events, 0xff, sizeof(events));
	keyed_memory_events("low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\n", &events);
	cr_expect_eq(events.low, 1);
	cr_expect_eq(events.high, 2);
	cr_expect_eq(events.max, 3);
	cr_expect_eq(events.oom, 4);
	cr_expect_eq(events.oom_kill, 5);
	cr_expect_eq(events.oom_group_kill, 6);

	/* kernels before 5.17 have no oom_group_kill */
	keyed_memory_events("low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\n", &events);
	cr_expect_eq(events.max, 7);
	cr_expect_eq(events.oom_group_kill, 0);
}

Test(keyed, reads_pressure_in_hundredths_of_a_percent)
{
	struct pressure pressure;
	struct error err;
	const char *text = "some avg10=12.34 avg60=5.06 avg300=1.20 total=123456789\n"
			   "full avg10=4.10 avg60=0.07 avg300=0.00 total=987\n";

	cr_assert_eq(keyed_pressure(text, &pressure, &err), 0);
	cr_expect_eq(pressure.some_avg10, 1234);
	cr_expect_eq(pressure.some_avg60, 506);
	cr_expect_eq(pressure.some_total_usec, 123456789);
	cr_expect_eq(pressure.full_avg10, 410);
	cr_expect_eq(pressure.full_avg60, 7);
	cr_expect_eq(pressure.full_total_usec, 987);
}

Test(keyed, pressure_without_a_full_line_has_zero_there)
{
	struct pressure pressure;
	struct error err;

	memset(&pressure, 0xff, sizeof(pressure));
	cr_assert_eq(
		keyed_pressure("some avg10=1.00 avg60=0.00 avg300=0.00 total=5\n", &pressure, &err),
		0);
	cr_expect_eq(pressure.some_avg10, 100);
	cr_expect_eq(pressure.full_avg10, 0);
	cr_expect_eq(pressure.full_avg60, 0);
	cr_expect_eq(pressure.full_total_usec, 0);
}

Test(keyed, reads_odd_decimals_of_pressure)
{
	static const struct {
		const char *text;
		uint32_t expected;
	} rows[] = {
		{ "some avg10=0 avg60=0 avg300=0 total=0\n", 0 },
		{ "some avg10=7 avg60=0 avg300=0 total=0\n", 700 },
		{ "some avg10=7.5 avg60=0 avg300=0 total=0\n", 750 },
		{ "some avg10=7.129 avg60=0 avg300=0 total=0\n", 712 },
		{ "some avg10=99.99 avg60=0 avg300=0 total=0\n", 9999 },
		{ "some avg10=100.00 avg60=0 avg300=0 total=0\n", 10000 },
		{ "some avg10=100.99 avg60=0 avg300=0 total=0\n", 10000 },
		{ "some avg10=99999999999999999999.5 avg60=0 avg300=0 total=0\n", 10000 },
		{ "some avg10=3.00 avg60=0 avg300=0 total=0", 300 },
		{ "some avg10=3.00 avg60=0 avg300=0 total=0 more=1\n", 300 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pressure pressure;
		struct error err;

		cr_assert_eq(keyed_pressure(rows[i].text, &pressure, &err), 0, "%s", rows[i].text);
		cr_expect_eq(pressure.some_avg10, rows[i].expected, "%s", rows[i].text);
	}
}

Test(keyed, refuses_what_is_no_pressure_file)
{
	static const char *const rows[] = {
		"",
		"\n",
		"full avg10=1.00 avg60=0.00 avg300=0.00 total=5\n",
		"some\n",
		"some avg10=\n",
		"some avg10=1.00\n",
		"some avg10=1.00 avg60=0.00 avg300=0.00\n",
		"some avg10=1.00 avg60=0.00 avg300=0.00 total=\n",
		"some avg10=1.00 avg60=0.00 avg300=0.00 total=5x\n",
		"some avg10=-1.00 avg60=0.00 avg300=0.00 total=5\n",
		"some avg60=1.00 avg10=0.00 avg300=0.00 total=5\n",
		"some  avg10=1.00 avg60=0.00 avg300=0.00 total=5\n",
		"someavg10=1.00 avg60=0.00 avg300=0.00 total=5\n",
		"low 0\nhigh 3\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pressure pressure = { .some_avg10 = 77, .full_total_usec = 78 };
		struct error err = { 0 };

		cr_expect_eq(keyed_pressure(rows[i], &pressure, &err), -EINVAL, "%s", rows[i]);
		cr_expect_eq(err.kind, ERROR_INVALID);
		cr_expect_eq(pressure.some_avg10, 77, "%s", rows[i]);
		cr_expect_eq(pressure.full_total_usec, 78, "%s", rows[i]);
	}
}

Test(keyed, adds_up_the_io_of_all_disks)
{
	static const struct {
		const char *text;
		struct io_totals expected;
	} rows[] = {
		{ "", { 0 } },
		{ "8:0 rbytes=10 wbytes=20 rios=3 wios=4 dbytes=5 dios=6\n"
		  "253:1 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n",
		  { 11, 22, 6, 8 } },
		{ "8:0 \n", { 0 } },
		{ "rbytes=x wbytes= wios=7junk crbytes=9", { .writes = 7 } },
		{ "8:0 rbytes=18446744073709551615\n8:1 rbytes=1", { .read_bytes = UINT64_MAX } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct io_totals totals = { 9, 9, 9, 9 };

		keyed_io(rows[i].text, &totals);
		cr_expect_arr_eq(&totals, &rows[i].expected, sizeof(totals), "%s", rows[i].text);
	}
}
