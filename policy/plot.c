/* SPDX-License-Identifier: MIT */
#include "policy/plot.h"

#include <string.h>

#define HEIGHTS_UNICODE 8
#define HEIGHTS_ASCII	2

static unsigned at_most(unsigned value, unsigned most)
{
	return value > most ? most : value;
}

/* Each column shows the highest value of its time; one in which nothing was read shows what was
 * read last. */
static void fill(const struct history *history, struct plot *plot)
{
	int64_t span = plot->to_msec - plot->from_msec, last = 0;
	size_t at = 0;

	for (unsigned i = 0; i < plot->columns; i++) {
		int64_t until = plot->from_msec + span * (i + 1) / plot->columns;
		int64_t highest = -1;

		for (; at < history->count &&
		       (history_time_msec(history, at) < until || i + 1 == plot->columns);
		     at++) {
			last = history_value(history, at);
			if (last > highest)
				highest = last;
		}
		plot->values[i] = highest >= 0 ? highest : last;
	}
}

void plot_make(const struct history *history, int64_t top, unsigned columns, unsigned rows,
	       bool unicode, struct plot *ret)
{
	*ret = (struct plot){ .columns = at_most(columns > 0 ? columns : 1, PLOT_COLUMNS_MAX),
			      .rows = at_most(rows > 0 ? rows : 1, PLOT_ROWS_MAX),
			      .unicode = unicode,
			      .from_msec = history_time_msec(history, 0),
			      .to_msec = history_time_msec(history, history->count - 1),
			      .top = top };
	fill(history, ret);
	for (unsigned i = 0; top <= 0 && i < ret->columns; i++)
		if (ret->values[i] > ret->top)
			ret->top = ret->values[i];
	if (ret->top <= 0)
		ret->top = 1;
}

/* How much of a row of so many heights a value fills. */
static unsigned height_in(const struct plot *plot, unsigned row, int64_t value, unsigned heights)
{
	unsigned below = (plot->rows - 1 - row) * heights;
	double whole = (double)value / (double)plot->top * plot->rows * heights;
	unsigned height =
		whole >= plot->rows * heights ? plot->rows * heights : (unsigned)(whole + 0.5);

	/* a little is not nothing */
	if (height == 0 && value > 0)
		height = 1;
	return height > below ? at_most(height - below, heights) : 0;
}

const char *plot_row(const struct plot *plot, unsigned row, char text[static PLOT_LINE_MAX])
{
	static const char *const unicode[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	static const char *const ascii[] = { " ", ":", "#" };
	size_t used = 0, end = 0;

	for (unsigned i = 0; i < plot->columns; i++) {
		unsigned height = height_in(plot, row, plot->values[i],
					    plot->unicode ? HEIGHTS_UNICODE : HEIGHTS_ASCII);
		const char *cell = plot->unicode ? unicode[height] : ascii[height];
		size_t length = strlen(cell);

		memcpy(text + used, cell, length);
		used += length;
		if (height > 0)
			end = used;
	}
	text[end] = '\0';
	return text;
}
