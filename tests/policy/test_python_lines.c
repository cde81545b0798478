/* SPDX-License-Identifier: MIT */
/* Tables as compilers of each version wrote them, and such as none would. */
#include "policy/own.h"
#include "policy/python_lines.h"

#include <criterion/criterion.h>

#define TABLE(...) \
	(const unsigned char[]){ __VA_ARGS__ }, sizeof((const unsigned char[]){ __VA_ARGS__ })

struct line_case {
	const unsigned char *table;
	size_t size;
	int64_t position;
	int32_t line;
};

static void check(enum python_lines kind, const struct line_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		cr_expect_eq(
			python_line_at(kind, cases[i].table, cases[i].size, 100, cases[i].position),
			cases[i].line, "case %zu", i);
}

Test(python_lines, are_found_in_an_lnotab)
{
	const struct line_case cases[] = {
		{ TABLE(6, 1, 8, 2), -1, 100 },
		{ TABLE(6, 1, 8, 2), 0, 100 },
		{ TABLE(6, 1, 8, 2), 5, 100 },
		{ TABLE(6, 1, 8, 2), 6, 101 },
		{ TABLE(6, 1, 8, 2), 13, 101 },
		{ TABLE(6, 1, 8, 2), 14, 103 },
		{ TABLE(6, 1, 8, 2), 900, 103 },
		{ TABLE(0, 127, 6, 1), 0, 227 },
		{ TABLE(6, 0xff), 6, 99 }, /* backwards */
		{ TABLE(255, 0, 45, 1), 299, 100 },
		{ TABLE(255, 0, 45, 1), 300, 101 },
		{ TABLE(6, 1, 8), 20, 101 }, /* half a pair */
		{ NULL, 0, 0, 100 },
	};

	check(PYTHON_LINES_LNOTAB, cases, ARRAY_SIZE(cases));
}

Test(python_lines, are_found_in_ranges)
{
	const struct line_case cases[] = {
		{ TABLE(6, 1, 8, 2), 0, 101 },
		{ TABLE(6, 1, 8, 2), 4, 101 },
		{ TABLE(6, 1, 8, 2), 6, 103 },
		{ TABLE(6, 1, 8, 2), 14, PYTHON_NO_LINE },
		{ TABLE(4, 0x80, 4, 1), 0, PYTHON_NO_LINE },
		{ TABLE(4, 0x80, 4, 1), 4, 101 },
		{ TABLE(0, 127, 0, 127, 2, 1), 0, 355 },
		{ TABLE(2, 0x81), 0, PYTHON_NO_LINE },
		{ TABLE(6, 1, 8), 6, PYTHON_NO_LINE },
		{ NULL, 0, 0, PYTHON_NO_LINE },
	};

	check(PYTHON_LINES_RANGES, cases, ARRAY_SIZE(cases));
}

Test(python_lines, are_found_in_locations)
{
	const struct line_case cases[] = {
		/* short: the same line; one line on; no columns; long; none */
		{ TABLE(0x80 | 0 << 3 | 1, 0x21), 0, 100 },
		{ TABLE(0x80 | 0 << 3 | 1, 0x21, 0x80 | 11 << 3 | 0, 1, 2), 3, 100 },
		{ TABLE(0x80 | 0 << 3 | 1, 0x21, 0x80 | 11 << 3 | 0, 1, 2), 4, 101 },
		{ TABLE(0x80 | 12 << 3 | 7, 1, 2), 15, 102 },
		{ TABLE(0x80 | 13 << 3 | 0, 6), 0, 103 },
		{ TABLE(0x80 | 13 << 3 | 0, 7), 0, 97 },
		{ TABLE(0x80 | 14 << 3 | 0, 0x40 | 8, 2, 0, 1, 1), 0, 168 },
		{ TABLE(0x80 | 15 << 3 | 0, 0x80 | 10 << 3 | 0, 0, 0), 0, PYTHON_NO_LINE },
		{ TABLE(0x80 | 15 << 3 | 0, 0x80 | 10 << 3 | 0, 0, 0), 2, 100 },
		/* beyond the end, a number without one, a line below 0 */
		{ TABLE(0x80 | 0 << 3 | 1, 0x21), 4, PYTHON_NO_LINE },
		{ TABLE(0x80 | 13 << 3 | 0, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f), 0,
		  PYTHON_NO_LINE },
		{ TABLE(0x80 | 13 << 3), 0, 100 },
		{ NULL, 0, 0, PYTHON_NO_LINE },
	};

	check(PYTHON_LINES_LOCATIONS, cases, ARRAY_SIZE(cases));
}
