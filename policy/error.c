/* SPDX-License-Identifier: MIT */
#include "policy/error.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int exit_code;
} kinds[] = {
	[ERROR_NONE] = { "none", 0 },
	[ERROR_USAGE] = { "usage", 125 },
	[ERROR_INVALID] = { "invalid", 125 },
	[ERROR_NOT_FOUND] = { "not-found", 127 },
	[ERROR_NOT_EXECUTABLE] = { "not-executable", 126 },
	[ERROR_DENIED] = { "denied", 125 },
	[ERROR_UNSUPPORTED] = { "unsupported", 125 },
	[ERROR_UNREACHABLE] = { "unreachable", 125 },
	[ERROR_SYSTEM] = { "system", 125 },
	[ERROR_NO_MEMORY] = { "no-memory", 125 },
	[ERROR_INTERNAL] = { "internal", 125 },
	[ERROR_CONFLICT] = { "conflict", 125 },
	[ERROR_TOO_MANY] = { "too-many", 125 },
	[ERROR_FAILED] = { "failed", 125 },
};
static_assert(sizeof(kinds) / sizeof(kinds[0]) == ERROR_KIND_COUNT, "a name for each kind");

int(error_set)(struct error *err, enum error_kind kind, int errnum, const char *format, ...)
{
	va_list args;
	int length;

	/* a negative errno given by mistake is still that errno */
	errnum = errnum < 0 ? -errnum : errnum;
	err->kind = kind;
	err->errnum = errnum;
	err->path[0] = '\0';

	va_start(args, format);
	length = vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);

	if (errnum != 0 && length >= 0 && (size_t)length < sizeof(err->text))
		snprintf(err->text + length, sizeof(err->text) - (size_t)length, ": %s",
			 strerror(errnum));
	return errnum != 0 ? -errnum : -EINVAL;
}

void error_drop_errno(struct error *err)
{
	const char *words = strerror(err->errnum);
	size_t length = strlen(err->text), end = strlen(": ") + strlen(words);
	char *at;

	if (err->errnum == 0 || length <= end)
		return;
	at = err->text + length - end;
	if (strncmp(at, ": ", 2) == 0 && strcmp(at + 2, words) == 0)
		*at = '\0';
}

void error_set_path(struct error *err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(err->path, sizeof(err->path), format, args);
	va_end(args);
}

void error_prefix(struct error *err, const char *format, ...)
{
	char old[ERROR_TEXT_MAX];
	va_list args;
	int length;

	memcpy(old, err->text, sizeof(old));
	va_start(args, format);
	length = vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);

	if (length >= 0 && (size_t)length < sizeof(err->text))
		snprintf(err->text + length, sizeof(err->text) - (size_t)length, ": %.*s",
			 ERROR_TEXT_MAX, old);
}

int(error_no_memory)(struct error *err)
{
	return error_set(err, ERROR_NO_MEMORY, ENOMEM, "allocation failed");
}

const char *error_kind_name(enum error_kind kind)
{
	return (size_t)kind < ERROR_KIND_COUNT ? kinds[kind].name : "unknown";
}

int error_exit_code(enum error_kind kind)
{
	return (size_t)kind < ERROR_KIND_COUNT ? kinds[kind].exit_code : 125;
}
