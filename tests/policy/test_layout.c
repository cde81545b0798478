/* SPDX-License-Identifier: MIT */
#include "policy/layout.h"
#include "policy/own.h"

#include <criterion/criterion.h>
#include <limits.h>

static char *cut(const char *text, unsigned room, unsigned *ret_used)
{
	char *written = NULL;
	size_t size;
	FILE *out = open_memstream(&written, &size);

	cr_assert_not_null(out);
	*ret_used = layout_put_cut(out, text, room);
	fclose(out);
	return written;
}

Test(layout, cuts_between_characters_and_marks_it)
{
	static const struct {
		const char *text;
		unsigned room;
		const char *expected;
	} rows[] = {
		{ "web", 3, "web" },
		{ "website", 6, "web..." },
		{ "website", 2, ".." },
		{ "website", 0, "" },
		{ "", 5, "" },
		{ "äöü-äöü", 6, "äöü..." },
		{ "a\tb", UINT_MAX, "a    b" },
		{ "a\033[2Jb", UINT_MAX, "a\\x1b[2Jb" },
		{ "a\nb", UINT_MAX, "a\\nb" },
		{ "\033\033\033", 9, "\\x1b..." }, /* an escape is not cut in two */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned used;
		_cleanup_free_ char *text = cut(rows[i].text, rows[i].room, &used);

		cr_expect_str_eq(text, rows[i].expected);
		cr_expect_eq(used, layout_width(rows[i].expected), "%s: %u", text, used);
	}
}

static char *wrapped(const char *text, unsigned columns)
{
	const struct layout layout = { columns, 2 };
	char *written = NULL;
	size_t size;
	FILE *out = open_memstream(&written, &size);

	cr_assert_not_null(out);
	layout_put_wrapped(out, &layout, text, 2);
	fclose(out);
	return written;
}

Test(layout, breaks_lines_at_blanks_and_long_words_anywhere)
{
	static const struct {
		const char *text;
		unsigned columns;
		const char *expected;
	} rows[] = {
		{ "one two three", 9, "one two\n  three\n" },
		{ "abcdefghij", 6, "abcd\n  efgh\n  ij\n" },
		{ "one two three", UINT_MAX, "one two three\n" },
		{ "", 9, "\n" },
		{ "a\nb", 20, "a\\nb\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *text = wrapped(rows[i].text, rows[i].columns);

		cr_expect_str_eq(text, rows[i].expected);
	}
}
