/* SPDX-License-Identifier: MIT */
/* The few largest of many, the largest first; of equals, who came first. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct largest {
	uint64_t size;
	size_t index; /* the caller's: which one it is */
};

/* Takes its place among `count` in `list`, which has room for `room`: the smallest falls out of a
 * full one. Returns how many are in it. */
size_t largest_add(struct largest *list, size_t count, size_t room, uint64_t size, size_t index);
