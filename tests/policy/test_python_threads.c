/* SPDX-License-Identifier: MIT */
/* Whole interpreters, made up: of each version, and such as no interpreter would be. */
#include "policy/own.h"
#include "policy/python_threads.h"
#include "tests/policy/python_image.h"

#include <criterion/criterion.h>
#include <inttypes.h>

static struct image image;
static struct python_threads threads;
static size_t room;
static struct error err;

static const uint32_t versions[] = {
	PYTHON_VERSION(3, 9),  PYTHON_VERSION(3, 10), PYTHON_VERSION(3, 11),
	PYTHON_VERSION(3, 12), PYTHON_VERSION(3, 13), PYTHON_VERSION(3, 14),
};

static int read_image(uint32_t version)
{
	_cleanup_foreign_ struct foreign *memory = foreign_new(image_page, &image);

	cr_assert_not_null(memory);
	python_threads_clear(&threads);
	room = 1 << 20;
	return python_threads_read(memory, image.runtime, version, &room, &threads, &err);
}

static void clear(void)
{
	python_threads_clear(&threads);
}

TestSuite(python_threads, .fini = clear);

static void expect_frame(size_t thread, size_t index, const char *function, int line)
{
	const json_t *frame = json_array_get(threads.items[thread].frames, index);

	cr_assert_not_null(frame, "frame %zu of thread %zu", index, thread);
	cr_expect_str_eq(json_string_value(json_object_get(frame, "function")), function);
	cr_expect_str_eq(json_string_value(json_object_get(frame, "file")), "/srv/app/views.py");
	cr_expect_eq(json_integer_value(json_object_get(frame, "line")), line,
		     "line of %s is %" JSON_INTEGER_FORMAT, function,
		     json_integer_value(json_object_get(frame, "line")));
}

Test(python_threads, reads_each_version)
{
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		cr_assert(image_open(&image, versions[i]));
		image_fill(&image);
		cr_assert_eq(read_image(versions[i]), 0, "%s", err.text);
		cr_expect_eq(threads.version, versions[i]);
		cr_expect_eq(threads.interpreters, 1);
		cr_assert_eq(threads.count, 2);
		expect_frame(0, 0, "inner", 21);
		expect_frame(0, 1, "outer", 10);
		expect_frame(1, 0, "outer", 11);
		cr_expect_eq(json_array_size(threads.items[0].frames), 2);
		cr_expect(!threads.items[0].truncated && !threads.items[1].truncated);
		cr_expect(!threads.items[0].holds_lock && threads.items[1].holds_lock);
		cr_expect_eq(threads.items[1].native, image.layout.thread_native != 0 ? 102 : 0);
		cr_expect(!threads.truncated);
	}
}

Test(python_threads, finds_the_version_where_the_memory_tells_it)
{
	cr_assert(image_open(&image, PYTHON_VERSION(3, 13)));
	image_fill(&image);
	cr_assert_eq(read_image(0), 0, "%s", err.text);
	cr_expect_eq(threads.version, PYTHON_VERSION(3, 13));
	cr_expect_eq(threads.count, 2);
}

Test(python_threads, says_what_is_not_supported)
{
	static const struct {
		uint32_t made, asked;
		uint64_t free_threaded;
		const char *text;
	} cases[] = {
		{ PYTHON_VERSION(3, 11), PYTHON_VERSION(3, 8), 0,
		  "unsupported: CPython 3.8 (stacks are read of 3.9 to 3.14)" },
		{ PYTHON_VERSION(3, 11), PYTHON_VERSION(3, 15), 0,
		  "unsupported: CPython 3.15 (stacks are read of 3.9 to 3.14)" },
		{ PYTHON_VERSION(3, 11), 0x020712f0, 0,
		  "unsupported: CPython 2.7 (stacks are read of 3.9 to 3.14)" },
		{ PYTHON_VERSION(3, 11), 0x030b00c1, 0,
		  "unsupported: a pre-release of CPython 3.11" },
		{ PYTHON_VERSION(3, 11), 0, 0,
		  "unsupported: a CPython whose version can't be found out" },
		{ PYTHON_VERSION(3, 13), 0, 1,
		  "unsupported: a free-threaded build of CPython 3.13" },
		{ PYTHON_VERSION(3, 14), PYTHON_VERSION(3, 14), 1,
		  "unsupported: a free-threaded build of CPython 3.14" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_assert(image_open(&image, cases[i].made));
		image_fill(&image);
		if (cases[i].free_threaded != 0)
			image_put_u64(&image, image.runtime + 16, 1);
		cr_assert_lt(read_image(cases[i].asked), 0);
		cr_expect_eq(err.kind, ERROR_UNSUPPORTED);
		cr_expect_str_eq(err.text, cases[i].text);
		cr_expect_eq(threads.count, 0);
		cr_expect_null(threads.items);
	}
}

Test(python_threads, ends_where_frames_lead_back_to_themselves)
{
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		uint64_t code, first, last;

		cr_assert(image_open(&image, versions[i]));
		code = image_code(&image, image_text(&image, "loop"), image_text(&image, "x.py"), 1,
				  image_two_lines(&image));
		first = image_frame(&image, 0, code, 0);
		last = image_frame(&image, image_frame(&image, first, code, 0), code, 0);
		image_put_u64(&image, first + image.layout.frame_previous, last);
		image_thread(&image, last, 1);
		cr_assert_eq(read_image(versions[i]), 0, "%s", err.text);
		cr_assert_eq(threads.count, 1);
		cr_expect(threads.items[0].truncated);
		cr_expect_leq(json_array_size(threads.items[0].frames), 8);
	}
}

Test(python_threads, ends_where_threads_lead_back_to_themselves)
{
	uint64_t thread;

	cr_assert(image_open(&image, PYTHON_VERSION(3, 11)));
	thread = image_thread(&image, 0, 1);
	image_put_u64(&image, thread + image.layout.thread_next, image_thread(&image, 0, 2));
	cr_assert_eq(read_image(PYTHON_VERSION(3, 11)), 0, "%s", err.text);
	cr_expect(threads.truncated);
	cr_expect_leq(threads.count, 2);
}

Test(python_threads, does_not_show_what_is_no_code)
{
	uint64_t code, frame;

	cr_assert(image_open(&image, PYTHON_VERSION(3, 12)));
	code = image_code(&image, image_text(&image, "real"), image_text(&image, "x.py"), 1,
			  image_two_lines(&image));
	frame = image_frame(&image, 0, image_text(&image, "no code"), 0);
	image_thread(&image, image_frame(&image, frame, code, 0), 1);
	cr_assert_eq(read_image(PYTHON_VERSION(3, 12)), 0, "%s", err.text);
	cr_assert_eq(threads.count, 1);
	cr_expect_eq(json_array_size(threads.items[0].frames), 1);
	cr_expect(threads.items[0].truncated);
}

Test(python_threads, passes_over_the_interpreters_own_frames)
{
	for (size_t i = 3; i < ARRAY_SIZE(versions); i++) {
		uint64_t code, frame;

		cr_assert(image_open(&image, versions[i]));
		code = image_code(&image, image_text(&image, "f"), image_text(&image, "x.py"), 1,
				  image_two_lines(&image));
		frame = image_frame(&image, image_frame(&image, 0, code, 0), 0, 0);
		image_put(&image, frame + image.layout.frame_owner, "\x03", 1);
		image_thread(&image, image_frame(&image, frame, code, 0), 1);
		cr_assert_eq(read_image(versions[i]), 0, "%s", err.text);
		cr_expect_eq(json_array_size(threads.items[0].frames), 2);
		cr_expect(!threads.items[0].truncated);
	}
}

Test(python_threads, takes_no_more_room_than_there_is)
{
	_cleanup_foreign_ struct foreign *memory = foreign_new(image_page, &image);

	cr_assert(image_open(&image, PYTHON_VERSION(3, 11)));
	image_fill(&image);
	room = 100; /* one frame takes some 70 bytes */
	cr_assert_eq(python_threads_read(memory, image.runtime, PYTHON_VERSION(3, 11), &room,
					 &threads, &err),
		     0);
	cr_assert_eq(threads.count, 2);
	/* the second one holds the lock: it is read first */
	cr_expect_eq(json_array_size(threads.items[0].frames), 0);
	cr_expect_eq(json_array_size(threads.items[1].frames), 1);
	cr_expect(threads.items[0].truncated && !threads.items[1].truncated);
	cr_expect_lt(room, 100);
}
