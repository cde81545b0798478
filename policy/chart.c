/* SPDX-License-Identifier: MIT */
#include "policy/chart.h"

#include "policy/own.h"
#include "policy/quantity.h"

#include <string.h>

#define EIGHTHS 8

/* A blank, and one to eight eighths of a character. */
static const char *const rising[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
static const char *const growing[] = { " ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█" };
static const char *const plain_rising[] = { " ", "_", "_", ".", "-", "-", "=", "*", "#" };
static const char *const plain_growing[] = { " ", " ", " ", " ", "-", "-", "-", "#", "#" };

/* part of whole in steps, rounded up: what is there shows. */
static uint64_t steps_of(uint64_t part, uint64_t whole, uint64_t steps)
{
	uint64_t result;

	if (part == 0 || whole == 0)
		return 0;
	if (part >= whole)
		return steps;
	result = (uint64_t)((double)part / (double)whole * (double)steps);
	return result == 0 ? 1 : result;
}

static char *append(char *at, const char *end, const char *piece)
{
	size_t length = strlen(piece);

	if (length >= (size_t)(end - at))
		return at;
	memcpy(at, piece, length + 1);
	return at + length;
}

const char *chart_bar(uint64_t part, uint64_t whole, unsigned columns, bool utf8, char *text)
{
	const char *const *pieces = utf8 ? growing : plain_growing;
	const char *end = text + CHART_TEXT_MAX;
	uint64_t left;
	char *at = text;

	if (columns > CHART_COLUMNS_MAX)
		columns = CHART_COLUMNS_MAX;
	left = steps_of(part, whole, (uint64_t)columns * EIGHTHS);
	*at = '\0';
	for (unsigned i = 0; i < columns; i++) {
		uint64_t here = left < EIGHTHS ? left : EIGHTHS;

		at = append(at, end, pieces[here]);
		left -= here;
	}
	return text;
}

const char *chart_sparkline(const uint64_t *values, size_t count, uint64_t top, bool utf8,
			    char *text)
{
	const char *end = text + CHART_TEXT_MAX;
	char *at = text;

	*at = '\0';
	for (size_t i = 0; i < count && i < CHART_COLUMNS_MAX; i++) {
		uint64_t level = values[i] == CHART_UNKNOWN ? 0 : steps_of(values[i], top, EIGHTHS);

		at = append(at, end, (utf8 ? rising : plain_rising)[level]);
	}
	return text;
}

/* --- time ------------------------------------------------------------------------------------ */

/* Where column `at` begins. */
static uint64_t begin_of(const uint64_t *times, size_t count, size_t at, size_t columns)
{
	double span = (double)(times[count - 1] - times[0]);

	return times[0] + (uint64_t)(span * (double)at / (double)columns);
}

void chart_bin_levels(const uint64_t *times, const uint64_t *values, size_t count,
		      uint64_t *ret_bins, size_t columns)
{
	uint64_t holds = values[0];
	size_t next = 0;

	for (size_t i = 0; i < columns; i++) {
		uint64_t end = begin_of(times, count, i + 1, columns), most = holds;

		for (; next < count && (times[next] < end || i + 1 == columns); next++) {
			holds = values[next];
			if (holds > most)
				most = holds;
		}
		ret_bins[i] = most;
	}
}

/* A counter at a time, in proportion between its points. */
static double counter_at(const uint64_t *times, const double *grown, size_t count, uint64_t time,
			 size_t *at)
{
	double part;

	while (*at + 1 < count && times[*at + 1] <= time)
		(*at)++;
	if (*at + 1 >= count || times[*at + 1] == times[*at])
		return grown[*at];
	part = (double)(time - times[*at]) / (double)(times[*at + 1] - times[*at]);
	return grown[*at] + (grown[*at + 1] - grown[*at]) * part;
}

void chart_bin_rates(const uint64_t *times, const uint64_t *values, size_t count, uint64_t unit,
		     uint64_t *ret_bins, size_t columns)
{
	_cleanup_free_ double *grown = calloc(count, sizeof(*grown));
	double before = 0;
	size_t at = 0;

	memset(ret_bins, 0, columns * sizeof(*ret_bins));
	if (grown == NULL || times[count - 1] == times[0])
		return;
	for (size_t i = 1; i < count; i++)
		grown[i] = grown[i - 1] +
			   (values[i] > values[i - 1] ? (double)(values[i] - values[i - 1]) : 0);
	for (size_t i = 0; i < columns; i++) {
		uint64_t begin = begin_of(times, count, i, columns);
		uint64_t end = begin_of(times, count, i + 1, columns);
		double after = counter_at(times, grown, count, end, &at);

		if (end > begin)
			ret_bins[i] =
				(uint64_t)((after - before) / (double)(end - begin) * (double)unit);
		else if (i > 0)
			ret_bins[i] = ret_bins[i - 1];
		before = after;
	}
}

/* --- columns --------------------------------------------------------------------------------- */

static uint64_t largest_of(const uint64_t *values, size_t count)
{
	uint64_t most = 0;

	for (size_t i = 0; i < count; i++)
		if (values[i] != CHART_UNKNOWN && values[i] > most)
			most = values[i];
	return most;
}

/* Labels stand at the highest row, the middle and the lowest. */
static void put_label(const struct chart *chart, uint64_t top, unsigned row, FILE *out)
{
	char text[QUANTITY_TEXT_MAX];
	const char *label = "";

	if (row == chart->rows - 1)
		label = chart->label(top, text);
	else if (row == 0)
		label = chart->label(0, text);
	else if (row == chart->rows / 2)
		label = chart->label(top / 2, text);
	fprintf(out, "%*s", (int)chart->margin - 1, label);
	fputs(chart->utf8 ? "│" : "|", out);
}

void chart_print(const struct chart *chart, FILE *out)
{
	uint64_t top = chart->top != 0 ? chart->top : largest_of(chart->values, chart->count);
	const char *const *pieces = chart->utf8 ? rising : plain_rising;

	for (unsigned row = chart->rows; row-- > 0;) {
		char line[CHART_TEXT_MAX] = "", *at = line;

		put_label(chart, top, row, out);
		for (size_t i = 0; i < chart->count; i++) {
			uint64_t value = chart->values[i] == CHART_UNKNOWN ? 0 : chart->values[i];
			uint64_t height = steps_of(value, top, (uint64_t)chart->rows * EIGHTHS);
			uint64_t below = (uint64_t)row * EIGHTHS;
			uint64_t here = height > below ? height - below : 0;

			at = append(at, line + sizeof(line),
				    pieces[here < EIGHTHS ? here : EIGHTHS]);
		}
		while (at > line && at[-1] == ' ')
			*--at = '\0';
		fprintf(out, "%s\n", line);
	}
}
