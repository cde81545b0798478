/* SPDX-License-Identifier: MIT */
#include "policy/layout.h"

#include "policy/escape.h"

#include <stdbool.h>
#include <string.h>

#define TAB_COLUMNS 4

static const char dots[] = "...";

static unsigned unit_columns(const char *unit)
{
	unsigned columns = 0;

	for (; *unit != '\0'; unit++)
		if (((unsigned char)*unit & 0xc0) != 0x80)
			columns++;
	return columns;
}

/* Takes one character off the text; a tab is blanks here. Returns its width. */
static unsigned step(const char **text, char unit[static ESCAPE_UNIT_MAX + 1])
{
	bool tab = **text == '\t';

	escape_step(text, ESCAPE_FOR_TERMINAL, unit);
	if (tab)
		snprintf(unit, ESCAPE_UNIT_MAX + 1, "%*s", TAB_COLUMNS, "");
	return unit_columns(unit);
}

unsigned layout_width(const char *text)
{
	char unit[ESCAPE_UNIT_MAX + 1];
	unsigned columns = 0;

	while (*text != '\0')
		columns += step(&text, unit);
	return columns;
}

/* Width of the word at the front of text, not counted beyond `most`. */
static unsigned word_columns(const char *text, unsigned most)
{
	char unit[ESCAPE_UNIT_MAX + 1];
	unsigned columns = 0;

	while (*text != '\0' && *text != ' ' && columns <= most) {
		escape_step(&text, ESCAPE_FOR_TERMINAL, unit);
		columns += unit_columns(unit);
	}
	return columns;
}

void layout_put_wrapped(FILE *out, const struct layout *layout, const char *text, unsigned column)
{
	char unit[ESCAPE_UNIT_MAX + 1];

	while (*text != '\0') {
		bool break_here =
			*text == ' ' &&
			column + 1 + word_columns(text + 1, layout->columns) > layout->columns;

		escape_step(&text, ESCAPE_FOR_TERMINAL, unit);
		if (break_here || column + unit_columns(unit) > layout->columns) {
			fprintf(out, "\n%*s", (int)layout->indent, "");
			column = layout->indent;
		}
		if (break_here)
			continue;
		fputs(unit, out);
		column += unit_columns(unit);
	}
	fputc('\n', out);
}

/* How many bytes at the front of text fill `room` columns. */
static size_t fitting(const char *text, unsigned room)
{
	char unit[ESCAPE_UNIT_MAX + 1];
	const char *at = text;

	while (*at != '\0') {
		const char *next = at;
		unsigned width = step(&next, unit);

		if (width > room)
			break;
		room -= width;
		at = next;
	}
	return (size_t)(at - text);
}

unsigned layout_put_cut(FILE *out, const char *text, unsigned room)
{
	char unit[ESCAPE_UNIT_MAX + 1];
	size_t whole = strlen(text), keep = fitting(text, room);
	unsigned mark = room < strlen(dots) ? room : (unsigned)strlen(dots), used = 0;
	bool cut = keep < whole;

	if (cut)
		keep = fitting(text, room - mark);
	for (const char *at = text, *end = text + keep; at < end;) {
		used += step(&at, unit);
		fputs(unit, out);
	}
	if (!cut)
		return used;
	fprintf(out, "%.*s", (int)mark, dots);
	return used + mark;
}
