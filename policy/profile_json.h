/* SPDX-License-Identifier: MIT */
/*
 * A profile as canonical OCI JSON: conditions decided, "less than" written out, every name in the
 * order of the alphabet and once in a rule, keys in one order. Reading that gives the same profile
 * again, and writing it the same text.
 */
#pragma once

#include "policy/profile.h"

#include <jansson.h>

/* *ret is the caller's reference. */
int profile_to_json(const struct profile *profile, json_t **ret, struct error *err);
