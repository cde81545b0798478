/* SPDX-License-Identifier: MIT */
/* app.history, as a table or drawn. Series may be shorter than they should be, or missing. */
#include "policy/chart.h"
#include "policy/figure.h"
#include "policy/own.h"
#include "policy/table.h"
#include "supervisor/ctl_view.h"

#include <inttypes.h>
#include <string.h>

#define SAMPLES_MAX	 10000 /* that are looked at */
#define SPARK_MAX	 30
#define PROCESSES_MAX	 100
#define PLOT_ROWS	 8
#define PLOT_MARGIN	 8
#define PLOT_COLUMNS_MIN 20
#define PLOT_COLUMNS	 72 /* where there is no terminal */

struct history {
	const json_t *series; /* the member "history" */
	size_t count;
};

static struct history history_of(const json_t *result)
{
	const json_t *series = json_object_get(result, "history");
	size_t count = json_array_size(json_object_get(series, "time_msec"));

	return (struct history){ series, count < SAMPLES_MAX ? count : SAMPLES_MAX };
}

static uint64_t count_at(const struct history *history, const char *key, size_t at)
{
	json_int_t value =
		json_integer_value(json_array_get(json_object_get(history->series, key), at));

	return value > 0 ? (uint64_t)value : 0;
}

static uint64_t member_of(const json_t *object, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(object, key));

	return value > 0 ? (uint64_t)value : 0;
}

static double percent_at(const struct history *history, const char *key, size_t at)
{
	return json_number_value(json_array_get(json_object_get(history->series, key), at));
}

/* --- table ------------------------------------------------------------------------------------ */

static uint64_t grown(const struct history *history, const char *key, size_t then, size_t now)
{
	uint64_t from = count_at(history, key, then), to = count_at(history, key, now);

	return to > from ? to - from : 0;
}

static int add_percent(struct table *table, double percent, struct error *err)
{
	char text[QUANTITY_TEXT_MAX];

	snprintf(text, sizeof(text), "%.1f", percent >= 0 && percent < 1e9 ? percent : 0);
	return table_add(table, text, err);
}

static int add_size(struct table *table, uint64_t bytes, struct error *err)
{
	char text[QUANTITY_TEXT_MAX];

	return table_add(table, figure_size(bytes, text), err);
}

static int add_number(struct table *table, uint64_t number, struct error *err)
{
	char text[QUANTITY_TEXT_MAX];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	return table_add(table, text, err);
}

/* Rates are those since the row before. */
static int add_row(const struct history *history, struct table *table, size_t before, size_t at,
		   struct error *err)
{
	static const char *const sizes[] = { "memory_current", "memory_anon", "memory_file",
					     "memory_shmem" };
	uint64_t newest = count_at(history, "time_msec", history->count - 1);
	uint64_t time = count_at(history, "time_msec", at);
	uint64_t msec = grown(history, "time_msec", before, at);
	uint64_t periods = grown(history, "cpu_periods", before, at);
	char text[QUANTITY_TEXT_MAX];
	int r;

	if (msec == 0)
		msec = 1;
	snprintf(text, sizeof(text), "-%.1fs", (double)(newest - time) / 1000.0);
	r = table_add(table, text, err);
	if (r == 0)
		r = add_percent(table,
				(double)grown(history, "cpu_usage_usec", before, at) /
					(double)msec / 10.0,
				err);
	if (r == 0)
		r = add_percent(
			table,
			periods == 0 ? 0
				     : 100.0 * (double)grown(history, "cpu_throttled", before, at) /
					       (double)periods,
			err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(sizes); i++)
		r = add_size(table, count_at(history, sizes[i], at), err);
	if (r == 0)
		r = add_percent(table, percent_at(history, "memory_full_avg10", at), err);
	if (r == 0)
		r = add_size(table,
			     (grown(history, "io_read_bytes", before, at) +
			      grown(history, "io_write_bytes", before, at)) *
				     1000 / msec,
			     err);
	if (r == 0)
		r = add_number(table, count_at(history, "pids", at), err);
	if (r == 0)
		r = add_number(table, count_at(history, "listen_queue", at), err);
	return r < 0 ? r : add_number(table, count_at(history, "starts", at), err);
}

static int add_process(const struct ctl_view *view, struct table *table, const json_t *process,
		       struct error *err)
{
	const json_t *series = json_object_get(process, "rss_series");
	uint64_t points[SPARK_MAX], most = 0;
	size_t count = json_array_size(series), shown = count < SPARK_MAX ? count : SPARK_MAX;
	char text[CHART_TEXT_MAX];
	int r;

	for (size_t i = 0; i < shown; i++) {
		json_int_t value = json_integer_value(json_array_get(series, count - shown + i));

		points[i] = value > 0 ? (uint64_t)value : 0;
		most = points[i] > most ? points[i] : most;
	}
	r = table_add(table, ctl_view_scalar(process, "pid", text), err);
	if (r == 0)
		r = table_add(table, ctl_view_string(process, "comm"), err);
	if (r == 0)
		r = table_add(table, json_is_true(json_object_get(process, "alive")) ? "" : "gone",
			      err);
	if (r == 0)
		r = add_size(table, member_of(process, "rss"), err);
	if (r == 0)
		r = json_object_get(process, "pss") != NULL
			    ? add_size(table, member_of(process, "pss"), err)
			    : table_add(table, "", err);
	if (r == 0)
		r = table_add(table, figure_time(member_of(process, "cpu_usec"), text), err);
	return r < 0 ? r
		     : table_add(table, chart_sparkline(points, shown, most, view->utf8, text),
				 err);
}

static int put_processes(const struct ctl_view *view, const struct history *history,
			 struct error *err)
{
	static const struct table_column columns[] = {
		{ .heading = "PID", .right = true },
		{ .heading = "NAME" },
		{ .heading = "STATE" },
		{ .heading = "RSS", .right = true },
		{ .heading = "PSS", .right = true },
		{ .heading = "CPU", .right = true },
		{ .heading = "RSS, 10 S EACH" },
	};
	_cleanup_table_ struct table table = { columns, ARRAY_SIZE(columns), { 0 } };
	const json_t *processes = json_object_get(history->series, "processes"), *process;
	size_t index;

	if (json_array_size(processes) == 0)
		return 0;
	json_array_foreach(processes, index, process)
	{
		int r = index < PROCESSES_MAX ? add_process(view, &table, process, err) : 0;

		if (r < 0)
			return r;
	}
	fputc('\n', view->out);
	table_print(&table, view->columns, view->colour, view->out);
	return 0;
}

int ctl_view_history(const struct ctl_view *view, const json_t *result, size_t rows,
		     struct error *err)
{
	static const struct table_column columns[] = {
		{ .heading = "TIME", .right = true },  { .heading = "CPU%", .right = true },
		{ .heading = "THR%", .right = true },  { .heading = "MEMORY", .right = true },
		{ .heading = "ANON", .right = true },  { .heading = "FILE", .right = true },
		{ .heading = "SHMEM", .right = true }, { .heading = "STALL%", .right = true },
		{ .heading = "IO/S", .right = true },  { .heading = "PIDS", .right = true },
		{ .heading = "QUEUE", .right = true }, { .heading = "LIFE", .right = true },
	};
	_cleanup_table_ struct table table = { columns, ARRAY_SIZE(columns), { 0 } };
	const struct history history = history_of(result);
	size_t shown = rows < history.count ? rows : history.count, before = 0;

	for (size_t i = 0; i < shown; i++) {
		size_t at = (i + 1) * history.count / shown - 1;
		int r = add_row(&history, &table, before, at, err);

		if (r < 0)
			return r;
		before = at;
	}
	table_print(&table, view->columns, view->colour, view->out);
	return put_processes(view, &history, err);
}

/* --- plot ------------------------------------------------------------------------------------- */

static const char *label_of_size(uint64_t bytes, char *text)
{
	return figure_size(bytes, text);
}

static const char *label_of_percent(uint64_t percent_x100, char *text)
{
	snprintf(text, QUANTITY_TEXT_MAX, "%" PRIu64 "%%", percent_x100 / 100);
	return text;
}

/* The figures of one chart, and what is said above it. */
struct plot {
	const char *title;
	const char *key;
	uint64_t unit;	/* of a rate, in msec; 0: a level */
	uint64_t limit; /* is the top where it is near enough; 0: none */
	const char *(*label)(uint64_t value, char *text);
};

static uint64_t most_of(const uint64_t *bins, size_t columns)
{
	uint64_t most = 0;

	for (size_t i = 0; i < columns; i++)
		if (bins[i] > most)
			most = bins[i];
	return most;
}

static void put_title(const struct ctl_view *view, const struct plot *plot, uint64_t now,
		      uint64_t most)
{
	char a[QUANTITY_TEXT_MAX], b[QUANTITY_TEXT_MAX], c[QUANTITY_TEXT_MAX];

	fprintf(view->out, "%s: now %s, at most %s", plot->title, plot->label(now, a),
		plot->label(most, b));
	if (plot->limit != 0)
		fprintf(view->out, ", limit %s", plot->label(plot->limit, c));
	fputc('\n', view->out);
}

static void put_axis(const struct ctl_view *view, uint64_t span_msec, size_t columns)
{
	char span[QUANTITY_TEXT_MAX];
	int length;

	figure_time(span_msec * USEC_PER_MSEC, span);
	length = fprintf(view->out, "%*s-%s", PLOT_MARGIN, "", span) - PLOT_MARGIN;
	fprintf(view->out, "%*s\n", (int)columns > length ? (int)columns - length : 0, "now");
}

static int put_plot(const struct ctl_view *view, const struct history *history,
		    const struct plot *plot, struct error *err)
{
	_cleanup_free_ uint64_t *times = calloc(history->count, sizeof(*times));
	_cleanup_free_ uint64_t *values = calloc(history->count, sizeof(*values));
	size_t columns = view->columns > PLOT_COLUMNS_MIN + PLOT_MARGIN
				 ? view->columns - PLOT_MARGIN
				 : PLOT_COLUMNS;
	uint64_t bins[CHART_COLUMNS_MAX], most, now;
	struct chart chart;

	if (times == NULL || values == NULL)
		return error_no_memory(err);
	if (columns > CHART_COLUMNS_MAX)
		columns = CHART_COLUMNS_MAX;
	for (size_t i = 0; i < history->count; i++) {
		times[i] = count_at(history, "time_msec", i);
		values[i] = count_at(history, plot->key, i);
		/* a clock that was set back */
		if (i > 0 && times[i] < times[i - 1])
			times[i] = times[i - 1];
	}
	if (plot->unit == 0)
		chart_bin_levels(times, values, history->count, bins, columns);
	else
		chart_bin_rates(times, values, history->count, plot->unit, bins, columns);
	most = most_of(bins, columns);
	now = plot->unit == 0 ? values[history->count - 1] : bins[columns - 1];
	chart = (struct chart){ .values = bins,
				.count = columns,
				.rows = PLOT_ROWS,
				/* far below its limit a curve would be a line on the ground */
				.top = plot->limit != 0 && most >= plot->limit / 4 ? plot->limit
										   : most,
				.utf8 = view->utf8,
				.margin = PLOT_MARGIN,
				.label = plot->label };
	put_title(view, plot, now, most);
	chart_print(&chart, view->out);
	put_axis(view, times[history->count - 1] - times[0], columns);
	return 0;
}

static uint64_t limit_of(const json_t *result, const char *key)
{
	json_int_t limit =
		json_integer_value(json_object_get(json_object_get(result, "limits"), key));

	return limit > 0 && limit < INT64_MAX / 100 ? (uint64_t)limit : 0;
}

int ctl_view_plot(const struct ctl_view *view, const json_t *result, struct error *err)
{
	const struct history history = history_of(result);
	const struct plot plots[] = {
		{ "memory", "memory_current", 0, limit_of(result, "memory"), label_of_size },
		/* usec in a msec are tenths of a percent; x 100 */
		{ "cpu", "cpu_usage_usec", 10, limit_of(result, "cpu_milli") * 10,
		  label_of_percent },
		{ "stalled for memory", "memory_full_usec", 10, 0, label_of_percent },
	};
	int r = 0;

	if (history.count == 0) {
		fputs("nothing is on record\n", view->out);
		return 0;
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(plots); i++)
		r = put_plot(view, &history, &plots[i], err);
	return r;
}
