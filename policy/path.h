/* SPDX-License-Identifier: MIT */
/*
 * Paths as text. Nothing here looks at a file system: symbolic links are the business of whoever
 * opens the path.
 */
#pragma once

#include "policy/error.h"

#include <stdbool.h>

#define PATH_TEXT_MAX 4095 /* bytes without the NUL: PATH_MAX - 1 */

/* Absolute, no empty, "." or ".." component, no trailing slash (but "/" itself). */
bool path_is_normal(const char *path);

/* What stands behind its last slash: "" if that is its end. */
const char *path_base_name(const char *path);

/* Is path `directory` itself or below it? Both in normal form. */
bool path_is_within(const char *path, const char *directory);

/* The normal form of path, taken from cwd (absolute) if it is relative. ".." takes away the
 * component before it in the text, as Docker and Python's os.path.abspath do: after a symbolic link
 * that is not what the kernel would do. ERROR_INVALID if path is empty or the result too long.
 * Owned by the caller. */
int path_resolve(const char *cwd, const char *path, char **ret_path, struct error *err);
