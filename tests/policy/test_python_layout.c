/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "policy/python_layout.h"
#include "tests/policy/python_image.h"

#include <criterion/criterion.h>

static uint64_t numbers[PYTHON_DEBUG_OFFSETS];
static struct python_layout layout;
static struct error err;
static uint32_t version;

Test(python_layout, of_3_13_is_what_it_tells)
{
	/* the values of a real 3.13.0 on x86-64 */
	image_numbers(PYTHON_VERSION(3, 13), numbers);
	cr_assert_eq(python_layout_read(numbers, &version, &layout, &err), 0, "%s", err.text);
	cr_expect_eq(version, PYTHON_VERSION(3, 13));
	cr_expect_eq(layout.thread_frame, 72);
	cr_expect_eq(layout.frame_code, 0);
	cr_expect_eq(layout.frame_code_tag, 0);
	cr_expect_eq(layout.code_bytes, 200);
	cr_expect_eq(layout.gil_holder, 8);
	cr_expect_eq(layout.gil_locked, 16);
}

Test(python_layout, of_3_14_has_tagged_code)
{
	image_numbers(PYTHON_VERSION(3, 14), numbers);
	cr_assert_eq(python_layout_read(numbers, &version, &layout, &err), 0, "%s", err.text);
	cr_expect_eq(version, PYTHON_VERSION(3, 14));
	cr_expect_eq(layout.frame_code_tag, 7);
}

/* Each number that is used, changed to what it can't be. */
Test(python_layout, that_can_not_be_is_refused)
{
	static const uint32_t versions[] = { PYTHON_VERSION(3, 13), PYTHON_VERSION(3, 14) };
	static const uint64_t values[] = { UINT64_MAX, UINT64_C(1) << 32, 8 << 20, 100003 };

	for (size_t v = 0; v < ARRAY_SIZE(versions); v++) {
		unsigned used = 0;

		for (size_t i = 0; i < PYTHON_DEBUG_OFFSETS; i++) {
			for (size_t j = 0; j < ARRAY_SIZE(values); j++) {
				struct python_layout before, after;

				image_numbers(versions[v], numbers);
				cr_assert_eq(python_layout_read(numbers, &version, &before, &err),
					     0);
				numbers[i] = values[j];
				memset(&after, 0x5a, sizeof(after));
				if (python_layout_read(numbers, &version, &after, &err) < 0) {
					cr_expect_eq(err.kind, ERROR_UNSUPPORTED);
					used += j == 0;
				} else {
					/* not one of those that are used */
					cr_expect_eq(memcmp((const unsigned char *)&before,
							    (const unsigned char *)&after,
							    offsetof(struct python_layout,
								     thread_has_cframe)),
						     0, "number %zu", i);
				}
			}
		}
		cr_expect_eq(used, 31, "%u numbers are used", used);
	}
}

Test(python_layout, of_one_version_is_not_taken_for_the_other)
{
	image_numbers(PYTHON_VERSION(3, 13), numbers);
	numbers[1] = PYTHON_VERSION(3, 14);
	cr_expect_lt(python_layout_read(numbers, &version, &layout, &err), 0);
	image_numbers(PYTHON_VERSION(3, 14), numbers);
	numbers[1] = PYTHON_VERSION(3, 13);
	cr_expect_lt(python_layout_read(numbers, &version, &layout, &err), 0);
	numbers[0] = 0;
	cr_expect_lt(python_layout_read(numbers, &version, &layout, &err), 0);
}

Test(python_layout, of_older_ones_is_a_row)
{
	cr_assert_eq(python_layout_find(0x030b07f0, &layout, &err), 0);
	cr_expect_eq(layout.lines, PYTHON_LINES_LOCATIONS);
	cr_assert_eq(python_layout_find(0x030912f0, &layout, &err), 0);
	cr_expect_eq(layout.lines, PYTHON_LINES_LNOTAB);
	cr_expect_lt(python_layout_find(0x030d00f0, &layout, &err), 0);
	cr_expect_lt(python_layout_find(0x030812f0, &layout, &err), 0);
}
