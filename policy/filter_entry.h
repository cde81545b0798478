/* SPDX-License-Identifier: MIT */
/*
 * A compiled filter as bytes in a file, with everything that it was made from: a profile's text,
 * and a line on who made it (which pysbx, libseccomp and kernel). It is taken only where all of
 * that is the same, byte for byte, and the instructions have the checksum that they had.
 *
 *   "pysbx-filter 1\n"; uint64_t checksum; uint32_t length of the maker's line, of the profile,
 *   number of instructions, 0; maker, profile, instructions (struct sock_filter)
 *
 * In the byte order of the machine: it never leaves it.
 */
#pragma once

#include "policy/error.h"

#include <linux/filter.h>
#include <stddef.h>

struct filter_entry_key {
	const char *maker; /* one line */
	const char *profile;
	size_t profile_length;
};

/* *ret_bytes is the caller's. */
int filter_entry_encode(const struct filter_entry_key *key, const struct sock_filter *program,
			size_t count, char **ret_bytes, size_t *ret_size, struct error *err);

/* 0 if bytes are an entry of that key, and its program is one that the kernel would load; a copy of
 * that is the caller's. Else an error, for a debug message: such an entry is made anew. */
int filter_entry_decode(const struct filter_entry_key *key, const char *bytes, size_t size,
			struct sock_filter **ret_program, size_t *ret_count, struct error *err);
