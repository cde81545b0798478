/* SPDX-License-Identifier: MIT */
#include "policy/phrase.h"

#include <criterion/criterion.h>

Test(phrase, joins_its_pieces)
{
	char buffer[32] = "old";
	struct phrase phrase = phrase_on(buffer, sizeof(buffer));

	cr_expect_str_eq(buffer, "", "\"%s\"", buffer);
	phrase_add(&phrase, "exit %d", 3);
	phrase_add(&phrase, ", %s", "again");
	cr_expect_str_eq(buffer, "exit 3, again", "\"%s\"", buffer);
	cr_expect_eq(phrase.used, 13);
	cr_expect_not(phrase.cut);
}

Test(phrase, fits_to_the_last_byte)
{
	char buffer[10];
	struct phrase phrase = phrase_on(buffer, sizeof(buffer));

	phrase_add(&phrase, "123456789");
	cr_expect_str_eq(buffer, "123456789", "\"%s\"", buffer);
	cr_expect_not(phrase.cut);
}

Test(phrase, says_that_it_has_lost_its_end_and_takes_no_more)
{
	char buffer[10];
	struct phrase phrase = phrase_on(buffer, sizeof(buffer));

	phrase_add(&phrase, "1234567890");
	cr_expect_str_eq(buffer, "123456...", "\"%s\"", buffer);
	cr_expect(phrase.cut);
	cr_expect_eq(phrase.used, 9);
	phrase_add(&phrase, "x");
	cr_expect_str_eq(buffer, "123456...", "\"%s\"", buffer);
}

Test(phrase, does_not_cut_a_character_in_two)
{
	char buffer[10];
	struct phrase phrase = phrase_on(buffer, sizeof(buffer));

	phrase_add(&phrase, "12345");
	phrase_add(&phrase, "\xc3\xa9\xc3\xa9\xc3\xa9");
	cr_expect_str_eq(buffer, "12345...", "\"%s\"", buffer);
}
