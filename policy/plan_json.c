/* SPDX-License-Identifier: MIT */
/*
 * The plan for people, in the order of plan_wire.c. Numbers are bytes, microseconds and ids as they
 * are; modes and the umask are octal strings ("1777"), which is how people read them; "max" stands
 * for RLIM_INFINITY; signals are numbers.
 *
 * Nobody reads it back: what is wrong with a plan plan_encode says.
 */
#include "policy/document.h"
#include "policy/own.h"
#include "policy/place.h"
#include "policy/plan.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static const struct flag_name {
	const char *name;
	uint32_t flag;
} option_names[] = {
	{ "ro", MOUNT_READ_ONLY },
	{ "noexec", MOUNT_NOEXEC },
	{ "optional", MOUNT_OPTIONAL },
}, access_names[] = {
	{ "list", ACCESS_LIST },   { "read", ACCESS_READ },	{ "execute", ACCESS_EXECUTE },
	{ "write", ACCESS_WRITE }, { "change", ACCESS_CHANGE },
};

static const char *const kind_names[] = {
	[MOUNT_BIND] = "bind",	       [MOUNT_TMPFS] = "tmpfs",		[MOUNT_PROC] = "proc",
	[MOUNT_DEVPTS] = "devpts",     [MOUNT_DEVICE] = "device",	[MOUNT_SYMLINK] = "symlink",
	[MOUNT_FILE] = "file",	       [MOUNT_DIRECTORY] = "directory", [MOUNT_CGROUP] = "cgroup",
	[MOUNT_PRESSURE] = "pressure",
};
static_assert(ARRAY_SIZE(kind_names) == MOUNT_KIND_COUNT, "a name for each");

static const char *const refusals_names[] = {
	[REFUSALS_SILENT] = "silent",
	[REFUSALS_EXPLAINED] = "explained",
	[REFUSALS_WATCHED] = "watched",
	[REFUSALS_PERMITTED] = "permitted",
};
static_assert(ARRAY_SIZE(refusals_names) == REFUSALS_COUNT, "a name for each");

/* jansson's "new" functions take a NULL, pass it on, and fail: so does everything here, and what is
 * NULL at the end is told. */

static json_t *show_flags(const struct flag_name *names, size_t count, uint32_t flags)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		if ((flags & names[i].flag) != 0)
			(void)json_array_append_new(array, json_string(names[i].name));
	return array;
}

static json_t *show_octal(uint32_t bits)
{
	return json_sprintf("%04" PRIo32, bits);
}

static json_t *show_limit(uint64_t limit)
{
	return limit == RLIM_INFINITY ? json_string("max") : json_integer((json_int_t)limit);
}

static json_t *show_strings(const struct strings *strings)
{
	json_t *array = json_array();
	int r = 0;

	for (size_t i = 0; r == 0 && i < strings->count; i++)
		r = json_array_append_new(array, json_string(strings->items[i]));
	if (r == 0)
		return array;
	json_decref(array);
	return NULL;
}

static json_t *show_groups(const struct plan *plan)
{
	json_t *array = json_array();

	for (size_t i = 0; i < plan->group_count; i++)
		(void)json_array_append_new(array, json_integer(plan->groups[i]));
	return array;
}

static json_t *show_rlimits(const struct plan *plan)
{
	json_t *array = json_array();

	for (size_t i = 0; i < plan->rlimit_count; i++) {
		const struct plan_rlimit *limit = &plan->rlimits[i];

		(void)json_array_append_new(array, json_pack("{s:s, s:o, s:o}", "type",
							     plan_rlimit_name(limit->resource),
							     "soft", show_limit(limit->soft),
							     "hard", show_limit(limit->hard)));
	}
	return array;
}

static json_t *show_mount(const struct mount_step *step)
{
	const uint32_t has = mount_kind_members(step->kind);
	json_t *object =
		json_pack("{s:s, s:s}", "kind", kind_names[step->kind], "target", step->target);
	int r = 0;

	if (has & MOUNT_HAS_SOURCE)
		r |= json_object_set_new(object, "source", json_string(step->source));
	if (has & MOUNT_HAS_CONTENT)
		r |= json_object_set_new(object, "content",
					 json_string(step->content != NULL ? step->content : ""));
	if (has & MOUNT_HAS_SIZE)
		r |= json_object_set_new(object, "size", json_integer((json_int_t)step->size));
	if (has & MOUNT_HAS_MODE)
		r |= json_object_set_new(object, "mode", show_octal(step->mode));
	if (has & MOUNT_HAS_OPTIONS)
		r |= json_object_set_new(
			object, "options",
			show_flags(option_names, ARRAY_SIZE(option_names), step->flags));
	if (r == 0)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *show_mounts(const struct plan *plan)
{
	json_t *array = json_array();
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->mount_count; i++)
		r = json_array_append_new(array, show_mount(&plan->mounts[i]));
	if (r == 0)
		return array;
	json_decref(array);
	return NULL;
}

static json_t *show_landlock(const struct plan_landlock *landlock)
{
	json_t *rules = json_array();
	int r = 0;

	for (size_t i = 0; r == 0 && i < landlock->rule_count; i++)
		r = json_array_append_new(
			rules, json_pack("{s:s, s:o}", "path", landlock->rules[i].path, "access",
					 show_flags(access_names, ARRAY_SIZE(access_names),
						    landlock->rules[i].access)));
	if (r < 0) {
		json_decref(rules);
		rules = NULL;
	}
	return json_pack("{s:i, s:o}", "required_abi", (int)landlock->required_abi, "rules", rules);
}

static json_t *show_plan(const struct plan *plan)
{
	return json_pack(
		"{s:i, s:s, s:i, s:s, s:o, s:o, s:s, s:I, s:I, s:o, s:s, s:i, s:b, s:b, s:b, s:s, "
		"s:i, s:I, s:i, s:o, s:o, s:o, s:o}",
		"version", PLAN_VERSION, "app", plan->app, "instance", (int)plan->instance,
		"hostname", plan->hostname, "argv", show_strings(&plan->argv), "environment",
		show_strings(&plan->environment), "directory", plan->directory, "uid",
		(json_int_t)plan->uid, "gid", (json_int_t)plan->gid, "groups", show_groups(plan),
		"network", plan->network_none ? "none" : "host", "listeners", (int)plan->listeners,
		"end_with_supervisor", (int)plan->end_with_supervisor, "keep", (int)plan->keep,
		"host_view", (int)plan->host_view, "refusals", refusals_names[plan->refusals],
		"stop_signal", plan->stop_signal, "stop_grace_usec",
		(json_int_t)plan->stop_grace_usec, "oom_score_adj", plan->oom_score_adj, "umask",
		show_octal(plan->umask_bits), "rlimits", show_rlimits(plan), "mounts",
		show_mounts(plan), "landlock", show_landlock(&plan->landlock));
}

static int check(const struct plan *plan, struct error *err)
{
	_cleanup_bytes_ struct bytes ignored = { 0 };

	return plan_encode(plan, &ignored, err);
}

/* The launcher takes what JSON can't show: the arguments and variables are the user's. */
static int say_what_is_no_text(const struct strings *strings, const char *key, struct error *err)
{
	const struct place document = { NULL, NULL, 0 }, list = { &document, key, 0 };

	for (size_t i = 0; i < strings->count; i++) {
		_cleanup_json_ json_t *text = json_string(strings->items[i]);

		if (text == NULL)
			return place_refuse(&(struct place){ &list, NULL, i }, err,
					    "is not valid UTF-8, which JSON must be");
	}
	return 0;
}

int plan_to_json(const struct plan *plan, char **ret_text, struct error *err)
{
	_cleanup_json_ json_t *root = NULL;
	int r = check(plan, err);

	if (r >= 0)
		r = say_what_is_no_text(&plan->argv, "argv", err);
	if (r >= 0)
		r = say_what_is_no_text(&plan->environment, "environment", err);
	if (r < 0)
		return r;
	root = show_plan(plan);
	*ret_text = root != NULL ? json_dumps(root, JSON_INDENT(2)) : NULL;
	return *ret_text != NULL ? 0
				 : error_set(err, ERROR_INVALID, 0,
					     "plan: a path in it is not valid UTF-8, which JSON "
					     "must be");
}
