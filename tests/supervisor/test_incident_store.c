/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "supervisor/incident_store.h"
#include "tests/supervisor/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ID "20261123T174103Z-web-0-8c3f2a90"

#define NOW 1795455663 /* 2026-11-23T17:41:03Z */

static const struct settings_incidents all = { .keep = 200,
					       .max_age_usec = LIMIT_MAX,
					       .max_size = UINT64_C(1) << 30 };

static int prune_to(const char *directory, const char *app, uint64_t count, struct error *err)
{
	struct settings_incidents keep = all;

	keep.keep = count;
	return incident_store_prune(directory, app, count > 0 ? &keep : NULL, NOW, err);
}

TestSuite(incident_store, .init = tree_make, .fini = tree_remove, .timeout = 30);

static const char *content(const char *path)
{
	static char text[4096];
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

	if (length < 0)
		return NULL;
	text[length] = '\0';
	return text;
}

static void touch(const char *name)
{
	_cleanup_close_ int fd = open(tree_path(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0, "%s", name);
}

static mode_t mode_of(const char *path)
{
	struct stat status = { 0 };

	cr_assert_eq(stat(path, &status), 0, "%s", path);
	return status.st_mode & 07777;
}

static size_t entries_of(const char *path)
{
	DIR *directory = opendir(path);
	size_t count = 0;

	cr_assert_not_null(directory);
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count - 2;
}

static void make_app(const char *directory, const char *app)
{
	char name[100];

	snprintf(name, sizeof(name), "%s/%s", directory, app);
	(void)mkdir(tree_path(directory), 0755);
	cr_assert_eq(mkdir(tree_path(name), 0755), 0);
}

Test(incident_store, writes_a_whole_file_and_leaves_nothing_else)
{
	struct error err = { 0 };
	mode_t old = umask(0077);

	cr_assert_eq(incident_store_write(tree_path("a/b/incidents"), "web", ID, "{\"schema\": 1}",
					  &all, NOW, &err),
		     0, "%s", err.text);
	umask(old);
	cr_expect_str_eq(content(tree_path("a/b/incidents/web/" ID ".json")), "{\"schema\": 1}\n");
	cr_expect_eq(mode_of(tree_path("a/b/incidents/web/" ID ".json")), 0640);
	cr_expect_eq(entries_of(tree_path("a/b/incidents/web")), 1);
}

Test(incident_store, makes_its_directories_for_its_group_alone)
{
	struct error err = { 0 };
	mode_t old = umask(0);

	cr_assert_eq(incident_store_write(tree_path("a/b"), "web", ID, "{}", &all, NOW, &err), 0,
		     "%s", err.text);
	umask(old);
	cr_expect_eq(mode_of(tree_path("a")), 0750);
	cr_expect_eq(mode_of(tree_path("a/b")), 0750);
	cr_expect_eq(mode_of(tree_path("a/b/web")), 0750);
}

Test(incident_store, ends_the_file_with_one_newline)
{
	struct error err = { 0 };

	cr_assert_eq(incident_store_write(tree_path("i"), "web", ID, "{}\n", &all, NOW, &err), 0,
		     "%s", err.text);
	cr_expect_str_eq(content(tree_path("i/web/" ID ".json")), "{}\n");
}

Test(incident_store, never_overwrites_an_incident)
{
	struct error err = { 0 };

	cr_assert_eq(incident_store_write(tree_path("i"), "web", ID, "first", &all, NOW, &err), 0);
	cr_expect_eq(incident_store_write(tree_path("i"), "web", ID, "second", &all, NOW, &err),
		     -EEXIST);
	cr_expect_not_null(strstr(err.text, ID ".json"), "%s", err.text);
	cr_expect_str_eq(content(tree_path("i/web/" ID ".json")), "first\n");
	cr_expect_eq(entries_of(tree_path("i/web")), 1);
}

Test(incident_store, refuses_ids_that_lead_elsewhere)
{
	static const char *const ids[] = {
		"",	  ".",
		"..",	  ".hidden",
		"../x",	  "a/b",
		"/etc/x", "0123456789012345678901234567890123456789012345678901234567890123",
	};

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct error err = { 0 };

		cr_expect_eq(
			incident_store_write(tree_path("i"), "web", ids[i], "{}", &all, NOW, &err),
			-EINVAL, "%s", ids[i]);
		cr_expect_eq(err.kind, ERROR_INTERNAL);
	}
	cr_expect_eq(entries_of(tree), 0);
}

Test(incident_store, says_which_directory_cannot_be_used)
{
	struct error err = { 0 };

	touch("file");
	cr_expect_eq(incident_store_write(tree_path("file"), "web", ID, "{}", &all, NOW, &err),
		     -ENOTDIR);
	cr_expect_not_null(strstr(err.text, "/file"), "%s", err.text);
	cr_expect_eq(incident_store_write(tree_path("file/i"), "web", ID, "{}", &all, NOW, &err),
		     -ENOTDIR);
	cr_expect_eq(symlink(tree, tree_path("link")), 0);
	cr_expect_lt(incident_store_write(tree_path("link"), "web", ID, "{}", &all, NOW, &err), 0,
		     "followed a symlink");
	cr_expect_lt(incident_store_write("", "web", ID, "{}", &all, NOW, &err), 0);
	cr_expect_eq(entries_of(tree), 2);
}

Test(incident_store, a_planted_temporary_file_is_not_followed)
{
	struct error err = { 0 };

	touch("precious");
	make_app("i", "web");
	cr_assert_eq(symlink(tree_path("precious"), tree_path("i/web/." ID ".json.new")), 0);
	cr_expect_eq(incident_store_write(tree_path("i"), "web", ID, "{}", &all, NOW, &err), 0);
	cr_expect_str_eq(content(tree_path("precious")), "");
	cr_expect_str_eq(content(tree_path("i/web/" ID ".json")), "{}\n");
}

Test(incident_store, refuses_apps_that_lead_elsewhere)
{
	static const char *const apps[] = { "", ".", "..", "../x", "a/b", "/etc", ".a", "a.", "A" };

	for (size_t i = 0; i < ARRAY_SIZE(apps); i++) {
		struct error err = { 0 };

		cr_expect_eq(
			incident_store_write(tree_path("i"), apps[i], ID, "{}", &all, NOW, &err),
			-EINVAL, "%s", apps[i]);
		cr_expect_eq(err.kind, ERROR_INTERNAL);
	}
	cr_expect_eq(entries_of(tree), 0);
}

Test(incident_store, keeps_the_newest_by_name)
{
	static const char *const names[] = {
		"i/web/20261123T174103Z-web-0-00000001.json",
		"i/web/20261123T174103Z-web-0-00000002.json",
		"i/web/20251231T235959Z-web-1-00000001.json",
		"i/web/20261123T174104Z-web-0-00000001.json",
	};
	static const char *const foreign[] = {
		"i/web/README",
		"i/web/.20201231T235959Z-web-0-1.json.new",
		"i/web/20201231T235959Z-web-0-1.txt",
		"i/web/2020-231T235959Z-web-0-1.json",
		"i/web/20201231T235959Z.json",
		"i/web/x.json",
		"i/web/.json",
		"i/web-2/20200101T000000Z-web-2-0-00000001.json",
		"i/20200101T000000Z-web-0-00000001.json",
	};
	struct error err = { 0 };

	make_app("i", "web");
	make_app("i", "web-2");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		touch(names[i]);
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
		touch(foreign[i]);
	cr_expect_eq(prune_to(tree_path("i"), "web", 4, &err), 0);
	cr_expect_eq(prune_to(tree_path("i"), "web", 2, &err), 2);
	cr_expect_eq(access(tree_path(names[0]), F_OK), -1);
	cr_expect_eq(access(tree_path(names[1]), F_OK), 0);
	cr_expect_eq(access(tree_path(names[2]), F_OK), -1);
	cr_expect_eq(access(tree_path(names[3]), F_OK), 0);
	cr_expect_eq(prune_to(tree_path("i"), "web", 0, &err), 2);
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
		cr_expect_eq(access(tree_path(foreign[i]), F_OK), 0, "%s is gone", foreign[i]);
	cr_expect_eq(prune_to(tree_path("i"), "missing", 1, &err), -ENOENT);
	cr_expect_eq(prune_to(tree_path("missing"), "web", 1, &err), -ENOENT);
}

Test(incident_store, is_bounded)
{
	struct error err = { 0 };
	char name[64];

	make_app("i", "web");
	for (unsigned i = 0; i < all.keep + 3; i++) {
		snprintf(name, sizeof(name), "i/web/20250101T%06uZ-web-0-0.json", i);
		touch(name);
	}
	cr_assert_eq(incident_store_write(tree_path("i"), "web", ID, "{}", &all, NOW, &err), 0,
		     "%s", err.text);
	cr_expect_eq(entries_of(tree_path("i/web")), all.keep);
	cr_expect_eq(access(tree_path("i/web/" ID ".json"), F_OK), 0);
	cr_expect_eq(access(tree_path("i/web/20250101T000003Z-web-0-0.json"), F_OK), -1);
	cr_expect_eq(access(tree_path("i/web/20250101T000004Z-web-0-0.json"), F_OK), 0);
}

Test(incident_store, leaves_old_ones_to_whoever_prunes_them)
{
	struct error err = { 0 };

	make_app("i", "web");
	touch("i/web/20250101T000003Z-web-0-0.json");
	touch("i/web/20250101T000004Z-web-0-0.json");
	cr_assert_eq(incident_store_write(tree_path("i"), "web", ID, "{}", NULL, NOW, &err), 0,
		     "%s", err.text);
	cr_expect_eq(entries_of(tree_path("i/web")), 3);
	cr_expect_eq(prune_to(tree_path("i"), "web", 1, &err), 2);
	cr_expect_eq(access(tree_path("i/web/" ID ".json"), F_OK), 0);
}

static void write_bytes(const char *name, size_t size)
{
	touch(name);
	cr_assert_eq(truncate(tree_path(name), (off_t)size), 0);
}

Test(incident_store, is_bounded_by_size)
{
	struct settings_incidents keep = all;
	struct error err = { 0 };

	keep.max_size = 1000;
	make_app("i", "web");
	write_bytes("i/web/20261101T000000Z-web-0-00000001.json", 100);
	write_bytes("i/web/20261102T000000Z-web-0-00000001.json", 600);
	write_bytes("i/web/20261103T000000Z-web-0-00000001.json", 500);
	cr_expect_eq(incident_store_prune(tree_path("i"), "web", &keep, NOW, &err), 2,
		     "the newest that fit stay, without a hole");
	cr_expect_eq(access(tree_path("i/web/20261103T000000Z-web-0-00000001.json"), F_OK), 0);
	write_bytes("i/web/20261104T000000Z-web-0-00000001.json", 5000);
	cr_expect_eq(incident_store_prune(tree_path("i"), "web", &keep, NOW, &err), 1);
	cr_expect_eq(access(tree_path("i/web/20261104T000000Z-web-0-00000001.json"), F_OK), 0,
		     "the newest stays, however large");
}

Test(incident_store, is_bounded_by_age)
{
	struct settings_incidents keep = all;
	struct error err = { 0 };

	keep.max_age_usec = UINT64_C(2) * 86400 * USEC_PER_SEC;
	make_app("i", "web");
	touch("i/web/20261121T174102Z-web-0-00000001.json");
	touch("i/web/20261121T174103Z-web-0-00000001.json");
	touch("i/web/20261122T000000Z-web-0-00000001.json");
	cr_expect_eq(incident_store_prune(tree_path("i"), "web", &keep, NOW, &err), 1);
	cr_expect_eq(access(tree_path("i/web/20261121T174103Z-web-0-00000001.json"), F_OK), 0);
	cr_expect_eq(incident_store_prune(tree_path("i"), "web", &keep, NOW + 86400 * 365, &err), 1,
		     "the newest stays, however old");
}

Test(incident_store, recalls_what_was_told_before_at_about_that_time)
{
	static const struct {
		const char *app, *id;
		bool there;
	} samples[] = {
		{ "web", ID, true },
		{ "web", "20261123T174104Z-web-0-8c3f2a90", true },
		{ "web", "20261123T174103Z-web-0-8c3f2a91", false },
		{ "web", "20261123T174103Z-web-1-8c3f2a90", false },
		{ "web", "20261123T174103Z-web-0-8c3f2a9", false },
		{ "web", "no-id", false },
		{ "web-2", ID, false },
		{ "missing", ID, false },
	};
	struct error err = { 0 };

	cr_assert_eq(incident_store_write(tree_path("i"), "web", ID, "{}", &all, NOW, &err), 0);
	make_app("i", "web-2");
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		char id[INCIDENT_ID_MAX];

		snprintf(id, sizeof(id), "%s", samples[i].id);
		cr_expect_eq(incident_store_recall(tree_path("i"), samples[i].app, id),
			     samples[i].there, "row %zu", i);
		cr_expect_str_eq(id, samples[i].there ? ID : samples[i].id);
	}
	cr_expect_not(
		incident_store_recall(tree_path("none"), "web", (char[INCIDENT_ID_MAX]){ ID }));
}

static void set_age(const char *name, time_t seconds)
{
	const struct timespec times[2] = { { .tv_sec = seconds }, { .tv_sec = seconds } };

	cr_assert_eq(utimensat(AT_FDCWD, tree_path(name), times, 0), 0);
}

Test(incident_store, the_apps_that_were_quiet_for_longest_make_room)
{
	struct error err = { 0 };

	make_app("i", "empty");
	make_app("i", "foreign");
	make_app("i", "old");
	make_app("i", "new");
	touch("i/foreign/notes");
	touch("i/old/20250101T000000Z-old-0-00000001.json");
	touch("i/new/20260101T000000Z-new-0-00000001.json");
	touch("i/file");
	set_age("i/foreign", 1000);
	set_age("i/old", 2000);
	set_age("i/empty", 3000);
	set_age("i/new", 4000);
	cr_expect_eq(incident_store_prune_apps(tree_path("i"), 4, &err), 0);
	cr_expect_eq(incident_store_prune_apps(tree_path("i"), 3, &err), 1);
	cr_expect_eq(access(tree_path("i/old"), F_OK), -1);
	cr_expect_eq(access(tree_path("i/foreign/notes"), F_OK), 0);
	cr_expect_eq(incident_store_prune_apps(tree_path("i"), 2, &err), 1);
	cr_expect_eq(access(tree_path("i/empty"), F_OK), -1);
	cr_expect_eq(access(tree_path("i/new/20260101T000000Z-new-0-00000001.json"), F_OK), 0);
	cr_expect_eq(access(tree_path("i/file"), F_OK), 0);
}

Test(incident_store, appends_one_line_a_report)
{
	struct error err = { 0 };
	const char *report = tree_path("report.jsonl");

	cr_assert_eq(incident_store_append(report, "{\"a\":1}", &err), 0, "%s", err.text);
	cr_assert_eq(incident_store_append(report, "{\"b\":2}", &err), 0, "%s", err.text);
	cr_expect_str_eq(content(report), "{\"a\":1}\n{\"b\":2}\n");
	cr_expect_eq(mode_of(report) & 0137, 0);
}

Test(incident_store, a_report_entry_is_one_line_or_none)
{
	static const char *const bad[] = { "", "\n", "{\n}", "{}\n" };
	const char *report = tree_path("report.jsonl");

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error err = { 0 };

		cr_expect_eq(incident_store_append(report, bad[i], &err), -EINVAL, "row %zu", i);
	}
	cr_expect_eq(access(report, F_OK), -1);
}

static void expect_report_refused(const char *path)
{
	struct error err = { 0 };

	cr_expect_lt(incident_store_append(path, "{}", &err), 0, "%s", path);
	cr_expect_not_null(strstr(err.text, path), "%s", err.text);
	cr_expect_eq(strchr(err.text, '\n'), NULL);
}

/* Each of these could block, or send root's words where the app wants them. */
Test(incident_store, refuses_reports_that_are_no_regular_file)
{
	const char *fifo = tree_path("fifo"), *link = tree_path("link"),
		   *victim = tree_path("victim");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int reader = -1, listener = socket(AF_UNIX, SOCK_STREAM, 0);

	touch("victim");
	cr_assert_eq(symlink(victim, link), 0);
	expect_report_refused(link);
	cr_expect_str_eq(content(victim), "");

	cr_assert_eq(mkfifo(fifo, 0600), 0);
	expect_report_refused(fifo);
	reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	cr_assert_geq(reader, 0);
	expect_report_refused(fifo);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", tree);
	cr_assert_eq(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
	expect_report_refused(address.sun_path);

	expect_report_refused(tree);
	expect_report_refused("/dev/null");
	expect_report_refused("/nonexistent/report");
}

/* RLIMIT_FSIZE stands in for a full disk. */
Test(incident_store, a_file_that_cannot_be_written_whole_is_not_left_behind)
{
	const struct rlimit small = { 4, 4 };
	struct error err = { 0 };

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	cr_expect_eq(incident_store_write(tree_path("i"), "web", ID, "too long", &all, NOW, &err),
		     -EFBIG);
	cr_expect_eq(entries_of(tree_path("i/web")), 0);
	cr_expect_eq(incident_store_append(tree_path("report"), "too long", &err), -ENOSPC);
	cr_expect_not_null(strstr(err.text, "/report"), "%s", err.text);
}
