/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "supervisor/walk.h"
#include "tests/supervisor/tree.h"

#include <errno.h>
#include <sys/sysmacros.h>

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

/* --- whose word it is -------------------------------------------------------------------------*/

#define TENANT 4000011U
#define VICTIM 4000012U

/* home/t and home/v of two tenants; what is the second's is closed to the first. */
static void tree_homes(void)
{
	tree_directory("home/t/releases/7", 0755);
	tree_directory("home/v/app", 0755);
	tree_file("home/v/app/code", 0644, "");
	tree_directory("home/v/given", 0755);
	tree_directory("home/v/roots", 0755);
	tree_directory("home/open", 0755);
	tree_own("home/t", TENANT);
	tree_own("home/t/releases", TENANT);
	tree_own("home/t/releases/7", TENANT);
	tree_own("home/v/app", VICTIM);
	tree_own("home/v/app/code", VICTIM);
	tree_own("home/v/given", TENANT);
	tree_own("home/v", VICTIM);
	cr_assert_eq(chmod(tree_path("home/v"), 0700), 0);
}

static void tree_owned_link(const char *name, const char *text, uid_t uid)
{
	tree_link(name, text);
	tree_own(name, uid);
}

Test(walk, a_link_leads_only_where_its_owner_could_go)
{
	static const struct {
		const char *text;
		uid_t owner;
		enum walk_purpose purpose;
		int result;
	} samples[] = {
		{ "releases/7", TENANT, WALK_TO_READ, 0 },
		{ "releases/7", TENANT, WALK_TO_WRITE, 0 },
		{ "../v/app", TENANT, WALK_TO_READ, -EACCES },
		{ "../v/app/code", TENANT, WALK_TO_READ, -EACCES },
		{ "../v/app/../app/.", TENANT, WALK_TO_READ, -EACCES },
		{ "../v/given", TENANT, WALK_TO_READ, -EACCES }, /* its own, behind closed doors */
		{ "../v/roots", TENANT, WALK_TO_READ, -EACCES },
		{ "../v", TENANT, WALK_TO_READ, -EACCES },
		{ "../open/theirs", TENANT, WALK_TO_READ, -EACCES }, /* readable, but a tenant's */
		{ "../open/shut", TENANT, WALK_TO_READ, -EACCES },
		{ "../open/half", TENANT, WALK_TO_READ, -EACCES }, /* may be passed, not read */
		{ "../open/group", TENANT, WALK_TO_READ, -EACCES },
		{ "../open", TENANT, WALK_TO_READ, 0 },
		{ "../open", TENANT, WALK_TO_WRITE, -EACCES },
		{ "/usr/bin/env", TENANT, WALK_TO_READ, 0 },
		{ "/usr/bin/env", TENANT, WALK_TO_WRITE, -EACCES },
		{ "../roots-link", TENANT, WALK_TO_READ, -EACCES }, /* a link of root behind it */
		{ "../victims-link", TENANT, WALK_TO_READ, 0 },
		{ "../v/app", VICTIM, WALK_TO_READ, 0 },
		{ "../v/app", 0, WALK_TO_READ, 0 },
		{ "../v/app", 0, WALK_TO_WRITE, 0 },
	};

	tree_homes();
	tree_directory("home/open/theirs", 0755);
	tree_own("home/open/theirs", VICTIM);
	tree_directory("home/open/shut", 0700);
	tree_directory("home/open/half", 0711);
	tree_directory("home/open/group", 0705);
	tree_link("home/roots-link", "v/app");
	tree_owned_link("home/victims-link", "open", VICTIM);
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct host_facts facts _cleanup_facts_ = { 0 };
		struct error err = { 0 };

		tree_owned_link("home/t/app", samples[i].text, samples[i].owner);
		cr_expect_eq(walk(&facts, "home/t/app", samples[i].purpose, &err),
			     samples[i].result, "%zu: %s: %s", i, samples[i].text, err.text);
		cr_expect_eq(err.kind, samples[i].result == 0 ? ERROR_NONE : ERROR_INVALID, "%zu",
			     i);
		cr_assert_eq(unlink(tree_path("home/t/app")), 0);
	}
}

Test(walk, what_follows_a_link_is_held_against_its_owner_too)
{
	struct host_facts facts _cleanup_facts_ = { 0 };
	char wanted[1024];
	struct error err;

	tree_homes();
	tree_owned_link("home/t/up", "..", TENANT);
	cr_assert_eq(walk(&facts, "home/t/up/v/app", WALK_TO_READ, &err), -EACCES);
	snprintf(wanted, sizeof(wanted),
		 "%s is a symlink of uid 4000011 that leads to %s of uid 4000012 (mode 0700): root "
		 "does not follow it, name the real path",
		 tree_path("home/t/up"), tree_path("home/v"));
	cr_expect_str_eq(err.text, wanted);
	cr_expect_eq(walk(&facts, "home/t/up/open", WALK_TO_READ, &err), 0);
	cr_expect_eq(walk(&facts, "home/t/../v/app", WALK_TO_READ, &err), 0,
		     "root itself has said so");
}

Test(walk, the_owner_of_a_file_counts_for_the_path_it_names)
{
	struct host_facts facts _cleanup_facts_ = { 0 };
	_cleanup_free_ char *real = NULL;
	char *untouched = (char *)"untouched";
	char wanted[1024];
	struct error err;

	tree_homes();
	tree_file("home/t/script", 0755, "");
	tree_own("home/t/script", TENANT);
	tree_file("home/script", 0755, "");
	cr_assert_eq(walk_resolve_from(&facts, tree_path("home/t/script"),
				       tree_path("home/v/app/code"), WALK_TO_READ, &untouched,
				       &err),
		     -EACCES);
	snprintf(wanted, sizeof(wanted), "%s is a file of uid 4000011 that leads to %s of uid",
		 tree_path("home/t/script"), tree_path("home/v"));
	cr_expect_eq(strncmp(err.text, wanted, strlen(wanted)), 0, "%s", err.text);
	cr_expect_str_eq(untouched, "untouched");
	cr_assert_eq(walk_resolve_from(&facts, tree_path("home/script"),
				       tree_path("home/v/app/code"), WALK_TO_READ, &real, &err),
		     0, "%s", err.text);
	cr_expect_str_eq(real, tree_path("home/v/app/code"));
	cr_expect_eq(
		walk_resolve_from(&facts, tree_path("no"), "/usr", WALK_TO_READ, &untouched, &err),
		-ENOENT);
}

Test(walk, reads_a_regular_file_whole)
{
	_cleanup_free_ char *text = NULL;
	size_t length = 0;
	struct error err;

	tree_file("file", 0600, "12345");
	cr_assert_eq(walk_read(tree_path("file"), 5, &text, &length, &err), 0, "%s", err.text);
	cr_expect_str_eq(text, "12345");
	cr_expect_eq(length, 5);
}

Test(walk, reads_nothing_else)
{
	static const struct {
		const char *name, *text;
	} samples[] = {
		{ "no", "/no: No such file or directory" },
		{ "link", "/link: Too many levels of symbolic links" },
		{ "linked/file", "/linked/file: Too many levels of symbolic links" },
		{ "directory", "/directory: is not a regular file" },
		{ "fifo", "/fifo: is not a regular file" }, /* to open it would wait for ever */
		{ "device", "/device: is not a regular file" },
		{ "long", "/long: has more than 5 bytes: File too large" },
	};

	tree_file("directory/file", 0600, "x");
	tree_link("link", "directory/file");
	tree_link("linked", "directory");
	cr_assert_eq(mkfifo(tree_path("fifo"), 0600), 0);
	tree_file("long", 0600, "123456");
	if (mknod(tree_path("device"), S_IFCHR | 0600, makedev(1, 5)) < 0)
		cr_skip_test("no device can be made here");
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		char *text = (char *)"untouched";
		size_t length = 42;
		struct error err;

		cr_assert_lt(walk_read(tree_path(samples[i].name), 5, &text, &length, &err), 0,
			     "%s", samples[i].name);
		cr_expect_eq(err.kind, ERROR_INVALID);
		cr_expect_eq(strncmp(err.text, tree, strlen(tree)), 0, "%s", err.text);
		cr_expect_str_eq(err.text + strlen(tree), samples[i].text);
		cr_expect_str_eq(text, "untouched");
		cr_expect_eq(length, 42);
	}
}
