/* SPDX-License-Identifier: MIT */
/*
 * The rules of a profile by number of system call: what a filter is built from and what it is held
 * against. Names become numbers in supervisor/filter_rules.c, which knows libseccomp's tables.
 */
#pragma once

#include "policy/profile.h"

#include <linux/seccomp.h>
#include <stddef.h>

#define FILTER_SYSCALL_MAX 1024	       /* above every number of x86-64 and arm64 */
#define FILTER_X32_BIT	   0x40000000U /* calls of x32 come under the name of x86-64 */

/* One name of one rule. */
struct filter_rule {
	int number;
	unsigned name; /* index in rule->names */
	const struct profile_rule *rule;
};

struct filter_rules {
	const struct profile *profile; /* borrowed; what the items point into */
	enum profile_architecture architecture;
	struct filter_rule *items; /* by number, and for each number in the profile's order */
	size_t count;
};

/* AUDIT_ARCH_*, as the kernel tells a filter. */
uint32_t filter_audit_arch(enum profile_architecture architecture);

/* SECCOMP_RET_* with its errno. */
uint32_t filter_action(enum profile_action action, uint16_t errnum);

/* The items of one number: *ret_count of them from the one returned (past the end if there are
 * none). */
const struct filter_rule *filter_rules_of(const struct filter_rules *rules, int number,
					  size_t *ret_count);

/* What the rules answer to a call. A foreign ABI kills the process. Else a rule whose arguments
 * match decides, else the one without arguments, else the profile's default action. *ret_rule, if
 * not NULL: which rule that was; NULL for the default and for foreign ABIs. */
uint32_t filter_rules_answer(const struct filter_rules *rules, const struct seccomp_data *data,
			     const struct filter_rule **ret_rule);
