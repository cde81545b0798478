/* SPDX-License-Identifier: MIT */
#include "policy/strings.h"

#include "policy/own.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void strings_clear(struct strings *strings)
{
	for (size_t i = 0; i < strings->count; i++)
		free(strings->items[i]);
	free(strings->items);
	*strings = (struct strings){ 0 };
}

/* Takes item over, also when it fails. The array grows by one each time: lists here are bounded and
 * short, and realloc(3) seldom moves. */
static int append_owned(struct strings *strings, char *item, struct error *err)
{
	char **items = reallocarray(strings->items, strings->count + 2, sizeof(*items));

	if (items == NULL) {
		free(item);
		return error_no_memory(err);
	}
	items[strings->count++] = item;
	items[strings->count] = NULL;
	strings->items = items;
	return 0;
}

int strings_append(struct strings *strings, const char *item, struct error *err)
{
	char *copy = strdup(item);

	if (copy == NULL)
		return error_no_memory(err);
	return append_owned(strings, copy, err);
}

int strings_append_all(struct strings *strings, const struct strings *more, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < more->count; i++)
		r = strings_append(strings, more->items[i], err);
	return r;
}

int strings_appendf(struct strings *strings, struct error *err, const char *format, ...)
{
	char *item;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&item, format, args);
	va_end(args);
	if (length < 0)
		return error_no_memory(err);
	return append_owned(strings, item, err);
}

bool strings_contains(const struct strings *strings, const char *item)
{
	for (size_t i = 0; i < strings->count; i++)
		if (strcmp(strings->items[i], item) == 0)
			return true;
	return false;
}

bool strings_equal(const struct strings *a, const struct strings *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

/* The value if entry is "NAME=value" with this name, else NULL. */
static const char *env_value(const char *entry, const char *name)
{
	size_t length = strlen(name);

	if (strncmp(entry, name, length) != 0 || entry[length] != '=')
		return NULL;
	return entry + length + 1;
}

const char *strings_env_get(const struct strings *env, const char *name)
{
	for (size_t i = 0; i < env->count; i++) {
		const char *value = env_value(env->items[i], name);

		if (value != NULL)
			return value;
	}
	return NULL;
}

/* Takes out every entry of this name from index `from` on. */
static void env_remove(struct strings *env, const char *name, size_t from)
{
	size_t kept = from;

	for (size_t i = from; i < env->count; i++) {
		if (env_value(env->items[i], name) != NULL)
			free(env->items[i]);
		else
			env->items[kept++] = env->items[i];
	}
	env->count = kept;
	if (env->items != NULL)
		env->items[kept] = NULL;
}

int strings_env_set(struct strings *env, const char *name, const char *value, struct error *err)
{
	char *entry;

	if (asprintf(&entry, "%s=%s", name, value) < 0)
		return error_no_memory(err);

	for (size_t i = 0; i < env->count; i++) {
		if (env_value(env->items[i], name) == NULL)
			continue;
		free(env->items[i]);
		env->items[i] = entry;
		env_remove(env, name, i + 1);
		return 0;
	}
	return append_owned(env, entry, err);
}
