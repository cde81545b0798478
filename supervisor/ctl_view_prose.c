/* SPDX-License-Identifier: MIT */
/* One app, the daemon, one event: the views that are no lists. */
#include "policy/escape.h"
#include "policy/figure.h"
#include "policy/layout.h"
#include "policy/own.h"
#include "policy/phrase.h"
#include "supervisor/ctl_view.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

/* A line of a log may not pass for a field of ours. */
#define LOG_MARK "    | "

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

/* A word inside a phrase: the phrase's text is escaped when it is put. */
static void add_if(struct phrase *line, const char *label, const char *text)
{
	if (text[0] != '\0')
		phrase_add(line, "%s%s%s%s", separator(line), label, label[0] != '\0' ? " " : "",
			   text);
}

/* --- one app ---------------------------------------------------------------------------------- */

static void put_state(const struct ctl_view *view, const char *state)
{
	const char *sgr = view->colour ? ctl_view_state_colour(state) : NULL;

	if (sgr != NULL)
		fprintf(view->out, "\033[%sm", sgr);
	layout_put_cut(view->out, state, UINT_MAX);
	if (sgr != NULL)
		fputs("\033[0m", view->out);
}

/* "web: running for 2h 3min, pid 4123, uid 1879048192, 2 restarts" */
static void put_headline(const struct ctl_view *view, const json_t *app)
{
	char age[QUANTITY_TEXT_MAX], pid[QUANTITY_TEXT_MAX], uid[QUANTITY_TEXT_MAX];
	char text[CTL_VIEW_TEXT_MAX];
	struct phrase line = phrase_on(text, sizeof(text));
	uint64_t restarts = 0;

	layout_put_cut(view->out, ctl_view_string(app, "name"), UINT_MAX);
	fputs(": ", view->out);
	put_state(view, ctl_view_string(app, "state"));
	ctl_view_age(view, json_object_get(app, "since"), age);
	if (age[0] != '\0')
		phrase_add(&line, " for %s", age);
	ctl_view_pid(app, pid);
	if (pid[0] != '\0')
		phrase_add(&line, ", pid %s", pid);
	ctl_view_scalar(app, "uid", uid);
	if (uid[0] != '\0')
		phrase_add(&line, ", uid %s", uid);
	if (number_of(app, "restarts", &restarts) && restarts > 0)
		phrase_add(&line, ", %" PRIu64 " restart%s", restarts, restarts == 1 ? "" : "s");
	if (json_is_false(json_object_get(app, "enabled")))
		phrase_add(&line, ", not started at boot");
	layout_put_cut(view->out, text, UINT_MAX);
	fputc('\n', view->out);
}

static void put_origin(const struct ctl_view *view, const json_t *app)
{
	char text[CTL_VIEW_TEXT_MAX];
	struct phrase line = phrase_on(text, sizeof(text));

	add_if(&line, "tenant", ctl_view_string(app, "tenant"));
	add_if(&line, "plan", ctl_view_string(app, "plan"));
	if (strcmp(ctl_view_string(app, "source"), "file") == 0)
		phrase_add(&line, "%sdeclared in /etc/pysbx/apps.d", separator(&line));
	ctl_view_field(view, "of", text);
}

/* A list of words, if it is there. */
static void put_words(const struct ctl_view *view, const json_t *spec, const char *key)
{
	char text[CTL_VIEW_TEXT_MAX];
	struct phrase line = phrase_on(text, sizeof(text));
	const json_t *list = json_object_get(spec, key), *word;
	size_t index;

	json_array_foreach(list, index, word)
	{
		const char *shown = json_string_value(word);

		phrase_add(&line, "%s%s", index > 0 ? " " : "", shown != NULL ? shown : "?");
	}
	if (json_array_size(list) > 0)
		ctl_view_field(view, key, text);
}

static void put_memory(const struct ctl_view *view, const json_t *memory)
{
	char current[QUANTITY_TEXT_MAX], other[QUANTITY_TEXT_MAX];
	char text[CTL_VIEW_TEXT_MAX];
	struct phrase line = phrase_on(text, sizeof(text));
	uint64_t value, max, peak;

	if (!number_of(memory, "current", &value))
		return;
	phrase_add(&line, "%s", figure_size(value, current));
	if (number_of(memory, "max", &max)) {
		phrase_add(&line, " of %s", quantity_format_size(max, other));
		if (max > 0)
			phrase_add(&line, " (%.0f %%)", (double)value * 100 / (double)max);
	}
	if (number_of(memory, "peak", &peak))
		phrase_add(&line, ", peak %s", figure_size(peak, other));
	ctl_view_field(view, "memory", text);
}

/* Only where there is something to know: refusals, or a filter that refuses nothing. */
static void put_denials(const struct ctl_view *view, const json_t *denials)
{
	char text[CTL_VIEW_TEXT_MAX];
	struct phrase line = phrase_on(text, sizeof(text));
	uint64_t told = 0, untold = 0;

	(void)number_of(denials, "told", &told);
	(void)number_of(denials, "untold", &untold);
	if (json_is_true(json_object_get(denials, "permitted")))
		phrase_add(&line, "refused calls are made and only logged");
	if (told + untold > 0)
		phrase_add(&line, "%s%" PRIu64 " refused, %" PRIu64 " of them told in its log",
			   separator(&line), told + untold, told);
	ctl_view_field(view, "syscalls", text);
}

/* "unhealthy for 12s: no answer within 2s, 4 times in a row", and why, if that is known. */
static void put_health(const struct ctl_view *view, const json_t *health)
{
	char text[CTL_VIEW_TEXT_MAX], age[QUANTITY_TEXT_MAX];
	struct phrase line = phrase_on(text, sizeof(text));
	uint64_t failures = 0;

	if (!json_is_object(health))
		return;
	phrase_add(&line, "%s", ctl_view_string(health, "state"));
	ctl_view_age(view, json_object_get(health, "since"), age);
	if (age[0] != '\0')
		phrase_add(&line, " for %s", age);
	if (ctl_view_string(health, "last")[0] != '\0')
		phrase_add(&line, ": %s", ctl_view_string(health, "last"));
	if (number_of(health, "failures", &failures) && failures > 1)
		phrase_add(&line, ", %" PRIu64 " times in a row", failures);
	ctl_view_field(view, "health", text);
	ctl_view_field(view, "", ctl_view_string(health, "why"));
}

static void put_cpu(const struct ctl_view *view, const json_t *cpu, const json_t *limits)
{
	char time[QUANTITY_TEXT_MAX], limit[QUANTITY_TEXT_MAX];
	char text[CTL_VIEW_TEXT_MAX];
	struct phrase line = phrase_on(text, sizeof(text));
	const char *set = ctl_view_scalar(limits, "cpu", limit);
	uint64_t usage, throttled;

	if (!number_of(cpu, "usage_usec", &usage))
		return;
	phrase_add(&line, "%s used", figure_time(usage, time));
	if (set[0] != '\0')
		phrase_add(&line, ", limit %s", set);
	if (number_of(cpu, "throttled_usec", &throttled) && throttled > 0)
		phrase_add(&line, ", throttled for %s", figure_time(throttled, time));
	ctl_view_field(view, "cpu", text);
}

static void put_pids(const struct ctl_view *view, const json_t *pids)
{
	char current[QUANTITY_TEXT_MAX], max[QUANTITY_TEXT_MAX];
	char text[CTL_VIEW_TEXT_MAX];
	struct phrase line = phrase_on(text, sizeof(text));
	const char *limit = ctl_view_scalar(pids, "max", max);

	phrase_add(&line, "%s", ctl_view_scalar(pids, "current", current));
	if (text[0] != '\0' && limit[0] != '\0')
		phrase_add(&line, " of %s", limit);
	ctl_view_field(view, "processes", text);
}

/* "namespaces, root, seccomp", and a line for each that is not up. */
static void put_walls(const struct ctl_view *view, const json_t *walls)
{
	char text[CTL_VIEW_TEXT_MAX];
	struct phrase up = phrase_on(text, sizeof(text));
	const json_t *wall;
	size_t index;

	json_array_foreach(walls, index,
			   wall) if (strcmp(ctl_view_string(wall, "state"), "up") == 0)
		add_if(&up, "", ctl_view_string(wall, "name"));
	ctl_view_field(view, "walls up", text);
	json_array_foreach(walls, index, wall)
	{
		const char *state = ctl_view_string(wall, "state");
		struct phrase other = phrase_on(text, sizeof(text));

		if (strcmp(state, "up") == 0)
			continue;
		phrase_add(&other, "%s: %s", ctl_view_string(wall, "name"),
			   ctl_view_string(wall, "detail"));
		ctl_view_field(view, state, text);
	}
}

static void put_last(const struct ctl_view *view, const json_t *last)
{
	char age[QUANTITY_TEXT_MAX];
	char text[CTL_VIEW_TEXT_MAX];
	struct phrase line = phrase_on(text, sizeof(text));

	if (!json_is_object(last))
		return;
	phrase_add(&line, "%s", ctl_view_string(last, "cause"));
	ctl_view_age(view, json_object_get(last, "time"), age);
	if (age[0] != '\0')
		phrase_add(&line, ", %s ago", age);
	if (ctl_view_string(last, "sentence")[0] != '\0')
		phrase_add(&line, ": %s", ctl_view_string(last, "sentence"));
	ctl_view_field(view, "last end", text);
	ctl_view_field(view, "incident", ctl_view_string(last, "incident"));
}

static void put_log_line(const struct ctl_view *view, const char *text)
{
	unsigned mark = sizeof(LOG_MARK) - 1;

	fputs(LOG_MARK, view->out);
	layout_put_cut(view->out, text, view->columns > mark ? view->columns - mark : UINT_MAX);
	fputc('\n', view->out);
}

void ctl_view_status(const struct ctl_view *view, const json_t *app, const json_t *stats,
		     const json_t *logs)
{
	const json_t *spec = json_object_get(app, "effective"), *line;
	size_t index;

	put_headline(view, app);
	put_origin(view, app);
	put_words(view, spec, "command");
	put_words(view, spec, "listen");
	put_memory(view, json_object_get(stats, "memory"));
	put_cpu(view, json_object_get(stats, "cpu"), json_object_get(spec, "limits"));
	put_pids(view, json_object_get(stats, "pids"));
	put_health(view, json_object_get(app, "health"));
	put_denials(view, json_object_get(app, "denials"));
	put_walls(view, json_object_get(app, "walls"));
	put_last(view, json_object_get(app, "last"));
	json_array_foreach(json_object_get(logs, "lines"), index, line)
		put_log_line(view, ctl_view_string(line, "text"));
}

/* --- the daemon ------------------------------------------------------------------------------- */

static void put_states(const struct ctl_view *view, const json_t *info)
{
	char apps[QUANTITY_TEXT_MAX];
	char text[CTL_VIEW_TEXT_MAX];
	struct phrase line = phrase_on(text, sizeof(text));
	json_t *states = json_object_get(info, "states");
	const char *state;
	json_t *count;

	phrase_add(&line, "%s", ctl_view_scalar(info, "apps", apps));
	json_object_foreach(states, state, count)
	{
		if (json_integer_value(count) > 0)
			phrase_add(&line, "%s%" JSON_INTEGER_FORMAT " %s", separator(&line),
				   json_integer_value(count), state);
	}
	ctl_view_field(view, "apps", text);
}

void ctl_view_daemon(const struct ctl_view *view, const json_t *info)
{
	static const char *const keys[] = { "kernel", "systemd", "cgroup", "log_level", "clients" };
	static const char *const labels[] = { "kernel", "systemd", "cgroup", "log level",
					      "clients" };
	char pid[QUANTITY_TEXT_MAX], age[QUANTITY_TEXT_MAX], value[QUANTITY_TEXT_MAX];
	char text[CTL_VIEW_TEXT_MAX];
	struct phrase line = phrase_on(text, sizeof(text));

	phrase_add(&line, "pysbxd %s: pid %s", ctl_view_string(info, "version"),
		   ctl_view_scalar(info, "pid", pid));
	ctl_view_age(view, json_object_get(info, "started"), age);
	if (age[0] != '\0')
		phrase_add(&line, ", for %s", age);
	layout_put_cut(view->out, text, UINT_MAX);
	fputc('\n', view->out);
	put_states(view, info);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		ctl_view_field(view, labels[i], ctl_view_scalar(info, keys[i], value));
}

/* --- events and log lines --------------------------------------------------------------------- */

/* Members that every event has, or that the line has shown already. */
static bool is_told(const char *key)
{
	static const char *const told[] = {
		"subscription", "cursor", "time", "type", "app", "tenant", "from", "to", "sentence",
	};

	for (size_t i = 0; i < ARRAY_SIZE(told); i++)
		if (strcmp(told[i], key) == 0)
			return true;
	return false;
}

static void add_other_members(struct phrase *line, const json_t *event)
{
	const char *key;
	json_t *value;

	/* jansson's iterators are not const; nothing is changed */
	json_object_foreach((json_t *)event, key, value)
	{
		char buffer[QUANTITY_TEXT_MAX];
		const char *text = strcmp(key, "pid") == 0 ? ctl_view_pid(event, buffer)
							   : ctl_view_scalar(event, key, buffer);

		if (!is_told(key) && text[0] != '\0')
			phrase_add(line, "%s%s %s", separator(line), key, text);
	}
}

/* "2026-11-27 17:04:11" */
static void put_time(FILE *out, const json_t *time)
{
	char text[32];
	struct tm utc;
	time_t when;

	if (!ctl_view_time(time, &when) || gmtime_r(&when, &utc) == NULL)
		return;
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S ", &utc);
	fputs(text, out);
}

void ctl_view_event(const struct ctl_view *view, const json_t *event)
{
	const char *app = ctl_view_string(event, "app"), *to = ctl_view_string(event, "to");
	const char *sentence = ctl_view_string(event, "sentence");
	char text[CTL_VIEW_TEXT_MAX], others[CTL_VIEW_TEXT_MAX];
	struct phrase line = phrase_on(text, sizeof(text));
	struct phrase more = phrase_on(others, sizeof(others));

	if (app[0] != '\0')
		phrase_add(&line, "%s: ", app);
	if (to[0] != '\0')
		phrase_add(&line, "%s -> %s", ctl_view_string(event, "from"), to);
	else if (sentence[0] != '\0')
		phrase_add(&line, "%s", sentence);
	else
		phrase_add(&line, "%s", ctl_view_string(event, "type"));
	add_other_members(&more, event);
	put_time(view->out, json_object_get(event, "time"));
	if (more.used > 0)
		phrase_add(&line, " (%s)", others);
	layout_put_cut(view->out, text, UINT_MAX);
	fputc('\n', view->out);
}

/* Whole, and with its tabs: it may be read by grep. */
void ctl_view_log(const struct ctl_view *view, const json_t *line)
{
	const char *text = ctl_view_string(line, "text");
	char unit[ESCAPE_UNIT_MAX + 1];

	while (*text != '\0') {
		bool tab = *text == '\t';

		escape_step(&text, ESCAPE_FOR_TERMINAL, unit);
		fputs(tab ? "\t" : unit, view->out);
	}
	fputc('\n', view->out);
}
