/* SPDX-License-Identifier: MIT */
#include "policy/error.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

Test(error, keeps_kind_errno_and_text)
{
	struct error err = { 0 };

	cr_expect_eq(error_set(&err, ERROR_SYSTEM, ENOENT, "open %s", "/x"), -ENOENT);
	cr_expect_eq(err.kind, ERROR_SYSTEM);
	cr_expect_eq(err.errnum, ENOENT);
	cr_expect_str_eq(err.text, "open /x: No such file or directory");
}

Test(error, without_an_errno_appends_nothing_and_returns_einval)
{
	struct error err = { .errnum = 5 };

	cr_expect_eq(error_set(&err, ERROR_USAGE, 0, "%d", 42), -EINVAL);
	cr_expect_eq(err.kind, ERROR_USAGE);
	cr_expect_eq(err.errnum, 0);
	cr_expect_str_eq(err.text, "42");
}

Test(error, takes_the_words_for_errno_off_again)
{
	struct error err;

	error_set(&err, ERROR_SYSTEM, ENOENT, "open %s", "/x");
	error_prefix(&err, "app");
	error_drop_errno(&err);
	cr_expect_str_eq(err.text, "app: open /x");
	cr_expect_eq(err.errnum, ENOENT);
	error_drop_errno(&err);
	cr_expect_str_eq(err.text, "app: open /x", "there are none any more");
}

Test(error, takes_nothing_off_that_is_not_the_words_for_errno)
{
	static const struct {
		int errnum;
		const char *text;
	} rows[] = {
		{ 0, "all is well: Success" },
		{ EPERM, "open /x: No such file or directory" },
		{ ENOENT, "No such file or directory" },
		{ ENOENT, ": No such file or directory" },
		{ ENOENT, "open /x; No such file or directory" },
		{ ENOENT, "open /x: No such file or directory, or so" },
		{ ENOENT, "x" },
		{ ENOENT, "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err = { .errnum = rows[i].errnum };

		snprintf(err.text, sizeof(err.text), "%s", rows[i].text);
		error_drop_errno(&err);
		cr_expect_str_eq(err.text, rows[i].text, "row %zu", i);
	}
}

Test(error, puts_the_outer_context_first)
{
	struct error err = { 0 };

	error_set(&err, ERROR_SYSTEM, EINVAL, "write %s", "memory.max");
	error_prefix(&err, "cgroup");
	error_prefix(&err, "app %s", "web");
	cr_expect_str_eq(err.text, "app web: cgroup: write memory.max: Invalid argument");
	cr_expect_eq(err.kind, ERROR_SYSTEM);
	cr_expect_eq(err.errnum, EINVAL);
}

Test(error, cuts_a_text_that_is_too_long_at_its_end)
{
	char text[2 * ERROR_TEXT_MAX];
	struct error err = { 0 };

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cr_expect_eq(error_set(&err, ERROR_SYSTEM, EIO, "%s", text), -EIO);
	cr_expect_eq(strlen(err.text), ERROR_TEXT_MAX - 1);

	error_prefix(&err, "outer");
	cr_expect_eq(strlen(err.text), ERROR_TEXT_MAX - 1);
	cr_expect_eq(strncmp(err.text, "outer: xxx", 10), 0, "%.20s", err.text);

	error_prefix(&err, "%s", text);
	cr_expect_eq(strlen(err.text), ERROR_TEXT_MAX - 1);
	cr_expect_eq(strncmp(err.text, "xxxx", 4), 0, "%.20s", err.text);
}

Test(error, fits_one_atomic_write_to_a_pipe)
{
	cr_expect_leq(sizeof(struct error), PIPE_BUF);
}

Test(error, says_out_of_memory)
{
	struct error err = { 0 };

	cr_expect_eq(error_no_memory(&err), -ENOMEM);
	cr_expect_eq(err.kind, ERROR_NO_MEMORY);
	cr_expect_eq(err.errnum, ENOMEM);
	cr_expect_not_null(strstr(err.text, "Cannot allocate memory"), "%s", err.text);
}

Test(error, names_every_kind_once)
{
	for (int a = 0; a < ERROR_KIND_COUNT; a++) {
		const char *name = error_kind_name((enum error_kind)a);

		cr_expect_gt(strlen(name), 0);
		cr_expect_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz-"), strlen(name), "%s", name);
		for (int b = 0; b < a; b++)
			cr_expect_str_neq(name, error_kind_name((enum error_kind)b));
	}
	cr_expect_str_eq(error_kind_name(ERROR_INVALID), "invalid");
	cr_expect_str_eq(error_kind_name(ERROR_NOT_FOUND), "not-found");
	cr_expect_str_eq(error_kind_name(ERROR_KIND_COUNT), "unknown");
	cr_expect_str_eq(error_kind_name((enum error_kind) - 1), "unknown");
}

Test(error, ends_in_126_127_or_125_and_never_in_0)
{
	cr_expect_eq(error_exit_code(ERROR_NONE), 0);
	cr_expect_eq(error_exit_code(ERROR_NOT_FOUND), 127);
	cr_expect_eq(error_exit_code(ERROR_NOT_EXECUTABLE), 126);
	for (int kind = ERROR_NONE + 1; kind < ERROR_KIND_COUNT; kind++)
		if (kind != ERROR_NOT_FOUND && kind != ERROR_NOT_EXECUTABLE)
			cr_expect_eq(error_exit_code((enum error_kind)kind), 125, "%s",
				     error_kind_name((enum error_kind)kind));
	cr_expect_eq(error_exit_code(ERROR_KIND_COUNT), 125);
	cr_expect_eq(error_exit_code((enum error_kind) - 1), 125);
}
