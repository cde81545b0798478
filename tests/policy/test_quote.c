/* SPDX-License-Identifier: MIT */
#include "policy/quote.h"

#include <criterion/criterion.h>
#include <string.h>

/* bytes of text that fit beside the quotes, the dots and the NUL */
#define FITS (QUOTE_TEXT_MAX - 6)

static void expect_quoted(const char *text, const char *expected)
{
	char buffer[QUOTE_TEXT_MAX];

	cr_expect_eq(quote_text(text, buffer), buffer);
	cr_expect_str_eq(buffer, expected);
}

Test(quote, puts_text_in_quotes)
{
	expect_quoted("", "\"\"");
	expect_quoted("a b", "\"a b\"");
	expect_quoted("gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\"");
}

Test(quote, escapes_what_drives_a_terminal)
{
	expect_quoted("a\nb\x1b[2J", "\"a\\nb\\x1b[2J\"");
	expect_quoted("\xff", "\"\\xff\"");
	expect_quoted("\xc2\x9b", "\"\\u009b\"");
}

Test(quote, cuts_at_the_last_character_that_fits_and_says_so)
{
	char text[4 * QUOTE_TEXT_MAX], buffer[QUOTE_TEXT_MAX + 1];

	for (size_t length = QUOTE_TEXT_MAX - 10; length < QUOTE_TEXT_MAX + 10; length++) {
		memset(text, 'x', length);
		text[length] = '\0';
		buffer[QUOTE_TEXT_MAX] = '#';
		quote_text(text, buffer);
		cr_expect_lt(strlen(buffer), QUOTE_TEXT_MAX);
		cr_expect_eq(buffer[QUOTE_TEXT_MAX], '#');
		if (length <= FITS)
			cr_expect_eq(buffer[length + 1], '"', "%zu", length);
		else
			cr_expect_str_eq(buffer + strlen(buffer) - 5, "x\"...", "%zu", length);
	}

	/* a character of two bytes across the end stays whole or goes */
	for (size_t i = 0; i < QUOTE_TEXT_MAX; i++)
		memcpy(text + 2 * i, "\xc3\xbc", sizeof("\xc3\xbc"));
	quote_text(text, buffer);
	cr_expect_eq(strlen(buffer) % 2, 1, "one byte for each quote, three dots, pairs between");
	cr_expect_str_eq(buffer + strlen(buffer) - 6, "\xc3\xbc\"...");
}
