/* SPDX-License-Identifier: MIT */
/* On plain files that are called as the kernel's are. */
#include "policy/own.h"
#include "supervisor/file.h"
#include "supervisor/instance.h"
#include "tests/supervisor/tree.h"

#include <criterion/criterion.h>

TestSuite(instance_tripwire, .timeout = 30);

#define MIB UINT64_C(1048576)

struct scene {
	struct watch_notifier notifier;
	struct reader reader;
	struct log log;
	struct instance_host host;
	struct app_spec spec;
	struct instance instance;
	unsigned told;
};

static struct scene *told_to;

static void on_short(struct instance *instance, const struct incident_memory *memory,
		     uint64_t limit, const char *text)
{
	(void)instance;
	cr_expect_gt(memory->anon, 0);
	cr_expect_eq(limit, 64 * MIB);
	cr_expect_not_null(strstr(text, "of 64M"), "%s", text);
	told_to->told++;
}

static void set_memory(uint64_t anon, uint64_t file, unsigned high)
{
	char text[256];

	snprintf(text, sizeof(text), "anon %llu\nfile %llu\n", (unsigned long long)anon,
		 (unsigned long long)file);
	tree_file("web.slice/memory.stat", 0644, text);
	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)anon + file);
	tree_file("web.slice/memory.current", 0644, text);
	tree_file("web.slice/0/memory.current", 0644, text);
	snprintf(text, sizeof(text), "low 0\nhigh %u\nmax 0\noom 0\noom_kill 0\n", high);
	tree_file("web.slice/memory.events", 0644, text);
	tree_file("web.slice/0/memory.events.local", 0644, text);
}

static const char *read_file(const char *name)
{
	static char text[64];
	struct error err;

	cr_assert_geq(file_read_at(AT_FDCWD, tree_path(name), text, sizeof(text), &err), 0, "%s",
		      err.text);
	return text;
}

static void open_scene(struct scene *scene, const char *frozen)
{
	struct error err;

	*scene = (struct scene){ .log = { .threshold = LOG_LEVEL_ERROR } };
	told_to = scene;
	tree_make();
	set_memory(10 * MIB, 0, 0);
	tree_file("web.slice/memory.events.local", 0644, "high 0\nmax 0\n");
	tree_file("web.slice/cgroup.freeze", 0644, "1");
	tree_file("web.slice/cgroup.events", 0644, frozen);
	tree_file("web.slice/0/memory.high", 0644, "");
	tree_file("web.slice/0/cgroup.procs", 0644, "");
	cr_assert_geq(sd_event_new(&scene->host.event), 0);
	cr_assert_eq(watch_notifier_open(&scene->notifier, scene->host.event, &err), 0);
	scene->host.root_fd = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scene->host.notifier = &scene->notifier;
	scene->host.reader = &scene->reader;
	scene->host.log = &scene->log;
	scene->host.on_short = on_short;
	cr_assert_eq(spec_init(&scene->spec, &err), 0);
	scene->spec.name = strdup("web");
	scene->spec.limits.memory_max = 64 * MIB;
	instance_init(&scene->instance, &scene->host, &scene->spec, "web.slice", 0, NULL, -1);
	cr_assert_eq(instance_start_watch(&scene->instance, -1, &err), 0, "%s", err.text);
	(void)instance_take_first_reading(&scene->instance);
}

static void close_scene(struct scene *scene)
{
	instance_leave(&scene->instance);
	watch_notifier_close(&scene->notifier);
	close_and_clear(&scene->host.root_fd);
	sd_event_unref(scene->host.event);
	spec_clear(&scene->spec);
	tree_remove();
}

Test(instance_tripwire, arms_the_leaf_and_thaws_at_the_start)
{
	struct scene scene;

	open_scene(&scene, "frozen 1\n");
	cr_expect_eq(strtoull(read_file("web.slice/0/memory.high"), NULL, 10),
		     tripwire_rung(64 * MIB, 0));
	cr_expect_str_eq(read_file("web.slice/cgroup.freeze"), "0");
	close_scene(&scene);
}

Test(instance_tripwire, a_trip_is_looked_at_and_the_rung_raised)
{
	struct scene scene;
	const json_t *snapshot;

	open_scene(&scene, "frozen 1\n");
	set_memory(58 * MIB, MIB / 2, 3);
	instance_on_watch(WATCH_MEMORY_EVENTS, &scene.instance);
	cr_expect_null(scene.instance.trip);
	cr_expect_str_eq(read_file("web.slice/cgroup.freeze"), "0");
	cr_expect_eq(strtoull(read_file("web.slice/0/memory.high"), NULL, 10),
		     tripwire_rung(64 * MIB, 1));
	cr_assert_eq(json_array_size(scene.instance.diagnosis.snapshots), 1);
	snapshot = json_array_get(scene.instance.diagnosis.snapshots, 0);
	cr_expect_str_eq(json_string_value(json_object_get(snapshot, "reason")), "tripwire");
	cr_expect_eq(json_array_size(scene.instance.diagnosis.steps), 1);
	cr_expect_eq(scene.told, 1);
	/* the next one is no news */
	set_memory(61 * MIB, MIB / 2, 4);
	instance_on_watch(WATCH_MEMORY_EVENTS, &scene.instance);
	cr_expect_eq(json_array_size(scene.instance.diagnosis.snapshots), 2);
	cr_expect_eq(scene.told, 1);
	close_scene(&scene);
}

Test(instance_tripwire, page_cache_is_no_alarm)
{
	struct scene scene;

	open_scene(&scene, "frozen 1\n");
	tree_file("web.slice/cgroup.freeze", 0644, "-"); /* nobody is to touch it */
	set_memory(5 * MIB, 53 * MIB, 100);
	instance_on_watch(WATCH_MEMORY_EVENTS, &scene.instance);
	cr_expect_str_eq(read_file("web.slice/cgroup.freeze"), "-");
	cr_expect_null(scene.instance.diagnosis.snapshots);
	cr_expect_eq(scene.told, 0);
	close_scene(&scene);
}

Test(instance_tripwire, who_does_not_freeze_is_read_after_20_ms)
{
	struct scene scene;

	open_scene(&scene, "frozen 0\n");
	set_memory(58 * MIB, 0, 3);
	instance_on_watch(WATCH_MEMORY_EVENTS, &scene.instance);
	cr_expect_not_null(scene.instance.trip);
	cr_expect_str_eq(read_file("web.slice/cgroup.freeze"), "1");
	for (int i = 0; i < 100 && scene.instance.trip != NULL; i++)
		cr_assert_geq(sd_event_run(scene.host.event, 1000000), 0);
	cr_expect_null(scene.instance.trip);
	cr_expect_str_eq(read_file("web.slice/cgroup.freeze"), "0");
	cr_expect_eq(json_array_size(scene.instance.diagnosis.snapshots), 1);
	close_scene(&scene);
}

Test(instance_tripwire, a_look_after_the_kill_is_none)
{
	struct scene scene;

	open_scene(&scene, "frozen 1\n");
	set_memory(58 * MIB, 0, 3);
	tree_file("web.slice/0/memory.events.local", 0644, "high 3\nmax 0\noom_kill 1\n");
	instance_on_watch(WATCH_MEMORY_EVENTS, &scene.instance);
	cr_expect_null(scene.instance.diagnosis.snapshots);
	cr_expect_eq(strtoull(read_file("web.slice/0/memory.high"), NULL, 10),
		     tripwire_rung(64 * MIB, 1), "it is out of the way all the same");
	close_scene(&scene);
}

Test(instance_tripwire, whoever_leaves_in_the_middle_thaws_and_disarms)
{
	struct scene scene;

	open_scene(&scene, "frozen 0\n");
	set_memory(58 * MIB, 0, 3);
	instance_on_watch(WATCH_MEMORY_EVENTS, &scene.instance);
	cr_assert_not_null(scene.instance.trip);
	instance_leave(&scene.instance);
	cr_expect_str_eq(read_file("web.slice/cgroup.freeze"), "0");
	cr_expect(strncmp(read_file("web.slice/0/memory.high"), "max", 3) == 0);
	close_scene(&scene);
}

Test(instance_tripwire, another_limit_has_other_rungs)
{
	struct scene scene;

	open_scene(&scene, "frozen 1\n");
	scene.spec.limits.memory_high = 48 * MIB;
	instance_renew_tripwire(&scene.instance);
	cr_expect_eq(strtoull(read_file("web.slice/0/memory.high"), NULL, 10),
		     tripwire_rung(48 * MIB, 0));
	scene.spec.tripwire = false;
	instance_renew_tripwire(&scene.instance);
	cr_expect(strncmp(read_file("web.slice/0/memory.high"), "max", 3) == 0);
	close_scene(&scene);
}
