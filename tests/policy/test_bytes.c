/* SPDX-License-Identifier: MIT */
#include "policy/bytes.h"

#include <criterion/criterion.h>
#include <string.h>

Test(bytes, appends_at_the_end_and_takes_off_the_front)
{
	_cleanup_bytes_ struct bytes bytes = { 0 };
	struct error err;

	cr_assert_eq(bytes_append_text(&bytes, "hello ", &err), 0);
	cr_assert_eq(bytes_append_text(&bytes, "world", &err), 0);
	bytes_take(&bytes, 6);
	cr_assert_eq(bytes.length, 5);
	cr_assert_eq(memcmp(bytes_front(&bytes), "world", 5), 0);
	bytes_truncate(&bytes, 2);
	cr_assert_eq(bytes.length, 2);
	bytes_take(&bytes, 2);
	cr_assert_eq(bytes.start, 0, "an empty one starts anew");
}

Test(bytes, does_not_grow_when_as_much_is_taken_as_is_appended)
{
	_cleanup_bytes_ struct bytes bytes = { 0 };
	char chunk[700];
	struct error err;

	memset(chunk, 'x', sizeof(chunk));
	for (int i = 0; i < 10000; i++) {
		cr_assert_eq(bytes_append(&bytes, chunk, sizeof(chunk), &err), 0);
		bytes_take(&bytes, bytes.length > sizeof(chunk) ? sizeof(chunk) : 100);
	}
	cr_assert_leq(bytes.allocated, 8192);
}

Test(bytes, keeps_its_bytes_in_order_over_any_mix_of_appending_and_taking)
{
	_cleanup_bytes_ struct bytes bytes = { 0 };
	unsigned char next_in = 0, next_out = 0;
	unsigned random = 1;
	struct error err;

	for (int i = 0; i < 20000; i++) {
		size_t count;

		random = random * 1103515245 + 12345;
		count = random >> 16 & 0xff;
		for (size_t j = 0; (random >> 24 & 1) != 0 && j < count; j++, next_in++)
			cr_assert_eq(bytes_append(&bytes, (const char *)&next_in, 1, &err), 0);
		count = (random >> 8 & 0xff) < bytes.length ? random >> 8 & 0xff : bytes.length;
		for (size_t j = 0; j < count; j++)
			cr_assert_eq((unsigned char)bytes_front(&bytes)[j], next_out++);
		bytes_take(&bytes, count);
		if (i % 7 == 0)
			bytes_shrink(&bytes);
	}
}

Test(bytes, an_empty_one_that_shrinks_holds_no_memory)
{
	_cleanup_bytes_ struct bytes bytes = { 0 };
	struct error err;

	bytes_shrink(&bytes);
	cr_assert_eq(bytes_reserve(&bytes, 100000, &err), 0);
	cr_assert_geq(bytes_room(&bytes), 100000);
	memset(bytes_end(&bytes), 'x', 100000);
	bytes_grow(&bytes, 100000);
	bytes_take(&bytes, 99990);
	bytes_shrink(&bytes);
	cr_assert_leq(bytes.allocated, 1024);
	cr_assert_eq(memcmp(bytes_front(&bytes), "xxxxxxxxxx", 10), 0);
	bytes_take(&bytes, 10);
	bytes_shrink(&bytes);
	cr_assert_null(bytes.data);
}
