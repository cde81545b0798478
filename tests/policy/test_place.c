/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "policy/place.h"
#include "tests/policy/json.h"

static const struct place document = { NULL, NULL, 0 };

Test(place, is_written_as_a_path_in_text_and_error)
{
	const struct place limits = { &document, "limits", 0 }, io = { &limits, "io", 0 },
			   path = { &io, "/srv/a.b", 0 }, rate = { &path, "rbps", 0 },
			   list = { &document, "command", 0 }, item = { &list, NULL, 12 };
	const struct {
		const struct place *at;
		const char *path;
	} samples[] = {
		{ &limits, "limits" },
		{ &io, "limits.io" },
		{ &rate, "limits.io[\"/srv/a.b\"].rbps" },
		{ &item, "command[12]" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct error err = { 0 };
		char expected[256];

		cr_expect_eq(place_refuse(samples[i].at, &err, "is %s", "wrong"), -EINVAL);
		snprintf(expected, sizeof(expected), "%s: is wrong", samples[i].path);
		cr_expect_str_eq(err.text, expected);
		cr_expect_str_eq(err.path, samples[i].path);
		cr_expect_eq(err.kind, ERROR_INVALID);
	}
}

Test(place, of_the_document_itself_is_nothing)
{
	struct error err = { 0 };

	cr_expect_eq(place_refuse(&document, &err, "is wrong"), -EINVAL);
	cr_expect_str_eq(err.text, "is wrong");
	cr_expect_str_eq(err.path, "");
	cr_expect_eq(place_refuse(NULL, &err, "is wrong"), -EINVAL);
	cr_expect_str_eq(err.text, "is wrong");
}

Test(place, with_a_hostile_key_stays_on_one_line)
{
	const struct place at = { &document, "a\n\x1b[31m", 0 };
	struct error err = { 0 };

	place_refuse(&at, &err, "is wrong");
	cr_expect_null(strpbrk(err.text, "\n\x1b"));
	cr_expect_null(strpbrk(err.path, "\n\x1b"));
}

Test(place, goes_before_what_others_have_raised)
{
	const struct place at = { &document, "defaults", 0 };
	struct error err = { 0 };

	error_set(&err, ERROR_INVALID, 0, "\"12Q\" is not a size");
	cr_expect_eq(place_prefix(&at, -EINVAL, &err), -EINVAL);
	cr_expect_str_eq(err.text, "defaults: \"12Q\" is not a size");
	cr_expect_str_eq(err.path, "defaults");

	error_set(&err, ERROR_INVALID, 0, "limits.io: is wrong");
	error_set_path(&err, "limits.io");
	place_prefix(&at, -EINVAL, &err);
	cr_expect_str_eq(err.text, "defaults.limits.io: is wrong");
	cr_expect_str_eq(err.path, "defaults.limits.io");

	error_set(&err, ERROR_INVALID, 0, "[3]: is wrong");
	error_set_path(&err, "[3]");
	place_prefix(&at, -EINVAL, &err);
	cr_expect_str_eq(err.text, "defaults[3]: is wrong");
	cr_expect_str_eq(err.path, "defaults[3]");
}

Test(place, finds_keys_that_are_not_known)
{
	static const char *const keys[] = { "memory", "cpu" };
	_cleanup_json_ json_t *good = json_from("{'cpu': 1}"), *bad = json_from("{'memroy': 1}"),
			      *far = json_from("{'x': 1}"), *list = json_from("[]");
	struct error err = { 0 };

	cr_expect_eq(place_check_keys(&document, good, keys, 2, &err), 0);
	cr_expect_eq(place_check_keys(&document, bad, keys, 2, &err), -EINVAL);
	cr_expect_str_eq(err.text, "\"memroy\" is no key here; did you mean memory?");
	cr_expect_eq(place_check_keys(&document, far, keys, 2, &err), -EINVAL);
	cr_expect_str_eq(err.text, "\"x\" is no key here");
	cr_expect_eq(place_check_keys(&document, list, keys, 2, &err), -EINVAL);
	cr_expect_str_eq(err.text, "must be an object");
}
