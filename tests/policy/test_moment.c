/* SPDX-License-Identifier: MIT */
#include "policy/moment.h"
#include "policy/own.h"

#include <criterion/criterion.h>

TestSuite(moment, .timeout = 10);

#define SEC    UINT64_C(1000000)
#define WITHIN (5 * SEC)

Test(moment, matters_for_so_long_as_the_app_could_run)
{
	static const struct {
		struct moment then, now;
		bool matters;
	} rows[] = {
		{ { 100 * SEC, 0 }, { 100 * SEC, 0 }, true },
		{ { 100 * SEC, 0 }, { 105 * SEC - 1, 0 }, true },
		{ { 100 * SEC, 0 }, { 105 * SEC, 0 }, false },
		/* what it has waited before is not of this time */
		{ { 100 * SEC, 60 * SEC }, { 105 * SEC, 60 * SEC }, false },
		{ { 100 * SEC, 60 * SEC }, { 105 * SEC, 60 * SEC + 1 }, true },
		/* throttled to a tenth: 45 s of 50 */
		{ { 100 * SEC, 60 * SEC }, { 150 * SEC - 1, 105 * SEC }, true },
		{ { 100 * SEC, 60 * SEC }, { 150 * SEC, 105 * SEC }, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(moment_matters(&rows[i].then, &rows[i].now, WITHIN), rows[i].matters,
			     "row %zu", i);
}

Test(moment, one_that_has_not_come_does_not_matter)
{
	const struct moment never = { 0 }, early = { 1, 0 };

	cr_expect_not(moment_matters(&never, &early, WITHIN));
	cr_expect_not(moment_matters(&never, &never, WITHIN));
	cr_expect(moment_matters(&early, &early, WITHIN));
}

Test(moment, a_total_that_can_not_be_read_any_more_takes_nothing_away)
{
	const struct moment then = { 100 * SEC, 60 * SEC };

	cr_expect(moment_matters(&then, &(struct moment){ 104 * SEC, 0 }, WITHIN));
	cr_expect_not(moment_matters(&then, &(struct moment){ 105 * SEC, 0 }, WITHIN));
	/* and totals are a moment old: it can seem to have waited for longer than passed */
	cr_expect(moment_matters(&then, &(struct moment){ 106 * SEC, 67 * SEC }, WITHIN));
	cr_expect(moment_matters(&then, &(struct moment){ 99 * SEC, 60 * SEC }, WITHIN));
}
