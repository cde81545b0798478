/* SPDX-License-Identifier: MIT */
#include "supervisor/log_file.h"

#include "policy/own.h"
#include "tests/supervisor/tree.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

static int directory = -1;
static struct log_file file = { .fd = -1 };
static struct log_policy rules = { .target = LOG_TO_FILE, .max_size = 100, .keep = 2 };

static void start(void)
{
	struct error err;

	tree_make();
	umask(077); /* as the daemon's unit sets it */
	directory = log_file_open_directory(tree_path("log/pysbx"), &err);
	cr_assert_geq(directory, 0, "%s", err.text);
}

static void stop(void)
{
	log_file_close(&file);
	close(directory);
	tree_remove();
}

TestSuite(log_file, .init = start, .fini = stop, .timeout = 30);

static ssize_t write_text(const char *text)
{
	struct error err;
	ssize_t n = log_file_write(&file, directory, "web", &rules, text, strlen(text), &err);

	cr_assert_geq(n, 0, "%s", err.text);
	return n;
}

/* NULL: no such file. */
static const char *content(const char *name)
{
	static char text[4][4096];
	static unsigned next;
	char *buffer = text[next++ % 4];
	_cleanup_close_ int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return NULL;
	n = read(fd, buffer, sizeof(text[0]) - 1);
	cr_assert_geq(n, 0);
	buffer[n] = '\0';
	return buffer;
}

static void expect_content(const char *name, const char *expected)
{
	const char *text = content(name);

	if (expected == NULL)
		cr_expect_null(text, "%s is there", name);
	else
		cr_expect(text != NULL && strcmp(text, expected) == 0, "%s: \"%s\", not \"%s\"",
			  name, text != NULL ? text : "(none)", expected);
}

Test(log_file, is_made_for_root_alone_and_appended_to)
{
	struct stat st;

	write_text("one\n");
	log_file_close(&file);
	write_text("two\n");
	expect_content("web.log", "one\ntwo\n");
	cr_assert_eq(fstatat(directory, "web.log", &st, 0), 0);
	cr_expect_eq(st.st_mode & 07777, LOG_FILE_MODE);
	cr_assert_eq(fstat(directory, &st), 0);
	cr_expect_eq(st.st_mode & 07777, LOG_FILE_DIRECTORY_MODE);
}

Test(log_file, is_rotated_before_it_grows_too_large_and_so_many_are_kept)
{
	char line[62];

	for (int i = 1; i <= 5; i++) {
		snprintf(line, sizeof(line), "%d %.*s\n", i, 57,
			 "..........................................................");
		cr_assert_eq(write_text(line), 60);
	}
	cr_expect_eq(content("web.log")[0], '5');
	cr_expect_eq(content("web.log.1")[0], '4');
	cr_expect_eq(content("web.log.2")[0], '3');
	expect_content("web.log.3", NULL);
}

Test(log_file, with_none_kept_the_old_one_goes)
{
	static const char line[] = "sixty bytes of a line, more or less, of no importance at all\n";

	rules.keep = 0;
	write_text(line);
	write_text(line);
	expect_content("web.log", line);
	expect_content("web.log.1", NULL);
}

Test(log_file, takes_one_write_that_is_larger_than_a_file_may_be)
{
	rules.max_size = 10;
	write_text("a line of more than ten bytes\n");
	expect_content("web.log", "a line of more than ten bytes\n");
	write_text("next\n");
	expect_content("web.log", "next\n");
	expect_content("web.log.1", "a line of more than ten bytes\n");
}

Test(log_file, one_that_was_moved_away_or_removed_is_made_anew)
{
	write_text("one\n");
	cr_assert_eq(renameat(directory, "web.log", directory, "moved"), 0);
	write_text("two\n");
	expect_content("moved", "one\n");
	expect_content("web.log", "two\n");
	cr_assert_eq(unlinkat(directory, "web.log", 0), 0);
	write_text("three\n");
	expect_content("web.log", "three\n");
}

Test(log_file, does_not_follow_a_link_or_wait_for_a_fifo)
{
	struct error err;

	cr_assert_eq(symlinkat("elsewhere", directory, "web.log"), 0);
	cr_expect_lt(log_file_write(&file, directory, "web", &rules, "x\n", 2, &err), 0);
	expect_content("elsewhere", NULL);
	cr_assert_eq(unlinkat(directory, "web.log", 0), 0);

	cr_assert_eq(mkfifoat(directory, "web.log", 0600), 0);
	cr_expect_lt(log_file_write(&file, directory, "web", &rules, "x\n", 2, &err), 0);
	cr_expect_eq(file.fd, -1);
	cr_assert_eq(unlinkat(directory, "web.log", 0), 0);

	cr_assert_eq(mkdirat(directory, "web.log", 0700), 0);
	cr_expect_lt(log_file_write(&file, directory, "web", &rules, "x\n", 2, &err), 0);
}

Test(log_file, says_how_much_was_written_when_there_is_no_room)
{
	struct rlimit limit = { 10, 10 };
	struct error err;

	(void)signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	rules.max_size = 1000;
	cr_expect_eq(write_text("12345\n7890\n"), 10);
	cr_expect(file.torn);
	cr_expect_lt(log_file_write(&file, directory, "web", &rules, "more\n", 5, &err), 0);
	cr_expect_eq(err.errnum, EFBIG);
	cr_expect_not_null(strstr(err.text, "web.log"), "%s", err.text);
}

/* A file system of one page in a mount namespace of our own. */
static bool mount_tiny(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tiny", tree_path("log/pysbx"), "tmpfs", MS_NOSUID, "size=4096") == 0;
}

Test(log_file, a_full_disk_is_an_error_and_a_torn_line_is_ended_when_there_is_room)
{
	static char big[5000];
	struct error err;

	if (!mount_tiny())
		cr_skip_test("needs the right to mount");
	close(directory);
	directory = open(tree_path("log/pysbx"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rules.max_size = 100000;
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\n';
	cr_assert_eq(log_file_write(&file, directory, "web", &rules, big, sizeof(big), &err), 4096);
	cr_assert_lt(log_file_write(&file, directory, "web", &rules, "y\n", 2, &err), 0);
	cr_expect_eq(err.errnum, ENOSPC, "%s", err.text);

	cr_assert_eq(ftruncate(file.fd, 3), 0);
	cr_assert_eq(log_file_write(&file, directory, "web", &rules, "y\n", 2, &err), 2);
	expect_content("web.log", "xxx\ny\n");
	cr_expect_eq(umount2(tree_path("log/pysbx"), MNT_DETACH), 0);
}

Test(log_file, refuses_a_directory_that_others_may_write_to)
{
	struct error err;

	tree_directory("open", 0777);
	cr_expect_lt(log_file_open_directory(tree_path("open"), &err), 0);
	cr_expect_eq(err.kind, ERROR_DENIED);
	cr_expect_lt(log_file_open_directory("relative", &err), 0);
	cr_assert_eq(symlink("log/pysbx", tree_path("link")), 0);
	cr_expect_lt(log_file_open_directory(tree_path("link"), &err), 0);
}

Test(log_file, without_a_directory_it_is_an_error)
{
	struct error err;

	cr_expect_lt(log_file_write(&file, -1, "web", &rules, "x\n", 2, &err), 0);
	cr_expect_eq(file.fd, -1);
}
