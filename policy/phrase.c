/* SPDX-License-Identifier: MIT */
#include "policy/phrase.h"

#include "policy/escape.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char dots[] = "...";

struct phrase phrase_on(char *buffer, size_t size)
{
	buffer[0] = '\0';
	return (struct phrase){ .text = buffer, .size = size };
}

void phrase_add(struct phrase *phrase, const char *format, ...)
{
	size_t room = phrase->size - phrase->used;
	va_list args;
	int length;

	if (phrase->cut)
		return;
	va_start(args, format);
	length = vsnprintf(phrase->text + phrase->used, room, format, args);
	va_end(args);
	if (length >= 0 && (size_t)length < room) {
		phrase->used += (size_t)length;
		return;
	}
	phrase->cut = true;
	phrase->used = escape_whole_characters(phrase->text, phrase->size - sizeof(dots));
	memcpy(phrase->text + phrase->used, dots, sizeof(dots));
	phrase->used += sizeof(dots) - 1;
}
