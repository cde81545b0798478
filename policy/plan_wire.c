/* SPDX-License-Identifier: MIT */
/*
 * The plan as the launcher gets it: its members in the order of this file, nothing between them and
 * nothing after. Numbers are 8 bytes in this machine's order; a text or a list begins with its
 * length, and so does the whole with its version.
 *
 * One walk for both directions, so that they can't drift apart, and what would be refused when it
 * is read is refused when it is written. The first thing wrong ends it: from then on every step is
 * passed over.
 */
#include "policy/bytes.h"
#include "policy/listen.h"
#include "policy/own.h"
#include "policy/place.h"
#include "policy/plan.h"
#include "policy/quantity.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES_MAX	  64 /* of the app; HOST_NAME_MAX of Linux */
#define CONTENT_BYTES_MAX ((size_t)1 << 20)
#define STRING_BYTES_MAX  131071 /* the kernel's MAX_ARG_STRLEN without its NUL */
#define ARGV_MAX	  1024
#define ENVIRONMENT_MAX	  4096
#define INSTANCE_MAX	  1000000
#define SIGNAL_LAST	  64 /* _NSIG - 1 of Linux */
#define OOM_SCORE_ADJ_MAX 1000
#define ID_LAST		  (UINT32_MAX - 1) /* 2^32-1 is "no id" to the kernel */
#define MODE_LAST	  07777
#define UMASK_LAST	  0777
#define MESSAGE_TEXT_MAX  600
#define QUOTED_MAX	  200 /* bytes of a bad value that a message quotes */

struct walk {
	struct bytes *out; /* what is written; NULL: it is read, from */
	const char *at, *end;
	struct error *err;
	int r; /* negative: something was wrong */
};

#define AT(name) (&(struct place){ at, name, 0 })

static void refuse(struct walk *walk, const struct place *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void refuse(struct walk *walk, const struct place *at, const char *format, ...)
{
	char message[MESSAGE_TEXT_MAX];
	va_list args;

	if (walk->r < 0)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	walk->r = place_refuse(at, walk->err, "%s", message);
	error_prefix(walk->err, "plan");
}

/* --- bytes, numbers, texts --------------------------------------------------------------------*/

static void walk_bytes(struct walk *walk, const struct place *at, void *data, size_t size)
{
	if (walk->r < 0)
		return;
	if (walk->out != NULL) {
		walk->r = bytes_append(walk->out, data, size, walk->err);
	} else if ((size_t)(walk->end - walk->at) < size) {
		refuse(walk, at, "is cut off");
	} else {
		memcpy(data, walk->at, size);
		walk->at += size;
	}
}

/* `value` itself when it is written, whatever it is; or what is read in its place, `min` if that is
 * not within the bounds. */
static int64_t walk_number(struct walk *walk, const struct place *at, int64_t value, int64_t min,
			   int64_t max)
{
	walk_bytes(walk, at, &value, sizeof(value));
	if (walk->r == 0 && (value < min || value > max))
		refuse(walk, at, "%" PRId64 " is not within %" PRId64 " to %" PRId64, value, min,
		       max);
	return walk->r == 0 || walk->out != NULL ? value : min;
}

static uint32_t walk_u32(struct walk *walk, const struct place *at, uint32_t value, uint32_t min,
			 uint32_t max)
{
	return (uint32_t)walk_number(walk, at, value, min, max);
}

static bool walk_bool(struct walk *walk, const struct place *at, bool value)
{
	return walk_number(walk, at, value, 0, 1) != 0;
}

static size_t walk_length(struct walk *walk, const struct place *at, size_t length, size_t min,
			  size_t max, const char *what)
{
	uint64_t value = length;

	walk_bytes(walk, at, &value, sizeof(value));
	if (walk->r == 0 && (value < min || value > max))
		refuse(walk, at, "%" PRIu64 " %s, must be %zu to %zu", value, what, min, max);
	return walk->r == 0 ? (size_t)value : 0;
}

static void read_text(struct walk *walk, const struct place *at, char **text, size_t length)
{
	if ((size_t)(walk->end - walk->at) < length)
		refuse(walk, at, "is cut off");
	else if (memchr(walk->at, '\0', length) != NULL)
		refuse(walk, at, "has a NUL in it");
	if (walk->r < 0)
		return;
	*text = strndup(walk->at, length);
	if (*text == NULL)
		walk->r = error_no_memory(walk->err);
	walk->at += length;
}

static void walk_text(struct walk *walk, const struct place *at, char **text, size_t min,
		      size_t max)
{
	size_t length = walk->out != NULL && *text != NULL ? strlen(*text) : 0;

	length = walk_length(walk, at, length, min, max, "bytes long");
	if (walk->r < 0)
		return;
	if (walk->out == NULL)
		read_text(walk, at, text, length);
	else if (length > 0)
		walk_bytes(walk, at, *text, length);
}

static void walk_path(struct walk *walk, const struct place *at, char **path)
{
	walk_text(walk, at, path, 1, PLAN_PATH_BYTES_MAX);
	if (walk->r == 0 && !plan_path_is_normal(*path))
		refuse(walk, at, "\"%.*s\" is not an absolute path in normal form", QUOTED_MAX,
		       *path);
}

static void walk_strings(struct walk *walk, const struct place *at, struct strings *strings,
			 size_t min, size_t max)
{
	size_t count = walk_length(walk, at, strings->count, min, max, "entries");

	for (size_t i = 0; walk->r == 0 && i < count; i++) {
		const struct place here = { at, NULL, i };
		char *text = walk->out != NULL ? strings->items[i] : NULL;

		walk_text(walk, &here, &text, 0, STRING_BYTES_MAX);
		if (walk->out == NULL && walk->r == 0)
			walk->r = strings_append(strings, text, walk->err);
		if (walk->out == NULL)
			free(text);
	}
}

/* --- the lists --------------------------------------------------------------------------------*/

static void walk_command(struct walk *walk, const struct place *at, struct strings *argv)
{
	walk_strings(walk, at, argv, 1, ARGV_MAX);
	if (walk->r == 0 && argv->items[0][0] == '\0')
		refuse(walk, &(struct place){ at, NULL, 0 }, "must name a command");
}

static void walk_environment(struct walk *walk, const struct place *at, struct strings *environment)
{
	walk_strings(walk, at, environment, 0, ENVIRONMENT_MAX);
	for (size_t i = 0; walk->r == 0 && i < environment->count; i++) {
		const char *equals = strchr(environment->items[i], '=');

		if (equals == NULL || equals == environment->items[i])
			refuse(walk, &(struct place){ at, NULL, i },
			       "must have the form NAME=value");
	}
}

static void walk_groups(struct walk *walk, const struct place *at, struct plan *plan)
{
	size_t count = walk_length(walk, at, plan->group_count, 0, PLAN_GROUPS_MAX, "entries");

	for (size_t i = 0; i < count; i++)
		plan->groups[i] =
			walk_u32(walk, &(struct place){ at, NULL, i }, plan->groups[i], 0, ID_LAST);
	if (walk->out == NULL)
		plan->group_count = count;
}

static void walk_rlimit(struct walk *walk, const struct place *at, struct plan_rlimit *limit)
{
	limit->resource =
		(int)walk_number(walk, AT("type"), limit->resource, 0, PLAN_RLIMITS_MAX - 1);
	walk_bytes(walk, AT("soft"), &limit->soft, sizeof(limit->soft));
	walk_bytes(walk, AT("hard"), &limit->hard, sizeof(limit->hard));
	if (walk->r == 0 && limit->soft > limit->hard)
		refuse(walk, at, "the soft limit is above the hard one");
}

static void walk_rlimits(struct walk *walk, const struct place *at, struct plan *plan)
{
	size_t count = walk_length(walk, at, plan->rlimit_count, 0, PLAN_RLIMITS_MAX, "entries");

	for (size_t i = 0; i < count; i++)
		walk_rlimit(walk, &(struct place){ at, NULL, i }, &plan->rlimits[i]);
	if (walk->out == NULL)
		plan->rlimit_count = count;
}

static void walk_source(struct walk *walk, const struct place *at, struct mount_step *step)
{
	/* that of a symbolic link is the text of the link: any path, also a relative one */
	if (step->kind == MOUNT_SYMLINK)
		walk_text(walk, at, &step->source, 1, PLAN_PATH_BYTES_MAX);
	else
		walk_path(walk, at, &step->source);
}

static void walk_mount(struct walk *walk, const struct place *at, struct mount_step *step)
{
	uint32_t has;

	step->kind = (enum mount_kind)walk_number(walk, AT("kind"), (int64_t)step->kind, 0,
						  MOUNT_KIND_COUNT - 1);
	has = mount_kind_members(step->kind);
	walk_path(walk, AT("target"), &step->target);
	if (walk->r == 0 && strcmp(step->target, "/") == 0)
		refuse(walk, AT("target"), "the root itself is not a target");
	if (has & MOUNT_HAS_SOURCE)
		walk_source(walk, AT("source"), step);
	if (has & MOUNT_HAS_CONTENT)
		walk_text(walk, AT("content"), &step->content, 0, CONTENT_BYTES_MAX);
	if (has & MOUNT_HAS_SIZE)
		step->size = (uint64_t)walk_number(walk, AT("size"), (int64_t)step->size, 1,
						   (int64_t)SIZE_LIMIT_BYTES);
	if (has & MOUNT_HAS_MODE)
		step->mode = walk_u32(walk, AT("mode"), step->mode, 0, MODE_LAST);
	if (has & MOUNT_HAS_OPTIONS)
		step->flags = walk_u32(walk, AT("options"), step->flags, 0, MOUNT_FLAGS_ALL);
}

/* While reading, the number begun: all of them are owned by the plan, also after a failure. */
static void walk_mounts(struct walk *walk, const struct place *at, struct plan *plan)
{
	size_t count = walk_length(walk, at, plan->mount_count, 0, PLAN_MOUNTS_MAX, "entries");

	for (size_t i = 0; walk->r == 0 && i < count; i++) {
		if (walk->out == NULL)
			plan->mount_count = i + 1;
		walk_mount(walk, &(struct place){ at, NULL, i }, &plan->mounts[i]);
	}
}

static void walk_rules(struct walk *walk, const struct place *at, struct plan_landlock *landlock)
{
	size_t count = walk_length(walk, at, landlock->rule_count, 0, PLAN_RULES_MAX, "entries");

	for (size_t i = 0; walk->r == 0 && i < count; i++) {
		const struct place here = { at, NULL, i };
		struct plan_rule *rule = &landlock->rules[i];

		if (walk->out == NULL)
			landlock->rule_count = i + 1;
		walk_path(walk, &(struct place){ &here, "path", 0 }, &rule->path);
		/* the kernel refuses a rule that allows nothing */
		rule->access = walk_u32(walk, &(struct place){ &here, "access", 0 }, rule->access,
					1, ACCESS_ALL);
	}
}

static void walk_landlock(struct walk *walk, const struct place *at, struct plan_landlock *landlock)
{
	landlock->required_abi = walk_u32(walk, AT("required_abi"), landlock->required_abi, 0,
					  PLAN_LANDLOCK_ABI_SCOPES);
	walk_rules(walk, AT("rules"), landlock);
	if (walk->r == 0 && landlock->required_abi > 0 && landlock->rule_count == 0)
		refuse(walk, AT("rules"), "are missing for a wall that is required");
}

/* --- the whole --------------------------------------------------------------------------------*/

static void walk_version(struct walk *walk, const struct place *at)
{
	int64_t version = PLAN_VERSION;

	walk_bytes(walk, at, &version, sizeof(version));
	if (walk->r == 0 && version != PLAN_VERSION)
		refuse(walk, at, "must be %d: pysbx and pysbx-launch are of different versions",
		       PLAN_VERSION);
}

static void walk_identity(struct walk *walk, const struct place *at, struct plan *plan)
{
	/* 1: a worker is never root, whom init's files and signals would not be closed to */
	plan->uid = walk_u32(walk, AT("uid"), plan->uid, 1, ID_LAST);
	plan->gid = walk_u32(walk, AT("gid"), plan->gid, 0, ID_LAST);
	walk_groups(walk, AT("groups"), plan);
}

static void walk_life(struct walk *walk, const struct place *at, struct plan *plan)
{
	plan->network_none = walk_bool(walk, AT("network"), plan->network_none);
	plan->listeners = walk_u32(walk, AT("listeners"), plan->listeners, 0, LISTEN_MAX);
	plan->end_with_supervisor =
		walk_bool(walk, AT("end_with_supervisor"), plan->end_with_supervisor);
	plan->keep = walk_bool(walk, AT("keep"), plan->keep);
	if (walk->r == 0 && plan->keep && plan->end_with_supervisor)
		refuse(walk, AT("keep"),
		       "excludes end_with_supervisor: the launcher either outlives its supervisor "
		       "or ends with it");
	plan->host_view = walk_bool(walk, AT("host_view"), plan->host_view);
	plan->refusals = (enum refusals)walk_number(walk, AT("refusals"), (int64_t)plan->refusals,
						    0, REFUSALS_COUNT - 1);
	plan->stop_signal =
		(int)walk_number(walk, AT("stop_signal"), plan->stop_signal, 1, SIGNAL_LAST);
	plan->stop_grace_usec =
		(uint64_t)walk_number(walk, AT("stop_grace_usec"), (int64_t)plan->stop_grace_usec,
				      0, (int64_t)TIME_LIMIT_USEC);
	plan->oom_score_adj = (int)walk_number(walk, AT("oom_score_adj"), plan->oom_score_adj,
					       -OOM_SCORE_ADJ_MAX, OOM_SCORE_ADJ_MAX);
	plan->umask_bits = walk_u32(walk, AT("umask"), plan->umask_bits, 0, UMASK_LAST);
}

static void walk_plan(struct walk *walk, struct plan *plan)
{
	const struct place document = { NULL, NULL, 0 }, *at = &document;

	walk_version(walk, AT("version"));
	walk_text(walk, AT("app"), &plan->app, 1, NAME_BYTES_MAX);
	plan->instance = walk_u32(walk, AT("instance"), plan->instance, 0, INSTANCE_MAX);
	walk_text(walk, AT("hostname"), &plan->hostname, 1, NAME_BYTES_MAX);
	walk_command(walk, AT("argv"), &plan->argv);
	walk_environment(walk, AT("environment"), &plan->environment);
	walk_path(walk, AT("directory"), &plan->directory);
	walk_identity(walk, at, plan);
	walk_life(walk, at, plan);
	walk_rlimits(walk, AT("rlimits"), plan);
	walk_mounts(walk, AT("mounts"), plan);
	walk_landlock(walk, AT("landlock"), &plan->landlock);
}

int plan_encode(const struct plan *plan, struct bytes *ret, struct error *err)
{
	_cleanup_bytes_ struct bytes out = { 0 };
	struct walk walk = { .out = &out, .err = err };

	/* writing puts every number back as it is */
	walk_plan(&walk, (struct plan *)plan);
	if (walk.r == 0 && out.length > PLAN_SIZE_MAX)
		walk.r = error_set(err, ERROR_INVALID, 0,
				   "plan: %zu bytes are more than %u: make the arguments or the "
				   "environment smaller",
				   out.length, PLAN_SIZE_MAX);
	if (walk.r < 0)
		return walk.r;
	*ret = out;
	out = (struct bytes){ 0 };
	return 0;
}

int plan_decode(const char *data, size_t length, struct plan **ret_plan, struct error *err)
{
	struct plan *plan _cleanup_plan_ = plan_new();
	struct walk walk = { .at = data, .end = data + length, .err = err };

	if (plan == NULL)
		return error_no_memory(err);
	if (length > PLAN_SIZE_MAX)
		return error_set(err, ERROR_INVALID, 0, "plan: %zu bytes are more than %u", length,
				 PLAN_SIZE_MAX);
	walk_plan(&walk, plan);
	if (walk.at < walk.end)
		refuse(&walk, NULL, "%zu bytes follow it", (size_t)(walk.end - walk.at));
	if (walk.r < 0)
		return walk.r;
	*ret_plan = TAKE_PTR(plan);
	return 0;
}
