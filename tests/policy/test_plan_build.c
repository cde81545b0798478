/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "policy/plan_build.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct scene {
	struct app_spec spec;
	struct host_facts facts;
	struct plan *plan;
	struct error err;
};

static char *copy(const char *text)
{
	char *result = strdup(text);

	cr_assert_not_null(result);
	return result;
}

static void scene_clear(struct scene *scene)
{
	host_facts_clear(&scene->facts);
	free(scene->spec.name);
	strings_clear(&scene->spec.command);
	strings_clear(&scene->spec.environment);
	plan_free(scene->plan);
}
#define _cleanup_scene_ __attribute__((cleanup(scene_clear)))

static void add(struct strings *list, const char *item)
{
	struct error err;

	cr_assert_eq(strings_append(list, item, &err), 0);
}

static struct scene make_scene(void)
{
	struct scene scene = { 0 };

	scene.spec.name = copy("web");
	add(&scene.spec.command, "gunicorn");
	add(&scene.spec.command, "-b");
	add(&scene.spec.command, "app:app");
	scene.spec.limits.memory_max = scene.spec.limits.cpu_max = LIMIT_UNSET;
	scene.spec.limits.tmp_size = scene.spec.limits.nofile = LIMIT_UNSET;
	scene.spec.isolation.network = NETWORK_HOST;
	scene.spec.stop.signal = SIGINT;
	scene.spec.stop.grace_usec = 7 * USEC_PER_SEC;
	scene.facts.uid = 1001;
	scene.facts.gid = 1002;
	scene.facts.groups[0] = 33;
	scene.facts.groups[1] = 44;
	scene.facts.group_count = 2;
	scene.facts.user_name = copy("bob");
	scene.facts.group_name = copy("users");
	scene.facts.directory = copy("/srv/app");
	scene.facts.command = copy("/usr/bin/gunicorn");
	scene.facts.cpu_count = 4;
	return scene;
}

static void build(struct scene *scene)
{
	cr_assert_eq(plan_build(&scene->spec, 3, &scene->facts, &scene->plan, &scene->err), 0, "%s",
		     scene->err.text);
}

static void expect_environment(const struct scene *scene, ...)
{
	const struct strings *env = &scene->plan->environment;
	va_list args;
	size_t i = 0;

	va_start(args, scene);
	for (const char *entry; (entry = va_arg(args, const char *)) != NULL; i++) {
		cr_assert_lt(i, env->count, "%s is missing", entry);
		cr_expect_str_eq(env->items[i], entry);
	}
	va_end(args);
	cr_expect_eq(env->count, i);
}

static const char *get(const struct scene *scene, const char *name)
{
	return strings_env_get(&scene->plan->environment, name);
}

Test(plan_build, carries_over_what_spec_and_facts_say)
{
	struct scene scene _cleanup_scene_ = make_scene();
	const struct plan *plan;

	build(&scene);
	plan = scene.plan;
	cr_expect_str_eq(plan->app, "web");
	cr_expect_str_eq(plan->hostname, "web");
	cr_expect_str_eq(plan->directory, "/srv/app");
	cr_expect_eq(plan->instance, 3);
	cr_expect_eq(plan->uid, 1001);
	cr_expect_eq(plan->gid, 1002);
	cr_assert_eq(plan->group_count, 2);
	cr_expect_eq(plan->groups[0], 33);
	cr_expect_eq(plan->groups[1], 44);
	cr_expect_eq(plan->stop_signal, SIGINT);
	cr_expect_eq(plan->stop_grace_usec, 7 * USEC_PER_SEC);
	cr_expect_eq(plan->oom_score_adj, 0);
	cr_expect_eq(plan->umask_bits, 022);
	cr_expect_not(plan->network_none);
	cr_expect_gt(plan->mount_count, 0);
}

Test(plan_build, runs_the_program_that_was_found_with_the_arguments_as_typed)
{
	struct scene scene _cleanup_scene_ = make_scene();

	build(&scene);
	cr_assert_eq(scene.plan->argv.count, 3);
	cr_expect_str_eq(scene.plan->argv.items[0], "/usr/bin/gunicorn");
	cr_expect_str_eq(scene.plan->argv.items[1], "-b");
	cr_expect_str_eq(scene.plan->argv.items[2], "app:app");
}

Test(plan_build, takes_the_network_away_when_asked)
{
	struct scene scene _cleanup_scene_ = make_scene();

	scene.spec.isolation.network = NETWORK_NONE;
	build(&scene);
	cr_expect(scene.plan->network_none);
}

Test(plan_build, leaves_of_a_private_network_what_is_handed_in)
{
	struct scene scene _cleanup_scene_ = make_scene();
	struct error err;

	scene.spec.isolation.network = NETWORK_PRIVATE;
	cr_assert_eq(strings_append(&scene.spec.listen, "127.0.0.1:8000", &err), 0);
	build(&scene);
	cr_expect(scene.plan->network_none);
	cr_expect_eq(scene.plan->listeners, 1);
	cr_expect_str_eq(strings_env_get(&scene.plan->environment, "LISTEN_FDS"), "1");
}

Test(plan_build, the_mode_says_what_becomes_of_refused_calls)
{
	static const enum refusals refusals[] = { REFUSALS_EXPLAINED, REFUSALS_PERMITTED,
						  REFUSALS_WATCHED };

	for (unsigned mode = 0; mode < SYSCALLS_MODE_COUNT; mode++) {
		struct scene scene _cleanup_scene_ = make_scene();

		scene.spec.syscalls.mode = (enum syscalls_mode)mode;
		build(&scene);
		cr_expect_eq(scene.plan->refusals, refusals[mode]);
	}
}

Test(plan_build, the_plan_survives_its_way_to_the_launcher)
{
	struct scene scene _cleanup_scene_ = make_scene();
	struct plan *again _cleanup_plan_ = NULL;
	_cleanup_bytes_ struct bytes data = { 0 };

	add(&scene.facts.writable, "/srv/app/data");
	build(&scene);
	cr_assert_eq(plan_encode(scene.plan, &data, &scene.err), 0, "%s", scene.err.text);
	cr_assert_eq(plan_decode(bytes_front(&data), data.length, &again, &scene.err), 0, "%s",
		     scene.err.text);
	cr_expect_eq(again->mount_count, scene.plan->mount_count);
}

Test(plan_build, the_environment_begins_with_defaults_alone)
{
	struct scene scene _cleanup_scene_ = make_scene();

	build(&scene);
	expect_environment(
		&scene, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/tmp", "USER=bob", "LOGNAME=bob", "LANG=C.UTF-8", "PYTHONUNBUFFERED=1",
		"PYTHONFAULTHANDLER=1", "PYTHONDONTWRITEBYTECODE=1", NULL);
}

Test(plan_build, a_virtualenv_comes_first_in_path)
{
	struct scene scene _cleanup_scene_ = make_scene();

	scene.facts.virtual_env = copy("/srv/venv");
	build(&scene);
	cr_expect_str_eq(
		get(&scene, "PATH"),
		"/srv/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	cr_expect_str_eq(get(&scene, "VIRTUAL_ENV"), "/srv/venv");
}

Test(plan_build, byte_code_may_be_written_where_the_code_may)
{
	struct scene scene _cleanup_scene_ = make_scene();

	add(&scene.facts.writable, "/srv");
	build(&scene);
	cr_expect_null(get(&scene, "PYTHONDONTWRITEBYTECODE"));
}

Test(plan_build, limits_reach_python)
{
	struct scene scene _cleanup_scene_ = make_scene();

	scene.spec.limits.memory_max = UINT64_C(512) << 20;
	scene.spec.limits.cpu_max = 1500;
	build(&scene);
	cr_expect_str_eq(get(&scene, "MALLOC_ARENA_MAX"), "2");
	cr_expect_str_eq(get(&scene, "PYTHON_CPU_COUNT"), "2");
	cr_expect_str_eq(get(&scene, "OMP_NUM_THREADS"), "2");
	cr_expect_str_eq(get(&scene, "WEB_CONCURRENCY"), "4");
}

Test(plan_build, of_the_caller_only_language_and_time_zone_come_along)
{
	struct scene scene _cleanup_scene_ = make_scene();

	add(&scene.facts.caller_environment, "LANG=de_DE.UTF-8");
	add(&scene.facts.caller_environment, "LC_TIME=C");
	add(&scene.facts.caller_environment, "LANGUAGE=de:en");
	add(&scene.facts.caller_environment, "TZ=Europe/Berlin");
	add(&scene.facts.caller_environment, "SECRET=x");
	add(&scene.facts.caller_environment, "LANGX=x");
	add(&scene.facts.caller_environment, "PATH=/root/bin");
	build(&scene);
	expect_environment(
		&scene, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/tmp", "USER=bob", "LOGNAME=bob", "LANG=de_DE.UTF-8", "PYTHONUNBUFFERED=1",
		"PYTHONFAULTHANDLER=1", "PYTHONDONTWRITEBYTECODE=1", "LC_TIME=C", "LANGUAGE=de:en",
		"TZ=Europe/Berlin", NULL);
}

Test(plan_build, each_source_of_the_environment_wins_over_those_before)
{
	struct scene scene _cleanup_scene_ = make_scene();

	scene.spec.limits.cpu_max = 1000;
	add(&scene.facts.caller_environment, "LANG=caller");
	add(&scene.facts.caller_environment, "TZ=caller");
	add(&scene.facts.caller_environment, "LC_ALL=caller");
	add(&scene.facts.file_environment, "TZ=file");
	add(&scene.facts.file_environment, "LC_ALL=file");
	add(&scene.facts.file_environment, "WEB_CONCURRENCY=8");
	add(&scene.facts.file_environment, "A=file=1");
	add(&scene.spec.environment, "LC_ALL=spec");
	add(&scene.spec.environment, "PATH=/opt/bin");
	add(&scene.spec.environment, "HOME=");
	build(&scene);
	cr_expect_str_eq(get(&scene, "LANG"), "caller");
	cr_expect_str_eq(get(&scene, "TZ"), "file");
	cr_expect_str_eq(get(&scene, "LC_ALL"), "spec");
	cr_expect_str_eq(get(&scene, "WEB_CONCURRENCY"), "8");
	cr_expect_str_eq(get(&scene, "OMP_NUM_THREADS"), "1");
	cr_expect_str_eq(get(&scene, "A"), "file=1");
	cr_expect_str_eq(get(&scene, "PATH"), "/opt/bin");
	cr_expect_str_eq(get(&scene, "HOME"), "");
}

Test(plan_build, a_name_without_a_value_is_the_callers)
{
	struct scene scene _cleanup_scene_ = make_scene();

	add(&scene.facts.caller_environment, "DATABASE_URL=postgres://db/x?a=b");
	add(&scene.facts.file_environment, "DATABASE_URL=sqlite://");
	add(&scene.spec.environment, "DATABASE_URL");
	build(&scene);
	cr_expect_str_eq(get(&scene, "DATABASE_URL"), "postgres://db/x?a=b");
}

Test(plan_build, a_name_that_the_caller_does_not_have_is_an_error)
{
	struct scene scene _cleanup_scene_ = make_scene();
	struct plan *untouched = (struct plan *)&scene;

	add(&scene.facts.caller_environment, "DATABASE_URL2=x");
	add(&scene.spec.environment, "DATABASE_URL");
	cr_assert_lt(plan_build(&scene.spec, 0, &scene.facts, &untouched, &scene.err), 0);
	cr_expect_eq(scene.err.kind, ERROR_INVALID);
	cr_expect_str_eq(scene.err.text, "environment: \"DATABASE_URL\" is not set in your "
					 "environment: export it, or write NAME=VALUE");
	cr_expect_eq((void *)untouched, (void *)&scene);
}

static const struct plan_rlimit *rlimit(const struct scene *scene, int resource)
{
	static const struct plan_rlimit missing = { 0 };

	for (size_t i = 0; i < scene->plan->rlimit_count; i++)
		if (scene->plan->rlimits[i].resource == resource)
			return &scene->plan->rlimits[i];
	cr_assert(false, "no limit for resource %d", resource);
	return &missing;
}

Test(plan_build, resource_limits_do_not_depend_on_the_callers_shell)
{
	static const struct {
		int resource;
		uint64_t soft, hard;
	} samples[] = {
		{ RLIMIT_NOFILE, 16384, 16384 },
		/* not 0: only the exact value 1 keeps a crash from starting a core_pattern pipe */
		{ RLIMIT_CORE, 1, 1 },
		{ RLIMIT_MEMLOCK, 8 << 20, 8 << 20 },
		{ RLIMIT_STACK, 8 << 20, RLIM_INFINITY },
		{ RLIMIT_SIGPENDING, 4096, 4096 },
		{ RLIMIT_MSGQUEUE, 0, 0 },
		{ RLIMIT_NICE, 0, 0 },
		{ RLIMIT_RTPRIO, 0, 0 },
		{ RLIMIT_RTTIME, RLIM_INFINITY, RLIM_INFINITY },
		{ RLIMIT_CPU, RLIM_INFINITY, RLIM_INFINITY },
		{ RLIMIT_FSIZE, RLIM_INFINITY, RLIM_INFINITY },
		{ RLIMIT_AS, RLIM_INFINITY, RLIM_INFINITY },
		{ RLIMIT_DATA, RLIM_INFINITY, RLIM_INFINITY },
		{ RLIMIT_RSS, RLIM_INFINITY, RLIM_INFINITY },
		{ RLIMIT_LOCKS, RLIM_INFINITY, RLIM_INFINITY },
		{ RLIMIT_NPROC, RLIM_INFINITY, RLIM_INFINITY },
	};
	struct scene scene _cleanup_scene_ = make_scene();

	build(&scene);
	cr_expect_eq(scene.plan->rlimit_count, RLIM_NLIMITS, "one is inherited");
	cr_expect_eq(ARRAY_SIZE(samples), RLIM_NLIMITS);
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		const struct plan_rlimit *limit = rlimit(&scene, samples[i].resource);

		cr_expect_eq(limit->soft, samples[i].soft, "%d", samples[i].resource);
		cr_expect_eq(limit->hard, samples[i].hard, "%d", samples[i].resource);
	}
}

Test(plan_build, open_files_are_as_many_as_the_spec_says)
{
	struct scene some _cleanup_scene_ = make_scene(), all _cleanup_scene_ = make_scene();

	some.spec.limits.nofile = 100;
	build(&some);
	cr_expect_eq(rlimit(&some, RLIMIT_NOFILE)->soft, 100);
	cr_expect_eq(rlimit(&some, RLIMIT_NOFILE)->hard, 100);
	all.spec.limits.nofile = LIMIT_MAX;
	build(&all);
	cr_expect_eq(rlimit(&all, RLIMIT_NOFILE)->hard, 1048576);
}

static const struct mount_step *pressure_step(const struct scene *scene)
{
	for (size_t i = 0; i < scene->plan->mount_count; i++)
		if (scene->plan->mounts[i].kind == MOUNT_PRESSURE)
			return &scene->plan->mounts[i];
	return NULL;
}

Test(plan_build, an_app_with_a_limit_hears_of_memory_pressure)
{
	struct scene scene _cleanup_scene_ = make_scene();

	scene.spec.pressure = pressure_default;
	scene.spec.limits.memory_high = LIMIT_UNSET;
	scene.spec.limits.memory_max = UINT64_C(256) << 20;
	build(&scene);
	cr_assert_not_null(pressure_step(&scene));
	cr_expect_str_eq(pressure_step(&scene)->target, "/dev/memory-pressure");
	cr_expect_str_eq(get(&scene, "MEMORY_PRESSURE_WATCH"), "/dev/memory-pressure");
	cr_expect_null(get(&scene, "MEMORY_PRESSURE_WRITE"));
}

Test(plan_build, an_app_without_one_or_without_that_step_does_not)
{
	struct scene open _cleanup_scene_ = make_scene(), off _cleanup_scene_ = make_scene();

	open.spec.pressure = off.spec.pressure = pressure_default;
	open.spec.limits.memory_high = off.spec.limits.memory_high = LIMIT_UNSET;
	off.spec.limits.memory_max = UINT64_C(256) << 20;
	off.spec.pressure.at[PRESSURE_NOTIFY] = LIMIT_MAX;
	build(&open);
	build(&off);
	cr_expect_null(pressure_step(&open));
	cr_expect_null(get(&open, "MEMORY_PRESSURE_WATCH"));
	cr_expect_null(pressure_step(&off));
	cr_expect_null(get(&off, "MEMORY_PRESSURE_WATCH"));
}
