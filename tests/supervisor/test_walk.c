/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "supervisor/walk.h"
#include "tests/supervisor/tree.h"

#include <errno.h>

TestSuite(walk, .init = tree_make, .fini = tree_remove);

static void facts_clear(struct host_facts *facts)
{
	host_facts_clear(facts);
}
#define _cleanup_facts_ __attribute__((cleanup(facts_clear)))

static void expect_real(struct host_facts *facts, const char *name, const char *real)
{
	_cleanup_free_ char *found = NULL;
	struct error err;

	cr_assert_eq(walk_resolve(facts, tree_path(name), WALK_TO_READ, &found, &err), 0, "%s",
		     err.text);
	cr_expect_str_eq(found, tree_path(real));
}

static void expect_link(const struct host_facts *facts, size_t i, const char *name,
			const char *text)
{
	cr_assert_lt(i, facts->link_count, "%s is missing", name);
	cr_expect_str_eq(facts->links[i].path, tree_path(name));
	cr_expect_str_eq(facts->links[i].link, text);
}

Test(walk, a_path_without_links_is_itself)
{
	struct host_facts facts _cleanup_facts_ = { 0 };

	tree_file("a/b/c", 0644, "");
	expect_real(&facts, "a/b/c", "a/b/c");
	expect_real(&facts, "a//./b/../b/c", "a/b/c");
	cr_expect_eq(facts.link_count, 0);
}

Test(walk, every_link_on_the_way_is_noted_once_at_its_canonical_place)
{
	struct host_facts facts _cleanup_facts_ = { 0 };

	tree_file("real/bin/python3.11", 0755, "");
	tree_link("real/bin/python3", "python3.11");
	tree_link("current", "real");
	tree_link("python", tree_path("current/bin/python3"));
	expect_real(&facts, "python", "real/bin/python3.11");
	cr_assert_eq(facts.link_count, 3);
	expect_link(&facts, 0, "python", tree_path("current/bin/python3"));
	expect_link(&facts, 1, "current", "real");
	expect_link(&facts, 2, "real/bin/python3", "python3.11");
	expect_real(&facts, "current/bin/python3", "real/bin/python3.11");
	cr_expect_eq(facts.link_count, 3);
}

Test(walk, dots_behind_a_link_are_those_of_its_target)
{
	struct host_facts facts _cleanup_facts_ = { 0 };

	tree_file("x/target/file", 0644, "");
	tree_file("x/file", 0644, "");
	tree_link("y/link", "../x/target");
	expect_real(&facts, "y/link/../file", "x/file");
}

Test(walk, the_root_is_its_own_parent)
{
	struct host_facts facts _cleanup_facts_ = { 0 };
	_cleanup_free_ char *real = NULL;
	struct error err;

	cr_assert_eq(walk_resolve(&facts, "/../..", WALK_TO_READ, &real, &err), 0);
	cr_expect_str_eq(real, "/");
}

Test(walk, what_cannot_be_walked_gives_the_kernels_error)
{
	static const struct {
		const char *name;
		int error;
	} samples[] = {
		{ "missing", -ENOENT },	 { "missing/x", -ENOENT }, { "file/x", -ENOTDIR },
		{ "dangling", -ENOENT }, { "loop", -ELOOP },	   { "loop/x", -ELOOP },
	};

	tree_file("file", 0644, "");
	tree_link("dangling", "nowhere");
	tree_link("loop", "loop2");
	tree_link("loop2", "loop");
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct host_facts facts _cleanup_facts_ = { 0 };
		char *real = (char *)"untouched";
		struct error err;

		cr_expect_eq(
			walk_resolve(&facts, tree_path(samples[i].name), WALK_TO_READ, &real, &err),
			samples[i].error, "%s", samples[i].name);
		cr_expect_eq(err.kind, ERROR_SYSTEM);
		cr_expect_str_eq(real, "untouched");
	}
}

Test(walk, a_name_or_path_too_long_is_an_error)
{
	struct host_facts facts _cleanup_facts_ = { 0 };
	char path[6000];
	char *real = NULL;
	struct error err;

	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[300] = '\0';
	cr_expect_eq(walk_resolve(&facts, path, WALK_TO_READ, &real, &err), -ENAMETOOLONG);
	path[300] = 'x';
	path[sizeof(path) - 1] = '\0';
	cr_expect_eq(walk_resolve(&facts, path, WALK_TO_READ, &real, &err), -ENAMETOOLONG);
	cr_expect_null(real);
}

static void allow_writing(struct host_facts *facts, const char *name)
{
	struct error err;

	cr_assert_eq(strings_append(&facts->writable, tree_path(name), &err), 0);
}

static int walk(struct host_facts *facts, const char *name, enum walk_purpose purpose,
		struct error *err)
{
	_cleanup_free_ char *real = NULL;

	return walk_resolve(facts, tree_path(name), purpose, &real, err);
}

Test(walk, a_link_that_the_app_can_change_leads_only_where_it_sees_anyway)
{
	struct host_facts facts _cleanup_facts_ = { 0 };
	struct error err;

	tree_directory("app/data", 0755);
	tree_directory("app/code", 0755);
	tree_directory("other/secret", 0755);
	tree_link("app/data/own", "sub");
	tree_directory("app/data/sub", 0755);
	tree_link("app/data/code", "../code");
	tree_link("app/data/sh", "/usr/bin/env");
	tree_link("app/data/away", tree_path("other/secret"));
	tree_link("app/fixed", tree_path("other/secret"));
	allow_writing(&facts, "app/data");
	facts.directory = strdup(tree_path("app/code"));

	cr_expect_eq(walk(&facts, "app/data/own", WALK_TO_READ, &err), 0);
	cr_expect_eq(walk(&facts, "app/data/own", WALK_TO_WRITE, &err), 0);
	cr_expect_eq(walk(&facts, "app/data/code", WALK_TO_READ, &err), 0);
	cr_expect_eq(walk(&facts, "app/data/code", WALK_TO_WRITE, &err), -EPERM,
		     "the app would make its own code writable");
	cr_expect_eq(walk(&facts, "app/data/sh", WALK_TO_READ, &err), 0);
	cr_expect_eq(walk(&facts, "app/data/sh", WALK_TO_WRITE, &err), -EPERM);
	cr_expect_eq(walk(&facts, "app/fixed", WALK_TO_WRITE, &err), 0,
		     "this link the app cannot change");

	cr_expect_eq(walk(&facts, "app/data/away", WALK_TO_READ, &err), -EPERM);
	cr_expect_eq(err.kind, ERROR_INVALID);
	cr_expect_not_null(strstr(err.text, "isolation.writable: "), "%s", err.text);
	cr_expect_not_null(strstr(err.text, tree_path("app/data/away")), "%s", err.text);
	cr_expect_eq(walk(&facts, "app/data/away", WALK_TO_READ, &err), -EPERM,
		     "also when the link was noted before");
}
