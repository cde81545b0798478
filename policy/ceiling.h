/* SPDX-License-Identifier: MIT */
/*
 * Limits under limits: what an app asks for, held against what a hosting plan or a tenant gives.
 */
#pragma once

#include "policy/spec.h"

/* Each limit of `fields` (SPEC_FIELD_BIT(), io by path) that both have must not be above; LIMIT_MAX
 * is above every real limit. Of what the ceiling leaves unset nothing is asked. ERROR_INVALID
 * "limits.memory: 512M is above what WHO, 256M", where who is "plan basic gives". */
int ceiling_check(const struct limits *asked, const struct limits *ceiling, uint64_t fields,
		  const char *who, struct error *err);

/* Every limit that `limits` leaves unset is taken from `given`, io rate by rate. Not memory_high
 * and tmp_size where the app's memory is smaller: they would be above it. On failure (too many io
 * limits) `limits` is as it was. */
int ceiling_fill(struct limits *limits, const struct limits *given, struct error *err);
