/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "policy/quantity.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

#define UNTOUCHED UINT64_C(0x5a5a5a5a5a5a5a5a)

struct sample {
	const char *text;
	uint64_t value;
};

struct refusal {
	const char *text;
	const char *words; /* in the message */
};

typedef int (*parser)(const char *text, uint64_t *ret, struct error *err);

static void expect_values(parser parse, const struct sample *samples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct error err = { 0 };
		uint64_t value = UNTOUCHED;

		cr_expect_eq(parse(samples[i].text, &value, &err), 0, "\"%s\": %s", samples[i].text,
			     err.text);
		cr_expect_eq(value, samples[i].value, "\"%s\": %" PRIu64 ", not %" PRIu64,
			     samples[i].text, value, samples[i].value);
		cr_expect_eq(err.kind, ERROR_NONE, "\"%s\"", samples[i].text);
	}
}

/* Every message is one line that begins with the quoted value. */
static void expect_refusals(parser parse, const struct refusal *refusals, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct error err = { 0 };
		uint64_t value = UNTOUCHED;

		cr_expect_eq(parse(refusals[i].text, &value, &err), -EINVAL, "\"%s\" was taken",
			     refusals[i].text);
		cr_expect_eq(value, UNTOUCHED, "\"%s\" touched the output", refusals[i].text);
		cr_expect_eq(err.kind, ERROR_INVALID, "\"%s\"", refusals[i].text);
		cr_expect_eq(err.text[0], '"', "%s", err.text);
		cr_expect_null(strchr(err.text, '\n'), "%s", err.text);
		cr_expect_not_null(strstr(err.text, refusals[i].words), "\"%s\": %s lacks \"%s\"",
				   refusals[i].text, err.text, refusals[i].words);
	}
}

/* --- sizes ------------------------------------------------------------------------------------ */

Test(quantity, reads_sizes_in_powers_of_1024)
{
	static const struct sample samples[] = {
		{ "0", 0 },
		{ "1", 1 },
		{ "007", 7 },
		{ "1048576", 1048576 },
		{ "1K", 1024 },
		{ "1k", 1024 },
		{ "256M", UINT64_C(268435456) },
		{ "256m", UINT64_C(268435456) },
		{ "256MB", UINT64_C(268435456) },
		{ "256MiB", UINT64_C(268435456) },
		{ "256Mi", UINT64_C(268435456) },
		{ "3G", UINT64_C(3221225472) },
		{ "2T", UINT64_C(2199023255552) },
		{ "2t", UINT64_C(2199023255552) },
		{ "100B", 100 },
		{ "max", LIMIT_MAX },
		{ "1048576T", SIZE_LIMIT_BYTES },
		{ "1152921504606846976", SIZE_LIMIT_BYTES },
	};

	expect_values(quantity_parse_size, samples, ARRAY_SIZE(samples));
}

Test(quantity, reads_decimals_exactly_and_rounds_down_to_bytes)
{
	static const struct sample samples[] = {
		{ "1.5G", UINT64_C(1610612736) },
		{ "0.5K", 512 },
		{ "0.1K", 102 },
		{ "0.1G", UINT64_C(107374182) },
		{ "0.000000001T", 1099 },
		{ "0.000000001G", 1 },
		{ "0.000000001K", 0 },
		{ "0.123456789T", UINT64_C(135742175033) },
		{ "1.500000000M", 1572864 },
		/* a double has 53 bits, this needs 60 */
		{ "1048575.999999999T", UINT64_C(1152921504606845876) },
	};

	expect_values(quantity_parse_size, samples, ARRAY_SIZE(samples));
}

Test(quantity, refuses_what_is_not_a_size)
{
	static const struct refusal refusals[] = {
		{ "", "is not a size" },
		{ "12Q", "is not a size: write bytes, or a number with K, M, G or T, for example "
			 "256M" },
		{ "M", "is not a size" },
		{ "-1", "is not a size" },
		{ "-0", "is not a size" },
		{ "+1", "is not a size" },
		{ " 1", "is not a size" },
		{ "1 ", "is not a size" },
		{ "1 M", "is not a size" },
		{ "1\n", "is not a size" },
		{ "0x10", "is not a size" },
		{ "1e9", "is not a size" },
		{ "1,5G", "is not a size" },
		{ ".5G", "is not a size" },
		{ "1.G", "is not a size" },
		{ "1.5.5G", "is not a size" },
		{ "1MM", "is not a size" },
		{ "1Bi", "is not a size" },
		{ "1iB", "is not a size" },
		{ "1Mb", "is not a size" },
		{ "1Kib", "is not a size" },
		{ "1P", "is not a size" },
		{ "MAX", "is not a size" },
		{ "max ", "is not a size" },
		{ "maximum", "is not a size" },
		{ "infinity", "is not a size" },
		{ "50%", "is not a size" },
		{ "\xd9\xa1", "is not a size" }, /* ARABIC-INDIC DIGIT ONE */
	};

	expect_refusals(quantity_parse_size, refusals, ARRAY_SIZE(refusals));
}

Test(quantity, refuses_sizes_that_are_too_large_or_overflow)
{
	static const struct refusal refusals[] = {
		{ "1152921504606846977", "is too large for a size: at most 1048576T" },
		{ "1048576.000000001T", "is too large" },
		{ "1048577T", "is too large" },
		{ "16777216T", "is too large" }, /* 2^64 exactly: 0 if it wrapped */
		{ "18446744073709551615", "is too large" },
		{ "18446744073709551616", "is too large" }, /* 2^64 */
		{ "18446744073709551617M", "is too large" },
		{ "99999999999999999999999999999999999999999999", "is too large" },
		{ "36893488147419103232K", "is too large" }, /* 2^65 */
	};

	expect_refusals(quantity_parse_size, refusals, ARRAY_SIZE(refusals));
}

Test(quantity, refuses_parts_of_a_byte_and_too_many_decimals)
{
	static const struct refusal refusals[] = {
		{ "1.5", "is too fine" },
		{ "1.0B", "is too fine" },
		{ "1.0000000000G", "is too fine: at most 9 decimals" },
	};

	expect_refusals(quantity_parse_size, refusals, ARRAY_SIZE(refusals));
}

Test(quantity, reads_a_percentage_of_a_whole)
{
	static const struct {
		const char *text;
		uint64_t whole, value;
	} samples[] = {
		{ "40%", 1000, 400 },
		{ "33.3%", 1000, 333 },
		{ "99.999999%", 1000, 999 },
		{ "0%", 1000, 0 },
		{ "100%", SIZE_LIMIT_BYTES, SIZE_LIMIT_BYTES },
		{ "100.000000%", 12345, 12345 },
		{ "12.345678%", SIZE_LIMIT_BYTES, UINT64_C(142335976551516493) },
		{ "0.000001%", SIZE_LIMIT_BYTES, UINT64_C(11529215046) },
		{ "50%", 0, 0 },
		{ "256M", 1000, UINT64_C(268435456) },
		{ "256M", LIMIT_MAX, UINT64_C(268435456) },
		{ "max", 1000, LIMIT_MAX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct error err = { 0 };
		uint64_t value = UNTOUCHED;

		cr_expect_eq(quantity_parse_size_or_percent(samples[i].text, samples[i].whole,
							    &value, &err),
			     0, "%s", err.text);
		cr_expect_eq(value, samples[i].value, "%s of %" PRIu64 ": %" PRIu64,
			     samples[i].text, samples[i].whole, value);
	}
}

Test(quantity, refuses_percentages_of_nothing_and_above_the_whole)
{
	static const struct {
		const char *text;
		uint64_t whole;
		const char *words;
	} samples[] = {
		{ "40%", LIMIT_MAX, "is a part of no known whole" },
		{ "40%", LIMIT_UNSET, "is a part of no known whole" },
		{ "40%", SIZE_LIMIT_BYTES + 1, "is a part of no known whole" },
		{ "101%", 1000, "is not a percentage" },
		{ "100.000001%", 1000, "is not a percentage" },
		{ "1.0000001%", 1000, "is not a percentage" },
		{ "-1%", 1000, "is not a percentage" },
		{ "%", 1000, "is not a percentage" },
		{ "5%%", 1000, "is not a percentage" },
		{ "5%5", 1000, "is not a percentage" },
		{ "5M%", 1000, "is not a percentage" },
		{ "5 %", 1000, "is not a percentage" },
		{ "max%", 1000, "is not a percentage" },
		{ "", 1000, "is not a size" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct error err = { 0 };
		uint64_t value = UNTOUCHED;

		cr_expect_eq(quantity_parse_size_or_percent(samples[i].text, samples[i].whole,
							    &value, &err),
			     -EINVAL, "%s was taken", samples[i].text);
		cr_expect_eq(value, UNTOUCHED, "%s", samples[i].text);
		cr_expect_not_null(strstr(err.text, samples[i].words), "%s", err.text);
	}
}

static void expect_size_text(uint64_t bytes, const char *expected)
{
	char text[QUANTITY_TEXT_MAX];

	cr_expect_str_eq(quantity_format_size(bytes, text), expected);
}

Test(quantity, writes_sizes_exactly_where_few_digits_can)
{
	expect_size_text(0, "0");
	expect_size_text(1, "1B");
	expect_size_text(1023, "1023B");
	expect_size_text(1024, "1K");
	expect_size_text(1025, "1025B");
	expect_size_text(1536, "1.5K");
	expect_size_text(UINT64_C(256) << 20, "256M");
	expect_size_text(UINT64_C(1536) << 20, "1.5G");
	expect_size_text(UINT64_C(1100) << 20, "1100M");
	expect_size_text(SIZE_LIMIT_BYTES, "1048576T");
	expect_size_text(LIMIT_MAX, "max");
	expect_size_text(LIMIT_UNSET, "-");
}

Test(quantity, rounds_other_sizes_to_one_decimal_that_always_shows)
{
	expect_size_text((UINT64_C(256) << 20) + 1, "256.0M");
	expect_size_text((UINT64_C(256) << 20) - 1, "256.0M");
	expect_size_text(UINT64_C(263507148), "251.3M");
	expect_size_text(123457, "120.6K"); /* 120.563 */
	expect_size_text((UINT64_C(1) << 40) - 1, "1024.0G");
	expect_size_text(LIMIT_UNSET - 1, "16777216.0T");
}

/* --- CPU -------------------------------------------------------------------------------------- */

Test(quantity, reads_cpu_as_percent_or_cores)
{
	static const struct sample samples[] = {
		{ "50%", 500 },	     { "100%", 1000 },	{ "150%", 1500 },
		{ "1.5", 1500 },     { "2", 2000 },	{ "0.5", 500 },
		{ "33.3%", 333 },    { "0.01", 10 },	{ "1%", 10 },
		{ "1.000", 1000 },   { "12.30%", 123 }, { "max", LIMIT_MAX },
		{ "4096", 4096000 }, { "0.125", 125 },	{ "409600%", 4096000 },
	};

	expect_values(quantity_parse_cpu, samples, ARRAY_SIZE(samples));
}

Test(quantity, refuses_what_is_not_a_share_of_cpu)
{
	static const struct refusal refusals[] = {
		{ "", "is not a share of CPU" },
		{ "%", "is not a share of CPU" },
		{ "one", "is not a share of CPU" },
		{ "-50%", "is not a share of CPU" },
		{ "50 %", "is not a share of CPU" },
		{ "50%%", "is not a share of CPU" },
		{ "500m", "is not a share of CPU" },
		{ "1.5.5", "is not a share of CPU" },
		{ "0.9999999999x", "is not a share of CPU" },
		{ "99999999999999999999x", "is not a share of CPU" },
		{ "0", "is too little CPU: at least 1%" },
		{ "0%", "is too little CPU" },
		{ "0.9%", "is too little CPU" },
		{ "0.009", "is too little CPU" },
		{ "0.05%", "is too fine" },
		{ "33.33%", "is too fine: CPU is given in steps of 0.1%" },
		{ "1.0005", "is too fine" },
		{ "1.0000000000", "is too fine" },
		{ "4096.001", "is too much CPU: at most 4096 cores" },
		{ "409601%", "is too much CPU" },
		{ "99999999999999999999", "is too much CPU" },
		{ "18446744073709551615%", "is too much CPU" },
		{ "18446744073709551", "is too much CPU" },
	};

	expect_refusals(quantity_parse_cpu, refusals, ARRAY_SIZE(refusals));
}

Test(quantity, writes_cpu_as_percent)
{
	static const struct sample samples[] = {
		{ "50%", 500 }, { "150%", 1500 },	{ "33.3%", 333 },     { "1%", 10 },
		{ "0%", 0 },	{ "409600%", 4096000 }, { "max", LIMIT_MAX }, { "-", LIMIT_UNSET },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		char text[QUANTITY_TEXT_MAX];

		cr_expect_str_eq(quantity_format_cpu(samples[i].value, text), samples[i].text);
	}
}

/* --- time ------------------------------------------------------------------------------------- */

Test(quantity, reads_time_spans_of_systemd)
{
	static const struct sample samples[] = {
		{ "0", 0 },
		{ "5", 5000000 },
		{ "2.5", 2500000 },
		{ "5s", 5000000 },
		{ "5sec", 5000000 },
		{ "1second", 1000000 },
		{ "5seconds", 5000000 },
		{ "500ms", 500000 },
		{ "500msec", 500000 },
		{ "7us", 7 },
		{ "7usec", 7 },
		{ "7\xc2\xb5s", 7 },
		{ "7\xce\xbcs", 7 },
		{ "1min 30s", 90000000 },
		{ "1min30s", 90000000 },
		{ "1min  30 s", 90000000 },
		{ "2 h", UINT64_C(7200000000) },
		{ "2hr", UINT64_C(7200000000) },
		{ "1m", 60000000 },
		{ "1minute", 60000000 },
		{ "2minutes", 120000000 },
		{ "1hour", UINT64_C(3600000000) },
		{ "1d", UINT64_C(86400000000) },
		{ "1day", UINT64_C(86400000000) },
		{ "1w", UINT64_C(604800000000) },
		{ "2weeks", UINT64_C(1209600000000) },
		{ "1M", UINT64_C(2630016000000) },
		{ "1month", UINT64_C(2630016000000) },
		{ "1y", UINT64_C(31557600000000) },
		{ "1.5min", 90000000 },
		{ "0.001ms", 1 },
		{ "0.9us", 0 },
		{ "0.000000001w", 604 },
		{ "0.123456789y", UINT64_C(3895999964546) },
		{ "0s 5s", 5000000 },
		{ "36500d", TIME_LIMIT_USEC },
	};

	expect_values(quantity_parse_time, samples, ARRAY_SIZE(samples));
}

Test(quantity, refuses_what_is_not_a_time)
{
	static const struct refusal refusals[] = {
		{ "", "is not a time" },
		{ " ", "is not a time" },
		{ "s", "is not a time" },
		{ "5 ", "is not a time" },
		{ " 5", "is not a time" },
		{ "5s ", "is not a time" },
		{ "5 5", "is not a time" },
		{ "0s5", "is not a time" },
		{ "5s5", "is not a time" },
		{ "1min 30", "is not a time" },
		{ "-5s", "is not a time" },
		{ "5s-", "is not a time" },
		{ "5S", "is not a time" },
		{ "5 parsecs", "is not a time" },
		{ "5secs", "is not a time" },
		{ "5s,5s", "is not a time" },
		{ "5.s", "is not a time" },
		{ "1:30", "is not a time" },
		{ "infinity", "is not a time: write seconds" },
		{ "max", "is not a time" },
		{ "1.0000000000s", "is too fine" },
		{ "36500d 1us", "is too long a time: at most 36500d" },
		{ "101y", "is too long" },
		{ "36500d 36500d", "is too long" },
		{ "18446744073709551615s", "is too long" },
		{ "18446744073709551616", "is too long" },
		{ "18446744073709551615us 18446744073709551615us", "is too long" },
		{ "9223372036854775808us 9223372036854775808us", "is too long" }, /* 2^64 */
	};

	expect_refusals(quantity_parse_time, refusals, ARRAY_SIZE(refusals));
}

Test(quantity, writes_time_to_the_microsecond)
{
	static const struct sample samples[] = {
		{ "0", 0 },
		{ "1us", 1 },
		{ "500ms", 500000 },
		{ "1s", 1000000 },
		{ "1min 30s", 90000000 },
		{ "1h", UINT64_C(3600000000) },
		{ "1d 1h 1min 1s 1ms 1us", UINT64_C(90061001001) },
		{ "36500d", TIME_LIMIT_USEC },
		{ "213503982d 8h 1min 49s 551ms 613us", LIMIT_UNSET - 1 },
		{ "max", LIMIT_MAX },
		{ "-", LIMIT_UNSET },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		char text[QUANTITY_TEXT_MAX];

		cr_expect_str_eq(quantity_format_time(samples[i].value, text), samples[i].text);
	}
}

Test(quantity, reads_its_own_exact_texts_back)
{
	static const uint64_t values[] = {
		0, 1, 1023, 1536, 4096, 262144, 1610612736, 90061001001
	};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		char text[QUANTITY_TEXT_MAX];
		struct error err = { 0 };
		uint64_t value = UNTOUCHED;

		cr_expect_eq(
			quantity_parse_time(quantity_format_time(values[i], text), &value, &err), 0,
			"%s", err.text);
		cr_expect_eq(value, values[i], "%s", text);
		if (values[i] == 90061001001)
			continue; /* rounded as a size */
		cr_expect_eq(
			quantity_parse_size(quantity_format_size(values[i], text), &value, &err), 0,
			"%s", err.text);
		cr_expect_eq(value, values[i], "%s", text);
	}
}

/* --- counts and ids --------------------------------------------------------------------------- */

Test(quantity, reads_counts_within_their_range)
{
	static const struct {
		const char *text;
		uint64_t min, max;
		bool allow_max;
		int result;
		uint64_t value;
	} samples[] = {
		{ "1", 1, 10000, false, 0, 1 },
		{ "10000", 1, 10000, false, 0, 10000 },
		{ "0", 0, 5, true, 0, 0 },
		{ "max", 1, 5, true, 0, LIMIT_MAX },
		{ "18446744073709551615", 0, UINT64_MAX, false, 0, UINT64_MAX },
		{ "0", 1, 10000, false, -EINVAL, UNTOUCHED },
		{ "10001", 1, 10000, false, -EINVAL, UNTOUCHED },
		{ "max", 1, 5, false, -EINVAL, UNTOUCHED },
		{ "", 0, 5, true, -EINVAL, UNTOUCHED },
		{ "-1", 0, 5, true, -EINVAL, UNTOUCHED },
		{ "+1", 0, 5, true, -EINVAL, UNTOUCHED },
		{ "1.0", 0, 5, true, -EINVAL, UNTOUCHED },
		{ "1.", 0, 5, true, -EINVAL, UNTOUCHED },
		{ " 1", 0, 5, true, -EINVAL, UNTOUCHED },
		{ "1 ", 0, 5, true, -EINVAL, UNTOUCHED },
		{ "1K", 0, 5000, true, -EINVAL, UNTOUCHED },
		{ "0x1", 0, 5, true, -EINVAL, UNTOUCHED },
		{ "18446744073709551616", 0, UINT64_MAX, false, -EINVAL, UNTOUCHED },
		{ "18446744073709551617", 1, 5, false, -EINVAL, UNTOUCHED }, /* 1 if it wrapped */
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct error err = { 0 };
		uint64_t value = UNTOUCHED;

		cr_expect_eq(quantity_parse_count(samples[i].text, samples[i].min, samples[i].max,
						  samples[i].allow_max, &value, &err),
			     samples[i].result, "\"%s\": %s", samples[i].text, err.text);
		cr_expect_eq(value, samples[i].value, "\"%s\"", samples[i].text);
	}
}

Test(quantity, names_the_range_of_a_count)
{
	struct error err = { 0 };
	uint64_t value;

	cr_expect_eq(quantity_parse_count("x", 1, 10000, false, &value, &err), -EINVAL);
	cr_expect_str_eq(err.text, "\"x\" is not a whole number from 1 to 10000");
	cr_expect_eq(quantity_parse_count("x", 0, 7, true, &value, &err), -EINVAL);
	cr_expect_str_eq(err.text, "\"x\" is not a whole number from 0 to 7, or max");
}

Test(quantity, reads_ids)
{
	static const struct {
		const char *text;
		uint32_t id;
	} samples[] = {
		{ "0", 0 }, { "1000", 1000 }, { "65535", 65535 }, { "4294967294", 4294967294 }
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct error err = { 0 };
		uint32_t id = 7;

		cr_expect_eq(quantity_parse_id(samples[i].text, &id, &err), 0, "%s", err.text);
		cr_expect_eq(id, samples[i].id, "%s", samples[i].text);
	}
}

Test(quantity, refuses_ids_that_others_have_read_as_root)
{
	static const char *const texts[] = {
		"",	      "-1",	    "+0",
		"0day",	      "0x0",	    "4294967295",
		"4294967296", "4294968296", "18446744073709551616",
		"010",	      "00",	    " 0",
		"0 ",	      "0\n",	    "1.0",
		"max",	      "root",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct error err = { 0 };
		uint32_t id = 7;

		cr_expect_eq(quantity_parse_id(texts[i], &id, &err), -EINVAL, "\"%s\" was taken",
			     texts[i]);
		cr_expect_eq(id, 7, "\"%s\"", texts[i]);
		cr_expect_not_null(strstr(err.text, "is not an id"), "%s", err.text);
	}
}

Test(quantity, quotes_hostile_text_on_one_short_line)
{
	struct error err = { 0 };
	char text[5000];
	uint64_t value;

	cr_expect_eq(quantity_parse_size("1\x1b[2J\n\"", &value, &err), -EINVAL);
	cr_expect_eq(strncmp(err.text, "\"1\\x1b[2J\\n", 11), 0, "%s", err.text);

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cr_expect_eq(quantity_parse_size(text, &value, &err), -EINVAL);
	cr_expect_lt(strlen(err.text), 250);
	cr_expect_not_null(strstr(err.text, "xxx\"... is not a size"), "%s", err.text);
}

Test(quantity, reads_and_writes_shares_of_a_limit)
{
	static const char *const bad[] = { "",	   "%",	   "0%",   "101%",
					   "90",   "90 %", "-1%",  "1.5%",
					   "+9%",  "0x9%", "Off",  "max",
					   "90%%", "off%", " 90%", "18446744073709551617%" };
	struct error err = { 0 };
	char text[QUANTITY_TEXT_MAX];
	uint64_t value = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(quantity_parse_percent(bad[i], &value, &err), -EINVAL, "%s", bad[i]);
	cr_expect_eq(value, 7);
	cr_expect_str_eq(err.text,
			 "\"18446744073709551617%\" is no share: write 1% to 100%, or off");
	cr_expect_eq(quantity_parse_percent("1%", &value, &err), 0);
	cr_expect_eq(value, 1);
	cr_expect_str_eq(quantity_format_percent(100, text), "100%");
	cr_expect_eq(quantity_parse_percent("off", &value, &err), 0);
	cr_expect_eq(value, LIMIT_MAX);
	cr_expect_str_eq(quantity_format_percent(value, text), "off");
}
