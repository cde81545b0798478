/* SPDX-License-Identifier: MIT */
/*
 * An app spec from a JSON object, and back. The keys are those of pysbx.json(5), their table is in
 * policy/spec_row.h. Reading is strict: unknown keys are refused with the nearest known one, wrong
 * types with the right one. Each refusal is ERROR_INVALID "PATH: TEXT", and its path is set.
 *
 * What is read is what was said: between reading and spec_complete() a hosting plan may give more
 * (policy/hosting_plan.h), and spec_validate() has the last word. Text comes through
 * policy/document.h, which bounds size and depth. Its door is the socket; who read it from a file
 * says so.
 */
#pragma once

#include "policy/place.h"
#include "policy/spec.h"

#include <jansson.h>

/* Sets of fields. */
#define SPEC_FIELD_BIT(field) (UINT64_C(1) << (field))
#define SPEC_FIELDS_ALL	      (~UINT64_C(0))
/* What is each app's own has no default. */
#define SPEC_FIELDS_OWN                                                                           \
	(SPEC_FIELD_BIT(FIELD_NAME) | SPEC_FIELD_BIT(FIELD_TENANT) | SPEC_FIELD_BIT(FIELD_PLAN) | \
	 SPEC_FIELD_BIT(FIELD_COMMAND) | SPEC_FIELD_BIT(FIELD_DIRECTORY) |                        \
	 SPEC_FIELD_BIT(FIELD_USER) | SPEC_FIELD_BIT(FIELD_GROUPS) |                              \
	 SPEC_FIELD_BIT(FIELD_LISTEN) | SPEC_FIELD_BIT(FIELD_HEALTH_HTTP) |                       \
	 SPEC_FIELD_BIT(FIELD_HEALTH_HOST))

/* Starts from spec_init(), then takes `defaults` (the same keys, NULL: none), then `object`; name,
 * command and directory must be there. Values of the app replace those of the defaults; of
 * `environment` each variable does. Limits, egress and syscalls of the defaults are
 * left to spec_fill_defaults(). `ret` need not be initialised; the caller clears it. */
int spec_from_json(const json_t *object, const json_t *defaults, struct app_spec *ret,
		   struct error *err);

/* The limits, egress and syscalls of `defaults`, where neither the app nor its plan has said
 * anything: after hosting_plan_apply(), before spec_complete(). Else an app that says nothing would
 * be refused for a default above its plan. On failure spec is as it was. */
int spec_fill_defaults(const json_t *defaults, struct app_spec *spec, struct error *err);

/* Canonical: keys in the order of the table, what is unset left out, quantities as strings that
 * read back as the same. *ret is a new reference. ERROR_INVALID for what JSON can't hold: text that
 * is not UTF-8, a variable without a value. */
int spec_to_json(const struct app_spec *spec, json_t **ret, struct error *err);

/* An object of defaults by itself: keys, types and ranges. `at` is where it stands. */
int spec_check_defaults(const json_t *object, const struct place *at, struct error *err);

/* An object of limits by itself ({"memory": "256M"}), standing at `at`, into `limits`: what it says
 * replaces what was there, the rest stays. Only `fields` may be in it. On failure `limits` is as
 * it was. Ranges are for spec_validate_limits(). */
int spec_limits_from_json(const json_t *object, uint64_t fields, const struct place *at,
			  struct limits *limits, struct error *err);
int spec_limits_to_json(const struct limits *limits, json_t **ret, struct error *err);
