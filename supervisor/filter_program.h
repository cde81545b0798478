/* SPDX-License-Identifier: MIT */
/*
 * A profile's rules as one BPF program. For supervisor/filter.c only.
 */
#pragma once

#include "policy/profile.h"

#include <linux/filter.h>

/* *ret_program: *ret_count instructions (at most BPF_MAXINSNS), owned by the caller. ERROR_INVALID
 * names the JSON path of the rule at fault. */
int filter_program_build(const struct profile *profile, struct sock_filter **ret_program,
			 size_t *ret_count, struct error *err);
