/* SPDX-License-Identifier: MIT */
#include "policy/python_object.h"

#include "policy/own.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define LENGTH_MAX (UINT64_C(1) << 40)

static const char *const type_names[PYTHON_TYPE_COUNT] = {
	[PYTHON_CODE] = "code",
	[PYTHON_STRING] = "str",
	[PYTHON_BYTES] = "bytes",
};

bool python_is(struct python_reader *reader, uint64_t address, enum python_type type)
{
	uint64_t there, name;

	if (address == 0 || address % sizeof(uint64_t) != 0 ||
	    !foreign_u64(reader->memory, address + PYTHON_OBJECT_TYPE, &there))
		return false;
	if (reader->types[type] != 0)
		return there == reader->types[type];
	if (there % sizeof(uint64_t) != 0 ||
	    !foreign_u64(reader->memory, there + PYTHON_TYPE_NAME, &name) ||
	    !foreign_equals(reader->memory, name, type_names[type]))
		return false;
	reader->types[type] = there;
	return true;
}

/* --- text ----------------------------------------------------------------------------------- */

/* How a string lies in memory. */
struct shape {
	uint64_t data, length; /* length in characters */
	unsigned kind;	       /* bytes of a character */
};

/* state: bits 2 to 4 are the kind, 5 is compact, 6 is ascii. */
static bool read_shape(struct python_reader *reader, uint64_t address, struct shape *ret)
{
	uint32_t state;
	bool ascii;

	if (!python_is(reader, address, PYTHON_STRING) ||
	    !foreign_u64(reader->memory, address + PYTHON_STRING_LENGTH, &ret->length) ||
	    !foreign_u32(reader->memory, address + PYTHON_STRING_STATE, &state))
		return false;
	ret->kind = state >> 2 & 7;
	ascii = (state >> 6 & 1) != 0;
	ret->data = address + (ascii ? reader->layout.string_ascii : reader->layout.string_compact);
	return ret->length < LENGTH_MAX && (state >> 5 & 1) != 0 && /* compact */
	       (ret->kind == 1 || (!ascii && (ret->kind == 2 || ret->kind == 4)));
}

/* At least PYTHON_CHARACTER_MAX + 1 bytes of room. Returns the length. */
static size_t put_character(char *to, uint32_t code)
{
	if (code == 0)
		return (size_t)sprintf(to, "\\x00");
	if (code >= 0xd800 && code <= 0xdfff)
		return (size_t)sprintf(to, "\\u%04x", code & 0xffff);
	if (code > 0x10ffff)
		code = 0xfffd;
	if (code < 0x80) {
		to[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		to[0] = (char)(0xc0 | code >> 6);
		to[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		to[0] = (char)(0xe0 | code >> 12);
		to[1] = (char)(0x80 | (code >> 6 & 0x3f));
		to[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | code >> 18);
	to[1] = (char)(0x80 | (code >> 12 & 0x3f));
	to[2] = (char)(0x80 | (code >> 6 & 0x3f));
	to[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

static uint32_t character_at(const unsigned char *raw, unsigned kind, size_t index)
{
	uint32_t code = 0;

	memcpy(&code, raw + index * kind, kind); /* little-endian, as all that we run on */
	return code;
}

bool python_text(struct python_reader *reader, uint64_t address, size_t max, bool tail, char *text,
		 size_t size)
{
	unsigned char raw[PYTHON_PATH_MAX * sizeof(uint32_t)];
	struct shape shape;
	uint64_t skipped = 0;
	size_t count, used = 0;

	assert(max <= PYTHON_PATH_MAX && size >= max * PYTHON_CHARACTER_MAX + 4);
	if (!read_shape(reader, address, &shape))
		return false;
	count = shape.length < max ? (size_t)shape.length : max;
	if (tail)
		skipped = shape.length - count;
	if (!foreign_read(reader->memory, shape.data + skipped * shape.kind, raw,
			  count * shape.kind))
		return false;
	if (skipped > 0)
		used = (size_t)sprintf(text, "...");
	for (size_t i = 0; i < count; i++)
		used += put_character(text + used, character_at(raw, shape.kind, i));
	text[used] = '\0';
	return true;
}
