/* SPDX-License-Identifier: MIT */
/*
 * Members that hosting plans and tenants have in common, read from and written to their JSON
 * objects: a name, lists of words, limits. For policy/hosting_plan.c, tenant.c and settings.c.
 * Each stands at the top of its object. What is absent leaves its member as it is; so does a
 * failure. Writing leaves out what is unset.
 */
#pragma once

#include "policy/place.h"
#include "policy/spec.h"

#include <jansson.h>

/* A name as spec_validate_name() takes it. */
int declaration_read_name(const json_t *object, const char *key, bool required, char **name,
			  struct error *err);

/* At most `max` texts, each of which `check` has nothing against, and none twice. This one may
 * stand deeper: outer is the place of `object`, NULL for the top. */
int declaration_read_list(const struct place *outer, const json_t *object, const char *key,
			  size_t max,
			  int (*check)(const char *item, const struct place *at, struct error *err),
			  struct strings *list, struct error *err);

/* "limits": only these fields, each in its range. */
int declaration_read_limits(const json_t *object, uint64_t fields, struct limits *limits,
			    struct error *err);

int declaration_write_text(json_t *object, const char *key, const char *text, struct error *err);
int declaration_write_list(json_t *object, const char *key, const struct strings *list,
			   struct error *err);
int declaration_write_limits(json_t *object, const struct limits *limits, struct error *err);
