/* SPDX-License-Identifier: MIT */
/*
 * A picture of a series in text: bars from left to right, time on the x axis. In Unicode a cell has
 * eight heights; in ASCII two, ':' and '#'.
 */
#pragma once

#include "policy/history.h"

#include <stdbool.h>
#include <stddef.h>

#define PLOT_COLUMNS_MAX 200
#define PLOT_ROWS_MAX	 20
#define PLOT_LINE_MAX	 (PLOT_COLUMNS_MAX * 3 + 1) /* bytes of a row, with its NUL */

struct plot {
	unsigned columns, rows; /* of the bars alone */
	bool unicode;
	int64_t top;		    /* value at the upper edge; more is cut there */
	int64_t from_msec, to_msec; /* time at the left and the right edge */
	int64_t values[PLOT_COLUMNS_MAX];
};

/* top 0: the highest value. columns and rows are held to the bounds above. */
void plot_make(const struct history *history, int64_t top, unsigned columns, unsigned rows,
	       bool unicode, struct plot *ret);

/* The row's bars, the uppermost is 0, without blanks at the end. Returns text. */
const char *plot_row(const struct plot *plot, unsigned row, char text[static PLOT_LINE_MAX]);
