/* SPDX-License-Identifier: MIT */
#include "policy/place.h"

#include "policy/nearest.h"
#include "policy/own.h"
#include "policy/quote.h"

#include <string.h>

#define MESSAGE_TEXT_MAX 700

/* A key that a path can hold without quotes. */
static bool is_plain(const char *key)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_-";

	return key[0] != '\0' && key[strspn(key, letters)] == '\0' && strlen(key) < QUOTE_TEXT_MAX;
}

static void place_write(const struct place *at, char *text, size_t size)
{
	char shown[QUOTE_TEXT_MAX];
	size_t used;

	if (at == NULL || at->outer == NULL) {
		text[0] = '\0';
		return;
	}
	place_write(at->outer, text, size);
	used = strlen(text);
	if (at->key == NULL)
		snprintf(text + used, size - used, "[%zu]", at->index);
	else if (is_plain(at->key))
		snprintf(text + used, size - used, "%s%s", used > 0 ? "." : "", at->key);
	else
		snprintf(text + used, size - used, "[%s]", quote_text(at->key, shown));
}

int place_refuse(const struct place *at, struct error *err, const char *format, ...)
{
	char path[ERROR_PATH_MAX], message[MESSAGE_TEXT_MAX];
	va_list args;
	int r;

	place_write(at, path, sizeof(path));
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	r = error_set(err, ERROR_INVALID, 0, "%s%s%s", path, path[0] != '\0' ? ": " : "", message);
	error_set_path(err, "%s", path);
	return r;
}

int place_refuse_word(const struct place *at, const char *word, const char *what,
		      const char *const names[], size_t name_count, struct error *err)
{
	const char *near = nearest_name(word, names, name_count);
	char shown[QUOTE_TEXT_MAX];

	return place_refuse(at, err, "%s %s%s%s%s", quote_text(word, shown), what,
			    near != NULL ? "; did you mean " : "", near != NULL ? near : "",
			    near != NULL ? "?" : "");
}

int place_prefix(const struct place *at, int r, struct error *err)
{
	char path[ERROR_PATH_MAX], inner[ERROR_PATH_MAX], text[ERROR_TEXT_MAX];
	const char *joint = ": ";

	place_write(at, path, sizeof(path));
	if (path[0] == '\0')
		return r;
	memcpy(inner, err->path, sizeof(inner));
	memcpy(text, err->text, sizeof(text));
	if (inner[0] != '\0' && strncmp(text, inner, strlen(inner)) == 0)
		joint = inner[0] == '[' ? "" : ".";
	snprintf(err->text, sizeof(err->text), "%s%s%s", path, joint, text);
	error_set_path(err, "%s%s%s", path, inner[0] == '\0' || inner[0] == '[' ? "" : ".", inner);
	return r;
}
