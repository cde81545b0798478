/* SPDX-License-Identifier: MIT */
#include "policy/plan_build.h"

#include "policy/listen.h"
#include "policy/own.h"
#include "policy/plan_landlock.h"
#include "policy/plan_mounts.h"
#include "policy/python_environment.h"
#include "policy/quote.h"
#include "policy/wall.h"

#include <assert.h>
#include <string.h>
#include <sys/resource.h>

static void entries_clear(struct host_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(entries[i].path);
		free(entries[i].link);
		free(entries[i].real);
	}
	free(entries);
}

void host_facts_clear(struct host_facts *facts)
{
	entries_clear(facts->system, facts->system_count);
	entries_clear(facts->links, facts->link_count);
	strings_clear(&facts->python_paths);
	strings_clear(&facts->readable);
	strings_clear(&facts->writable);
	strings_clear(&facts->sockets);
	strings_clear(&facts->caller_environment);
	strings_clear(&facts->file_environment);
	free(facts->user_name);
	free(facts->group_name);
	free(facts->command);
	free(facts->directory);
	free(facts->virtual_env);
	free(facts->hosts);
	*facts = (struct host_facts){ 0 };
}

bool plan_inherits_variable(const char *name)
{
	static const char *const names[] = { "LANG", "LANGUAGE", "TZ" };

	if (strncmp(name, "LC_", 3) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* --- environment ------------------------------------------------------------------------------*/

/* Sets "NAME=value" in env; an entry without "=" is passed over. */
static int set_entry(struct strings *env, const char *entry, struct error *err)
{
	const char *equals = strchr(entry, '=');
	_cleanup_free_ char *name = NULL;

	if (equals == NULL)
		return 0;
	name = strndup(entry, (size_t)(equals - entry));
	if (name == NULL)
		return error_no_memory(err);
	return strings_env_set(env, name, equals + 1, err);
}

static int set_path(const char *virtual_env, struct strings *env, struct error *err)
{
	_cleanup_free_ char *path = NULL;

	if (virtual_env == NULL)
		return strings_env_set(env, "PATH", PLAN_DEFAULT_PATH, err);
	if (asprintf(&path, "%s/bin:%s", virtual_env, PLAN_DEFAULT_PATH) < 0) {
		path = NULL;
		return error_no_memory(err);
	}
	return strings_env_set(env, "PATH", path, err);
}

static int set_defaults(const struct host_facts *facts, struct strings *env, struct error *err)
{
	int r;

	r = set_path(facts->virtual_env, env, err);
	if (r >= 0)
		r = strings_env_set(env, "HOME", "/tmp", err);
	if (r >= 0)
		r = strings_env_set(env, "USER", facts->user_name, err);
	if (r >= 0)
		r = strings_env_set(env, "LOGNAME", facts->user_name, err);
	if (r >= 0)
		r = strings_env_set(env, "LANG", "C.UTF-8", err);
	if (r >= 0 && facts->virtual_env != NULL)
		r = strings_env_set(env, "VIRTUAL_ENV", facts->virtual_env, err);
	return r;
}

static int set_inherited(const struct strings *caller, struct strings *env, struct error *err)
{
	for (size_t i = 0; i < caller->count; i++) {
		_cleanup_free_ char *name = strdup(caller->items[i]);
		int r;

		if (name == NULL)
			return error_no_memory(err);
		name[strcspn(name, "=")] = '\0';
		if (!plan_inherits_variable(name))
			continue;
		r = set_entry(env, caller->items[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int set_from_files(const struct strings *entries, struct strings *env, struct error *err)
{
	for (size_t i = 0; i < entries->count; i++) {
		int r = set_entry(env, entries->items[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int set_from_spec(const struct strings *entries, const struct strings *caller,
			 struct strings *env, struct error *err)
{
	char shown[QUOTE_TEXT_MAX];

	for (size_t i = 0; i < entries->count; i++) {
		const char *entry = entries->items[i];
		const char *value;
		int r;

		if (strchr(entry, '=') != NULL) {
			r = set_entry(env, entry, err);
		} else {
			value = strings_env_get(caller, entry);
			if (value == NULL)
				return error_set(err, ERROR_INVALID, 0,
						 "environment: %s is not set in your environment: "
						 "export it, or write NAME=VALUE",
						 quote_text(entry, shown));
			r = strings_env_set(env, entry, value, err);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int set_environment(const struct app_spec *spec, const struct host_facts *facts,
			   struct strings *env, struct error *err)
{
	struct python_situation situation = {
		.command = &spec->command,
		.limits = &spec->limits,
		.cpu_count = facts->cpu_count,
		.read_only_code = !plan_directory_is_writable(facts),
	};
	int r;

	r = set_defaults(facts, env, err);
	if (r >= 0)
		r = python_environment_add(&situation, env, err);
	if (r >= 0 && plan_tells_pressure(spec))
		r = strings_env_set(env, "MEMORY_PRESSURE_WATCH", PLAN_PRESSURE_PATH, err);
	if (r >= 0)
		r = set_inherited(&facts->caller_environment, env, err);
	if (r >= 0)
		r = set_from_files(&facts->file_environment, env, err);
	if (r >= 0)
		r = set_from_spec(&spec->environment, &facts->caller_environment, env, err);
	return r;
}

/* --- the rest ---------------------------------------------------------------------------------*/

static int set_command(const struct app_spec *spec, const struct host_facts *facts,
		       struct plan *plan, struct error *err)
{
	int r = strings_append(&plan->argv, facts->command, err);

	for (size_t i = 1; i < spec->command.count && r >= 0; i++)
		r = strings_append(&plan->argv, spec->command.items[i], err);
	return r;
}

static int set_names(const struct app_spec *spec, const struct host_facts *facts, struct plan *plan,
		     struct error *err)
{
	plan->app = strdup(spec->name);
	plan->hostname = strdup(spec->name);
	plan->directory = strdup(facts->directory);
	if (plan->app == NULL || plan->hostname == NULL || plan->directory == NULL)
		return error_no_memory(err);
	return 0;
}

/* Whatever shell pysbx was started from must not show through, so every resource is listed
 * (RLIMIT_NOFILE is the spec's): without capabilities a worker could still use real-time priority
 * or pinned memory that the administrator's limits allow, and would die of limits meant for the
 * shell. Numbers of processes and bytes of memory are the cgroup's to bound.
 *
 * RLIMIT_CORE: where core_pattern is a pipe, 0 does not keep the kernel from running its handler,
 * as the host's root and outside all our limits; a worker in a crash loop could bury the host.
 * The exact value 1 does (fs/coredump.c), and a file of one byte is too small to be begun. So 0
 * would be weaker than 1, and the profile refuses any change. */
static const struct plan_rlimit fixed_rlimits[] = {
	{ RLIMIT_CORE, 1, 1 },
	{ RLIMIT_MEMLOCK, PLAN_MEMLOCK_BYTES, PLAN_MEMLOCK_BYTES },
	{ RLIMIT_STACK, PLAN_STACK_BYTES, RLIM_INFINITY },
	{ RLIMIT_SIGPENDING, PLAN_SIGPENDING, PLAN_SIGPENDING },
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
static_assert(ARRAY_SIZE(fixed_rlimits) + 1 == RLIM_NLIMITS, "every resource is listed");
static_assert(RLIM_NLIMITS <= PLAN_RLIMITS_MAX, "and fits into a plan");

static int set_rlimits(const struct limits *limits, struct plan *plan, struct error *err)
{
	uint64_t nofile = PLAN_DEFAULT_NOFILE;
	int r;

	if (limits->nofile == LIMIT_MAX)
		nofile = SPEC_NOFILE_LIMIT;
	else if (limits->nofile != LIMIT_UNSET)
		nofile = limits->nofile;
	r = plan_add_rlimit(plan, RLIMIT_NOFILE, nofile, nofile, err);
	for (size_t i = 0; i < ARRAY_SIZE(fixed_rlimits) && r >= 0; i++)
		r = plan_add_rlimit(plan, fixed_rlimits[i].resource, fixed_rlimits[i].soft,
				    fixed_rlimits[i].hard, err);
	return r;
}

/* What depends on the kernel is the launcher's to find out. */
static int check_required(const struct app_spec *spec, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < spec->isolation.require.count; i++) {
		const char *name = spec->isolation.require.items[i], *objection;
		enum wall_id wall;

		r = wall_parse(name, &wall, err);
		objection = r == 0 ? wall_objection(wall, spec) : NULL;
		if (objection != NULL)
			r = error_set(err, ERROR_INVALID, 0, "isolation.require: the wall %s %s",
				      name, objection);
	}
	return r;
}

static void set_identity(const struct host_facts *facts, struct plan *plan)
{
	plan->uid = facts->uid;
	plan->gid = facts->gid;
	memcpy(plan->groups, facts->groups, facts->group_count * sizeof(plan->groups[0]));
	plan->group_count = facts->group_count;
}

static const enum refusals refusals[] = {
	[SYSCALLS_ENFORCE] = REFUSALS_EXPLAINED,
	[SYSCALLS_LOG] = REFUSALS_PERMITTED,
	[SYSCALLS_CANARY] = REFUSALS_WATCHED,
};
static_assert(ARRAY_SIZE(refusals) == SYSCALLS_MODE_COUNT, "for each mode");

int plan_build(const struct app_spec *spec, unsigned instance, const struct host_facts *facts,
	       struct plan **ret_plan, struct error *err)
{
	struct plan *plan _cleanup_plan_ = plan_new();
	int r;

	if (plan == NULL)
		return error_no_memory(err);
	plan->instance = instance;
	plan->network_none = spec->isolation.network != NETWORK_HOST;
	plan->listeners = (unsigned)spec->listen.count;
	plan->refusals = refusals[spec->syscalls.mode];
	plan->stop_signal = spec->stop.signal;
	plan->stop_grace_usec = spec->stop.grace_usec;
	plan->umask_bits = 022;
	set_identity(facts, plan);

	r = check_required(spec, err);
	if (r >= 0)
		r = set_names(spec, facts, plan, err);
	if (r >= 0)
		r = set_command(spec, facts, plan, err);
	if (r >= 0)
		r = set_environment(spec, facts, &plan->environment, err);
	if (r >= 0)
		r = listen_set_environment(&spec->listen, &plan->environment, err);
	if (r >= 0)
		r = set_rlimits(&spec->limits, plan, err);
	if (r >= 0)
		r = plan_mounts_add(spec, facts, plan, err);
	if (r >= 0)
		r = plan_landlock_add(spec, plan, err);
	if (r < 0)
		return r;
	*ret_plan = TAKE_PTR(plan);
	return 0;
}
