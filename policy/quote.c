/* SPDX-License-Identifier: MIT */
#include "policy/quote.h"

#include "policy/escape.h"

#include <stdio.h>
#include <string.h>

/* Room that stays free for the closing quote, the dots and the NUL. */
#define TAIL_SIZE sizeof("\"...")

const char *quote_text(const char *text, char *buffer)
{
	char *out = buffer, *end = buffer + QUOTE_TEXT_MAX - TAIL_SIZE;
	char unit[ESCAPE_UNIT_MAX + 1];
	const char *at = text;

	*out++ = '"';
	while (*at != '\0') {
		const char *next = at;
		size_t length = escape_step(&next, ESCAPE_FOR_TERMINAL, unit);

		if (length > (size_t)(end - out))
			break;
		memcpy(out, unit, length);
		out += length;
		at = next;
	}
	snprintf(out, TAIL_SIZE, "\"%s", *at != '\0' ? "..." : "");
	return buffer;
}
