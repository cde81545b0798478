/* SPDX-License-Identifier: MIT */
/*
 * A profile's rules as one BPF program, for the architecture of this machine or another one.
 */
#pragma once

#include "policy/profile.h"

#include <linux/filter.h>

/* *ret_program: *ret_count instructions (at most BPF_MAXINSNS), owned by the caller, which answer
 * as the rules do: that was checked (policy/filter_check.h). ERROR_INVALID names the JSON path of
 * the rule at fault. */
int filter_program_build(const struct profile *profile, enum profile_architecture architecture,
			 struct sock_filter **ret_program, size_t *ret_count, struct error *err);
