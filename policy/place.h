/* SPDX-License-Identifier: MIT */
/*
 * Where in a JSON document we are: a list on the stack of whoever reads it, written out as a path
 * only when something is wrong: `limits.memory`, `command[2]`, `limits.io["/srv"].rbps`. And what
 * the readers of JSON share: errors that name the place, keys that are known, text of a bounded
 * length.
 */
#pragma once

#include "policy/error.h"

#include <stddef.h>
#include <stdint.h>

struct json_t; /* jansson's, which the launcher does without */

struct place {
	const struct place *outer; /* NULL: the document itself */
	const char *key;	   /* NULL: an array element, at index */
	size_t index;
};

#define PLACE_KNOWN_MAX 64 /* names among which a near one is looked for */

/* ERROR_INVALID "PATH: MESSAGE" ("MESSAGE" for the document itself), and the path for programs.
 * Returns -EINVAL. `at` may be NULL: the document. */
int place_refuse(const struct place *at, struct error *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* `PATH: "WORD" WHAT; did you mean NEAREST?`, with the nearest of names if one is near. */
int place_refuse_word(const struct place *at, const char *word, const char *what,
		      const char *const names[], size_t name_count, struct error *err);

/* Puts the place before the text, and the path, of what another function has raised about the value
 * there. Returns r. */
int place_prefix(const struct place *at, int r, struct error *err);

/* That `value` is an object which holds no key but these. */
int place_check_keys(const struct place *at, const struct json_t *value, const char *const keys[],
		     size_t key_count, struct error *err);

/* The text of a string, "must be a string" for anything else. Good as long as the value. */
int place_text(const struct place *at, const struct json_t *value, const char **ret,
	       struct error *err);

/* That `value` is an array of at most `max` entries. */
int place_check_array(const struct place *at, const struct json_t *value, size_t max,
		      struct error *err);
