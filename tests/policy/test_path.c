/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "policy/path.h"

#include <criterion/criterion.h>
#include <string.h>

Test(path, knows_the_normal_form)
{
	static const char *const normal[] = { "/",   "/a",  "/a/b", "/...",
					      "/.a", "/a.", "/..a", "/a b" };
	static const char *const other[] = { "",     "a",     "./a",	"a/b",	  "//",	  "/a/",
					     "//a",  "/a//b", "/.",	"/..",	  "/a/.", "/a/..",
					     "/./a", "/../a", "/a/./b", "/a/../b" };

	for (size_t i = 0; i < ARRAY_SIZE(normal); i++)
		cr_expect(path_is_normal(normal[i]), "%s", normal[i]);
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		cr_expect_not(path_is_normal(other[i]), "%s", other[i]);
}

Test(path, knows_what_is_within_a_directory)
{
	cr_expect(path_is_within("/a", "/a"));
	cr_expect(path_is_within("/a/b/c", "/a"));
	cr_expect(path_is_within("/a", "/"));
	cr_expect(path_is_within("/", "/"));
	cr_expect_not(path_is_within("/ab", "/a"));
	cr_expect_not(path_is_within("/a", "/a/b"));
	cr_expect_not(path_is_within("/", "/a"));
	cr_expect_not(path_is_within("/b/a", "/a"));
}

Test(path, resolves_from_the_working_directory)
{
	static const struct {
		const char *cwd, *path, *result;
	} samples[] = {
		{ "/srv/app", "data", "/srv/app/data" },
		{ "/srv/app", ".", "/srv/app" },
		{ "/srv/app", "..", "/srv" },
		{ "/srv/app", "../..", "/" },
		{ "/srv/app", "../../../../etc", "/etc" },
		{ "/srv/app", "./a/../b//c/./", "/srv/app/b/c" },
		{ "/srv/app", "...", "/srv/app/..." },
		{ "/srv/app", "/", "/" },
		{ "/srv/app", "//a///b/", "/a/b" },
		{ "/srv/app", "/..", "/" },
		{ "/srv/app", "/a/..", "/" },
		{ "/srv/app", "/a/b/../..", "/" },
		{ "/srv/app", "/a/bc/../d", "/a/d" },
		{ "/", "a", "/a" },
		{ "/", ".", "/" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		_cleanup_free_ char *result = NULL;
		struct error err = { 0 };

		cr_expect_eq(path_resolve(samples[i].cwd, samples[i].path, &result, &err), 0, "%s",
			     err.text);
		cr_assert_not_null(result);
		cr_expect_str_eq(result, samples[i].result, "%s from %s: %s", samples[i].path,
				 samples[i].cwd, result);
		cr_expect(path_is_normal(result));
	}
}

Test(path, refuses_empty_and_too_long_ones)
{
	char text[PATH_TEXT_MAX + 3];
	struct error err = { 0 };
	char *result = text;

	cr_expect_eq(path_resolve("/srv", "", &result, &err), -EINVAL);
	cr_expect_str_eq(err.text, "the path is empty");

	memset(text, 'x', sizeof(text));
	text[0] = '/';
	text[PATH_TEXT_MAX + 1] = '\0';
	cr_expect_eq(path_resolve("/srv", text, &result, &err), -EINVAL);
	cr_expect_eq(result, text, "touched");
	cr_expect_not_null(strstr(err.text, "is longer than 4095 bytes"), "%s", err.text);

	text[PATH_TEXT_MAX] = '\0';
	cr_expect_eq(path_resolve("/srv", text, &result, &err), 0);
	cr_expect_str_eq(result, text);
	free(result);
}

Test(path, has_a_last_part)
{
	static const struct {
		const char *path, *name;
	} cases[] = {
		{ "/usr/bin/python3", "python3" },
		{ "python3", "python3" },
		{ "/python3", "python3" },
		{ "bin/", "" },
		{ "/", "" },
		{ "", "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(path_base_name(cases[i].path), cases[i].name, "%s", cases[i].path);
}
