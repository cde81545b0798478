/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "supervisor/file.h"
#include "supervisor/launcher.h"

#include <criterion/criterion.h>
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
