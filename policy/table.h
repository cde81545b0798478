/* SPDX-License-Identifier: MIT */
/*
 * A table for people: columns as wide as their cells, made to fit a line by cutting the columns
 * that may be cut, the widest first. Cells are foreign words: see policy/layout.h.
 */
#pragma once

#include "policy/strings.h"

#include <stdbool.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX  12
#define TABLE_GAP	   2 /* blanks between columns */
#define TABLE_SHRUNK_WIDTH 8 /* no column is cut below this */

struct table_column {
	const char *heading;
	bool right;  /* numbers */
	bool shrink; /* may be cut when the line is too long */
	/* How a cell is coloured: parameters of SGR ("32"), NULL for not at all. May be NULL. */
	const char *(*colour)(const char *cell);
};

struct table {
	const struct table_column *columns;
	size_t column_count;  /* at most TABLE_COLUMNS_MAX */
	struct strings cells; /* row by row */
};

void table_clear(struct table *table);

/* The next cell; NULL and "" are shown as "-". */
int table_add(struct table *table, const char *cell, struct error *err);

/* All whole rows, under the headings. width: of a line, 0 = nothing is cut. Lines have no blanks at
 * their end. */
void table_print(const struct table *table, unsigned width, bool colour, FILE *out);

#define _cleanup_table_ __attribute__((cleanup(table_clear)))
