/* SPDX-License-Identifier: MIT */
/*
 * The second wall of a sandbox as a part of its plan: Landlock rules for the same allow-list that
 * the mounts are. A part of policy/plan_build.c.
 */
#pragma once

#include "policy/plan_build.h"

/* Rules for what the plan's mount steps show, after all of them; and the ABI that is required. */
int plan_landlock_add(const struct app_spec *spec, struct plan *plan, struct error *err);
