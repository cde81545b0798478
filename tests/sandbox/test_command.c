/* SPDX-License-Identifier: MIT */
/* The search through PATH; what failures mean is tried with real ones in test_worker.c. */
#include "sandbox/command.h"

#include "policy/own.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

TestSuite(command);

static struct plan *plan_with(const char *argv0, const char *path)
{
	struct plan *plan = plan_new();
	struct error err;

	cr_assert(plan != NULL);
	cr_assert_eq(strings_append(&plan->argv, argv0, &err), 0);
	if (path != NULL)
		cr_assert_eq(strings_appendf(&plan->environment, &err, "PATH=%s", path), 0);
	return plan;
}

Test(command, candidates_are_what_execvp_would_try)
{
	static const struct {
		const char *argv0, *path;
		const char *candidates; /* with a space after each */
	} cases[] = {
		{ "gunicorn", "/a:/b/c", "/a/gunicorn /b/c/gunicorn " },
		{ "gunicorn", "/a", "/a/gunicorn " },
		{ "gunicorn", "/a::/b", "/a/gunicorn ./gunicorn /b/gunicorn " },
		{ "gunicorn", ":/a", "./gunicorn /a/gunicorn " },
		{ "gunicorn", "/a:", "/a/gunicorn ./gunicorn " },
		{ "gunicorn", "", "./gunicorn " },
		{ "gunicorn", NULL, "/usr/local/bin/gunicorn /usr/bin/gunicorn /bin/gunicorn " },
		{ "./gunicorn", "/a", "./gunicorn " },
		{ "/x/gunicorn", "/a", "/x/gunicorn " },
		{ "x/", "/a", "x/ " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_plan_ struct plan *plan = plan_with(cases[i].argv0, cases[i].path);
		_cleanup_strings_ struct strings candidates = { 0 };
		char all[512] = "";
		struct error err;

		cr_assert_eq(command_candidates(plan, &candidates, &err), 0);
		for (size_t k = 0; k < candidates.count; k++) {
			size_t used = strlen(all);

			snprintf(all + used, sizeof(all) - used, "%s ", candidates.items[k]);
		}
		cr_expect_str_eq(all, cases[i].candidates);
	}
}

Test(command, candidates_are_bounded)
{
	_cleanup_plan_ struct plan *plan = NULL;
	_cleanup_strings_ struct strings candidates = { 0 };
	char path[2 * COMMAND_CANDIDATES_MAX + 100];
	struct error err;

	for (size_t i = 0; i < sizeof(path); i++)
		path[i] = i % 2 == 0 ? '/' : ':';
	path[sizeof(path) - 1] = '\0';
	plan = plan_with("x", path);
	cr_assert_eq(command_candidates(plan, &candidates, &err), 0);
	cr_expect_eq(candidates.count, COMMAND_CANDIDATES_MAX);
}

Test(command, explains_an_unknown_failure_with_the_file_it_was_tried_on)
{
	_cleanup_plan_ struct plan *plan = plan_with("x", "/a:/b");
	_cleanup_strings_ struct strings candidates = { 0 };
	struct error err;

	cr_assert_eq(command_candidates(plan, &candidates, &err), 0);
	cr_expect_eq(command_explain(plan, &candidates, 1, E2BIG, &err), -E2BIG);
	cr_expect_eq(err.kind, ERROR_SYSTEM);
	cr_expect_str_eq(err.text, "execute /b/x: Argument list too long");
	cr_expect_eq(command_explain(plan, &candidates, 9, E2BIG, &err), -E2BIG);
	cr_expect_str_eq(err.text, "execute /a/x: Argument list too long");
}

Test(command, explains_with_the_kind_that_makes_the_exit_code)
{
	_cleanup_plan_ struct plan *plan = plan_with("/nonexistent/x", NULL);
	_cleanup_strings_ struct strings candidates = { 0 };
	struct error err;

	cr_assert_eq(command_candidates(plan, &candidates, &err), 0);
	cr_expect_eq(command_explain(plan, &candidates, 0, ENOENT, &err), -ENOENT);
	cr_expect_eq(error_exit_code(err.kind), 127);
	cr_expect_eq(command_explain(plan, &candidates, 0, EACCES, &err), -EACCES);
	cr_expect_eq(error_exit_code(err.kind), 126);
	cr_expect_eq(command_explain(plan, &candidates, 0, ENOEXEC, &err), -ENOEXEC);
	cr_expect_eq(error_exit_code(err.kind), 126);
}
