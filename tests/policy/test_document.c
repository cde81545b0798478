/* SPDX-License-Identifier: MIT */
#include "policy/document.h"
#include "policy/own.h"

#include <criterion/criterion.h>
#include <string.h>

#define SIZE_MAX_HERE 4096

static int parse(const char *text, size_t length, json_t **ret, struct error *err)
{
	return document_parse(text, length, SIZE_MAX_HERE, ret, err);
}

Test(document, takes_an_object_or_an_array)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		" {\"a\": [1, 2.5, null, true, \"\\u00fc\"]}\n",
		"[{}]",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_json_ json_t *value = NULL;
		struct error err = { 0 };

		cr_expect_eq(parse(texts[i], strlen(texts[i]), &value, &err), 0, "%s: %s", texts[i],
			     err.text);
		cr_expect_not_null(value);
	}
}

Test(document, refuses_what_is_not_json_and_says_where)
{
	static const struct {
		const char *text, *words;
	} samples[] = {
		{ "", "line 1, column 0: not JSON: " },
		{ "{\"a\": 1,\n  \"b\": }", "line 2, column 8: not JSON: " },
		{ "{\"a\": 1, \"a\": 2}", "duplicate object key" },
		{ "{\"a\": NaN}", "not JSON: " },
		{ "{\"a\": Infinity}", "not JSON: " },
		{ "{\"a\": 1e999}", "not JSON: " },
		{ "{\"a\": 99999999999999999999}", "too big integer" },
		{ "{} x", "line 1, column 4: not JSON: " },
		{ "\"text\"", "not JSON: '[' or '{' expected" },
		{ "{\"a\": \"\\u0000\"}", "not JSON: " },
		{ "{\"a\": \"\xff\"}", "not JSON: " },
		{ "{'a': 1}", "line 1, column 2: not JSON: " },
		{ "{\"a\": 1,}", "not JSON: " },
		{ "{\x1b}", "\\x1b" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct error err = { 0 };
		json_t *value = NULL;

		cr_expect_eq(parse(samples[i].text, strlen(samples[i].text), &value, &err), -EINVAL,
			     "%s was taken", samples[i].text);
		cr_expect_eq(err.kind, ERROR_INVALID);
		cr_expect_not_null(strstr(err.text, samples[i].words), "%s lacks %s", err.text,
				   samples[i].words);
		cr_expect_null(value);
	}
}

Test(document, refuses_a_nul_byte_wherever_it_is)
{
	static const char inside[] = "{\n\"a\":\0 1}", quoted[] = "{\"\xc3\xbc\0\": 1}",
			  escaped[] = "{\"\\\0\": 1}", behind[] = "{}\0";
	json_t *value = NULL;
	struct error err;

	cr_expect_eq(parse(inside, sizeof(inside) - 1, &value, &err), -EINVAL);
	cr_expect_str_eq(err.text, "line 2, column 5: a NUL byte, which JSON has not");
	cr_expect_eq(parse(quoted, sizeof(quoted) - 1, &value, &err), -EINVAL);
	cr_expect_str_eq(err.text, "line 1, column 4: a NUL byte, which JSON has not");
	cr_expect_eq(parse(escaped, sizeof(escaped) - 1, &value, &err), -EINVAL);
	cr_expect_str_eq(err.text, "line 1, column 4: a NUL byte, which JSON has not");
	cr_expect_eq(parse(behind, sizeof(behind) - 1, &value, &err), -EINVAL);
	cr_expect_null(value);
}

/* Opens `depth` brackets and closes them. */
static int parse_nested(size_t depth, struct error *err)
{
	_cleanup_json_ json_t *value = NULL;
	char text[2 * 1000 + 1];

	cr_assert_leq(depth, 1000);
	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	return parse(text, 2 * depth, &value, err);
}

Test(document, nests_as_deep_as_is_documented_and_no_deeper)
{
	struct error err = { 0 };

	cr_expect_eq(parse_nested(DOCUMENT_DEPTH_MAX, &err), 0, "%s", err.text);
	cr_expect_eq(parse_nested(DOCUMENT_DEPTH_MAX + 1, &err), -EINVAL);
	cr_expect_str_eq(err.text, "line 1, column 33: nested deeper than 32 levels");
	cr_expect_eq(parse_nested(1000, &err), -EINVAL);
}

Test(document, does_not_count_brackets_in_strings)
{
	static const char text[] =
		"{\"a\": \"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[[[[[[[[[[[[\\\\\"}";
	_cleanup_json_ json_t *value = NULL;
	struct error err = { 0 };

	cr_expect_eq(parse(text, strlen(text), &value, &err), 0, "%s", err.text);
}

Test(document, takes_text_up_to_its_bound_and_no_more)
{
	_cleanup_json_ json_t *value = NULL;
	struct error err;

	cr_expect_eq(document_parse("{}", 2, 2, &value, &err), 0);
	cr_expect_eq(document_parse("{ }", 3, 2, &value, &err), -EINVAL);
	cr_expect_eq(err.kind, ERROR_TOO_MANY);
	cr_expect_str_eq(err.text, "3 bytes are too many: at most 2");
}

Test(document, has_nothing_where_a_member_is_missing_or_of_another_kind)
{
	_cleanup_json_ json_t *value = json_pack("{s:s, s:i}", "text", "a", "number", 7);

	cr_expect_str_eq(document_string(value, "text"), "a");
	cr_expect_str_eq(document_string(value, "number"), "");
	cr_expect_str_eq(document_string(value, "none"), "");
	cr_expect_str_eq(document_string(NULL, "text"), "");
	cr_expect_eq(document_number(value, "number"), 7);
	cr_expect_eq(document_number(value, "text"), 0);
	cr_expect_eq(document_number(NULL, "number"), 0);
}
