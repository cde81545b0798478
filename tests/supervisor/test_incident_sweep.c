/* SPDX-License-Identifier: MIT */
#include "supervisor/incident_sweep.h"

#include "policy/own.h"
#include "tests/supervisor/tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPS  (INCIDENT_SWEEP_APPS + 3)
#define OLD   "20200101T000000Z"
#define NEWER "20200201T000000Z"

TestSuite(incident_sweep, .init = tree_make, .fini = tree_remove, .timeout = 30);

static const char *path_of(const char *stamp, unsigned app)
{
	static char name[100];

	snprintf(name, sizeof(name), "app%u/%s-app%u-0-00000001.json", app, stamp, app);
	return tree_path(name);
}

static void touch(const char *path)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0, "%s", path);
}

static bool all_swept(void)
{
	for (unsigned i = 0; i < APPS; i++)
		if (access(path_of(OLD, i), F_OK) == 0)
			return false;
	return true;
}

Test(incident_sweep, removes_what_is_too_old_and_leaves_the_newest)
{
	struct settings_incidents keep;
	const struct settings_incidents *const keeping = &keep;
	struct incident_sweep *sweep = NULL;
	sd_event *event = NULL;
	struct error err;
	char name[32];

	settings_incidents_init(&keep);
	for (unsigned i = 0; i < APPS; i++) {
		snprintf(name, sizeof(name), "app%u", i);
		cr_assert_eq(mkdir(tree_path(name), 0755), 0);
		touch(path_of(OLD, i));
		touch(path_of(NEWER, i));
	}
	touch(tree_path("no-directory"));
	cr_assert_geq(sd_event_new(&event), 0);
	cr_assert_eq(incident_sweep_start(event, tree, &keeping, 1, &sweep, &err), 0, "%s",
		     err.text);
	while (!all_swept())
		cr_assert_geq(sd_event_run(event, UINT64_MAX), 0);
	for (unsigned i = 0; i < APPS; i++)
		cr_expect_eq(access(path_of(NEWER, i), F_OK), 0);
	incident_sweep_stop(sweep);
	sd_event_unref(event);
}
