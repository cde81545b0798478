/* SPDX-License-Identifier: MIT */
/*
 * The second wall of a sandbox as a part of its plan: Landlock rules for the same allow-list that
 * the mounts are, and their JSON. A part of policy/plan_build.c and policy/plan_json.c.
 */
#pragma once

#include "policy/plan_build.h"
#include "policy/plan_field.h"

/* Rules for what the plan's mount steps show, after all of them; and the ABI that is required. */
int plan_landlock_add(const struct app_spec *spec, struct plan *plan, struct error *err);

/* The codec of struct plan_landlock. */
json_t *plan_landlock_encode(const struct field *field, const void *member, const struct place *at,
			     struct error *err);
int plan_landlock_decode(const struct field *field, const json_t *value, void *member,
			 const struct place *at, struct error *err);
