/* SPDX-License-Identifier: MIT */
/* A profile's rules by number of system call. */
#pragma once

#include "policy/filter_rules.h"

/* *ret borrows the profile; free with filter_rules_clear. Names of calls that this architecture
 * lacks are passed over. ERROR_INVALID names the JSON path of a name that nobody knows, or of rules
 * that contradict each other. */
int filter_rules_resolve(const struct profile *profile, enum profile_architecture architecture,
			 struct filter_rules *ret, struct error *err);
void filter_rules_clear(struct filter_rules *rules);

#define _cleanup_filter_rules_ __attribute__((cleanup(filter_rules_clear)))
