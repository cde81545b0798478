/* SPDX-License-Identifier: MIT */
/*
 * The search for a system call's number: a binary search over the ranges of numbers that have the
 * same answer. Most neighbours have, so there are a third as many ranges as calls, and the kernel,
 * which translates the program at each load, has as much less to do.
 */
#pragma once

#include "policy/filter_section.h"

#define FILTER_TREE_RANGES (FILTER_SYSCALL_MAX + 1)

/* What is done from number `from` on, up to the next range. */
struct filter_range {
	uint32_t from;
	bool goes_on; /* at `section`, an index in the code; else `answer` is returned */
	uint32_t answer;
	size_t section;
};

/* Appends the search; the accumulator holds the number. The first range is from 0; they ascend. A
 * section may be behind the search, where it is not yet: how long that is says
 * filter_tree_length. */
void filter_tree_write(struct filter_code *code, const struct filter_range *ranges, size_t count);
size_t filter_tree_length(size_t count);
