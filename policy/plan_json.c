/* SPDX-License-Identifier: MIT */
/*
 * The plan's JSON. Two tables hold it: the keys of a plan, and which keys a mount step of each kind
 * has. The order of the rows is the order of the keys in the text.
 *
 * Numbers are bytes, microseconds and ids as they are; modes and the umask are octal strings
 * ("1777"), which is how people read them; "max" stands for RLIM_INFINITY; signals are numbers.
 */
#include "policy/document.h"
#include "policy/listen.h"
#include "policy/own.h"
#include "policy/plan.h"
#include "policy/plan_field.h"
#include "policy/plan_landlock.h"
#include "policy/quantity.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

#define NAME_BYTES_MAX	  64 /* of the app; HOST_NAME_MAX of Linux */
#define PATH_BYTES_MAX	  PLAN_PATH_BYTES_MAX
#define CONTENT_BYTES_MAX (1 << 20)
#define ARGV_MAX	  1024
#define ENVIRONMENT_MAX	  4096
#define INSTANCE_MAX	  1000000
#define SIGNAL_LAST	  64 /* _NSIG - 1 of Linux */
#define OOM_SCORE_ADJ_MAX 1000
#define ID_LAST		  (UINT32_MAX - 1) /* 2^32-1 is "no id" to the kernel */

/* --- one mount step ---------------------------------------------------------------------------*/

static const struct {
	const char *name;
	uint32_t flag;
} option_names[] = {
	{ "ro", MOUNT_READ_ONLY },
	{ "noexec", MOUNT_NOEXEC },
	{ "optional", MOUNT_OPTIONAL },
};

static json_t *encode_options(const struct field *field, const void *member, const struct place *at,
			      struct error *err)
{
	json_t *array = json_array();

	(void)field;
	(void)at;
	for (size_t i = 0; array != NULL && i < ARRAY_SIZE(option_names); i++)
		if ((*(const uint32_t *)member & option_names[i].flag) != 0 &&
		    json_array_append_new(array, json_string(option_names[i].name)) < 0) {
			json_decref(array);
			array = NULL;
		}
	if (array == NULL)
		error_no_memory(err);
	return array;
}

static int decode_option(const struct field *field, const json_t *value, void *member,
			 const struct place *at, struct error *err)
{
	const char *text = json_string_value(value);

	(void)field;
	for (size_t i = 0; text != NULL && i < ARRAY_SIZE(option_names); i++)
		if (strcmp(text, option_names[i].name) == 0) {
			*(uint32_t *)member |= option_names[i].flag;
			return 0;
		}
	return field_refuse(at, err, "must be \"ro\", \"noexec\" or \"optional\"");
}

static int decode_options(const struct field *field, const json_t *value, void *member,
			  const struct place *at, struct error *err)
{
	static const struct field item = { .decode = decode_option };
	size_t count = 0;

	return field_decode_array(field, &item, value, member, &count, 0, at, err);
}

static int decode_target(const struct field *field, const json_t *value, void *member,
			 const struct place *at, struct error *err)
{
	int r = field_decode_path(field, value, member, at, err);

	if (r == 0 && strcmp(*(char **)member, "/") == 0)
		return field_refuse(at, err, "the root itself is not a target");
	return r;
}

static json_t *encode_kind(const struct field *field, const void *member, const struct place *at,
			   struct error *err);
static int decode_kind(const struct field *field, const json_t *value, void *member,
		       const struct place *at, struct error *err);

enum { KIND, TARGET, SOURCE, CONTENT, SIZE, MODE, OPTIONS };
#define KEY(name) (UINT64_C(1) << (name))

static const struct field mount_fields[] = {
	[KIND] = { "kind", offsetof(struct mount_step, kind), encode_kind, decode_kind, 0, 0 },
	[TARGET] = { "target", offsetof(struct mount_step, target), field_encode_path,
		     decode_target, 1, PATH_BYTES_MAX },
	[SOURCE] = FIELD(struct mount_step, source, path, 1, PATH_BYTES_MAX),
	[CONTENT] = FIELD(struct mount_step, content, string, 0, CONTENT_BYTES_MAX),
	[SIZE] = FIELD(struct mount_step, size, u64, 1, (int64_t)SIZE_LIMIT_BYTES),
	[MODE] = FIELD(struct mount_step, mode, octal, 0, 07777),
	[OPTIONS] = { "options", offsetof(struct mount_step, flags), encode_options, decode_options,
		      0, ARRAY_SIZE(option_names) },
};

/* A symlink's source is the text of the link: any path, also a relative one. */
static const struct field symlink_source =
	FIELD(struct mount_step, source, string, 1, PATH_BYTES_MAX);

static const struct {
	const char *name;
	uint64_t keys;
} kinds[] = {
	[MOUNT_BIND] = { "bind", KEY(KIND) | KEY(TARGET) | KEY(SOURCE) | KEY(OPTIONS) },
	[MOUNT_TMPFS] = { "tmpfs", KEY(KIND) | KEY(TARGET) | KEY(SIZE) | KEY(MODE) | KEY(OPTIONS) },
	[MOUNT_PROC] = { "proc", KEY(KIND) | KEY(TARGET) },
	[MOUNT_DEVPTS] = { "devpts", KEY(KIND) | KEY(TARGET) },
	[MOUNT_DEVICE] = { "device", KEY(KIND) | KEY(TARGET) | KEY(SOURCE) | KEY(OPTIONS) },
	[MOUNT_SYMLINK] = { "symlink", KEY(KIND) | KEY(TARGET) | KEY(SOURCE) },
	[MOUNT_FILE] = { "file", KEY(KIND) | KEY(TARGET) | KEY(CONTENT) },
	[MOUNT_DIRECTORY] = { "directory", KEY(KIND) | KEY(TARGET) | KEY(MODE) },
	[MOUNT_CGROUP] = { "cgroup", KEY(KIND) | KEY(TARGET) | KEY(SOURCE) },
};
static_assert(ARRAY_SIZE(kinds) == MOUNT_KIND_COUNT, "a row for each kind");

static json_t *encode_kind(const struct field *field, const void *member, const struct place *at,
			   struct error *err)
{
	(void)field;
	return field_encode_text(kinds[*(const enum mount_kind *)member].name, at, err);
}

static int decode_kind(const struct field *field, const json_t *value, void *member,
		       const struct place *at, struct error *err)
{
	const char *text = json_string_value(value);

	(void)field;
	for (size_t i = 0; text != NULL && i < ARRAY_SIZE(kinds); i++)
		if (strcmp(text, kinds[i].name) == 0) {
			*(enum mount_kind *)member = (enum mount_kind)i;
			return 0;
		}
	return field_refuse(at, err, "must be a kind of mount, such as \"bind\"");
}

/* The rows for one kind: a copy, in which a symlink's source is read as free text. */
static void rows_of_kind(enum mount_kind kind, struct field rows[ARRAY_SIZE(mount_fields)])
{
	memcpy(rows, mount_fields, sizeof(mount_fields));
	if (kind == MOUNT_SYMLINK)
		rows[SOURCE] = symlink_source;
}

static json_t *encode_mount(const struct field *field, const void *member, const struct place *at,
			    struct error *err)
{
	const struct mount_step *step = member;

	(void)field;
	if ((size_t)step->kind >= MOUNT_KIND_COUNT) {
		field_refuse(at, err, "%d is no kind of mount", (int)step->kind);
		return NULL;
	}
	return field_encode_object(mount_fields, ARRAY_SIZE(mount_fields), kinds[step->kind].keys,
				   step, at, err);
}

static int decode_mount(const struct field *field, const json_t *value, void *member,
			const struct place *at, struct error *err)
{
	const struct place kind_at = { at, "kind", 0 };
	const json_t *kind = json_object_get(value, "kind");
	struct field rows[ARRAY_SIZE(mount_fields)];
	struct mount_step *step = member;
	int r;

	(void)field;
	if (!json_is_object(value))
		return field_refuse(at, err, "must be an object");
	if (kind == NULL)
		return field_refuse(&kind_at, err, "is missing");
	r = decode_kind(&mount_fields[KIND], kind, &step->kind, &kind_at, err);
	if (r < 0)
		return r;
	rows_of_kind(step->kind, rows);
	return field_decode_object(rows, ARRAY_SIZE(rows), kinds[step->kind].keys, value, step, at,
				   err);
}

static json_t *encode_mounts(const struct field *field, const void *member, const struct place *at,
			     struct error *err)
{
	static const struct field item = { .encode = encode_mount };
	const struct plan *plan = member;

	(void)field;
	return field_encode_array(&item, plan->mounts, plan->mount_count, sizeof(plan->mounts[0]),
				  at, err);
}

static int decode_mounts(const struct field *field, const json_t *value, void *member,
			 const struct place *at, struct error *err)
{
	static const struct field item = { .decode = decode_mount };
	struct plan *plan = member;

	return field_decode_array(field, &item, value, plan->mounts, &plan->mount_count,
				  sizeof(plan->mounts[0]), at, err);
}

/* --- one resource limit -----------------------------------------------------------------------*/

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

/* An unknown one is written as such, and refused by whoever reads it. */
static json_t *encode_resource(const struct field *field, const void *member,
			       const struct place *at, struct error *err)
{
	(void)field;
	return field_encode_text(plan_rlimit_name(*(const int *)member), at, err);
}

static int decode_resource(const struct field *field, const json_t *value, void *member,
			   const struct place *at, struct error *err)
{
	const char *text = json_string_value(value);

	(void)field;
	for (size_t i = 0; text != NULL && i < ARRAY_SIZE(rlimit_names); i++)
		if (strcmp(rlimit_names[i].name, text) == 0) {
			*(int *)member = rlimit_names[i].resource;
			return 0;
		}
	return field_refuse(at, err, "must be the name of a resource, such as \"RLIMIT_NOFILE\"");
}

static json_t *encode_rlim(const struct field *field, const void *member, const struct place *at,
			   struct error *err)
{
	(void)field;
	if (*(const uint64_t *)member == RLIM_INFINITY)
		return field_encode_text("max", at, err);
	return field_encode_u64(field, member, at, err);
}

static int decode_rlim(const struct field *field, const json_t *value, void *member,
		       const struct place *at, struct error *err)
{
	if (json_is_string(value) && strcmp(json_string_value(value), "max") == 0) {
		*(uint64_t *)member = RLIM_INFINITY;
		return 0;
	}
	if (json_is_string(value))
		return field_refuse(at, err, "must be a whole number or \"max\"");
	return field_decode_u64(field, value, member, at, err);
}

static const struct field rlimit_fields[] = {
	{ "type", offsetof(struct plan_rlimit, resource), encode_resource, decode_resource, 0, 0 },
	{ "soft", offsetof(struct plan_rlimit, soft), encode_rlim, decode_rlim, 0, INT64_MAX },
	{ "hard", offsetof(struct plan_rlimit, hard), encode_rlim, decode_rlim, 0, INT64_MAX },
};

static json_t *encode_rlimit(const struct field *field, const void *member, const struct place *at,
			     struct error *err)
{
	(void)field;
	return field_encode_object(rlimit_fields, ARRAY_SIZE(rlimit_fields), FIELD_ALL, member, at,
				   err);
}

static int decode_rlimit(const struct field *field, const json_t *value, void *member,
			 const struct place *at, struct error *err)
{
	struct plan_rlimit *limit = member;
	int r = field_decode_object(rlimit_fields, ARRAY_SIZE(rlimit_fields), FIELD_ALL, value,
				    limit, at, err);

	(void)field;
	if (r == 0 && limit->soft > limit->hard)
		return field_refuse(at, err, "the soft limit is above the hard one");
	return r;
}

static json_t *encode_rlimits(const struct field *field, const void *member, const struct place *at,
			      struct error *err)
{
	static const struct field item = { .encode = encode_rlimit };
	const struct plan *plan = member;

	(void)field;
	return field_encode_array(&item, plan->rlimits, plan->rlimit_count,
				  sizeof(plan->rlimits[0]), at, err);
}

static int decode_rlimits(const struct field *field, const json_t *value, void *member,
			  const struct place *at, struct error *err)
{
	static const struct field item = { .decode = decode_rlimit };
	struct plan *plan = member;

	return field_decode_array(field, &item, value, plan->rlimits, &plan->rlimit_count,
				  sizeof(plan->rlimits[0]), at, err);
}

/* --- members with a rule of their own ---------------------------------------------------------*/

static json_t *encode_version(const struct field *field, const void *member, const struct place *at,
			      struct error *err)
{
	static const int version = PLAN_VERSION;

	(void)member;
	return field_encode_int(field, &version, at, err);
}

static int decode_version(const struct field *field, const json_t *value, void *member,
			  const struct place *at, struct error *err)
{
	(void)field;
	(void)member;
	if (!json_is_integer(value) || json_integer_value(value) != PLAN_VERSION)
		return field_refuse(at, err,
				    "must be %d: pysbx and pysbx-launch are of different versions",
				    PLAN_VERSION);
	return 0;
}

static int decode_argv(const struct field *field, const json_t *value, void *member,
		       const struct place *at, struct error *err)
{
	const struct strings *argv = member;
	int r = field_decode_strings(field, value, member, at, err);

	if (r == 0 && argv->items[0][0] == '\0')
		return field_refuse(&(struct place){ at, NULL, 0 }, err, "must name a command");
	return r;
}

static int decode_environment(const struct field *field, const json_t *value, void *member,
			      const struct place *at, struct error *err)
{
	const struct strings *environment = member;
	int r = field_decode_strings(field, value, member, at, err);

	for (size_t i = 0; r == 0 && i < environment->count; i++) {
		const char *equals = strchr(environment->items[i], '=');

		if (equals == NULL || equals == environment->items[i])
			r = field_refuse(&(struct place){ at, NULL, i }, err,
					 "must have the form NAME=value");
	}
	return r;
}

static json_t *encode_groups(const struct field *field, const void *member, const struct place *at,
			     struct error *err)
{
	static const struct field item = { .encode = field_encode_u32 };
	const struct plan *plan = member;

	(void)field;
	return field_encode_array(&item, plan->groups, plan->group_count, sizeof(plan->groups[0]),
				  at, err);
}

static int decode_groups(const struct field *field, const json_t *value, void *member,
			 const struct place *at, struct error *err)
{
	static const struct field item = { .decode = field_decode_u32, .max = ID_LAST };
	struct plan *plan = member;

	return field_decode_array(field, &item, value, plan->groups, &plan->group_count,
				  sizeof(plan->groups[0]), at, err);
}

static json_t *encode_network(const struct field *field, const void *member, const struct place *at,
			      struct error *err)
{
	(void)field;
	return field_encode_text(*(const bool *)member ? "none" : "host", at, err);
}

static int decode_network(const struct field *field, const json_t *value, void *member,
			  const struct place *at, struct error *err)
{
	const char *text = json_string_value(value);

	(void)field;
	if (text == NULL || (strcmp(text, "none") != 0 && strcmp(text, "host") != 0))
		return field_refuse(at, err, "must be \"host\" or \"none\"");
	*(bool *)member = strcmp(text, "none") == 0;
	return 0;
}

static const char *const refusals_names[] = {
	[REFUSALS_SILENT] = "silent",
	[REFUSALS_EXPLAINED] = "explained",
	[REFUSALS_WATCHED] = "watched",
	[REFUSALS_PERMITTED] = "permitted",
};
static_assert(ARRAY_SIZE(refusals_names) == REFUSALS_COUNT, "a name for each");

static json_t *encode_refusals(const struct field *field, const void *member,
			       const struct place *at, struct error *err)
{
	(void)field;
	return field_encode_text(refusals_names[*(const enum refusals *)member], at, err);
}

static int decode_refusals(const struct field *field, const json_t *value, void *member,
			   const struct place *at, struct error *err)
{
	const char *text = json_string_value(value);

	(void)field;
	for (size_t i = 0; text != NULL && i < REFUSALS_COUNT; i++) {
		if (strcmp(text, refusals_names[i]) != 0)
			continue;
		*(enum refusals *)member = (enum refusals)i;
		return 0;
	}
	return field_refuse(at, err,
			    "must be \"silent\", \"explained\", \"watched\" or \"permitted\"");
}

/* --- the whole --------------------------------------------------------------------------------*/

static_assert(sizeof(uid_t) == sizeof(uint32_t) && sizeof(gid_t) == sizeof(uint32_t) &&
		      sizeof(unsigned) == sizeof(uint32_t),
	      "members read and written as uint32_t");

static const struct field plan_fields[] = {
	{ "version", 0, encode_version, decode_version, 0, 0 },
	FIELD(struct plan, app, string, 1, NAME_BYTES_MAX),
	FIELD(struct plan, instance, u32, 0, INSTANCE_MAX),
	FIELD(struct plan, hostname, string, 1, NAME_BYTES_MAX),
	{ "argv", offsetof(struct plan, argv), field_encode_strings, decode_argv, 1, ARGV_MAX },
	{ "environment", offsetof(struct plan, environment), field_encode_strings,
	  decode_environment, 0, ENVIRONMENT_MAX },
	FIELD(struct plan, directory, path, 1, PATH_BYTES_MAX),
	/* 1: a worker is never root, whom init's files and signals would not be closed to */
	FIELD(struct plan, uid, u32, 1, ID_LAST),
	FIELD(struct plan, gid, u32, 0, ID_LAST),
	{ "groups", 0, encode_groups, decode_groups, 0, PLAN_GROUPS_MAX },
	{ "network", offsetof(struct plan, network_none), encode_network, decode_network, 0, 0 },
	FIELD(struct plan, listeners, u32, 0, LISTEN_MAX),
	FIELD(struct plan, end_with_supervisor, bool, 0, 0),
	FIELD(struct plan, keep, bool, 0, 0),
	{ "refusals", offsetof(struct plan, refusals), encode_refusals, decode_refusals, 0, 0 },
	FIELD(struct plan, stop_signal, int, 1, SIGNAL_LAST),
	FIELD(struct plan, stop_grace_usec, u64, 0, (int64_t)TIME_LIMIT_USEC),
	FIELD(struct plan, oom_score_adj, int, -OOM_SCORE_ADJ_MAX, OOM_SCORE_ADJ_MAX),
	{ "umask", offsetof(struct plan, umask_bits), field_encode_octal, field_decode_octal, 0,
	  0777 },
	{ "rlimits", 0, encode_rlimits, decode_rlimits, 0, PLAN_RLIMITS_MAX },
	{ "mounts", 0, encode_mounts, decode_mounts, 0, PLAN_MOUNTS_MAX },
	{ "landlock", offsetof(struct plan, landlock), plan_landlock_encode, plan_landlock_decode,
	  0, 0 },
};

static const struct place document = { NULL, NULL, 0 };

static int plan_from_root(const json_t *root, struct plan **ret_plan, struct error *err)
{
	_cleanup_plan_ struct plan *plan = plan_new();
	int r;

	if (plan == NULL)
		return error_no_memory(err);
	r = field_decode_object(plan_fields, ARRAY_SIZE(plan_fields), FIELD_ALL, root, plan,
				&document, err);
	if (r == 0 && plan->keep && plan->end_with_supervisor)
		r = error_set(err, ERROR_INVALID, 0,
			      "plan: keep: excludes end_with_supervisor: the launcher either "
			      "outlives its "
			      "supervisor or ends with it");
	if (r == 0)
		*ret_plan = TAKE_PTR(plan);
	return r;
}

/* What the launcher would refuse must not reach it: here the error still names an app's field, and
 * nothing has been started. */
static int check_root(const json_t *root, struct error *err)
{
	_cleanup_plan_ struct plan *plan = NULL;

	return plan_from_root(root, &plan, err);
}

static int check_size(size_t size, struct error *err)
{
	if (size <= PLAN_SIZE_MAX)
		return 0;
	return error_set(err, ERROR_INVALID, 0,
			 "plan: %zu bytes are more than %u: make the arguments or the "
			 "environment smaller",
			 size, PLAN_SIZE_MAX);
}

int plan_encode(const struct plan *plan, bool pretty, char **ret_text, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *root = NULL;
	int r;

	root = field_encode_object(plan_fields, ARRAY_SIZE(plan_fields), FIELD_ALL, plan, &document,
				   err);
	if (root == NULL)
		return err->errnum != 0 ? -err->errnum : -EINVAL;
	r = check_root(root, err);
	if (r < 0)
		return r;
	text = json_dumps(root, pretty ? JSON_INDENT(2) : JSON_COMPACT);
	if (text == NULL)
		return error_no_memory(err);
	r = pretty ? 0 : check_size(strlen(text), err);
	if (r == 0)
		*ret_text = TAKE_PTR(text);
	return r;
}

int plan_decode(const char *text, size_t length, struct plan **ret_plan, struct error *err)
{
	_cleanup_json_ json_t *root = NULL;
	json_error_t syntax;

	if (length > PLAN_SIZE_MAX)
		return error_set(err, ERROR_INVALID, 0, "plan: %zu bytes are more than %u", length,
				 PLAN_SIZE_MAX);
	root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &syntax);
	if (root == NULL)
		return error_set(err, ERROR_INVALID, 0, "plan: line %d, column %d: %s", syntax.line,
				 syntax.column, syntax.text);
	return plan_from_root(root, ret_plan, err);
}
