/* SPDX-License-Identifier: MIT */
#include "policy/largest.h"

#include <string.h>

size_t largest_add(struct largest *list, size_t count, size_t room, uint64_t size, size_t index)
{
	size_t at = count;

	while (at > 0 && list[at - 1].size < size)
		at--;
	if (at == room)
		return count;
	if (count < room)
		count++;
	memmove(&list[at + 1], &list[at], (count - at - 1) * sizeof(*list));
	list[at] = (struct largest){ size, index };
	return count;
}
