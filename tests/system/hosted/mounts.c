/* SPDX-License-Identifier: MIT */
/* What is mounted on the host while the daemon runs: apps that start then see it, and nobody holds
 * it when it is to go. */
#include "tests/last_mount.h"
#include "tests/system/harness_hosting.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(host_mounts, .timeout = TEST_TIMEOUT_SEC);

static const char *start_in(struct bench *bench, const char *word, const char *directory,
			    const char *script)
{
	const char *name = bench_format(bench, "%s-%s", word, bench->name);
	json_t *app = app_object(bench, name, WORDS("/bin/sh", "-c", script));

	json_object_set_new(app, "directory", json_string(directory));
	app_apply(app);
	app_await_state(name, "running", START_MSEC);
	return name;
}

static void mount_with_a_file(const char *place)
{
	char path[BENCH_PATH_MAX + 8];
	FILE *file;

	cr_assert_eq(mkdir(place, 0755), 0);
	cr_assert_eq(mount("late", place, "tmpfs", 0, "mode=755,size=1M"), 0);
	snprintf(path, sizeof(path), "%s/word", place);
	file = fopen(path, "we");
	cr_assert_not_null(file);
	fclose(file);
}

Test(host_mounts, of_later_are_seen_by_whoever_starts_then_and_may_go)
{
	struct bench bench;
	const char *early, *late, *place;

	daemon_reset();
	bench_open(&bench, "mounts");
	daemon_start();
	early = start_in(&bench, "early", bench.data, "exec sleep 600");
	place = bench_format(&bench, "%s/late", bench.data);
	mount_with_a_file(place);
	late = start_in(&bench, "late", place, "test -e word && exec sleep 600");
	sleep(1);
	cr_expect_eq(app_restarts(late), 0, "it has seen no file there");
	app_await_state(late, "running", START_MSEC);

	daemon_do("app.remove", "{s:s}", "name", late);
	cr_expect(last_mount_goes(place, REACTION_MSEC),
		  "somebody holds what the host has unmounted");
	app_await_state(early, "running", START_MSEC);
	daemon_do("app.remove", "{s:s}", "name", early);
	bench_close(&bench);
}
