/* SPDX-License-Identifier: MIT */
#include "policy/limit_words.h"
#include "policy/own.h"

#include <criterion/criterion.h>
#include <string.h>

#define WORDS_MAX 8

static size_t count_words(const char *const words[])
{
	size_t count = 0;

	while (count < WORDS_MAX && words[count] != NULL)
		count++;
	return count;
}

Test(limit_words, become_the_limits_of_an_app)
{
	static const struct {
		const char *words[WORDS_MAX];
		const char *expected;
	} rows[] = {
		{ { "memory=256M", "cpu=50%", "pids=100" },
		  "{\"memory\":\"256M\",\"cpu\":\"50%\",\"pids\":100}" },
		{ { "memory_high=max", "memory_swap=0", "tmp_size=1.5G" },
		  "{\"memory_high\":\"max\",\"memory_swap\":\"0\",\"tmp_size\":\"1.5G\"}" },
		{ { "pids=max", "nofile=1024", "cpu_weight=10000" },
		  "{\"pids\":\"max\",\"nofile\":1024,\"cpu_weight\":10000}" },
		{ { "memory=-", "pids=-", "io=-" }, "{\"memory\":null,\"pids\":null,\"io\":null}" },
		{ { "io=/srv=20M/10M" },
		  "{\"io\":{\"/srv\":{\"rbps\":20971520,\"wbps\":10485760}}}" },
		{ { "io=/srv=-/max/-/200", "io=/a=b=1M/1M" },
		  "{\"io\":{\"/srv\":{\"wbps\":\"max\",\"wiops\":200},"
		  "\"/a=b\":{\"rbps\":1048576,\"wbps\":1048576}}}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *const *words = (char *const *)rows[i].words;
		_cleanup_free_ char *text = NULL;
		struct error err = { 0 };
		json_t *limits = NULL;

		cr_assert_eq(limit_words_to_json(words, count_words(rows[i].words), &limits, &err),
			     0, "%s", err.text);
		text = json_dumps(limits, JSON_COMPACT);
		cr_expect_str_eq(text, rows[i].expected);
		json_decref(limits);
	}
}

Test(limit_words, refuses_what_is_none)
{
	static const struct {
		const char *words[WORDS_MAX];
		const char *text;
	} rows[] = {
		{ { "memroy=1G" }, "unknown limit \"memroy=1G\": did you mean memory=...?" },
		{ { "zzz=1" },
		  "unknown limit \"zzz=1\": write memory=256M, cpu=50%, pids=100 or "
		  "io=/srv=20M/10M" },
		{ { "" },
		  "unknown limit \"\": write memory=256M, cpu=50%, pids=100 or io=/srv=20M/10M" },
		{ { "memory" }, "\"memory\" has no value: write memory=VALUE" },
		{ { "cpu=1", "cpu=2" }, "cpu: given twice: keep one of them" },
		{ { "io=-", "io=/a=2M/2M" }, "io: given twice: keep one of them" },
		{ { "io=/a=2M/2M", "io=-" }, "io: given twice: keep one of them" },
		{ { "io=/a=1M/1M", "io=/a=2M/2M" }, "io: given twice: keep one of them" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *const *words = (char *const *)rows[i].words;
		json_t *limits = (json_t *)0x5a;
		struct error err = { 0 };

		cr_expect_lt(limit_words_to_json(words, count_words(rows[i].words), &limits, &err),
			     0, "taken, not: %s", rows[i].text);
		cr_expect_eq(err.kind, ERROR_USAGE);
		cr_expect_str_eq(err.text, rows[i].text);
		cr_expect_eq(limits, (json_t *)0x5a);
	}
}

Test(limit_words, refuses_values_in_the_words_of_their_quantity)
{
	static const char *const words[] = { "memory=", "memory=1Q", "cpu=0",
					     "pids=0",	"pids=-1",   "nofile=1e3",
					     "io=/srv", "io==1M/1M", "io=/srv=x/1M" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		json_t *limits = (json_t *)0x5a;
		struct error err = { 0 };
		size_t name = strcspn(words[i], "=");

		cr_expect_lt(limit_words_to_json((char *const *)&words[i], 1, &limits, &err), 0,
			     "taken: %s", words[i]);
		cr_expect_eq(err.kind, ERROR_USAGE, "%s", words[i]);
		cr_expect_eq(strncmp(err.text, words[i], name), 0, "%s", err.text);
		cr_expect_eq(limits, (json_t *)0x5a);
	}
}
