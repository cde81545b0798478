/* SPDX-License-Identifier: MIT */
/*
 * Whether a compiled filter does what its rules say. The compiler is half libseccomp's, of which
 * releases have built filters that let through what they should refuse, and half ours. So no
 * program is used that has not answered as its rules do to all of this:
 *
 * - each number of the table, unknown numbers, negative ones, each number with the bit of x32, and
 *   each number under every other ABI;
 * - for each rule with arguments: a call that it matches; the same with every single bit of each
 *   compared argument turned over, the high half among them; with all bits outside the masks set;
 *   one more and one less; with values of the call's other rules where several arguments count;
 * - mixtures of all these values, drawn from a fixed seed.
 *
 * The cost is linear in the program times the square of the rules of one call: 3 ms for the shipped
 * profiles.
 */
#pragma once

#include "policy/filter_rules.h"

#include <linux/filter.h>

/* 0 if the program may be used. Else ERROR_INVALID with the JSON path of the rule, the call that is
 * answered wrongly, and both answers. */
int filter_check(const struct filter_rules *rules, const struct sock_filter *program, size_t count,
		 struct error *err);

#define FILTER_ANSWER_MAX 24
/* "ERRNO(38)", "ALLOW": for people. Returns buffer, which holds FILTER_ANSWER_MAX. */
const char *filter_answer_text(uint32_t answer, char *buffer);
