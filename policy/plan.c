/* SPDX-License-Identifier: MIT */
/* The plan as a value: made, filled and freed here. plan_wire.c sends it, plan_json.c shows it. */
#include "policy/plan.h"

#include "policy/own.h"
#include "policy/path.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>

struct plan *plan_new(void)
{
	return calloc(1, sizeof(struct plan));
}

static const uint32_t members[] = {
	[MOUNT_BIND] = MOUNT_HAS_SOURCE | MOUNT_HAS_OPTIONS,
	[MOUNT_TMPFS] = MOUNT_HAS_SIZE | MOUNT_HAS_MODE | MOUNT_HAS_OPTIONS,
	[MOUNT_PROC] = 0,
	[MOUNT_DEVPTS] = 0,
	[MOUNT_DEVICE] = MOUNT_HAS_SOURCE | MOUNT_HAS_OPTIONS,
	[MOUNT_SYMLINK] = MOUNT_HAS_SOURCE,
	[MOUNT_FILE] = MOUNT_HAS_CONTENT,
	[MOUNT_DIRECTORY] = MOUNT_HAS_MODE,
	[MOUNT_CGROUP] = MOUNT_HAS_SOURCE,
	[MOUNT_PRESSURE] = 0,
};
static_assert(ARRAY_SIZE(members) == MOUNT_KIND_COUNT, "a row for each kind");

uint32_t mount_kind_members(enum mount_kind kind)
{
	return (size_t)kind < ARRAY_SIZE(members) ? members[kind] : 0;
}

static void mount_step_clear(struct mount_step *step)
{
	free(step->source);
	free(step->target);
	free(step->content);
}

void plan_free(struct plan *plan)
{
	if (plan == NULL)
		return;
	for (size_t i = 0; i < plan->mount_count; i++)
		mount_step_clear(&plan->mounts[i]);
	for (size_t i = 0; i < plan->landlock.rule_count; i++)
		free(plan->landlock.rules[i].path);
	strings_clear(&plan->argv);
	strings_clear(&plan->environment);
	free(plan->app);
	free(plan->hostname);
	free(plan->directory);
	free(plan);
}

static int copy_text(const char *text, char **ret, struct error *err)
{
	char *copy;

	if (text == NULL)
		return 0;
	copy = strdup(text);
	if (copy == NULL)
		return error_no_memory(err);
	*ret = copy;
	return 0;
}

int plan_add_mount(struct plan *plan, const struct mount_step *step, struct error *err)
{
	struct mount_step copy = *step;
	int r;

	if (plan->mount_count >= PLAN_MOUNTS_MAX)
		return error_set(err, ERROR_INVALID, 0, "mounts: more than %d", PLAN_MOUNTS_MAX);
	if (step->target == NULL || !plan_path_is_normal(step->target))
		return error_set(err, ERROR_INVALID, 0,
				 "mounts[%zu].target: %s is not an absolute path in normal form",
				 plan->mount_count, step->target == NULL ? "null" : step->target);

	copy.source = copy.target = copy.content = NULL;
	r = copy_text(step->source, &copy.source, err);
	if (r == 0)
		r = copy_text(step->target, &copy.target, err);
	if (r == 0)
		r = copy_text(step->content, &copy.content, err);
	if (r < 0) {
		mount_step_clear(&copy);
		return r;
	}
	plan->mounts[plan->mount_count++] = copy;
	return 0;
}

int plan_set_cgroup(struct plan *plan, const char *path, struct error *err)
{
	for (size_t i = 0; i < plan->mount_count; i++) {
		char *copy = NULL;
		int r;

		if (plan->mounts[i].kind != MOUNT_CGROUP)
			continue;
		r = copy_text(path, &copy, err);
		if (r < 0)
			return r;
		free(plan->mounts[i].source);
		plan->mounts[i].source = copy;
	}
	return 0;
}

int plan_add_rule(struct plan *plan, const char *path, uint32_t access, struct error *err)
{
	struct plan_landlock *landlock = &plan->landlock;
	char *copy = NULL;
	int r;

	if (landlock->rule_count >= PLAN_RULES_MAX)
		return error_set(err, ERROR_INVALID, 0, "landlock.rules: more than %d",
				 PLAN_RULES_MAX);
	r = copy_text(path, &copy, err);
	if (r == 0)
		landlock->rules[landlock->rule_count++] = (struct plan_rule){ copy, access };
	return r;
}

int plan_add_rlimit(struct plan *plan, int resource, uint64_t soft, uint64_t hard,
		    struct error *err)
{
	if (plan->rlimit_count >= PLAN_RLIMITS_MAX)
		return error_set(err, ERROR_INVALID, 0, "rlimits: more than %d", PLAN_RLIMITS_MAX);
	if (soft > hard)
		return error_set(err, ERROR_INVALID, 0,
				 "rlimits[%zu].soft: is above the hard limit", plan->rlimit_count);
	plan->rlimits[plan->rlimit_count++] = (struct plan_rlimit){ resource, soft, hard };
	return 0;
}

bool plan_path_is_normal(const char *path)
{
	return path_is_normal(path);
}

static const struct {
	const char *name;
	int resource;
} rlimit_names[] = {
	{ "RLIMIT_AS", RLIMIT_AS },
	{ "RLIMIT_CORE", RLIMIT_CORE },
	{ "RLIMIT_CPU", RLIMIT_CPU },
	{ "RLIMIT_DATA", RLIMIT_DATA },
	{ "RLIMIT_FSIZE", RLIMIT_FSIZE },
	{ "RLIMIT_LOCKS", RLIMIT_LOCKS },
	{ "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK },
	{ "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE },
	{ "RLIMIT_NICE", RLIMIT_NICE },
	{ "RLIMIT_NOFILE", RLIMIT_NOFILE },
	{ "RLIMIT_NPROC", RLIMIT_NPROC },
	{ "RLIMIT_RSS", RLIMIT_RSS },
	{ "RLIMIT_RTPRIO", RLIMIT_RTPRIO },
	{ "RLIMIT_RTTIME", RLIMIT_RTTIME },
	{ "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING },
	{ "RLIMIT_STACK", RLIMIT_STACK },
};
static_assert(ARRAY_SIZE(rlimit_names) == RLIM_NLIMITS, "a name for each resource");

const char *plan_rlimit_name(int resource)
{
	for (size_t i = 0; i < ARRAY_SIZE(rlimit_names); i++)
		if (rlimit_names[i].resource == resource)
			return rlimit_names[i].name;
	return "unknown";
}
