/* SPDX-License-Identifier: MIT */
#include "policy/top.h"

#include "policy/chart.h"
#include "policy/escape.h"
#include "policy/figure.h"
#include "policy/own.h"
#include "policy/quote.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* --- reading --------------------------------------------------------------------------------- */

static int64_t number_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) ? (int64_t)json_integer_value(value) : -1;
}

static double percent_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	double percent = json_number_value(value);

	return json_is_number(value) && percent >= 0 && percent < 1e7 ? percent : -1;
}

static const char *word_of(const json_t *object, const char *key)
{
	const char *word = json_string_value(json_object_get(object, key));

	return word != NULL ? word : "";
}

static struct top_row read_row(const json_t *object)
{
	const json_t *pressure = json_object_get(object, "pressure");
	int64_t cpu_milli = number_of(object, "cpu_milli");

	return (struct top_row){
		.name = word_of(object, "name"),
		.tenant = word_of(object, "tenant"),
		.state = word_of(object, "state"),
		.cpu = percent_of(object, "cpu"),
		.cpu_max = cpu_milli > 0 ? (double)cpu_milli / 10.0 : -1,
		.throttled = percent_of(object, "throttled"),
		.memory_stall = percent_of(json_object_get(pressure, "memory"), "full_avg10"),
		.cpu_stall = percent_of(json_object_get(pressure, "cpu"), "some_avg10"),
		.io_stall = percent_of(json_object_get(pressure, "io"), "full_avg10"),
		.memory = number_of(object, "memory"),
		.memory_max = number_of(object, "memory_max"),
		.growth = json_integer_value(json_object_get(object, "growth")),
		.io = number_of(object, "io"),
		.pids = number_of(object, "pids"),
		.queue = number_of(object, "queue"),
		.restarts = number_of(object, "restarts"),
		.cpu_series = json_object_get(object, "cpu_series"),
		.memory_series = json_object_get(object, "memory_series"),
		.uses = json_is_integer(json_object_get(object, "memory")),
	};
}

int top_read(const json_t *answer, struct top_row **ret, size_t *ret_count, struct error *err)
{
	const json_t *apps = json_object_get(answer, "apps"), *app;
	size_t count = json_array_size(apps), index;
	struct top_row *rows;

	if (count > TOP_ROWS_MAX)
		count = TOP_ROWS_MAX;
	rows = calloc(count + 1, sizeof(*rows));
	if (rows == NULL)
		return error_no_memory(err);
	json_array_foreach(apps, index, app)
	{
		if (index == count)
			break;
		rows[index] = read_row(app);
	}
	*ret = rows;
	*ret_count = count;
	return 0;
}

/* --- order ----------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	char letter;
} keys[] = {
	[TOP_CPU] = { "cpu", 'c' },
	[TOP_MEMORY] = { "memory", 'm' },
	[TOP_SHARE] = { "share", 's' },
	[TOP_STALL] = { "stall", 'p' },
	[TOP_IO] = { "io", 'i' },
	[TOP_PIDS] = { "pids", 't' },
	[TOP_RESTARTS] = { "restarts", 'r' },
	[TOP_NAME] = { "name", 'n' },
};
static_assert(ARRAY_SIZE(keys) == TOP_KEY_COUNT, "a row for each key");

const char *top_key_name(enum top_key key)
{
	return keys[key].name;
}

enum top_key top_key_of_letter(int letter)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].letter == letter)
			return (enum top_key)i;
	return TOP_KEY_COUNT;
}

int top_key_parse(const char *text, enum top_key *ret, struct error *err)
{
	char shown[QUOTE_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].name, text) != 0)
			continue;
		*ret = (enum top_key)i;
		return 0;
	}
	return error_set(
		err, ERROR_USAGE, 0,
		"--sort: %s is none of cpu, memory, share, stall, io, pids, restarts, name",
		quote_text(text, shown));
}

static double share_of(const struct top_row *row)
{
	return row->memory > 0 && row->memory_max > 0
		       ? (double)row->memory / (double)row->memory_max
		       : 0;
}

static double larger(double a, double b)
{
	return a > b ? a : b;
}

static double rank(const struct top_row *row, enum top_key key)
{
	switch (key) {
	case TOP_CPU:
		return row->cpu;
	case TOP_MEMORY:
		return (double)row->memory;
	case TOP_SHARE:
		return share_of(row);
	case TOP_STALL:
		return larger(row->memory_stall, larger(row->cpu_stall, row->io_stall));
	case TOP_IO:
		return (double)row->io;
	case TOP_PIDS:
		return (double)row->pids;
	case TOP_RESTARTS:
		return (double)row->restarts;
	default:
		return 0;
	}
}

struct order {
	enum top_key key;
	bool reverse;
};

static int compare(const void *a, const void *b, void *userdata)
{
	const struct top_row *left = a, *right = b;
	const struct order *order = userdata;
	double x = rank(left, order->key), y = rank(right, order->key);
	int r = (x < y) - (x > y);

	if (r == 0)
		r = strcmp(left->name, right->name);
	return order->reverse ? -r : r;
}

void top_sort(struct top_row *rows, size_t count, enum top_key key, bool reverse)
{
	struct order order = { key, reverse };

	qsort_r(rows, count, sizeof(*rows), compare, &order);
}

size_t top_filter(struct top_row *rows, size_t count, const char *text)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		const struct top_row row = rows[i];

		if (strstr(row.name, text) == NULL && strstr(row.tenant, text) == NULL &&
		    strstr(row.state, text) == NULL)
			continue;
		rows[i] = rows[kept];
		rows[kept++] = row;
	}
	return kept;
}

/* --- cells ----------------------------------------------------------------------------------- */

struct line {
	const struct top_row *row; /* NULL: the heading */
	bool utf8;
};

static enum top_colour colour_of_state(const char *state)
{
	if (strcmp(state, "running") == 0)
		return TOP_GOOD;
	if (strcmp(state, "failed") == 0)
		return TOP_BAD;
	return strcmp(state, "stopped") == 0 ? TOP_DIM : TOP_WARN;
}

static enum top_colour colour_of_percent(double percent, double warn, double bad)
{
	if (percent >= bad)
		return TOP_BAD;
	return percent >= warn ? TOP_WARN : TOP_PLAIN;
}

static void put_name(const struct line *line, struct top_cell *cell)
{
	escape_string(line->row->name, ESCAPE_FOR_TERMINAL, cell->text, sizeof(cell->text));
}

static void put_tenant(const struct line *line, struct top_cell *cell)
{
	escape_string(line->row->tenant, ESCAPE_FOR_TERMINAL, cell->text, sizeof(cell->text));
}

static void put_state(const struct line *line, struct top_cell *cell)
{
	escape_string(line->row->state, ESCAPE_FOR_TERMINAL, cell->text, sizeof(cell->text));
	cell->colour = colour_of_state(line->row->state);
}

static void put_percent(struct top_cell *cell, double percent)
{
	if (percent >= 0)
		snprintf(cell->text, sizeof(cell->text), percent >= 999.5 ? "%.0f" : "%.1f",
			 percent);
}

static void put_cpu(const struct line *line, struct top_cell *cell)
{
	put_percent(cell, line->row->cpu);
	cell->colour = colour_of_percent(line->row->throttled, 5, 50);
}

static uint64_t point_of(const json_t *series, size_t at, bool percent)
{
	const json_t *value = json_array_get(series, at);
	double number = json_number_value(value);

	if (!json_is_number(value) || number < 0 || number > 1e15)
		return CHART_UNKNOWN;
	return (uint64_t)(percent ? number * 100 : number);
}

static void put_series(const struct line *line, struct top_cell *cell, const json_t *series,
		       bool percent, uint64_t top)
{
	size_t count = json_array_size(series);
	size_t first = count > cell->width ? count - cell->width : 0, shown = 0;
	uint64_t points[TOP_SPARK];
	char text[CHART_TEXT_MAX];

	for (size_t i = first; i < count && shown < TOP_SPARK; i++) {
		points[shown] = point_of(series, i, percent);
		if (points[shown] != CHART_UNKNOWN && points[shown] > top)
			top = points[shown];
		shown++;
	}
	snprintf(cell->text, sizeof(cell->text), "%s",
		 chart_sparkline(points, shown, top, line->utf8, text));
}

/* A whole core is the full height, unless it may have less or has used more. */
static void put_cpu_series(const struct line *line, struct top_cell *cell)
{
	double top = line->row->cpu_max > 0 && line->row->cpu_max < 100 ? line->row->cpu_max : 100;

	put_series(line, cell, line->row->cpu_series, true, (uint64_t)(top * 100));
}

static void put_memory_series(const struct line *line, struct top_cell *cell)
{
	put_series(line, cell, line->row->memory_series, false,
		   line->row->memory_max > 0 ? (uint64_t)line->row->memory_max : 0);
}

static void put_size(struct top_cell *cell, int64_t bytes)
{
	char text[QUANTITY_TEXT_MAX];

	if (bytes >= 0)
		snprintf(cell->text, sizeof(cell->text), "%s", figure_size((uint64_t)bytes, text));
}

static void put_memory(const struct line *line, struct top_cell *cell)
{
	put_size(cell, line->row->memory);
}

static void put_memory_max(const struct line *line, struct top_cell *cell)
{
	if (line->row->memory_max > 0)
		put_size(cell, line->row->memory_max);
	else
		snprintf(cell->text, sizeof(cell->text), "max");
}

static void put_memory_bar(const struct line *line, struct top_cell *cell)
{
	char text[CHART_TEXT_MAX];

	if (line->row->memory < 0 || line->row->memory_max <= 0)
		return;
	snprintf(cell->text, sizeof(cell->text), "%s",
		 chart_bar((uint64_t)line->row->memory, (uint64_t)line->row->memory_max,
			   cell->width, line->utf8, text));
	cell->colour = colour_of_percent(share_of(line->row) * 100, 75, 90);
	if (cell->colour == TOP_PLAIN)
		cell->colour = TOP_GOOD;
}

static void put_memory_stall(const struct line *line, struct top_cell *cell)
{
	put_percent(cell, line->row->memory_stall);
	cell->colour = colour_of_percent(line->row->memory_stall, 1, 10);
}

static void put_cpu_stall(const struct line *line, struct top_cell *cell)
{
	put_percent(cell, line->row->cpu_stall);
	cell->colour = colour_of_percent(line->row->cpu_stall, 25, 75);
}

static void put_io_stall(const struct line *line, struct top_cell *cell)
{
	put_percent(cell, line->row->io_stall);
	cell->colour = colour_of_percent(line->row->io_stall, 10, 40);
}

static void put_io(const struct line *line, struct top_cell *cell)
{
	put_size(cell, line->row->io);
}

static void put_number(struct top_cell *cell, int64_t number)
{
	if (number >= 0)
		snprintf(cell->text, sizeof(cell->text), "%" PRId64, number);
}

static void put_pids(const struct line *line, struct top_cell *cell)
{
	put_number(cell, line->row->pids);
}

static void put_queue(const struct line *line, struct top_cell *cell)
{
	put_number(cell, line->row->queue);
	cell->colour = line->row->queue > 0 ? TOP_WARN : TOP_PLAIN;
}

static void put_restarts(const struct line *line, struct top_cell *cell)
{
	put_number(cell, line->row->restarts);
}

/* From left to right. `from`: shown on lines of at least so many columns. All of those from 40 on
 * take 40 columns with the shortest name, of those from 80 on 80. */
static const struct {
	const char *heading;
	unsigned width, from;
	bool right, always; /* of one that does not run as well */
	void (*put)(const struct line *line, struct top_cell *cell);
} columns_of[] = {
	{ "NAME", 12, 40, false, true, put_name },
	{ "TENANT", 12, 120, false, true, put_tenant },
	{ "STATE", 8, 60, false, true, put_state },
	{ "CPU%", 6, 40, true, false, put_cpu },
	{ "20 s", TOP_SPARK, 80, false, false, put_cpu_series },
	{ "MEMORY", 6, 40, true, false, put_memory },
	{ "OF", 6, 100, true, true, put_memory_max },
	{ "LIMIT", 8, 40, false, false, put_memory_bar },
	{ "20 s", TOP_SPARK, 132, false, false, put_memory_series },
	{ "MEM!", 5, 70, true, false, put_memory_stall },
	{ "CPU!", 5, 112, true, false, put_cpu_stall },
	{ "IO!", 5, 80, true, false, put_io_stall },
	{ "IO/S", 6, 100, true, false, put_io },
	{ "PIDS", 4, 80, true, false, put_pids },
	{ "QUEUE", 5, 112, true, false, put_queue },
	{ "RESTARTS", 8, 126, true, true, put_restarts },
};
static_assert(ARRAY_SIZE(columns_of) <= TOP_CELLS_MAX, "cells for all columns");

/* What is left of the line is the name's. */
static unsigned room_of_name(unsigned columns)
{
	unsigned used = 0;

	for (size_t i = 1; i < ARRAY_SIZE(columns_of); i++)
		if (columns >= columns_of[i].from)
			used += columns_of[i].width + 1;
	return columns > used + columns_of[0].width ? columns - used : columns_of[0].width;
}

/* Cut to the width; one column a character. */
static void cut(struct top_cell *cell)
{
	const char *at = cell->text;
	char unit[ESCAPE_UNIT_MAX + 1];

	for (unsigned i = 0; *at != '\0'; i++) {
		if (i == cell->width) {
			cell->text[at - cell->text] = '\0';
			return;
		}
		(void)escape_step(&at, ESCAPE_FOR_TERMINAL, unit);
	}
}

size_t top_cells(const struct top_row *row, unsigned columns, bool utf8,
		 struct top_cell cells[static TOP_CELLS_MAX])
{
	const struct line line = { row, utf8 };
	unsigned at = 0;
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(columns_of); i++) {
		struct top_cell *cell = &cells[count];

		if (columns < columns_of[i].from)
			continue;
		*cell = (struct top_cell){ .at = at,
					   .width = i == 0 ? room_of_name(columns)
							   : columns_of[i].width,
					   .right = columns_of[i].right };
		if (row == NULL)
			snprintf(cell->text, sizeof(cell->text), "%s", columns_of[i].heading);
		else if (row->uses || columns_of[i].always)
			columns_of[i].put(&line, cell);
		cut(cell);
		at += cell->width + 1;
		count++;
	}
	return count;
}
