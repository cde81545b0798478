/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "supervisor/file.h"
#include "supervisor/launcher.h"
#include "tests/supervisor/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

Test(file, a_text_that_does_not_fit_is_an_error_and_not_cut)
{
	char small[8];
	struct error err;

	cr_assert_eq(file_read_at(AT_FDCWD, "/proc/self/status", small, sizeof(small), &err),
		     -EFBIG);
	cr_assert_not_null(strstr(err.text, "/proc/self/status"), "%s", err.text);
}

Test(file, a_sealed_memfd_cannot_be_changed)
{
	_cleanup_close_ int fd = -1;
	char text[8] = "";
	struct error err;

	cr_assert_eq(file_sealed_memfd("test", "plan", 4, false, &fd, &err), 0);
	cr_assert_eq(write(fd, "x", 1), -1);
	cr_assert_eq(errno, EPERM);
	cr_assert_eq(ftruncate(fd, 0), -1);
	cr_assert_eq(ftruncate(fd, 100), -1);
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1, "sealed against more seals too");
	cr_assert_eq(read(fd, text, sizeof(text)), 4, "read from offset 0");
	cr_assert_str_eq(text, "plan");
}

Test(file, refuses_what_is_no_regular_file, .timeout = 30)
{
	char path[64], *text = NULL;
	struct error err;
	size_t length = 7;

	snprintf(path, sizeof(path), "/tmp/pysbx-test-fifo-%d", (int)getpid());
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_assert_lt(file_read_whole(path, 100, &text, &length, &err), 0,
		     "and must not block on it");
	cr_assert_null(text);
	cr_assert_eq(length, 7);
	unlink(path);
	cr_assert_lt(file_read_whole("/", 100, &text, &length, &err), 0);
	cr_assert_lt(file_read_whole("/nonexistent", 100, &text, &length, &err), 0);
	cr_assert_eq(err.errnum, ENOENT);
}

Test(file, refuses_a_file_larger_than_its_bound)
{
	char *text = NULL;
	struct error err;
	size_t length;

	cr_assert_lt(file_read_whole("/bin/sh", 10, &text, &length, &err), 0);
	cr_assert_eq(err.errnum, EFBIG);
	cr_assert_null(text);
}

Test(launcher, a_missing_program_is_told_as_an_incomplete_installation)
{
	struct error err;
	int fd = -1;

	cr_assert_lt(launcher_image("/nonexistent/pysbx-launch", &fd, &err), 0);
	cr_assert_eq(err.kind, ERROR_UNSUPPORTED);
	cr_assert_not_null(strstr(err.text, "not installed completely"), "%s", err.text);
	cr_assert_not_null(strstr(err.text, "/nonexistent/pysbx-launch"));
	cr_assert_eq(fd, -1);
}

/* Root could write to the file itself. */
Test(launcher, a_mounted_program_can_be_executed_and_not_written)
{
	static const int flags[] = { O_WRONLY, O_RDWR, O_RDONLY | O_TRUNC };
	char path[64];
	struct error err;
	int file = -1, fd = -1;

	if (geteuid() != 0)
		cr_skip_test("only root can clone a mount");
	cr_assert_eq(launcher_file("/bin/true", &file, &err), 0, "%s", err.text);
	cr_assert_eq(launcher_mount(file, &fd, &err), 0, "%s", err.text);
	close(file);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		cr_expect_lt(open(path, flags[i] | O_CLOEXEC), 0);
		cr_expect(errno == EROFS || errno == ETXTBSY, "%s", strerror(errno));
	}
	cr_expect_eq(fchmod(fd, 0777), -1);
	cr_expect_eq(access(path, X_OK), 0);
	close(fd);
	cr_assert_lt(launcher_file("/nonexistent/pysbx-launch", &fd, &err), 0);
	cr_expect_not_null(strstr(err.text, "not installed completely"), "%s", err.text);
}

static mode_t mode_of(const char *name)
{
	struct stat st = { 0 };

	cr_assert_eq(stat(tree_path(name), &st), 0, "%s", name);
	return st.st_mode & 07777;
}

Test(file, a_directory_is_made_with_its_parents_and_their_modes, .init = tree_make,
     .fini = tree_remove)
{
	struct error err;

	tree_directory("there", 0711);
	umask(077);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(file_make_directory(tree_path("there/a/b/c"), 0750, 0755, &err), 0,
			     "%s", err.text);
		cr_expect_eq(mode_of("there"), 0711, "as it was");
		cr_expect_eq(mode_of("there/a"), 0755);
		cr_expect_eq(mode_of("there/a/b"), 0755);
		cr_expect_eq(mode_of("there/a/b/c"), 0750);
	}
}

Test(file, a_directory_that_can_not_be_made_is_named, .init = tree_make, .fini = tree_remove)
{
	struct error err;

	tree_file("file", 0600, "");
	cr_expect_eq(file_make_directory(tree_path("file/a"), 0700, 0700, &err), -ENOTDIR);
	cr_expect_not_null(strstr(err.text, tree_path("file/a")), "%s", err.text);
	cr_expect_lt(file_make_directory("", 0700, 0700, &err), 0);
}
