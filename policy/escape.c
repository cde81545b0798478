/* SPDX-License-Identifier: MIT */
#include "policy/escape.h"

#include "policy/own.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Decodes one character as RFC 3629 allows it: no overlong form, no surrogate, none above 10FFFF.
 * Stops at a NUL, so that a cut character at the end of a string is a bad byte. Returns its length,
 * 0 if the first byte starts none. */
static size_t decode(const unsigned char *in, uint32_t *ret_code)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t code = in[0];
	size_t length;

	if (in[0] < 0x80)
		length = 1;
	else if ((in[0] & 0xe0) == 0xc0)
		length = 2, code &= 0x1f;
	else if ((in[0] & 0xf0) == 0xe0)
		length = 3, code &= 0x0f;
	else if ((in[0] & 0xf8) == 0xf0)
		length = 4, code &= 0x07;
	else
		return 0;

	for (size_t i = 1; i < length; i++) {
		if ((in[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (in[i] & 0x3f);
	}
	if (code < smallest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return length;
}

/* Controls (C0, DEL, C1: U+009B starts an escape sequence just as ESC [ does), separators that some
 * viewers break lines at, and the marks that can show a line in another order than it has. */
static bool is_unprintable(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x00, 0x1f },	    { 0x7f, 0x9f },	{ 0x61c, 0x61c },   { 0x200e, 0x200f },
		{ 0x2028, 0x202e }, { 0x2066, 0x2069 }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

static size_t write_escape(uint32_t code, char *unit)
{
	int length;

	if (code == '\n' || code == '\r' || code == '\t')
		length = snprintf(unit, ESCAPE_UNIT_MAX + 1, "\\%c",
				  code == '\n' ? 'n' : (code == '\r' ? 'r' : 't'));
	else if (code < 0x80)
		length = snprintf(unit, ESCAPE_UNIT_MAX + 1, "\\x%02x", (unsigned)code);
	else
		length = snprintf(unit, ESCAPE_UNIT_MAX + 1, "\\u%04x", (unsigned)code & 0xffff);
	return (size_t)length;
}

size_t escape_step(const char **text, enum escape_for mode, char unit[static ESCAPE_UNIT_MAX + 1])
{
	const unsigned char *in = (const unsigned char *)*text;
	uint32_t code = 0;
	size_t length = decode(in, &code);

	if (length == 0) {
		*text += 1;
		return (size_t)snprintf(unit, ESCAPE_UNIT_MAX + 1, "\\x%02x", (unsigned)in[0]);
	}
	*text += length;
	if (mode == ESCAPE_FOR_TERMINAL && is_unprintable(code))
		return write_escape(code, unit);
	memcpy(unit, in, length);
	unit[length] = '\0';
	return length;
}

const char *escape_string(const char *text, enum escape_for mode, char *buffer, size_t size)
{
	const char *at = text != NULL ? text : "";
	char unit[ESCAPE_UNIT_MAX + 1];
	size_t used = 0;

	while (*at != '\0') {
		size_t length = escape_step(&at, mode, unit);

		if (used + length >= size)
			break;
		memcpy(buffer + used, unit, length);
		used += length;
	}
	if (size > 0)
		buffer[used] = '\0';
	return buffer;
}

size_t escape_whole_characters(const char *text, size_t length)
{
	const unsigned char *in = (const unsigned char *)text;
	size_t start = length;

	/* back to the byte that starts the last character; it spans at most four */
	while (start > 0 && length - start < 4) {
		start--;
		if ((in[start] & 0xc0) != 0x80)
			break;
	}
	if (length == 0 || in[start] < 0xc0)
		return length;

	size_t wanted = in[start] >= 0xf0 ? 4 : (in[start] >= 0xe0 ? 3 : 2);
	return length - start < wanted ? start : length;
}
