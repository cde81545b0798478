/* SPDX-License-Identifier: MIT */
#include "policy/escape.h"

#include "policy/own.h"

#include <criterion/criterion.h>
#include <string.h>

Test(escape, makes_text_safe_for_a_terminal)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "", "" },
		{ "gunicorn: worker [app:app]", "gunicorn: worker [app:app]" },
		{ "back\\slash \"quote\"", "back\\slash \"quote\"" },
		{ "\x1b[2J", "\\x1b[2J" },
		{ "a\nb\rc\td", "a\\nb\\rc\\td" },
		{ "\x01\x7f", "\\x01\\x7f" },
		/* C1: CSI as UTF-8, and as a bare byte */
		{ "\xc2\x9b"
		  "2J",
		  "\\u009b2J" },
		{ "\x9b"
		  "2J",
		  "\\x9b2J" },
		/* right-to-left override, line separator, byte order mark */
		{ "a\xe2\x80\xae"
		  "b",
		  "a\\u202eb" },
		{ "a\xe2\x80\xa8"
		  "b",
		  "a\\u2028b" },
		{ "\xef\xbb\xbf", "\\ufeff" },
		{ "\xe2\x81\xa6\xe2\x81\xa9", "\\u2066\\u2069" },
		/* writing of all kinds stays: two, three, four bytes, a joiner */
		{ "caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x90\x8d",
		  "caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x90\x8d" },
		{ "\xd9\x85\xe2\x80\x8c\xd9\x86", "\xd9\x85\xe2\x80\x8c\xd9\x86" },
		{ "\xc2\xa0", "\xc2\xa0" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char buffer[100];

		cr_expect_str_eq(
			escape_string(rows[i].text, ESCAPE_FOR_TERMINAL, buffer, sizeof(buffer)),
			rows[i].expected, "row %zu", i);
	}
}

Test(escape, replaces_each_byte_that_is_no_utf8_in_both_modes)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "\xff", "\\xff" },
		{ "a\x80"
		  "b",
		  "a\\x80b" },
		{ "\xc3", "\\xc3" },	      /* cut */
		{ "\xe2\x82", "\\xe2\\x82" }, /* cut */
		{ "\xc3"
		  "A",
		  "\\xc3A" },
		{ "\xc0\xaf", "\\xc0\\xaf" }, /* overlong "/" */
		{ "\xc1\xbf", "\\xc1\\xbf" },
		{ "\xe0\x80\xaf", "\\xe0\\x80\\xaf" },
		{ "\xe0\x9f\xbf", "\\xe0\\x9f\\xbf" },
		{ "\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },		/* surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" }, /* above 10FFFF */
		{ "\xf8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80" },
		/* the edges that are valid */
		{ "\xc3\xbf", "\xc3\xbf" },
		{ "\xe0\xa0\x80", "\xe0\xa0\x80" },
		{ "\xf0\x90\x80\x80", "\xf0\x90\x80\x80" },
		{ "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" },
	};
	static const enum escape_for modes[] = { ESCAPE_FOR_TERMINAL, ESCAPE_FOR_JSON };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t mode = 0; mode < ARRAY_SIZE(modes); mode++) {
			char buffer[100];

			cr_expect_str_eq(
				escape_string(rows[i].text, modes[mode], buffer, sizeof(buffer)),
				rows[i].expected, "row %zu mode %zu", i, mode);
		}
}

Test(escape, leaves_control_characters_to_the_json_library)
{
	char buffer[100];

	cr_expect_str_eq(
		escape_string("a\x1b\n\xc2\x9b\x7f", ESCAPE_FOR_JSON, buffer, sizeof(buffer)),
		"a\x1b\n\xc2\x9b\x7f", "\"%s\"",
		escape_string("a\x1b\n\xc2\x9b\x7f", ESCAPE_FOR_JSON, buffer, sizeof(buffer)));
}

Test(escape, cuts_between_characters_and_escapes)
{
	static const struct {
		size_t size;
		const char *expected;
	} rows[] = {
		{ 1, "" },
		{ 2, "a" },
		{ 3, "a" },
		{ 4, "a\xc3\xa9" },
		{ 7, "a\xc3\xa9" },
		{ 8, "a\xc3\xa9\\x1b" },
		{ 9, "a\xc3\xa9\\x1b"
		     "b" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char buffer[16];

		memset(buffer, 'X', sizeof(buffer));
		escape_string("a\xc3\xa9\x1b"
			      "b",
			      ESCAPE_FOR_TERMINAL, buffer, rows[i].size);
		cr_expect_str_eq(buffer, rows[i].expected, "size %zu", rows[i].size);
		cr_expect_eq(buffer[rows[i].size], 'X', "size %zu", rows[i].size);
	}
}

Test(escape, takes_nothing_for_an_empty_string)
{
	char buffer[4] = "xxx";

	cr_expect_str_eq(escape_string(NULL, ESCAPE_FOR_JSON, buffer, sizeof(buffer)), "", "\"%s\"",
			 escape_string(NULL, ESCAPE_FOR_JSON, buffer, sizeof(buffer)));
}

Test(escape, a_step_takes_one_character_and_says_how_long_its_stand_in_is)
{
	const char *text = "\xc3\xa9\xff\xe2\x80\xae";
	const char *at = text;
	char unit[ESCAPE_UNIT_MAX + 1];

	cr_expect_eq(escape_step(&at, ESCAPE_FOR_TERMINAL, unit), 2);
	cr_expect_eq(at, (text + 2));
	cr_expect_eq(escape_step(&at, ESCAPE_FOR_TERMINAL, unit), 4);
	cr_expect_eq(at, (text + 3));
	cr_expect_eq(escape_step(&at, ESCAPE_FOR_TERMINAL, unit), 6);
	cr_expect_eq(at, (text + 6));
}

Test(escape, finds_where_a_text_may_be_cut)
{
	static const struct {
		const char *text;
		size_t length, expected;
	} rows[] = {
		{ "abc", 0, 0 },
		{ "abc", 2, 2 },
		{ "a\xc3\xa9", 3, 3 },
		{ "a\xc3\xa9", 2, 1 },
		{ "a\xe2\x82\xac", 4, 4 },
		{ "a\xe2\x82\xac", 3, 1 },
		{ "a\xe2\x82\xac", 2, 1 },
		{ "\xf0\x9f\x90\x8d", 4, 4 },
		{ "\xf0\x9f\x90\x8d", 3, 0 },
		{ "\xf0\x9f\x90\x8d", 1, 0 },
		/* no UTF-8 in the first place: nothing is gained by going back */
		{ "\x80\x80\x80\x80\x80", 5, 5 },
		{ "a\x80", 2, 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(escape_whole_characters(rows[i].text, rows[i].length),
			     rows[i].expected, "row %zu", i);
}
