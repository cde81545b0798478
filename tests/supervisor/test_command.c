/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "supervisor/command.h"
#include "tests/supervisor/tree.h"

TestSuite(command, .init = tree_make, .fini = tree_remove);

static struct command_search search_in(const char *path)
{
	return (struct command_search){ .directory = tree, .path = path };
}

static void expect_found(const char *path, const char *name, const char *found)
{
	struct command_search search = search_in(path);
	_cleanup_free_ char *result = NULL;
	struct error err;

	cr_assert_eq(command_find(&search, name, &result, &err), 0, "%s", err.text);
	cr_expect_str_eq(result, tree_path(found));
}

static void expect_error(const struct command_search *search, const char *name,
			 enum error_kind kind, const char *text)
{
	char *result = (char *)"untouched";
	struct error err;

	cr_assert_lt(command_find(search, name, &result, &err), 0, "%s", name);
	cr_expect_eq(err.kind, kind, "%s: %s", name, err.text);
	cr_expect_str_eq(err.text, text);
	cr_expect_str_eq(result, "untouched");
}

Test(command, a_name_is_looked_up_in_path)
{
	char path[1024];

	tree_file("a/plain", 0644, "");
	tree_directory("a/run", 0755);
	tree_file("b/run", 0755, "");
	tree_file("c/run", 0755, "");
	tree_file("b/plain", 0711, "");
	snprintf(path, sizeof(path), "/nonexistent:%s:%s:%s", tree_path("a"), tree_path("b"),
		 tree_path("c"));
	expect_found(path, "run", "b/run");
	expect_found(path, "plain", "b/plain");
}

Test(command, relative_and_empty_entries_start_from_the_directory)
{
	tree_file("bin/run", 0755, "");
	tree_file("here", 0755, "");
	expect_found("bin", "run", "bin/run");
	expect_found("/nonexistent:./bin/", "run", "bin/run");
	expect_found("", "here", "here");
	expect_found("/nonexistent:", "here", "here");
	expect_found(":/nonexistent", "here", "here");
}

Test(command, a_path_is_taken_from_the_directory_and_not_looked_up)
{
	tree_file("bin/run", 0755, "");
	tree_file("run", 0755, "");
	expect_found("/nonexistent", "bin/run", "bin/run");
	expect_found("/nonexistent", "./run", "run");
	expect_found("/nonexistent", "bin/../run", "run");
	expect_found("/nonexistent", tree_path("bin/run"), "bin/run");
}

Test(command, a_link_keeps_its_name)
{
	tree_file("bin/python3.11", 0755, "");
	tree_link("venv/bin/python", tree_path("bin/python3.11"));
	expect_found("/nonexistent", "venv/bin/python", "venv/bin/python");
}

Test(command, says_why_there_is_no_such_program)
{
	struct command_search search = search_in("bin");
	char text[1024];

	tree_file("bin/plain", 0644, "");
	tree_file("run.sh", 0755, "");
	tree_link("bin/dangling", "nowhere");
	tree_directory("bin/dir", 0755);

	expect_error(&search, "nothing", ERROR_NOT_FOUND,
		     "no \"nothing\" in bin: install it, or give the path of the program");
	expect_error(&search, "dangling", ERROR_NOT_FOUND,
		     "no \"dangling\" in bin: install it, or give the path of the program");
	expect_error(&search, "dir", ERROR_NOT_FOUND,
		     "no \"dir\" in bin: install it, or give the path of the program");
	expect_error(&search, "run.sh", ERROR_NOT_FOUND,
		     "no \"run.sh\" in bin: do you mean ./run.sh?");
	expect_error(&search, "", ERROR_NOT_FOUND, "the name is empty");

	snprintf(text, sizeof(text), "%s is not executable: chmod +x %s", tree_path("bin/plain"),
		 tree_path("bin/plain"));
	expect_error(&search, "plain", ERROR_NOT_EXECUTABLE, text);
	expect_error(&search, "bin/plain", ERROR_NOT_EXECUTABLE, text);
	snprintf(text, sizeof(text), "%s is a directory, not a program", tree_path("bin/dir"));
	expect_error(&search, "bin/dir", ERROR_NOT_EXECUTABLE, text);
	snprintf(text, sizeof(text), "%s does not exist", tree_path("bin/no"));
	expect_error(&search, "bin/no", ERROR_NOT_FOUND, text);
}

Test(command, points_at_a_program_that_only_the_caller_has)
{
	struct command_search search = search_in("bin");
	char text[1024];

	tree_file("own/tool", 0755, "");
	search.caller_path = tree_path("own");
	snprintf(text, sizeof(text), "no \"tool\" in bin: your own PATH has %s, give that path",
		 tree_path("own/tool"));
	expect_error(&search, "tool", ERROR_NOT_FOUND, text);
}

#define SHIM "#!/usr/bin/env bash\nset -e\nexec \"/root/.pyenv/libexec/pyenv\" exec \"$program\"\n"

Test(command, sees_through_a_pyenv_shim)
{
	struct command_search search = search_in("bin");
	char text[1024];
	struct error err;

	tree_file("env/version", 0644, "3.11.7\n");
	tree_file("env/versions/3.11.7/bin/tool", 0755, "");
	tree_file("env/shims/tool", 0755, SHIM);
	tree_file("env/shims/gone", 0755, SHIM);
	tree_file("env/shims/other", 0755, "#!/bin/sh\nexec pyenv\n");
	tree_file("env/tool", 0755, SHIM);

	snprintf(text, sizeof(text),
		 "%s is a pyenv shim, which cannot work inside: name the real program, %s",
		 tree_path("env/shims/tool"), tree_path("env/versions/3.11.7/bin/tool"));
	cr_assert_lt(command_refuse_shim(tree_path("env/shims/tool"), &err), 0);
	cr_expect_eq(err.kind, ERROR_NOT_EXECUTABLE);
	cr_expect_str_eq(err.text, text);
	search.caller_path = tree_path("env/shims");
	expect_error(&search, "tool", ERROR_NOT_EXECUTABLE, text);

	cr_assert_lt(command_refuse_shim(tree_path("env/shims/gone"), &err), 0);
	cr_expect_not_null(strstr(err.text, "see pyenv which"), "%s", err.text);
	cr_expect_eq(command_refuse_shim(tree_path("env/shims/other"), &err), 0);
	cr_expect_eq(command_refuse_shim(tree_path("env/tool"), &err), 0);
	cr_expect_eq(command_refuse_shim("/nonexistent/shims/tool", &err), 0);
}

Test(command, a_version_file_that_is_a_fifo_is_never_opened)
{
	struct error err;

	tree_file("env/shims/tool", 0755, "#!/usr/bin/env bash\nexec \"/x/pyenv\" exec \"$p\"\n");
	cr_assert_eq(mkfifo(tree_path("env/version"), 0644), 0);
	cr_assert_lt(command_refuse_shim(tree_path("env/shims/tool"), &err), 0);
	cr_expect_not_null(strstr(err.text, "see pyenv which"), "%s", err.text);
}
