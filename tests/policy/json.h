/* SPDX-License-Identifier: MIT */
/*
 * JSON in tests: written with ' for ", so that it can be read.
 */
#pragma once

#include "policy/document.h"

#include <criterion/criterion.h>
#include <string.h>

#define JSON_TEXT_MAX 65536

static inline json_t *json_from(const char *text)
{
	static char quoted[JSON_TEXT_MAX];
	struct error err = { 0 };
	json_t *value = NULL;

	cr_assert_lt(strlen(text), sizeof(quoted));
	memcpy(quoted, text, strlen(text) + 1);
	for (char *at = quoted; (at = strchr(at, '\'')) != NULL;)
		*at = '"';
	cr_assert_eq(document_parse(quoted, strlen(quoted), sizeof(quoted), &value, &err), 0,
		     "%s: %s", text, err.text);
	return value;
}

/* What `value` is written as, compact, with ' for ". Owned by the caller. */
static inline char *json_text(const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	cr_assert_not_null(text);
	for (char *at = text; (at = strchr(at, '"')) != NULL;)
		*at = '\'';
	return text;
}
