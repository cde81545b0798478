/* SPDX-License-Identifier: MIT */
#include "policy/figure.h"

#include <criterion/criterion.h>

#define MIB (UINT64_C(1) << 20)

Test(figure, sizes_have_two_or_three_digits)
{
	static const struct {
		uint64_t bytes;
		const char *expected;
	} rows[] = {
		{ 0, "0" },
		{ 1, "1B" },
		{ 999, "999B" },
		{ 1000, "1.0K" },
		{ 4096, "4.0K" },
		{ 3248128, "3.1M" },
		{ 252706816, "241M" },
		{ 252706816 + 4096, "241M" },
		{ 256 * MIB, "256M" },
		{ 99 * MIB + MIB * 94 / 100, "99.9M" },
		{ 99 * MIB + MIB * 96 / 100, "100M" },
		{ 999 * MIB, "999M" },
		{ 1000 * MIB, "1.0G" },
		{ 1536 * MIB, "1.5G" },
		{ UINT64_MAX, "16.0E" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[QUANTITY_TEXT_MAX];

		cr_expect_str_eq(figure_size(rows[i].bytes, text), rows[i].expected, "\"%s\"",
				 figure_size(rows[i].bytes, text));
	}
}

Test(figure, times_are_cut_to_what_matters)
{
	static const struct {
		uint64_t usec;
		const char *expected;
	} rows[] = {
		{ 0, "0" },
		{ 12, "12us" },
		{ 1999, "1ms" },
		{ 999999, "999ms" },
		{ 1555555, "1s 500ms" },
		{ 9999999, "9s 900ms" },
		{ 12345678, "12s" },
		{ 123 * USEC_PER_SEC + 456789, "2min 3s" },
		{ 3600 * USEC_PER_SEC + 61 * USEC_PER_SEC, "1h 1min" },
		{ 86400 * USEC_PER_SEC * 3 + 3600 * USEC_PER_SEC * 4 + 59, "3d 4h" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[QUANTITY_TEXT_MAX];

		cr_expect_str_eq(figure_time(rows[i].usec, text), rows[i].expected, "\"%s\"",
				 figure_time(rows[i].usec, text));
	}
}
