/* SPDX-License-Identifier: MIT */
/*
 * A made-up CPython: the few structures that stacks are read from, in memory of a test's own. It
 * lies at IMAGE_BASE and wraps around, so that any address leads somewhere, as it does for a
 * fuzzer.
 */
#pragma once

#include "policy/python_threads.h"

#include <stdint.h>
#include <string.h>

#define IMAGE_SIZE 65536 /* a power of two */
#define IMAGE_BASE UINT64_C(0x10000)

struct image {
	struct python_layout layout;
	size_t used;
	uint64_t types[PYTHON_TYPE_COUNT];
	uint64_t runtime, interpreter;
	unsigned char bytes[IMAGE_SIZE];
};

static inline bool image_page(uint64_t address, void *page, void *userdata)
{
	const struct image *image = userdata;

	memcpy(page, image->bytes + (address - IMAGE_BASE) % IMAGE_SIZE, FOREIGN_PAGE);
	return true;
}

static inline void image_put(struct image *image, uint64_t address, const void *value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		image->bytes[(address + i - IMAGE_BASE) % IMAGE_SIZE] =
			((const unsigned char *)value)[i];
}

static inline void image_put_u64(struct image *image, uint64_t address, uint64_t value)
{
	image_put(image, address, &value, sizeof(value));
}

static inline void image_put_u32(struct image *image, uint64_t address, uint32_t value)
{
	image_put(image, address, &value, sizeof(value));
}

static inline uint64_t image_take(struct image *image, size_t size)
{
	uint64_t address = IMAGE_BASE + image->used;

	image->used += (size + 15) / 16 * 16;
	return address;
}

static inline uint64_t image_object(struct image *image, enum python_type type, size_t size)
{
	uint64_t address = image_take(image, size);

	image_put_u64(image, address + PYTHON_OBJECT_TYPE, image->types[type]);
	return address;
}

static inline uint64_t image_bytes(struct image *image, const void *data, size_t size)
{
	uint64_t address = image_object(image, PYTHON_BYTES, PYTHON_BYTES_DATA + size + 1);

	image_put_u64(image, address + PYTHON_BYTES_SIZE, size);
	image_put(image, address + PYTHON_BYTES_DATA, data, size);
	return address;
}

/* kind: bytes of a character; ascii: of kind 1. */
static inline uint64_t image_string(struct image *image, const void *data, size_t length,
				    unsigned kind, bool ascii)
{
	size_t at = ascii ? image->layout.string_ascii : image->layout.string_compact;
	uint64_t address = image_object(image, PYTHON_STRING, at + length * kind + kind);

	image_put_u64(image, address + PYTHON_STRING_LENGTH, length);
	image_put_u32(image, address + PYTHON_STRING_STATE,
		      kind << 2 | 1U << 5 | (ascii ? 1U << 6 : 0));
	image_put(image, address + at, data, length * kind);
	return address;
}

static inline uint64_t image_text(struct image *image, const char *text)
{
	return image_string(image, text, strlen(text), 1, true);
}

static inline uint64_t image_code(struct image *image, uint64_t name, uint64_t file, int first_line,
				  uint64_t lines)
{
	uint64_t address = image_object(image, PYTHON_CODE, 256);

	image_put_u64(image, address + image->layout.code_name, name);
	image_put_u64(image, address + image->layout.code_file, file);
	image_put_u32(image, address + image->layout.code_first_line, (uint32_t)first_line);
	image_put_u64(image, address + image->layout.code_lines, lines);
	return address;
}

/* position: bytes of code. */
static inline uint64_t image_frame(struct image *image, uint64_t previous, uint64_t code,
				   int64_t position)
{
	uint64_t address = image_take(image, 120);

	image_put_u64(image, address + image->layout.frame_previous, previous);
	image_put_u64(image, address + image->layout.frame_code, code);
	if (image->layout.position == PYTHON_POSITION_POINTER)
		image_put_u64(image, address + image->layout.frame_position,
			      code + image->layout.code_bytes + (uint64_t)position);
	else
		image_put_u32(image, address + image->layout.frame_position,
			      (uint32_t)(image->layout.position == PYTHON_POSITION_UNITS
						 ? position / 2
						 : position));
	return address;
}

/* The newest of the interpreter's threads. */
static inline uint64_t image_thread(struct image *image, uint64_t frame, uint64_t native)
{
	const struct python_layout *layout = &image->layout;
	uint64_t address = image_take(image, 256), at = frame;
	uint64_t head = 0;

	memcpy(&head, image->bytes + image->interpreter + layout->interpreter_threads - IMAGE_BASE,
	       sizeof(head));
	image_put_u64(image, address + layout->thread_next, head);
	image_put_u64(image, address + layout->thread_interpreter, image->interpreter);
	image_put_u64(image, address + layout->thread_id, address + 0x1000000);
	if (layout->thread_native != 0)
		image_put_u64(image, address + layout->thread_native, native);
	if (layout->thread_has_cframe) {
		at = image_take(image, 32);
		image_put_u64(image, at + layout->cframe_frame, frame);
	}
	image_put_u64(image, address + layout->thread_frame, at);
	image_put_u64(image, image->interpreter + layout->interpreter_threads, address);
	return address;
}

static inline void image_hold_lock(struct image *image, uint64_t thread)
{
	const struct python_layout *layout = &image->layout;
	uint64_t lock;

	if (layout->runtime_thread != 0) {
		image_put_u64(image, image->runtime + layout->runtime_thread, thread);
		return;
	}
	lock = image_take(image, 64);
	image_put_u64(image, image->interpreter + layout->interpreter_gil, lock);
	image_put_u64(image, lock + layout->gil_holder, thread);
	image_put_u32(image, lock + layout->gil_locked, 1);
}

/* What 3.13.0 and 3.14.0 tell of themselves, as far as it is read (made from their headers). */
static inline void image_numbers(uint32_t version, uint64_t numbers[PYTHON_DEBUG_OFFSETS])
{
	static const struct {
		uint8_t in_3_13, in_3_14;
		uint16_t value;
	} rows[] = {
		{ 5, 5, 1024 },	 { 8, 8, 64 },	  { 9, 9, 72 },	   { 14, 15, 80 },  { 15, 16, 200 },
		{ 17, 18, 216 }, { 18, 19, 208 }, { 21, 24, 8 },   { 22, 25, 16 },  { 23, 26, 72 },
		{ 24, 27, 152 }, { 25, 28, 160 }, { 29, 32, 8 },   { 30, 33, 0 },   { 31, 34, 56 },
		{ 33, 36, 70 },	 { 35, 40, 112 }, { 36, 41, 120 }, { 38, 43, 136 }, { 39, 44, 68 },
		{ 43, 48, 200 }, { 45, 51, 8 },	  { 47, 53, 24 },  { 65, 75, 16 },  { 66, 76, 32 },
		{ 68, 78, 32 },	 { 69, 79, 16 },  { 70, 80, 40 },
	};
	bool is_3_13 = version >> 16 == 0x030d;

	memset(numbers, 0x77, sizeof(numbers[0]) * PYTHON_DEBUG_OFFSETS);
	memcpy(numbers, PYTHON_DEBUG_COOKIE, sizeof(numbers[0]));
	numbers[1] = version;
	numbers[2] = 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		numbers[is_3_13 ? rows[i].in_3_13 : rows[i].in_3_14] = rows[i].value;
}

/* An interpreter without threads. False: there is no such version. */
static inline bool image_open(struct image *image, uint32_t version)
{
	static const char *const names[PYTHON_TYPE_COUNT] = { "code", "str", "bytes" };
	uint64_t numbers[PYTHON_DEBUG_OFFSETS];
	struct error err;
	int r;

	memset(image, 0, sizeof(*image));
	image_numbers(version, numbers);
	r = python_version_tells(version)
		    ? python_layout_read(numbers, &version, &image->layout, &err)
		    : python_layout_find(version, &image->layout, &err);
	if (r < 0)
		return false;
	for (size_t i = 0; i < PYTHON_TYPE_COUNT; i++) {
		uint64_t name = image_take(image, 16);

		image->types[i] = image_take(image, 64);
		image_put(image, name, names[i], strlen(names[i]));
		image_put_u64(image, image->types[i] + PYTHON_TYPE_NAME, name);
	}
	image->runtime = image_take(image, 2048);
	if (python_version_tells(version))
		image_put(image, image->runtime, numbers, sizeof(numbers));
	image->interpreter = image_take(image, 1024);
	image_put_u64(image, image->runtime + image->layout.runtime_interpreters,
		      image->interpreter);
	return true;
}

/* Two lines of three instructions, as each version writes it: of first_line, and of the next. */
static inline uint64_t image_two_lines(struct image *image)
{
	static const unsigned char lnotab[] = { 6, 1 }, ranges[] = { 6, 0, 6, 1 },
				   locations[] = { 0x80 | 13 << 3 | 2, 0, 0x80 | 11 << 3 | 2, 0,
						   0 };

	switch (image->layout.lines) {
	case PYTHON_LINES_LNOTAB:
		return image_bytes(image, lnotab, sizeof(lnotab));
	case PYTHON_LINES_RANGES:
		return image_bytes(image, ranges, sizeof(ranges));
	default:
		return image_bytes(image, locations, sizeof(locations));
	}
}

/* outer() at line 10 has called inner(), at line 21; a second thread holds the lock and is in
 * outer() at line 11. */
static inline void image_fill(struct image *image)
{
	uint64_t file = image_text(image, "/srv/app/views.py"), lines = image_two_lines(image);
	uint64_t outer = image_code(image, image_text(image, "outer"), file, 10, lines);
	uint64_t inner = image_code(image, image_text(image, "inner"), file, 20, lines);
	uint64_t frame = image_frame(image, 0, outer, 0);

	image_thread(image, image_frame(image, frame, inner, 6), 101);
	image_hold_lock(image, image_thread(image, image_frame(image, 0, outer, 8), 102));
}
