/* SPDX-License-Identifier: MIT */
#include "policy/python_lines.h"

#include <stdint.h>

/* Lines are counted in 64 bits, where a table of 64 KiB can't overflow them (8 bytes or so make a
 * number of 32). */
static int32_t as_line(int64_t line)
{
	return line >= 0 && line <= INT32_MAX ? (int32_t)line : PYTHON_NO_LINE;
}

/* Pairs: bytes of code, and by how much the line differs behind them. What is behind the last is of
 * the last line. */
static int32_t line_in_lnotab(const unsigned char *table, size_t size, int64_t line,
			      int64_t position)
{
	int64_t at = 0;

	for (size_t i = 0; i + 1 < size; i += 2) {
		at += table[i];
		if (at > position)
			break;
		line += (int8_t)table[i + 1];
	}
	return as_line(line);
}

/* Pairs: bytes of code, and by how much their line differs from that before; -128: no line. */
static int32_t line_in_ranges(const unsigned char *table, size_t size, int64_t line,
			      int64_t position)
{
	int64_t end = 0;

	for (size_t i = 0; i + 1 < size; i += 2) {
		int8_t delta = (int8_t)table[i + 1];

		end += table[i];
		if (delta != INT8_MIN)
			line += delta;
		if (end > position)
			return delta == INT8_MIN ? PYTHON_NO_LINE : as_line(line);
	}
	return PYTHON_NO_LINE;
}

/* --- PEP 657: entries of a first byte with bit 7 set, and more without ----------------------- */

enum {
	LOCATION_ONE_LINE_0 = 10,
	LOCATION_ONE_LINE_2 = 12,
	LOCATION_NO_COLUMNS = 13,
	LOCATION_LONG = 14,
	LOCATION_NONE = 15,
};

/* Six bits a byte, lowest first; bit 6: there is more. The lowest bit of all is the sign. */
static int64_t signed_number(const unsigned char *table, size_t size, size_t at)
{
	uint64_t value = 0;

	for (unsigned shift = 0; at < size && shift <= 30; at++, shift += 6) {
		value |= (uint64_t)(table[at] & 0x3f) << shift;
		if ((table[at] & 0x40) == 0)
			break;
	}
	return (value & 1) != 0 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
}

static int64_t line_delta(const unsigned char *table, size_t size, size_t at)
{
	unsigned kind = table[at] >> 3 & 15;

	if (kind == LOCATION_NO_COLUMNS || kind == LOCATION_LONG)
		return signed_number(table, size, at + 1);
	if (kind >= LOCATION_ONE_LINE_0 && kind <= LOCATION_ONE_LINE_2)
		return kind - LOCATION_ONE_LINE_0;
	return 0;
}

static int32_t line_in_locations(const unsigned char *table, size_t size, int64_t line,
				 int64_t position)
{
	int64_t end = 0;
	size_t at = 0;

	while (at < size) {
		unsigned kind = table[at] >> 3 & 15;

		end += (int64_t)((table[at] & 7) + 1) * 2;
		line += line_delta(table, size, at);
		if (end > position)
			return kind == LOCATION_NONE ? PYTHON_NO_LINE : as_line(line);
		do
			at++;
		while (at < size && (table[at] & 0x80) == 0);
	}
	return PYTHON_NO_LINE;
}

int32_t python_line_at(enum python_lines kind, const unsigned char *table, size_t size,
		       int32_t first_line, int64_t position)
{
	if (position < 0)
		return as_line(first_line);
	switch (kind) {
	case PYTHON_LINES_LNOTAB:
		return line_in_lnotab(table, size, first_line, position);
	case PYTHON_LINES_RANGES:
		return line_in_ranges(table, size, first_line, position);
	case PYTHON_LINES_LOCATIONS:
		return line_in_locations(table, size, first_line, position);
	}
	return PYTHON_NO_LINE;
}
