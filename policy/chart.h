/* SPDX-License-Identifier: MIT */
/*
 * Figures drawn with characters: bars, sparklines, columns over time. Pure. With `utf8` in eighths
 * of a character, else in ASCII.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CHART_COLUMNS_MAX 240
#define CHART_ROWS_MAX	  40
#define CHART_UNKNOWN	  UINT64_MAX /* a value that is not there: nothing is drawn */
#define CHART_TEXT_MAX	  (CHART_COLUMNS_MAX * 4 + 1)

/* `part` of `whole` as a bar of so many columns, the rest of it blank; more than whole is full.
 * Text holds CHART_TEXT_MAX bytes and is returned. */
const char *chart_bar(uint64_t part, uint64_t whole, unsigned columns, bool utf8, char *text);

/* A character a value, 0 to `top`; what is not 0 shows. As above. */
const char *chart_sparkline(const uint64_t *values, size_t count, uint64_t top, bool utf8,
			    char *text);

/* `count` points in time (ascending, at least one) into `columns` equal spans from the first to the
 * last: the largest value that held in each. */
void chart_bin_levels(const uint64_t *times, const uint64_t *values, size_t count,
		      uint64_t *ret_bins, size_t columns);
/* The same of a counter: how much it grew in each, per `unit` of time. One that falls began anew.
 */
void chart_bin_rates(const uint64_t *times, const uint64_t *values, size_t count, uint64_t unit,
		     uint64_t *ret_bins, size_t columns);

struct chart {
	const uint64_t *values;
	size_t count;  /* columns, at most CHART_COLUMNS_MAX */
	unsigned rows; /* at most CHART_ROWS_MAX */
	uint64_t top;  /* what the full height stands for; 0: the largest value */
	bool utf8;
	unsigned margin; /* columns of labels at the left */
	/* A value as a label, at most margin - 1 characters: written beside the rows. */
	const char *(*label)(uint64_t value, char *text);
};
/* `rows` lines, the highest first, without an axis below. */
void chart_print(const struct chart *chart, FILE *out);
