/* SPDX-License-Identifier: MIT */
/*
 * Environment files in the grammar of systemd.exec(5), EnvironmentFile=, so that the file of a
 * systemd service can be used as it is: NAME=value a line, '#' or ';' comments, values bare, in
 * 'single' or in "double" quotes (which may span lines), backslash escapes, lines without "="
 * passed over. Where systemd logs and goes on, this raises an error with the line number: a name
 * that is none ("export A"), a quote that never ends, bytes that are no UTF-8.
 *
 * Pure: the caller reads the file.
 */
#pragma once

#include "policy/error.h"
#include "policy/strings.h"

#define ENV_FILE_SIZE_MAX (1U << 20) /* bytes */

/* Sets each variable in env; of one that comes twice the later wins. At the most
 * SPEC_ENVIRONMENT_MAX are in env then, those of earlier files included. text has a NUL behind its
 * length. On failure env is untouched and the error's text begins "line N: ". */
int env_file_parse(const char *text, size_t length, struct strings *env, struct error *err);

/* [A-Za-z_][A-Za-z0-9_]*, what a shell and systemd take as a variable's name. */
bool env_name_is_valid(const char *name, size_t length);
