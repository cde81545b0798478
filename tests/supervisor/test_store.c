/* SPDX-License-Identifier: MIT */
#include "supervisor/store.h"

#include "policy/document.h"
#include "policy/own.h"
#include "tests/supervisor/tree.h"

#include <errno.h>

TestSuite(store, .init = tree_make, .fini = tree_remove, .timeout = 30);

static mode_t mode_of(const char *name)
{
	struct stat status = { 0 };

	cr_assert_eq(stat(tree_path(name), &status), 0, "%s", name);
	return status.st_mode & 07777;
}

static void write_number(const char *directory, const char *name, int number)
{
	_cleanup_json_ json_t *object = json_pack("{s:i}", "number", number);
	struct error err;

	cr_assert_eq(store_write(tree_path(directory), name, object, true, &err), 0, "%s",
		     err.text);
}

static int read_number(const char *name)
{
	_cleanup_json_ json_t *object = NULL;
	struct error err;

	cr_assert_eq(store_read(tree_path(name), STORE_DOCUMENT_MAX, &object, &err), 0, "%s",
		     err.text);
	return (int)json_integer_value(json_object_get(object, "number"));
}

Test(store, what_is_written_is_read_again)
{
	write_number("a/b", "web", 1);
	cr_expect_eq(read_number("a/b/web.json"), 1);
	write_number("a/b", "web", 2);
	cr_expect_eq(read_number("a/b/web.json"), 2, "in place of what was");
	cr_expect_eq(mode_of("a"), 0700);
	cr_expect_eq(mode_of("a/b"), 0700);
	cr_expect_eq(mode_of("a/b/web.json"), 0600);
}

Test(store, what_a_killed_writer_has_left_is_in_nobodys_way)
{
	tree_file(".web.json.new", 0644, "{\"numb");
	write_number("", "web", 1);
	cr_expect_eq(read_number("web.json"), 1);
	cr_expect_lt(access(tree_path(".web.json.new"), F_OK), 0);
}

Test(store, a_write_that_fails_leaves_what_was)
{
	_cleanup_json_ json_t *object = json_pack("{s:i}", "number", 2);
	struct error err;

	write_number("", "web", 1);
	/* a directory that nobody can remove by unlink */
	tree_directory(".web.json.new/in", 0700);
	cr_expect_lt(store_write(tree_path(""), "web", object, true, &err), 0);
	cr_expect_eq(err.kind, ERROR_SYSTEM);
	cr_expect_not_null(strstr(err.text, "web.json"), "%s", err.text);
	cr_expect_eq(read_number("web.json"), 1);
}

Test(store, the_list_is_sorted_and_of_documents_alone)
{
	_cleanup_strings_ struct strings names = { 0 };
	struct error err;

	write_number("d", "web", 1);
	write_number("d", "Api", 1);
	write_number("d", "app-2", 1);
	tree_file("d/.hidden.json", 0600, "{}");
	tree_file("d/.json", 0600, "{}");
	tree_file("d/README", 0600, "");
	tree_file("d/web.json.bak", 0600, "{}");
	cr_assert_eq(store_list(tree_path("d"), &names, &err), 0, "%s", err.text);
	cr_assert_eq(names.count, 3);
	cr_expect_str_eq(names.items[0], "Api");
	cr_expect_str_eq(names.items[1], "app-2");
	cr_expect_str_eq(names.items[2], "web");
}

Test(store, a_directory_that_is_missing_has_nothing)
{
	_cleanup_strings_ struct strings names = { 0 };
	struct error err;

	cr_expect_eq(store_list(tree_path("none"), &names, &err), 0);
	cr_expect_eq(names.count, 0);
	cr_expect_eq(store_remove(tree_path("none"), "web", &err), 0);
}

Test(store, removing_takes_away_and_absent_is_fine)
{
	json_t *object = (json_t *)tree;
	struct error err;

	write_number("", "web", 1);
	cr_expect_eq(store_remove(tree_path(""), "web", &err), 0);
	cr_expect_eq(store_remove(tree_path(""), "web", &err), 0);
	cr_expect_eq(store_read(tree_path("web.json"), STORE_DOCUMENT_MAX, &object, &err), -ENOENT);
	cr_expect_eq(object, (json_t *)tree, "the output stays untouched");
}

Test(store, what_is_damaged_or_too_large_is_refused_with_its_path)
{
	static const struct {
		const char *content, *text;
	} damaged[] = {
		{ "", "web.json: " },
		{ "{", "web.json: line 1" },
		{ "{\"a\": 1, \"a\": 2}", "web.json: line 1" },
		{ "{\"a\": NaN}", "web.json: line 1" },
		{ "{\"a\": \"0123456789012345678901234567890123456789\"}", "web.json" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(damaged); i++) {
		json_t *object = (json_t *)tree;
		struct error err = { 0 };

		tree_file("web.json", 0600, damaged[i].content);
		cr_expect_lt(store_read(tree_path("web.json"), 40, &object, &err), 0, "%s",
			     damaged[i].content);
		cr_expect_not_null(strstr(err.text, damaged[i].text), "%s", err.text);
		cr_expect_eq(object, (json_t *)tree, "the output stays untouched");
	}
}
