/* SPDX-License-Identifier: MIT */
/*
 * A tree of files for a test, made from a table below a new directory in /tmp, and removed again by
 * tree_remove. Each criterion test is a process of its own, so one tree at a time is enough.
 */
#pragma once

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char tree[64]; /* canonical */

static const char *tree_path(const char *name)
{
	static char paths[8][512];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s%s%s", tree, name[0] != '\0' ? "/" : "", name);
	return path;
}

__attribute__((unused)) static void tree_directory(const char *name, mode_t mode)
{
	char path[512];

	snprintf(path, sizeof(path), "%s", tree_path(name));
	for (char *slash = path + strlen(tree) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
	mkdir(path, mode);
	cr_assert_eq(chmod(path, mode), 0, "%s", path);
}

static void tree_make_parent(const char *name)
{
	char parent[512];
	char *slash;

	snprintf(parent, sizeof(parent), "%s", name);
	slash = strrchr(parent, '/');
	if (slash != NULL) {
		*slash = '\0';
		if (access(tree_path(parent), F_OK) < 0)
			tree_directory(parent, 0755);
	}
}

__attribute__((unused)) static void tree_file(const char *name, mode_t mode, const char *content)
{
	FILE *file;

	tree_make_parent(name);
	file = fopen(tree_path(name), "w");
	cr_assert_not_null(file, "%s", name);
	fputs(content, file);
	fclose(file);
	cr_assert_eq(chmod(tree_path(name), mode), 0, "%s", name);
}

__attribute__((unused)) static void tree_link(const char *name, const char *text)
{
	tree_make_parent(name);
	cr_assert_eq(symlink(text, tree_path(name)), 0, "%s", name);
}

/* Gives it away, a link itself too. Only root can, so the test is skipped for others. */
__attribute__((unused)) static void tree_own(const char *name, uid_t uid)
{
	if (geteuid() != 0)
		cr_skip_test("only root can give files away");
	cr_assert_eq(lchown(tree_path(name), uid, uid), 0, "%s", name);
}

static void tree_make(void)
{
	snprintf(tree, sizeof(tree), "/tmp/pysbx-test-XXXXXX");
	cr_assert_not_null(mkdtemp(tree));
	cr_assert_eq(chmod(tree, 0755), 0);
}

static int tree_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void tree_remove(void)
{
	nftw(tree, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
