/* SPDX-License-Identifier: MIT */
/*
 * Each mount step says what may be done with what it shows, so the rules follow from the steps: a
 * step that lies below a rule that allows as much adds none. Three directories come first, so that
 * a start has a dozen rules and not sixty:
 *
 *   /      may be listed, as far as there is anything to list
 *   /etc   may be read: everything that is put there can be
 *   /dev   may be written to: its nodes take no other harm
 *
 * A rule belongs to the directory itself, not to its name. These three are in the sandbox's own
 * tmpfs, so they allow nothing at all of a directory of the host that somebody has found a way to.
 */
#include "policy/plan_landlock.h"

#include "policy/own.h"
#include "policy/path.h"
#include "policy/wall.h"

#include <string.h>

#define SHOW	   (ACCESS_LIST | ACCESS_READ)
#define FULL_WRITE (ACCESS_WRITE | ACCESS_CHANGE)

static const struct plan_rule own_directories[] = {
	{ (char *)"/", ACCESS_LIST },
	{ (char *)"/etc", SHOW },
	{ (char *)"/dev", SHOW | ACCESS_WRITE },
};

static uint32_t access_of(const struct mount_step *step)
{
	uint32_t execute = (step->flags & MOUNT_NOEXEC) != 0 ? 0 : ACCESS_EXECUTE;
	uint32_t write = (step->flags & MOUNT_READ_ONLY) != 0 ? 0 : FULL_WRITE;

	switch (step->kind) {
	case MOUNT_BIND:
	case MOUNT_TMPFS:
		return SHOW | execute | write;
	case MOUNT_PROC: /* /proc/self/oom_score_adj, comm and the like are written to */
	case MOUNT_DEVPTS:
		return SHOW | ACCESS_WRITE;
	case MOUNT_DEVICE:
		return ACCESS_READ | ACCESS_WRITE;
	case MOUNT_CGROUP:
		return SHOW;
	case MOUNT_FILE:
		return ACCESS_READ;
	case MOUNT_DIRECTORY:
		return ACCESS_LIST;
	case MOUNT_PRESSURE: /* to connect is no access to a file */
	case MOUNT_SYMLINK:  /* what it leads to has its own */
	case MOUNT_KIND_COUNT:
		break;
	}
	return 0;
}

/* What the rules so far allow at `path`. */
static uint32_t allowed_at(const struct plan_landlock *landlock, const char *path)
{
	uint32_t access = 0;

	for (size_t i = 0; i < landlock->rule_count; i++)
		if (path_is_within(path, landlock->rules[i].path))
			access |= landlock->rules[i].access;
	return access;
}

static int add_rule(const char *path, uint32_t access, struct plan *plan, struct error *err)
{
	if ((access & ~allowed_at(&plan->landlock, path)) == 0)
		return 0;
	return plan_add_rule(plan, path, access, err);
}

static bool holds_any(const struct plan *plan, const char *directory)
{
	for (size_t i = 0; i < plan->mount_count; i++)
		if (path_is_within(plan->mounts[i].target, directory))
			return true;
	return false;
}

static unsigned required_abi(const struct app_spec *spec)
{
	bool required[WALL_COUNT] = { false };
	enum wall_id wall;
	struct error ignored;

	for (size_t i = 0; i < spec->isolation.require.count; i++)
		if (wall_parse(spec->isolation.require.items[i], &wall, &ignored) == 0)
			required[wall] = true;
	/* a network namespace of its own bounds abstract sockets without Landlock's help */
	if (required[WALL_ABSTRACT_SOCKETS] && spec->isolation.network == NETWORK_HOST)
		return PLAN_LANDLOCK_ABI_SCOPES;
	return required[WALL_LANDLOCK] ? PLAN_LANDLOCK_ABI_FILES : 0;
}

int plan_landlock_add(const struct app_spec *spec, struct plan *plan, struct error *err)
{
	int r = 0;

	plan->landlock.required_abi = required_abi(spec);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(own_directories); i++)
		if (holds_any(plan, own_directories[i].path))
			r = add_rule(own_directories[i].path, own_directories[i].access, plan, err);
	for (size_t i = 0; r >= 0 && i < plan->mount_count; i++)
		r = add_rule(plan->mounts[i].target, access_of(&plan->mounts[i]), plan, err);
	return r;
}
