/* SPDX-License-Identifier: MIT */
/*
 * JSON text to a value, strictly: the one door through which JSON of others comes into the daemon,
 * from files and from the socket. The whole text is one object or array. Duplicate keys, NaN and
 * other things that JSON has not, NUL (as a byte and as \u0000), numbers that no integer or double
 * holds and too deep nesting are refused.
 */
#pragma once

#include "policy/error.h"

#include <jansson.h>

/* jansson recurses once for each level, and so does whoever walks the value. */
#define DOCUMENT_DEPTH_MAX 32

/* `text` need not end in NUL. ERROR_INVALID "line 3, column 7: ..." (both from 1), or
 * ERROR_TOO_MANY if length is above size_max. *ret is the caller's: json_decref(). */
int document_parse(const char *text, size_t length, size_t size_max, json_t **ret,
		   struct error *err);

/* A member of what is trusted to have it. Borrowed; "" and 0 if it hasn't. */
const char *document_string(const json_t *object, const char *key);
json_int_t document_number(const json_t *object, const char *key);

static inline void cleanup_json_decref(json_t **json)
{
	json_decref(*json);
}
#define _cleanup_json_ __attribute__((cleanup(cleanup_json_decref)))
