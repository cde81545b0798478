/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "policy/python_object.h"
#include "tests/policy/python_image.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct image image;
static struct python_reader reader;
static char text[PYTHON_TEXT_SIZE];

static void setup(void)
{
	cr_assert(image_open(&image, PYTHON_VERSION(3, 11)));
	reader = (struct python_reader){ .memory = foreign_new(image_page, &image),
					 .layout = image.layout };
}

static void clear(void)
{
	foreign_free(reader.memory);
}

TestSuite(python_object, .init = setup, .fini = clear);

static bool read_text(uint64_t address, size_t max, bool tail)
{
	/* what was read before is kept */
	foreign_free(reader.memory);
	reader.memory = foreign_new(image_page, &image);
	return python_text(&reader, address, max, tail, text, sizeof(text));
}

Test(python_object, is_what_its_type_is_called)
{
	uint64_t string = image_text(&image, "x"), bytes = image_bytes(&image, "x", 1);

	cr_expect(python_is(&reader, string, PYTHON_STRING));
	cr_expect(!python_is(&reader, bytes, PYTHON_STRING));
	cr_expect(python_is(&reader, bytes, PYTHON_BYTES));
	cr_expect(!python_is(&reader, bytes, PYTHON_CODE));
	cr_expect(!python_is(&reader, 0, PYTHON_STRING));
	cr_expect(!python_is(&reader, string + 1, PYTHON_STRING));
	cr_expect(!python_is(&reader, UINT64_MAX - 7, PYTHON_STRING));
}

Test(python_object, strings_of_each_width_are_utf_8)
{
	static const uint16_t two[] = { 'a', 0x5c3a, 0x20ac };
	static const uint32_t four[] = { 0x1d530, 'b' };

	cr_assert(read_text(image_text(&image, "plain"), 100, false));
	cr_expect_str_eq(text, "plain");
	cr_assert(read_text(image_string(&image,
					 "Gr\xf6\xdf"
					 "e",
					 5, 1, false),
			    100, false));
	cr_expect_str_eq(text, "Größe");
	cr_assert(read_text(image_string(&image, two, 3, 2, false), 100, false));
	cr_expect_str_eq(text, "a尺€");
	cr_assert(read_text(image_string(&image, four, 2, 4, false), 100, false));
	cr_expect_str_eq(text, "𝔰b");
	cr_assert(read_text(image_text(&image, ""), 100, false));
	cr_expect_str_eq(text, "");
}

Test(python_object, what_is_no_character_is_escaped)
{
	static const uint32_t odd[] = { 0xd800, 0, 0x110000, 0xffffffff };

	cr_assert(read_text(image_string(&image, odd, 4, 4, false), 100, false));
	cr_expect_str_eq(text, "\\ud800\\x00\xef\xbf\xbd\xef\xbf\xbd");
}

Test(python_object, long_strings_keep_their_beginning_or_their_end)
{
	uint64_t address = image_text(&image, "/srv/app/views.py");

	cr_assert(read_text(address, 8, false));
	cr_expect_str_eq(text, "/srv/app");
	cr_assert(read_text(address, 8, true));
	cr_expect_str_eq(text, "...views.py");
	cr_assert(read_text(address, 17, true));
	cr_expect_str_eq(text, "/srv/app/views.py");
}

Test(python_object, strings_that_can_not_be_are_refused)
{
	uint64_t address = image_text(&image, "x");
	static const uint32_t states[] = {
		0,		   /* no width, not compact */
		3U << 2 | 1U << 5, /* three bytes a character */
		1U << 2 | 1U << 6, /* not compact */
		2U << 2 | 3U << 5, /* ASCII in two bytes */
	};

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		image_put_u32(&image, address + PYTHON_STRING_STATE, states[i]);
		cr_expect(!read_text(address, 100, false), "state %zu", i);
	}
	image_put_u32(&image, address + PYTHON_STRING_STATE, 1U << 2 | 3U << 5);
	image_put_u64(&image, address + PYTHON_STRING_LENGTH, UINT64_MAX);
	cr_expect(!read_text(address, 100, false));
}
