/* SPDX-License-Identifier: MIT */
#include "policy/chart.h"

#include "policy/own.h"
#include "policy/quantity.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

Test(chart, draws_bars_in_eighths)
{
	char text[CHART_TEXT_MAX];

	cr_expect_str_eq(chart_bar(0, 100, 4, true, text), "    ");
	cr_expect_str_eq(chart_bar(1, 10000, 4, true, text), "▏   ");
	cr_expect_str_eq(chart_bar(50, 100, 4, true, text), "██  ");
	cr_expect_str_eq(chart_bar(60, 100, 4, true, text), "██▍ ");
	cr_expect_str_eq(chart_bar(300, 100, 4, true, text), "████");
	cr_expect_str_eq(chart_bar(60, 100, 4, false, text), "##  ");
	cr_expect_str_eq(chart_bar(60, 0, 4, false, text), "    ");
	cr_expect_eq(strlen(chart_bar(1, 1, 100000, true, text)), (size_t)CHART_COLUMNS_MAX * 3);
}

Test(chart, draws_a_sparkline_in_which_what_is_unknown_is_blank)
{
	static const uint64_t values[] = { CHART_UNKNOWN, 0, 1, 50, 100, 400 };
	char text[CHART_TEXT_MAX];

	cr_expect_str_eq(chart_sparkline(values, ARRAY_SIZE(values), 100, true, text), "  ▁▄██");
	cr_expect_str_eq(chart_sparkline(values, ARRAY_SIZE(values), 100, false, text), "  _-##");
}

Test(chart, takes_the_largest_level_of_each_span)
{
	static const uint64_t times[] = { 0, 10, 12, 14, 40 }, values[] = { 5, 1, 9, 2, 3 };
	uint64_t bins[4];

	chart_bin_levels(times, values, ARRAY_SIZE(times), bins, 4);
	/* 0-10: 5; 10-20: 9 between others; then what held */
	cr_expect_eq(bins[0], 5);
	cr_expect_eq(bins[1], 9);
	cr_expect_eq(bins[2], 2);
	cr_expect_eq(bins[3], 3);
	chart_bin_levels(times, values, 1, bins, 2);
	cr_expect_eq(bins[1], 5, "one point is enough");
}

Test(chart, takes_a_counters_growth_in_each_span)
{
	static const uint64_t times[] = { 100, 200, 400, 500 }, values[] = { 10, 110, 10, 60 };
	uint64_t bins[4];

	chart_bin_rates(times, values, ARRAY_SIZE(times), 100, bins, 4);
	cr_expect_eq(bins[0], 100);
	cr_expect_eq(bins[1], 0, "it began anew");
	cr_expect_eq(bins[3], 50);
	chart_bin_rates(times, values, 1, 100, bins, 4);
	cr_expect_eq(bins[0], 0);
}

static const char *label(uint64_t value, char *text)
{
	snprintf(text, QUANTITY_TEXT_MAX, "%" PRIu64, value);
	return text;
}

Test(chart, draws_columns_with_labels)
{
	static const uint64_t values[] = { 0, 25, 50, CHART_UNKNOWN, 100, 200 };
	const struct chart chart = { .values = values,
				     .count = ARRAY_SIZE(values),
				     .rows = 2,
				     .top = 100,
				     .utf8 = true,
				     .margin = 5,
				     .label = label };
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert_not_null(out);
	chart_print(&chart, out);
	fclose(out);
	cr_expect_str_eq(text, " 100│    ██\n   0│ ▄█ ██\n");
}
