/* SPDX-License-Identifier: MIT */
#include "policy/path.h"

#include "policy/own.h"
#include "policy/quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Is the component of this length "", "." or ".."? */
static bool is_special(const char *component, size_t length)
{
	return length == 0 || (length == 1 && component[0] == '.') ||
	       (length == 2 && component[0] == '.' && component[1] == '.');
}

bool path_is_normal(const char *path)
{
	if (path[0] != '/')
		return false;
	if (path[1] == '\0')
		return true;
	while (*path == '/') {
		size_t length = strcspn(++path, "/");

		if (is_special(path, length))
			return false;
		path += length;
	}
	return true;
}

const char *path_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

bool path_is_within(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	if (length == 1) /* "/" */
		return true;
	return strncmp(path, directory, length) == 0 &&
	       (path[length] == '\0' || path[length] == '/');
}

/* Brings an absolute path into normal form, in place: the result is never longer. */
static void normalize(char *path)
{
	char *out = path;
	const char *in = path;

	while (*in == '/') {
		size_t length = strcspn(++in, "/");

		if (length == 2 && is_special(in, length)) {
			while (out > path && *--out != '/')
				;
		} else if (!is_special(in, length)) {
			*out++ = '/';
			memmove(out, in, length);
			out += length;
		}
		in += length;
	}
	if (out == path)
		*out++ = '/';
	*out = '\0';
}

int path_resolve(const char *cwd, const char *path, char **ret_path, struct error *err)
{
	_cleanup_free_ char *result = NULL;
	char shown[QUOTE_TEXT_MAX];
	int length;

	if (path[0] == '\0')
		return error_set(err, ERROR_INVALID, 0, "the path is empty");
	if (path[0] == '/')
		length = asprintf(&result, "%s", path);
	else
		length = asprintf(&result, "%s/%s", cwd, path);
	if (length < 0) {
		result = NULL;
		return error_no_memory(err);
	}
	normalize(result);
	if (strlen(result) > PATH_TEXT_MAX)
		return error_set(err, ERROR_INVALID, 0, "%s is longer than %d bytes",
				 quote_text(result, shown), PATH_TEXT_MAX);
	*ret_path = TAKE_PTR(result);
	return 0;
}
