/* SPDX-License-Identifier: MIT */
/* An app's spec in tests, from JSON with ' for ", as it is before plan and defaults. */
#pragma once

#include "policy/spec_json.h"
#include "tests/policy/json.h"

#define _cleanup_spec_ __attribute__((cleanup(spec_clear)))

static inline struct app_spec read_spec(const char *text)
{
	json_t *object = json_from(text);
	struct app_spec spec = { 0 };
	struct error err = { 0 };

	cr_assert_eq(spec_from_json(object, NULL, &spec, &err), 0, "%s: %s", text, err.text);
	json_decref(object);
	return spec;
}
