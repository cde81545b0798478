/* SPDX-License-Identifier: MIT */
/*
 * One incident, for a terminal and for a ticket: the same fields, the same picture of the last
 * minutes, the stack at the fault, the last lines of the log.
 */
#include "policy/chart.h"
#include "policy/diagnosis.h"
#include "policy/escape.h"
#include "policy/figure.h"
#include "policy/history.h"
#include "policy/layout.h"
#include "policy/own.h"
#include "policy/phrase.h"
#include "supervisor/ctl_view.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define LOG_MARK       "    | " /* a line of a log may not pass for a field of ours */
#define OWN_MARK       "  "
#define CODE_MARK      "    " /* of a block of code: nothing in it means anything to Markdown */
#define INCIDENT_LINES 10     /* of the log; the JSON has all */
#define FRAMES_SHOWN   20
#define PLOT_COLUMNS   60
#define PLOT_ROWS      6
#define EDGE_COLUMNS   8 /* "   256M " */

struct writer {
	const struct ctl_view *view;
	bool markdown;
};

static const char *separator(const struct phrase *line)
{
	return line->used > 0 ? ", " : "";
}

static bool number_of(const json_t *object, const char *key, uint64_t *ret)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*ret = (uint64_t)json_integer_value(value);
	return true;
}

/* --- lines ---------------------------------------------------------------------------------- */

/* Printable, and with no meaning in Markdown: no mark-up, no link, no mention. What a backslash
 * does not break ("@who", "#12", "https://") a reference to a character does. */
static void put_plain_markdown(FILE *out, const char *text)
{
	char unit[ESCAPE_UNIT_MAX + 1];

	while (*text != '\0') {
		escape_step(&text, ESCAPE_FOR_TERMINAL, unit);
		if (strchr("@#&<>", unit[0]) != NULL || (unit[0] == ':' && text[0] == '/'))
			fprintf(out, "&#%d;", unit[0]);
		else if (strchr("\\`*_[]|~", unit[0]) != NULL)
			fprintf(out, "\\%s", unit);
		else
			fputs(unit, out);
	}
}

static void put_field(const struct writer *writer, const char *label, const char *text)
{
	if (!writer->markdown) {
		ctl_view_field(writer->view, label, text);
		return;
	}
	if (text[0] == '\0')
		return;
	fprintf(writer->view->out, "- **%s:** ", label);
	put_plain_markdown(writer->view->out, text);
	fputc('\n', writer->view->out);
}

static void begin_block(const struct writer *writer, const char *title)
{
	if (writer->markdown)
		fprintf(writer->view->out, "\n%s:\n\n", title);
}

/* One line of a block, cut at the edge of the terminal. */
static void put_block_line(const struct writer *writer, const char *mark, const char *text)
{
	unsigned used = (unsigned)strlen(mark), columns = writer->view->columns;

	fputs(mark, writer->view->out);
	layout_put_cut(writer->view->out, text,
		       !writer->markdown && columns > used ? columns - used : UINT_MAX);
	fputc('\n', writer->view->out);
}

/* A line with foreign words. */
static void put_line(const struct writer *writer, const char *text)
{
	put_block_line(writer, writer->markdown ? CODE_MARK : LOG_MARK, text);
}

static void put_own_line(const struct writer *writer, const char *text)
{
	put_block_line(writer, writer->markdown ? CODE_MARK : OWN_MARK, text);
}

/* --- fields --------------------------------------------------------------------------------- */

static void put_headline(const struct writer *writer, const json_t *incident)
{
	char text[CTL_VIEW_TEXT_MAX];
	struct phrase line = phrase_on(text, sizeof(text));

	phrase_add(&line, "%s: %s", ctl_view_string(incident, "app"),
		   ctl_view_string(incident, "cause"));
	if (writer->markdown) {
		fputs("## ", writer->view->out);
		put_plain_markdown(writer->view->out, text);
		fputs("\n\n", writer->view->out);
		return;
	}
	layout_put_cut(writer->view->out, text, UINT_MAX);
	fputc('\n', writer->view->out);
}

static void put_time(const struct writer *writer, const json_t *incident)
{
	char age[QUANTITY_TEXT_MAX], after[QUANTITY_TEXT_MAX];
	char text[CTL_VIEW_TEXT_MAX];
	struct phrase line = phrase_on(text, sizeof(text));
	uint64_t uptime;

	phrase_add(&line, "%s", ctl_view_string(incident, "time"));
	/* a ticket is read later */
	ctl_view_age(writer->view, json_object_get(incident, "time"), age);
	if (age[0] != '\0' && !writer->markdown)
		phrase_add(&line, " (%s ago)", age);
	if (number_of(incident, "uptime_usec", &uptime))
		phrase_add(&line, "%s%s after the start", separator(&line),
			   figure_time(uptime, after));
	put_field(writer, "when", text);
}

static void put_victim(const struct writer *writer, const json_t *victim)
{
	char text[CTL_VIEW_TEXT_MAX];
	struct phrase line = phrase_on(text, sizeof(text));
	const char *command = ctl_view_string(victim, "command_line");
	uint64_t pid = 0, inside = 0;

	if (command[0] == '\0')
		command = ctl_view_string(victim, "comm");
	(void)number_of(victim, "pid", &pid);
	(void)number_of(victim, "pid_inside", &inside);
	phrase_add(&line, "%s", command);
	if (pid > 0)
		phrase_add(&line, "%spid %" PRIu64, separator(&line), pid);
	if (inside > 0)
		phrase_add(&line, "%s%s %" PRIu64, separator(&line), pid > 0 ? "inside" : "pid",
			   inside);
	put_field(writer, "process", text);
}

static const char *level_words(const char *level)
{
	static const struct {
		const char *level, *words;
	} levels[] = {
		{ "instance", "the instance's own limit was hit" },
		{ "app", "the app's own limit was hit" },
		{ "tenant", "the limit of its tenant was hit, not the app's" },
		{ "above", "a limit above the app was hit, not the app's" },
		{ "host", "the host ran out of memory; no limit was hit" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (strcmp(levels[i].level, level) == 0)
			return levels[i].words;
	return "";
}

static void put_memory(const struct writer *writer, const json_t *incident)
{
	const json_t *memory = json_object_get(incident, "memory"), *word;
	const json_t *before = json_object_get(memory, "before");
	char size[QUANTITY_TEXT_MAX];
	char text[CTL_VIEW_TEXT_MAX];
	struct phrase line = phrase_on(text, sizeof(text));
	uint64_t value;
	size_t i;

	if (number_of(before, "current", &value))
		phrase_add(&line, "%s before", figure_size(value, size));
	if (number_of(memory, "peak", &value))
		phrase_add(&line, "%speak %s", separator(&line), figure_size(value, size));
	if (number_of(json_object_get(incident, "limits"), "memory_max", &value))
		phrase_add(&line, "%slimit %s", separator(&line),
			   quantity_format_size(value, size));
	put_field(writer, "memory", text);
	json_array_foreach(json_object_get(memory, "words"), i, word) if (json_is_string(word))
		put_field(writer, writer->markdown ? "memory" : "", json_string_value(word));
}

/* What pysbx did about it before. */
static void put_steps(const struct writer *writer, const json_t *incident)
{
	const json_t *step;
	size_t i;

	json_array_foreach(json_object_get(incident, "steps"), i, step)
	{
		char text[CTL_VIEW_TEXT_MAX];
		struct phrase line = phrase_on(text, sizeof(text));

		phrase_add(&line, "%s %s at %s: %s", ctl_view_string(step, "time"),
			   ctl_view_string(step, "step"), ctl_view_string(step, "reading"),
			   ctl_view_string(step, "result"));
		put_field(writer, writer->markdown || i == 0 ? "before" : "", text);
	}
}

static void put_fields(const struct writer *writer, const json_t *incident)
{
	put_field(writer, "incident", ctl_view_string(incident, "id"));
	put_field(writer, "what", ctl_view_string(incident, "sentence"));
	put_field(writer, "decision",
		  ctl_view_string(json_object_get(incident, "decision"), "text"));
	put_field(writer, "advice", ctl_view_string(incident, "advice"));
	put_time(writer, incident);
	put_victim(writer, json_object_get(incident, "victim"));
	put_field(writer, "level", level_words(ctl_view_string(incident, "level")));
	put_memory(writer, incident);
	put_steps(writer, incident);
}

/* --- the last minutes ------------------------------------------------------------------------- */

static unsigned plot_columns(const struct writer *writer)
{
	unsigned used = (unsigned)strlen(OWN_MARK) + EDGE_COLUMNS;
	unsigned columns = writer->view->columns;

	if (writer->markdown || columns == 0 || columns > used + PLOT_COLUMNS)
		return PLOT_COLUMNS;
	return columns > used + 10 ? columns - used : 10;
}

static const char *label_of_size(uint64_t value, char *text)
{
	return figure_size(value, text);
}

/* What the history has, as chart.h takes it. */
struct levels {
	uint64_t *times, *values; /* owned */
	size_t count;
};

static void levels_clear(struct levels *levels)
{
	free(levels->times);
	free(levels->values);
}

/* False without memory. A time that goes back stands still. */
static bool take_levels(const struct history *history, struct levels *ret)
{
	ret->times = calloc(history->count, sizeof(*ret->times));
	ret->values = calloc(history->count, sizeof(*ret->values));
	ret->count = history->count;
	for (size_t i = 0; ret->times != NULL && ret->values != NULL && i < ret->count; i++) {
		ret->times[i] = (uint64_t)history_time_msec(history, i);
		ret->values[i] = (uint64_t)history_value(history, i);
		if (i > 0 && ret->times[i] < ret->times[i - 1])
			ret->times[i] = ret->times[i - 1];
	}
	return ret->times != NULL && ret->values != NULL;
}

/* "5min before                        the end" */
static void put_times(const struct writer *writer, uint64_t msec, unsigned columns)
{
	char text[CHART_COLUMNS_MAX + 64], span[QUANTITY_TEXT_MAX], begin[QUANTITY_TEXT_MAX + 16];
	static const char end[] = "the end";
	size_t used;

	figure_time(msec * USEC_PER_MSEC, span);
	snprintf(begin, sizeof(begin), "%s before", span);
	used = strlen(begin);
	snprintf(text, sizeof(text), "%*s%s%*s", EDGE_COLUMNS, "", begin,
		 columns > used + sizeof(end) ? (int)(columns - used) : 0,
		 columns > used + sizeof(end) ? end : "");
	put_own_line(writer, text);
}

static void put_rows(const struct writer *writer, const struct chart *chart)
{
	_cleanup_free_ char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	char *line, *rest;

	if (out == NULL)
		return;
	chart_print(chart, out);
	if (fclose(out) != 0)
		return;
	for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
		put_own_line(writer, line);
}

static void draw(const struct writer *writer, const struct levels *levels, uint64_t limit)
{
	uint64_t bins[CHART_COLUMNS_MAX];
	unsigned columns = plot_columns(writer);
	const struct chart chart = { .values = bins,
				     .count = columns,
				     .rows = PLOT_ROWS,
				     .top = limit,
				     .utf8 = writer->view->utf8,
				     .margin = EDGE_COLUMNS,
				     .label = label_of_size };

	chart_bin_levels(levels->times, levels->values, levels->count, bins, columns);
	put_rows(writer, &chart);
	put_times(writer, levels->times[levels->count - 1] - levels->times[0], columns);
}

/* Memory against its limit. */
static void put_plot(const struct writer *writer, const json_t *incident)
{
	__attribute__((cleanup(levels_clear))) struct levels levels = { 0 };
	struct history history;
	uint64_t limit = 0;

	if (!history_of(json_object_get(incident, "history"), "memory_current", &history) ||
	    !take_levels(&history, &levels) || levels.times[levels.count - 1] <= levels.times[0])
		return;
	(void)number_of(json_object_get(incident, "limits"), "memory_max", &limit);
	if (writer->markdown)
		begin_block(writer, "Memory");
	else
		put_field(writer, "picture", limit > 0 ? "memory, up to its limit" : "memory");
	draw(writer, &levels, limit);
}

/* --- the stack at the fault ------------------------------------------------------------------- */

static void put_thread(const struct writer *writer, const json_t *process, const json_t *thread)
{
	char text[CTL_VIEW_TEXT_MAX];
	struct phrase line = phrase_on(text, sizeof(text));
	const char *name = ctl_view_string(thread, "name");
	uint64_t number;

	if (number_of(process, "pid", &number) || number_of(process, "pid_inside", &number))
		phrase_add(&line, "process %" PRIu64, number);
	if (number_of(thread, "tid", &number))
		phrase_add(&line, "%sthread %" PRIu64, separator(&line), number);
	if (name[0] != '\0')
		phrase_add(&line, " (%s)", name);
	if (json_is_true(json_object_get(thread, "allocating")))
		phrase_add(&line, ", which allocates memory");
	phrase_add(&line, "%sinnermost call first", separator(&line));
	if (!writer->markdown) {
		put_field(writer, "stack", text);
		return;
	}
	/* no entry of the list: a block of code below one would be indented further */
	fputs("\nStack: ", writer->view->out);
	put_plain_markdown(writer->view->out, text);
	fputs("\n\n", writer->view->out);
}

static void put_stack(const struct writer *writer, const json_t *incident)
{
	const struct diagnosis gathered = { .stacks = json_object_get(incident, "stacks"),
					    .snapshots = json_object_get(incident, "snapshots") };
	const json_t *victim = json_object_get(incident, "victim"), *process = NULL, *thread,
		     *frame;
	json_int_t pid = json_integer_value(json_object_get(victim, "pid"));
	size_t i;

	thread = diagnosis_last_thread(&gathered, pid > 0 && pid <= INT_MAX ? (int)pid : 0,
				       diagnosis_time(json_object_get(incident, "time")), &process);
	if (thread == NULL)
		return;
	put_thread(writer, process, thread);
	json_array_foreach(json_object_get(thread, "frames"), i, frame)
	{
		char text[CTL_VIEW_TEXT_MAX];
		struct phrase line = phrase_on(text, sizeof(text));

		if (i == FRAMES_SHOWN)
			break;
		phrase_add(&line, "%s:%" JSON_INTEGER_FORMAT " in %s()",
			   ctl_view_string(frame, "file"),
			   json_integer_value(json_object_get(frame, "line")),
			   ctl_view_string(frame, "function"));
		put_line(writer, text);
	}
}

/* --- the whole ------------------------------------------------------------------------------ */

static void put_lines(const struct writer *writer, const char *title, const json_t *lines,
		      size_t most)
{
	size_t count = json_array_size(lines);

	if (count == 0)
		return;
	if (writer->markdown)
		begin_block(writer, title);
	else
		put_field(writer, title, "the last lines");
	for (size_t i = count > most ? count - most : 0; i < count; i++) {
		const char *words = json_string_value(json_array_get(lines, i));

		put_line(writer, words != NULL ? words : "");
	}
}

static void put_incident(const struct writer *writer, const json_t *incident)
{
	put_headline(writer, incident);
	put_fields(writer, incident);
	put_plot(writer, incident);
	put_stack(writer, incident);
	put_lines(writer, "kernel", json_object_get(incident, "kernel"), INCIDENT_LINES);
	put_lines(writer, "log", json_object_get(json_object_get(incident, "log"), "lines"),
		  INCIDENT_LINES);
}

void ctl_view_incident(const struct ctl_view *view, const json_t *incident)
{
	const struct writer writer = { view, false };

	put_incident(&writer, incident);
}

void ctl_view_incident_markdown(const struct ctl_view *view, const json_t *incident)
{
	const struct writer writer = { view, true };

	put_incident(&writer, incident);
}
