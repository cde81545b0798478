/* SPDX-License-Identifier: MIT */
#include "policy/largest.h"

#include <criterion/criterion.h>

static size_t pick(const uint64_t *sizes, size_t number, struct largest *list, size_t room)
{
	size_t count = 0;

	for (size_t i = 0; i < number; i++)
		count = largest_add(list, count, room, sizes[i], i);
	return count;
}

Test(largest, come_in_order)
{
	const uint64_t sizes[] = { 5, 9, 1, 7 };
	const size_t order[] = { 1, 3, 0, 2 };
	struct largest list[8];

	cr_assert_eq(pick(sizes, 4, list, 8), 4);
	for (size_t i = 0; i < 4; i++) {
		cr_expect_eq(list[i].index, order[i], "%zu", i);
		cr_expect_eq(list[i].size, sizes[order[i]], "%zu", i);
	}
}

Test(largest, a_full_list_loses_its_smallest)
{
	const uint64_t sizes[] = { 5, 9, 1, 7, 6, 2 };
	const size_t order[] = { 1, 3, 4 };
	struct largest list[4] = { [3] = { 77, 77 } };

	cr_assert_eq(pick(sizes, 6, list, 3), 3);
	for (size_t i = 0; i < 3; i++)
		cr_expect_eq(list[i].index, order[i], "%zu", i);
	cr_expect_eq(list[3].index, 77, "nothing is written behind it");
}

Test(largest, of_equals_the_first_stay)
{
	const uint64_t sizes[] = { 4, 4, 4 };
	struct largest list[2];

	cr_assert_eq(pick(sizes, 3, list, 2), 2);
	cr_expect_eq(list[0].index, 0);
	cr_expect_eq(list[1].index, 1);
}

Test(largest, there_may_be_none)
{
	struct largest list[1];

	cr_expect_eq(pick(NULL, 0, list, 1), 0);
}
