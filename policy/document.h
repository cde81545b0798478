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

static inline void cleanup_json_decref(json_t **json)
{
	json_decref(*json);
}
#define _cleanup_json_ __attribute__((cleanup(cleanup_json_decref)))
