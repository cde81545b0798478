/* SPDX-License-Identifier: MIT */
#include "policy/nearest.h"
#include "policy/own.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

static const char *const names[] = {
	"mem", "mem-high", "memory", "swap", "cpu", "help", "restart"
};

static void expect_nearest(const char *word, const char *expected)
{
	const char *found = nearest_name(word, names, ARRAY_SIZE(names));

	if (expected == NULL)
		cr_expect_null(found, "%s: %s", word, found);
	else if (found == NULL)
		cr_expect(false, "%s: nothing", word);
	else
		cr_expect_str_eq(found, expected, "%s: %s", word, found);
}

Test(nearest, counts_single_edits_and_swaps)
{
	static const struct {
		const char *a, *b;
		size_t distance;
	} samples[] = {
		{ "", "", 0 },	       { "abc", "abc", 0 },
		{ "abc", "", 3 },      { "", "abc", 3 },
		{ "abc", "abd", 1 },   { "abc", "ab", 1 },
		{ "abc", "xabc", 1 },  { "abc", "acb", 1 },
		{ "abcd", "badc", 2 }, { "kitten", "sitting", 3 },
		{ "ca", "abc", 3 }, /* an edited swap is not one */
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		cr_expect_eq(nearest_distance(samples[i].a, samples[i].b), samples[i].distance,
			     "%s, %s: %zu", samples[i].a, samples[i].b,
			     nearest_distance(samples[i].a, samples[i].b));
		cr_expect_eq(nearest_distance(samples[i].b, samples[i].a), samples[i].distance);
	}
}

Test(nearest, finds_the_name_behind_a_slip)
{
	expect_nearest("memm", "mem");
	expect_nearest("mme", "mem");
	expect_nearest("mem_high", "mem-high");
	expect_nearest("sawp", "swap");
	expect_nearest("cpus", "cpu");
	expect_nearest("restarts", "restart");
}

Test(nearest, completes_a_beginning_that_only_one_name_has)
{
	expect_nearest("h", "help");
	expect_nearest("mem-", "mem");
	expect_nearest("memo", "mem");
	expect_nearest("res", "restart");
	expect_nearest("m", NULL);
}

Test(nearest, finds_the_longest_name_that_a_word_begins_with)
{
	expect_nearest("memory-all", "memory");
	expect_nearest("cpu-quota", "cpu");
	expect_nearest("swappiness", "swap");
}

Test(nearest, stays_silent_about_other_words)
{
	expect_nearest("", NULL);
	expect_nearest("x", NULL);
	expect_nearest("network", NULL);
	expect_nearest("zzz", NULL);
}

Test(nearest, gives_up_on_words_that_are_too_long)
{
	char word[NEAREST_WORD_MAX + 2], same[NEAREST_WORD_MAX + 2];

	memset(word, 'x', sizeof(word));
	word[NEAREST_WORD_MAX] = '\0';
	memcpy(same, word, sizeof(same));
	same[0] = 'y';
	cr_expect_eq(nearest_distance(word, same), 1);
	word[NEAREST_WORD_MAX] = 'x';
	word[NEAREST_WORD_MAX + 1] = '\0';
	cr_expect_eq(nearest_distance(word, same), SIZE_MAX);
	cr_expect_eq(nearest_distance(same, word), SIZE_MAX);
	expect_nearest(word, NULL);
}
