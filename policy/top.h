/* SPDX-License-Identifier: MIT */
/*
 * `pysbx top`: from the answer of app.usage to rows, their order, and the cells of a line. Pure:
 * the screen and the batch draw the same cells.
 */
#pragma once

#include "policy/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOP_ROWS_MAX  20000
#define TOP_CELLS_MAX 16
#define TOP_CELL_MAX  256 /* bytes of a cell's text */
#define TOP_SPARK     10  /* columns, and points that are asked for */

struct top_row { /* words and series are borrowed from the answer; -1: unknown or no limit */
	const char *name, *tenant, *state;
	double cpu, cpu_max, throttled; /* percent of a core */
	double memory_stall, cpu_stall, io_stall;
	int64_t memory, memory_max, growth, io, pids, queue, restarts;
	const json_t *cpu_series, *memory_series;
	bool uses; /* it runs: the figures above are there */
};

/* *ret is the caller's to free. The answer must stay. */
int top_read(const json_t *answer, struct top_row **ret, size_t *ret_count, struct error *err);

enum top_key {
	TOP_CPU,
	TOP_MEMORY,
	TOP_SHARE, /* of its memory limit */
	TOP_STALL, /* the largest of the three pressures */
	TOP_IO,
	TOP_PIDS,
	TOP_RESTARTS,
	TOP_NAME,
	TOP_KEY_COUNT,
};
const char *top_key_name(enum top_key key);
/* By the letter of the keyboard; TOP_KEY_COUNT: it is none. */
enum top_key top_key_of_letter(int letter);
int top_key_parse(const char *text, enum top_key *ret, struct error *err);

/* The largest first, names in their order; equal ones by name. */
void top_sort(struct top_row *rows, size_t count, enum top_key key, bool reverse);
/* Moves those whose name, tenant or state has this text in it to the front; returns how many. */
size_t top_filter(struct top_row *rows, size_t count, const char *text);

enum top_colour { TOP_PLAIN, TOP_GOOD, TOP_WARN, TOP_BAD, TOP_DIM };

struct top_cell {
	unsigned at, width; /* columns */
	bool right;
	enum top_colour colour;
	char text[TOP_CELL_MAX]; /* fits the width, and the terminal: foreign words are escaped */
};

/* The cells of a line of `columns`, at least 40; row NULL: of the heading. What has no room is left
 * out, the least telling first. Returns how many. */
size_t top_cells(const struct top_row *row, unsigned columns, bool utf8,
		 struct top_cell cells[static TOP_CELLS_MAX]);
