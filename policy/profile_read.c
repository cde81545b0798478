/* SPDX-License-Identifier: MIT */
#include "policy/profile_read.h"

#include "policy/nearest.h"
#include "policy/own.h"
#include "policy/quote.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define ERRNO_NAMES_MAX 256 /* numbers that may have a name */

static const char *const action_names[] = {
	[PROFILE_ALLOW] = "SCMP_ACT_ALLOW",
	[PROFILE_ERRNO] = "SCMP_ACT_ERRNO",
	[PROFILE_KILL_PROCESS] = "SCMP_ACT_KILL_PROCESS",
	[PROFILE_KILL_THREAD] = "SCMP_ACT_KILL_THREAD",
	[PROFILE_TRAP] = "SCMP_ACT_TRAP",
	[PROFILE_LOG] = "SCMP_ACT_LOG",
};
static_assert(ARRAY_SIZE(action_names) == PROFILE_ACTION_COUNT, "a name for each action");

int profile_raise(struct error *err, const char *path, const char *key, const char *format, ...)
{
	char where[PROFILE_PATH_MAX], text[ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	profile_path_key(where, path, key != NULL ? key : "");
	return error_set(err, ERROR_INVALID, 0, "%s%s%s", where, where[0] != '\0' ? ": " : "",
			 text);
}

int profile_raise_unknown(struct error *err, const char *path, const char *kind, const char *value,
			  const char *const names[], size_t name_count)
{
	const char *near = nearest_name(value, names, name_count);
	char quoted[QUOTE_TEXT_MAX];

	return profile_raise(err, path, NULL, "%s is not %s%s%s%s", quote_text(value, quoted), kind,
			     near != NULL ? "; did you mean " : "", near != NULL ? near : "",
			     near != NULL ? "?" : "");
}

void profile_path_key(char *buffer, const char *path, const char *key)
{
	snprintf(buffer, PROFILE_PATH_MAX, "%.90s%s%.24s", path,
		 path[0] != '\0' && key[0] != '\0' ? "." : "", key);
}

void profile_path_item(char *buffer, const char *path, const char *key, size_t index)
{
	snprintf(buffer, PROFILE_PATH_MAX, "%.64s%s%.24s[%zu]", path,
		 path[0] != '\0' && key[0] != '\0' ? "." : "", key, index);
}

/* What Go writes for nothing: null is the same as absent. */
const json_t *profile_get(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_null(value) ? NULL : value;
}

bool profile_is_listed(const char *word, const char *const names[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], word) == 0)
			return true;
	}
	return false;
}

int profile_check_keys(const json_t *object, const char *path, const char *const keys[],
		       size_t key_count, struct error *err)
{
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return profile_raise(err, path, NULL, "must be an object");
	/* jansson's iteration wants a non-const object, and changes nothing */
	json_object_foreach((json_t *)object, key, value)
	{
		if (!profile_is_listed(key, keys, key_count))
			return profile_raise_unknown(err, path, "a key known here", key, keys,
						     key_count);
	}
	return 0;
}

int profile_read_integer(const json_t *object, const char *path, const char *key, uint64_t max,
			 uint64_t *ret_value, struct error *err)
{
	const json_t *value = profile_get(object, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    (uint64_t)json_integer_value(value) > max)
		return profile_raise(err, path, key, "must be a whole number from 0 to %llu",
				     (unsigned long long)max);
	*ret_value = (uint64_t)json_integer_value(value);
	return 0;
}

const char *profile_action_name(enum profile_action action)
{
	return (size_t)action < PROFILE_ACTION_COUNT ? action_names[action] : "unknown";
}

static int parse_action(const char *text, const char *path, enum profile_action *ret_action,
			struct error *err)
{
	if (strcmp(text, "SCMP_ACT_KILL") == 0) { /* the older name */
		*ret_action = PROFILE_KILL_THREAD;
		return 0;
	}
	for (size_t i = 0; i < PROFILE_ACTION_COUNT; i++) {
		if (strcmp(text, action_names[i]) != 0)
			continue;
		*ret_action = (enum profile_action)i;
		return 0;
	}
	if (strcmp(text, "SCMP_ACT_NOTIFY") == 0 || strcmp(text, "SCMP_ACT_TRACE") == 0)
		return profile_raise(err, path, NULL,
				     "%s needs a tracer beside the worker, there is none: write "
				     "SCMP_ACT_ERRNO or SCMP_ACT_ALLOW",
				     text);
	return profile_raise_unknown(err, path, "an action", text, action_names,
				     PROFILE_ACTION_COUNT);
}

/* "EPERM", "ENOSYS". */
static int read_errno_name(const json_t *value, const char *path, const char *key, uint64_t *ret,
			   struct error *err)
{
	const char *text = json_string_value(value);
	char quoted[QUOTE_TEXT_MAX];

	for (int number = 1; text != NULL && number < ERRNO_NAMES_MAX; number++) {
		const char *name = strerrorname_np(number);

		if (name == NULL || strcmp(name, text) != 0)
			continue;
		*ret = (uint64_t)number;
		return 0;
	}
	return profile_raise(err, path, key, "%s is not the name of an errno, such as ENOSYS",
			     quote_text(text != NULL ? text : "", quoted));
}

static int read_errno_number(const json_t *object, const char *path,
			     const struct profile_action_keys *keys, uint64_t *ret,
			     struct error *err)
{
	int r = profile_read_integer(object, path, keys->number, UINT32_MAX, ret, err);

	if (r < 0)
		return r;
	if (*ret < keys->least || *ret > PROFILE_ERRNO_MAX)
		return profile_raise(err, path, keys->number,
				     "must be an errno from %llu to %d (1 is EPERM, 38 ENOSYS)",
				     (unsigned long long)keys->least, PROFILE_ERRNO_MAX);
	return 0;
}

static int read_errno(const json_t *object, const char *path,
		      const struct profile_action_keys *keys, enum profile_action action,
		      uint16_t *ret_errnum, struct error *err)
{
	const json_t *number = profile_get(object, keys->number);
	const json_t *name = profile_get(object, keys->name);
	uint64_t by_number = EPERM, by_name = EPERM;
	int r = 0;

	*ret_errnum = 0;
	if (action != PROFILE_ERRNO && (number != NULL || name != NULL))
		return profile_raise(err, path, number != NULL ? keys->number : keys->name,
				     "goes with SCMP_ACT_ERRNO only, not with %s",
				     action_names[action]);
	if (action != PROFILE_ERRNO)
		return 0;
	if (number != NULL)
		r = read_errno_number(object, path, keys, &by_number, err);
	if (r == 0 && name != NULL)
		r = read_errno_name(name, path, keys->name, &by_name, err);
	if (r < 0)
		return r;
	if (number != NULL && name != NULL && by_number != by_name)
		return profile_raise(err, path, keys->name, "contradicts %s: write one",
				     keys->number);
	*ret_errnum = (uint16_t)(name != NULL ? by_name : by_number);
	return 0;
}

int profile_read_action(const json_t *object, const char *path,
			const struct profile_action_keys *keys, enum profile_action *ret_action,
			uint16_t *ret_errnum, struct error *err)
{
	const json_t *value = profile_get(object, keys->action);
	char action_path[PROFILE_PATH_MAX];
	int r;

	profile_path_key(action_path, path, keys->action);
	if (!json_is_string(value))
		return profile_raise(err, action_path, NULL,
				     "must be an action, for example SCMP_ACT_ERRNO");
	r = parse_action(json_string_value(value), action_path, ret_action, err);
	if (r < 0)
		return r;
	return read_errno(object, path, keys, *ret_action, ret_errnum, err);
}
