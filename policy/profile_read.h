/* SPDX-License-Identifier: MIT */
/*
 * What the readers of a seccomp profile share: JSON paths, errors that name them, typed values.
 * For policy/profile*.c only.
 */
#pragma once

#include "policy/profile.h"

#include <jansson.h>

#define PROFILE_PATH_MAX 120 /* "syscalls[1023].includes.arches[2147483647]" and its NUL fit */

/* ERROR_INVALID, "PATH.KEY: TEXT"; path may be "" and key NULL. Returns -EINVAL. */
int profile_raise(struct error *err, const char *path, const char *key, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* `PATH: "VALUE" is not KIND; did you mean NEAREST?` */
int profile_raise_unknown(struct error *err, const char *path, const char *kind, const char *value,
			  const char *const names[], size_t name_count);

/* "path.key" and "path.key[index]"; path or key may be "". buffer holds PROFILE_PATH_MAX. */
void profile_path_key(char *buffer, const char *path, const char *key);
void profile_path_item(char *buffer, const char *path, const char *key, size_t index);

bool profile_is_listed(const char *word, const char *const names[], size_t count);

/* The value at key; NULL for an absent one and for null, which is how Go writes "nothing". */
const json_t *profile_get(const json_t *object, const char *key);

/* That `object` is one, and holds no key but these. */
int profile_check_keys(const json_t *object, const char *path, const char *const keys[],
		       size_t key_count, struct error *err);

/* A whole number from 0 to max, which must be there. */
int profile_read_integer(const json_t *object, const char *path, const char *key, uint64_t max,
			 uint64_t *ret_value, struct error *err);

/* The keys of an action: its own, its errno as a number and as a name, and the least number. */
struct profile_action_keys {
	const char *action, *number, *name;
	uint64_t least;
};

/* EPERM where no errno is said, as in OCI. */
int profile_read_action(const json_t *object, const char *path,
			const struct profile_action_keys *keys, enum profile_action *ret_action,
			uint16_t *ret_errnum, struct error *err);
