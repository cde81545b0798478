/* SPDX-License-Identifier: MIT */
/* What a filter's rules say of calls, in words for people; equal rules give equal words. */
#pragma once

#include "policy/filter_rules.h"

/* "arg0 & 0xffffffff = 0x1 and arg2 = 0x0"; "" for a rule without arguments. *ret is the caller's.
 */
int filter_condition_text(const struct profile_rule *rule, char **ret, struct error *err);

/* "ALLOW"; "ALLOW if arg0 = 0x1, or if arg0 = 0x2; else ERRNO(1)". *ret is the caller's. */
int filter_call_text(const struct filter_rules *rules, int number, char **ret, struct error *err);
