/* SPDX-License-Identifier: MIT */
#include "policy/mask.h"

#include "policy/own.h"

#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

static struct mask *make(const struct strings *patterns)
{
	struct mask *mask = NULL;
	struct error err = { 0 };

	cr_assert_eq(mask_new(patterns, &mask, &err), 0, "%s", err.text);
	return mask;
}

static void expect(const struct mask *mask, enum mask_of of, const char *text, const char *expected)
{
	char buffer[MASK_TEXT_MAX];

	mask_apply(mask, of, text, buffer, sizeof(buffer));
	cr_expect_str_eq(buffer, expected, "\"%s\" gives \"%s\", not \"%s\"", text, buffer,
			 expected);
}

Test(mask, hides_secrets_in_arguments)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "gunicorn\n-b\n127.0.0.1:8000\napp:app", "gunicorn -b 127.0.0.1:8000 app:app" },
		{ "app\n--password\nhunter2\n-v", "app --password *** -v" },
		{ "app\n--db-password\nmy long secret\n-v", "app --db-password *** -v" },
		{ "app\n--password=hunter2\n-v", "app --password=*** -v" },
		{ "app\n--api-token\nabc", "app --api-token ***" },
		{ "app\n-token\nabc", "app -token ***" },
		{ "app\n--secret\n--verbose", "app --secret --verbose" },
		{ "env\nDB_PASSWORD=a b c\nAWS_SECRET_ACCESS_KEY=x/y+z=\npython3",
		  "env DB_PASSWORD=*** AWS_SECRET_ACCESS_KEY=*** python3" },
		{ "curl\nhttps://h/?token=abc&x=1", "curl https://h/?token=***&x=1" },
		{ "x\npostgres://app:s3cr3t@db.example/app",
		  "x postgres://app:***@db.example/app" },
		{ "x\nredis://:s3cr3t@db:6379/0", "x redis://:***@db:6379/0" },
		{ "x\nhttp://127.0.0.1:8000/a@b", "x http://127.0.0.1:8000/a@b" },
		{ "curl\n-H\nAuthorization: Bearer abc def", "curl -H Authorization: Bearer ***" },
		{ "x\n{\"password\": \"abc\", \"a\": 1}", "x {\"password\": \"***\", \"a\": 1}" },
		{ "python3\n-m\nhttp.server\n--keep-alive\n5",
		  "python3 -m http.server --keep-alive 5" },
		{ "PASSWORD=A\nPASSWORD=B", "PASSWORD=*** PASSWORD=***" },
		{ "", "" },
	};
	_cleanup_mask_ struct mask *mask = make(NULL);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect(mask, MASK_ARGUMENTS, rows[i].text, rows[i].expected);
}

Test(mask, hides_secrets_in_lines)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "GET /login?token=abc&next=/ HTTP/1.1", "GET /login?token=***&next=/ HTTP/1.1" },
		{ "connecting to postgres://app:s3cr3t@db ...",
		  "connecting to postgres://app:***@db ..." },
		{ "KeyError: 'x'", "KeyError: 'x'" },
		{ "  File \"app.py\", line 3, in key", "  File \"app.py\", line 3, in key" },
		{ "the key is under the mat", "the key is under the mat" },
		{ "\tAuthorization: Bearer abc", "\tAuthorization: Bearer ***" },
	};
	_cleanup_mask_ struct mask *mask = make(NULL);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect(mask, MASK_LINE, rows[i].text, rows[i].expected);
}

Test(mask, own_patterns_take_the_place_of_the_defaults)
{
	struct strings patterns _cleanup_strings_ = { 0 }, none = { 0 };
	struct error err;

	cr_assert_eq(strings_append(&patterns, "customer-([0-9]+)", &err), 0);
	cr_assert_eq(strings_append(&patterns, "x*", &err), 0);
	_cleanup_mask_ struct mask *mask = make(&patterns), *nothing = make(&none);

	expect(mask, MASK_ARGUMENTS, "Customer-123\n--password\nabc",
	       "Customer-*** --password abc");
	expect(mask, MASK_ARGUMENTS, "axxb", "a***b");
	expect(nothing, MASK_ARGUMENTS, "--password\nabc", "--password abc");
	expect(NULL, MASK_ARGUMENTS, "--password\nabc", "--password abc");
}

Test(mask, refuses_what_is_no_pattern_or_can_take_for_ever)
{
	static const struct {
		const char *pattern, *expected;
	} rows[] = {
		{ "", "is empty" },
		{ "(", "is no extended regular expression" },
		{ "a{2,1}", "is no extended regular expression" },
		{ "(a*)\\1", "back-references" },
		{ "\\\\\\1", "back-references" },
	};
	char long_pattern[MASK_PATTERN_MAX + 2];
	struct strings many _cleanup_strings_ = { 0 };
	struct mask *untouched = NULL;
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_expect_lt(mask_check(rows[i].pattern, &err), 0, "%s", rows[i].pattern);
		cr_expect_not_null(strstr(err.text, rows[i].expected), "%s", err.text);
	}
	memset(long_pattern, 'a', sizeof(long_pattern) - 1);
	long_pattern[sizeof(long_pattern) - 1] = '\0';
	cr_expect_lt(mask_check(long_pattern, &err), 0);
	cr_expect_eq(mask_check("\\\\1", &err), 0, "an escaped backslash is none");
	for (int i = 0; i <= MASK_PATTERNS_MAX; i++)
		cr_assert_eq(strings_append(&many, "a", &err), 0);
	cr_expect_lt(mask_new(&many, &untouched, &err), 0);
	cr_expect_null(untouched);
}

Test(mask, cuts_what_does_not_fit)
{
	_cleanup_mask_ struct mask *mask = make(NULL);
	char text[MASK_TEXT_MAX * 2], buffer[MASK_TEXT_MAX * 2], small[8];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cr_expect_eq(strlen(mask_apply(mask, MASK_LINE, text, buffer, sizeof(buffer))),
		     MASK_TEXT_MAX);
	cr_expect_str_eq(mask_apply(mask, MASK_LINE, "key=abc", small, 6), "key=*");
}

/* Each made to be looked at again from every byte on. */
Test(mask, hostile_text_takes_no_time)
{
	static const char *const units[] = { "-",     "key",	"password", "//",
					     "//a",   "token_", "\"key\"'", "authorization:",
					     "pass-", "-key\n", "key=&",    "a" };
	_cleanup_mask_ struct mask *mask = make(NULL);
	char text[MASK_TEXT_MAX + 1], buffer[MASK_TEXT_MAX * 4];
	clock_t begin = clock();

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		size_t unit = strlen(units[i]);

		for (size_t at = 0; at < MASK_TEXT_MAX; at++)
			text[at] = units[i][at % unit];
		text[MASK_TEXT_MAX] = '\0';
		(void)mask_apply(mask, MASK_ARGUMENTS, text, buffer, sizeof(buffer));
		(void)mask_apply(mask, MASK_LINE, text, buffer, sizeof(buffer));
	}
	cr_expect_lt(clock() - begin, CLOCKS_PER_SEC, "%ld ms",
		     (clock() - begin) * 1000 / CLOCKS_PER_SEC);
}
