/* SPDX-License-Identifier: MIT */
/*
 * A growing list of strings that owns each of them and stays NULL-terminated, so that `items` can
 * be given to execve(2). Zero-initialised = empty (items is NULL then). A failed call leaves the
 * list as it was.
 */
#pragma once

#include "policy/error.h"

#include <stdbool.h>
#include <stddef.h>

struct strings {
	char **items;
	size_t count;
};

void strings_clear(struct strings *strings);
int strings_append(struct strings *strings, const char *item, struct error *err);
/* Copies of all items of `more`; a part of them on failure. */
int strings_append_all(struct strings *strings, const struct strings *more, struct error *err);
int strings_appendf(struct strings *strings, struct error *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool strings_contains(const struct strings *strings, const char *item);
/* The same items in the same order. */
bool strings_equal(const struct strings *a, const struct strings *b);

/* Environment lists: the value of the first "NAME=value" item, NULL if there is none. set puts the
 * new value in its place (at the end if there is none) and takes out any further one; an item that
 * is a bare "NAME" is another thing and stays. */
const char *strings_env_get(const struct strings *env, const char *name);
int strings_env_set(struct strings *env, const char *name, const char *value, struct error *err);

#define _cleanup_strings_ __attribute__((cleanup(strings_clear)))
