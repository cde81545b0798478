/* SPDX-License-Identifier: MIT */
/*
 * The second wall: the plan's Landlock rules, by the kernel's own interface. The launcher makes the
 * ruleset when the root stands; the worker enters it, and can't leave.
 */
#pragma once

#include "sandbox/launcher.h"

/* Step, behind root_build. Sets landlock_abi, landlock_errnum and landlock_ruleset, which stays -1
 * where the kernel has no Landlock that is of use, or the plan no rules. ERROR_UNSUPPORTED if the
 * plan requires more than the kernel has. */
int landlock_prepare(struct launcher *launcher, struct error *err);

/* In the worker: no allocation, 0 or a negative errno. It must have no_new_privs. */
int landlock_enter(const struct launcher *launcher);
