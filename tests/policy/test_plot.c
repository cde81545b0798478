/* SPDX-License-Identifier: MIT */
#include "policy/plot.h"

#include "tests/policy/json.h"

static void expect_rows(const struct plot *plot, const char *const expected[])
{
	char text[PLOT_LINE_MAX];

	for (unsigned i = 0; i < plot->rows; i++)
		cr_expect_str_eq(plot_row(plot, i, text), expected[i], "row %u: \"%s\"", i, text);
}

static void make(const char *values, int64_t top, bool unicode, struct plot *ret)
{
	_cleanup_json_ json_t *value = json_from(values);
	struct history history;

	cr_assert(history_of(value, "a", &history));
	plot_make(&history, top, 4, 2, unicode, ret);
}

Test(plot, draws_bars_up_to_the_top)
{
	static const char *const unicode[] = { "  ▄█", " ███" };
	static const char *const ascii[] = { "  :#", " ###" };
	static const char values[] = "{'time_msec':[0,1000,2000,3000],'a':[0,50,75,100]}";
	struct plot plot;

	make(values, 100, true, &plot);
	expect_rows(&plot, unicode);
	make(values, 100, false, &plot);
	expect_rows(&plot, ascii);
	make(values, 0, false, &plot);
	cr_expect_eq(plot.top, 100, "without a top the highest is it");
	expect_rows(&plot, ascii);
}

Test(plot, cuts_what_is_above_and_shows_a_little_as_a_little)
{
	static const char *const expected[] = { "   █", "▁▁▁█" };
	struct plot plot;

	make("{'time_msec':[0,1000,2000,3000],'a':[1,1,1,900]}", 100, true, &plot);
	expect_rows(&plot, expected);
}

Test(plot, a_time_without_samples_shows_what_was_before)
{
	static const char *const expected[] = { "   #", "####" };
	struct plot plot;

	make("{'time_msec':[0,10000],'a':[50,100]}", 100, false, &plot);
	expect_rows(&plot, expected);
}

Test(plot, takes_times_that_make_no_sense)
{
	struct plot plot;
	char text[PLOT_LINE_MAX];

	make("{'time_msec':[5,5,1],'a':[1,2,3]}", 0, true, &plot);
	(void)plot_row(&plot, 0, text);
	make("{'time_msec':[9000000000000000000,-9000000000000000000],'a':[1e300,-1]}", 0, true,
	     &plot);
	(void)plot_row(&plot, 0, text);
	make("{'time_msec':['x',null],'a':[{},[]]}", 0, true, &plot);
	cr_expect_eq(plot.top, 1);
}
