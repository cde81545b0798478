/* SPDX-License-Identifier: MIT */
/*
 * The instructions that decide one system call by its arguments, behind the search for its number.
 *
 * They are ours, not libseccomp's: release 2.5.4 shares equal pieces of code between calls without
 * regard to what the accumulator holds there, and then compares the wrong argument. The shipped
 * profile let socket(AF_NETLINK, ..., 1) through on arm64 that way.
 *
 * Rules that look at the same bits of one half of one argument, as those of ioctl do, become a
 * binary search over their values; all others are tried one after the other.
 */
#pragma once

#include "policy/filter_rules.h"

#include <linux/filter.h>

/* A program that grows; free with filter_code_clear. */
struct filter_code {
	struct sock_filter *items;
	size_t count;
	bool failed; /* too long, or no memory: what is appended since then is lost */
	bool no_memory;
};

void filter_code_append(struct filter_code *code, struct sock_filter instruction);
void filter_code_clear(struct filter_code *code);

/* For the rules of one call (those without arguments are passed over; of the others no two that
 * match the same call differ): returns the action of one that matches, and goes on behind itself
 * where none does. */
void filter_section_write(struct filter_code *code, const struct filter_rule *items, size_t count);
