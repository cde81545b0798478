/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "supervisor/incident_list.h"
#include "supervisor/incident_store.h"
#include "tests/supervisor/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LONG_ONE      "a-name-of-more-than-twenty-six-letters"
#define LONG_ONE_MORE "a-name-of-more-than-twenty-six-letters-2"

TestSuite(incident_list, .init = tree_make, .fini = tree_remove, .timeout = 30);

/* An incident of this second; the app's directory last changed then, if it isn't an older one. */
static void incident(const char *app, time_t seconds, uint32_t random, char *ret_id)
{
	const struct timespec time = { .tv_sec = seconds };
	const struct timespec times[2] = { time, time };
	struct settings_incidents keep = { 0 };
	struct error err = { 0 };
	char path[200];

	settings_incidents_init(&keep);
	incident_make_id(app, 0, &time, random, ret_id);
	cr_assert_eq(incident_store_write(tree, app, ret_id, "{}", &keep, 0, &err), 0, "%s",
		     err.text);
	snprintf(path, sizeof(path), "%s/%s", tree, app);
	cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* Newest first: their seconds, as the ids tell them; one letter each. */
static const char *newest(const struct strings *apps, size_t max)
{
	static char text[64];
	_cleanup_free_ struct incident_row *rows = NULL;
	struct error err = { 0 };
	size_t count = 0;

	cr_assert_eq(incident_list_newest(tree, apps, max, &rows, &count, &err), 0, "%s", err.text);
	cr_assert_lt(count, sizeof(text));
	for (size_t i = 0; i < count; i++) {
		text[i] = rows[i].id[13];
		cr_expect_eq(strncmp(rows[i].id + 17, rows[i].app, strlen(rows[i].app)), 0);
	}
	text[count] = '\0';
	return text;
}

Test(incident_list, tells_the_newest_of_all_apps)
{
	char id[INCIDENT_ID_MAX];

	for (unsigned i = 0; i < 4; i++) {
		incident("a", 10L * i, 1, id);
		incident("b", 10L * i + 20, 1, id);
	}
	incident("c", 0, 1, id);
	cr_expect_str_eq(newest(NULL, 20), "543322100");
	cr_expect_str_eq(newest(NULL, 3), "543");
	cr_expect_str_eq(newest(NULL, 1), "5");
}

Test(incident_list, tells_those_of_some_apps)
{
	char *names[] = { (char[]){ "a" }, (char[]){ "c" }, (char[]){ "none" },
			  (char[]){ "../x" } };
	const struct strings apps = { names, ARRAY_SIZE(names) }, none = { 0 };
	char id[INCIDENT_ID_MAX];

	incident("a", 10, 1, id);
	incident("b", 20, 1, id);
	incident("c", 30, 1, id);
	cr_expect_str_eq(newest(&apps, 20), "31");
	cr_expect_str_eq(newest(&none, 20), "");
}

Test(incident_list, a_directory_that_is_missing_has_none)
{
	struct incident_row *rows = NULL;
	struct error err = { 0 };
	size_t count = 1;

	cr_assert_eq(rmdir(tree), 0);
	cr_expect_eq(incident_list_newest(tree, NULL, 20, &rows, &count, &err), 0);
	cr_expect_eq(count, 0);
}

/* Opened are those that may hold a newer one, and no others. */
Test(incident_list, leaves_quiet_apps_alone)
{
	char *names[] = { (char[]){ "a" }, (char[]){ "b" } };
	const struct strings apps = { names, 2 };
	char id[INCIDENT_ID_MAX], path[200];

	incident("b", 40, 1, id);
	incident("a", 50, 1, id);
	incident("a", 50, 2, id);
	snprintf(path, sizeof(path), "%s/b", tree);
	cr_assert_eq(utimensat(AT_FDCWD, path,
			       (const struct timespec[]){ { .tv_sec = 0 }, { .tv_sec = 40 } }, 0),
		     0);
	cr_expect_str_eq(newest(&apps, 2), "55");
	cr_expect_str_eq(newest(&apps, 3), "554");
}

Test(incident_list, finds_whose_an_incident_is)
{
	static const char *const apps[] = { "web",    "a-b-0-c",
					    "x.y_z",  "abcdefghijklmnopqrstuvwxyz",
					    LONG_ONE, LONG_ONE_MORE };
	char ids[ARRAY_SIZE(apps)][INCIDENT_ID_MAX];
	char app[SPEC_NAME_MAX + 1];
	struct error err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(apps); i++)
		incident(apps[i], 5, (uint32_t)i, ids[i]);
	for (size_t i = 0; i < ARRAY_SIZE(apps); i++) {
		cr_expect_eq(incident_list_find(tree, ids[i], app, &err), 0, "%s", ids[i]);
		cr_expect_str_eq(app, apps[i]);
	}
}

Test(incident_list, finds_nothing_for_what_is_no_id)
{
	static const char *const ids[] = {
		"",
		"x",
		"../web",
		"20261123T174103Z",
		"20261123T174103Z-web",
		"20261123T174103Z-web-0",
		"20261123T174103Z-..-0-00000001",
		"20261123T174103Z-../web-0-00000001",
		"20261123T174103Z-web-0-/../../file",
		"20261123T174103Z-web-0-00000001",
		"20261123T174103Z-abcdefghijklmnopqrstuvwxyz-0-00000001",
		"20261123T174103Z-abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz-0-00000001",
	};
	char app[SPEC_NAME_MAX + 1] = "untouched", id[INCIDENT_ID_MAX];

	incident("web", 5, 1, id);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct error err = { 0 };

		cr_expect_eq(incident_list_find(tree, ids[i], app, &err), -ENOENT, "%s", ids[i]);
		cr_expect_eq(err.kind, ERROR_NOT_FOUND);
	}
	cr_expect_str_eq(app, "untouched");
}
