/* SPDX-License-Identifier: MIT */
/*
 * Foreign words in the columns of a terminal. Everything goes out through escape_step(), so no text
 * of a worker or a tenant can move the cursor, forge a field or break a line. Characters are taken
 * to be one column wide: good enough for a margin.
 */
#pragma once

#include <stdio.h>

struct layout {
	unsigned columns; /* width of a line; UINT_MAX: lines are never broken or cut */
	unsigned indent;  /* where a broken line goes on; less than columns */
};

/* Width of the whole text as it is printed. */
unsigned layout_width(const char *text);

/* Breaks lines at blanks, and a word that is longer than a line anywhere. The cursor is at
 * `column`; ends with "\n". */
void layout_put_wrapped(FILE *out, const struct layout *layout, const char *text, unsigned column);

/* At most `room` columns of text, blanks and tabs kept; what does not fit is cut and ends in "...".
 * Returns the columns used. Writes no "\n". */
unsigned layout_put_cut(FILE *out, const char *text, unsigned room);
