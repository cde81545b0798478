/* SPDX-License-Identifier: MIT */
#include "supervisor/filter_store.h"

#include "policy/own.h"
#include "supervisor/filter.h"
#include "tests/supervisor/tree.h"

#include <linux/seccomp.h>
#include <string.h>

TestSuite(filter_store, .init = tree_make, .fini = tree_remove, .timeout = 30);

#define TEXT "{}"

static const struct sock_filter allow[] = { BPF_STMT(BPF_RET, SECCOMP_RET_ALLOW) };

static void keep(const char *name)
{
	struct error err;

	cr_assert_eq(filter_store_put(tree_path("cache"), name, TEXT, strlen(TEXT), allow, 1, &err),
		     0, "%s", err.text);
}

static bool is_found(const char *name, const char *text)
{
	_cleanup_free_ struct sock_filter *program = NULL;
	struct error ignored;
	size_t count = 0;

	return filter_store_get(tree_path("cache"), name, text, strlen(text), &program, &count,
				&ignored) == 0 &&
	       count == 1 && memcmp(program, allow, sizeof(allow)) == 0;
}

Test(filter_store, finds_what_was_kept_for_the_same_text)
{
	struct stat status;

	cr_expect_not(is_found("web", TEXT));
	keep("web");
	cr_expect(is_found("web", TEXT));
	cr_expect_not(is_found("web", TEXT " "));
	cr_expect_not(is_found("other", TEXT));
	cr_assert_eq(stat(tree_path("cache"), &status), 0);
	cr_expect_eq(status.st_mode & 07777, 0700);
	cr_assert_eq(stat(tree_path("cache/web.filter"), &status), 0);
	cr_expect_eq(status.st_mode & 07777, 0600);
}

Test(filter_store, overwrites_what_is_there)
{
	keep("web");
	cr_assert_eq(truncate(tree_path("cache/web.filter"), 50), 0);
	cr_expect_not(is_found("web", TEXT));
	keep("web");
	cr_expect(is_found("web", TEXT));
}

Test(filter_store, believes_no_file_that_others_can_write)
{
	keep("web");
	cr_assert_eq(chmod(tree_path("cache/web.filter"), 0620), 0);
	cr_expect_not(is_found("web", TEXT));
	cr_assert_eq(chmod(tree_path("cache/web.filter"), 0644), 0);
	cr_expect(is_found("web", TEXT));
	cr_assert_eq(chmod(tree_path("cache"), 0777), 0);
	cr_expect_not(is_found("web", TEXT));
}

Test(filter_store, follows_no_link)
{
	keep("web");
	cr_assert_eq(rename(tree_path("cache/web.filter"), tree_path("cache/real")), 0);
	cr_assert_eq(symlink("real", tree_path("cache/web.filter")), 0);
	cr_expect_not(is_found("web", TEXT));
	keep("web");
	cr_expect(is_found("web", TEXT));
	cr_assert_eq(rename(tree_path("cache"), tree_path("elsewhere")), 0);
	cr_assert_eq(symlink("elsewhere", tree_path("cache")), 0);
	cr_expect_not(is_found("web", TEXT));
}

/* --- with a profile --- */

static int compile(const char *name)
{
	_cleanup_free_ char *profiles = strdup(tree_path("profiles"));
	const char *const directories[2] = { "/nowhere", profiles };
	struct error err;
	int fd = -1;

	cr_assert_eq(filter_compile_from(directories, tree_path("cache"), name, &fd, &err), 0, "%s",
		     err.text);
	return fd;
}

static off_t size_of(int fd)
{
	struct stat status = { 0 };

	cr_assert_eq(fstat(fd, &status), 0);
	close(fd);
	return status.st_size;
}

Test(filter_store, a_changed_profile_is_compiled_anew)
{
	off_t plain;

	tree_file("profiles/web.json", 0644, "{\"defaultAction\": \"SCMP_ACT_ALLOW\"}");
	plain = size_of(compile("web"));
	cr_expect_eq(access(tree_path("cache/web.filter"), F_OK), 0);
	cr_expect_eq(size_of(compile("web")), plain);
	tree_file("profiles/web.json", 0644,
		  "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": "
		  "[\"chroot\", \"mount\"], \"action\": \"SCMP_ACT_ERRNO\"}]}");
	cr_expect_gt(size_of(compile("web")), plain);
}

Test(filter_store, a_profile_with_a_path_is_not_kept)
{
	_cleanup_free_ char *path = NULL;

	tree_file("profiles/web.json", 0644, "{\"defaultAction\": \"SCMP_ACT_ALLOW\"}");
	path = strdup(tree_path("profiles/web.json"));
	cr_assert_not_null(path);
	close(compile(path));
	cr_expect_neq(access(tree_path("cache"), F_OK), 0);
}
