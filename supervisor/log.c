/* SPDX-License-Identifier: MIT */
#include "supervisor/log.h"

#include "policy/escape.h"
#include "policy/own.h"

#include <assert.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LOG_MESSAGE_MAX 2048
#define LOG_APP_MAX	128
#define LOG_NUMBER_MAX	16 /* an int as text */

static const struct {
	const char *name, *priority; /* as syslog(3) counts */
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", "3" },
	[LOG_LEVEL_WARNING] = { "warning", "4" },
	[LOG_LEVEL_INFO] = { "info", "6" },
	[LOG_LEVEL_DEBUG] = { "debug", "7" },
};
static_assert(ARRAY_SIZE(levels) == LOG_LEVEL_COUNT, "a name for each level");

static void write_line(struct output *output, const char *line)
{
	if (output->mid_line)
		output_write(output, "\n", 1);
	output_write(output, line, strlen(line));
	if (line[0] == '\0' || line[strlen(line) - 1] != '\n')
		output_write(output, "\n", 1);
}

static void write_json(struct log *log, enum log_level level, const char *app, const char *message)
{
	_cleanup_free_ char *line = NULL;
	struct timespec now;
	struct tm utc;
	char stamp[64];
	json_t *object;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &utc);
	object = json_pack("{s:s, s:s, s:s*, s:s}", "time", stamp, "level", levels[level].name,
			   "app", app, "message", message);
	line = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	if (line != NULL)
		write_line(log->output, line);
}

static void write_text(struct log *log, const char *app, const char *message)
{
	char line[LOG_MESSAGE_MAX + 128];

	snprintf(line, sizeof(line), "pysbx: %s%s%s", app != NULL ? app : "",
		 app != NULL ? ": " : "", message);
	write_line(log->output, line);
}

static void send_entry(struct log *log, enum log_level level, const struct log_event_kind *kind,
		       const struct log_subject *subject, const struct log_place *place,
		       const char *message)
{
	char instance[LOG_NUMBER_MAX], line[LOG_NUMBER_MAX];
	const bool has_instance = subject->instance != NULL;

	if (has_instance)
		snprintf(instance, sizeof(instance), "%u", *subject->instance);
	snprintf(line, sizeof(line), "%d", place != NULL ? place->line : 0);
	const struct journal_field fields[] = {
		journal_text("PRIORITY", levels[level].priority),
		journal_text("SYSLOG_IDENTIFIER", LOG_IDENTIFIER),
		journal_text("MESSAGE_ID", kind != NULL ? kind->message_id : NULL),
		journal_text("PYSBX_APP", subject->app),
		journal_text("PYSBX_TENANT", subject->tenant),
		journal_text("PYSBX_INSTANCE", has_instance ? instance : NULL),
		journal_text("PYSBX_INCIDENT", subject->incident),
		journal_text("CODE_FILE", place != NULL ? place->file : NULL),
		journal_text("CODE_LINE", place != NULL ? line : NULL),
		journal_text("CODE_FUNC", place != NULL ? place->function : NULL),
		journal_text("MESSAGE", message),
	};
	(void)journal_send_own(log->journal, fields, ARRAY_SIZE(fields));
}

/* To both sinks, as one printable line. */
static void tell(struct log *log, enum log_level level, const struct log_event_kind *kind,
		 const struct log_subject *subject, const struct log_place *place,
		 const char *format, va_list args) __attribute__((format(printf, 6, 0)));

static void tell(struct log *log, enum log_level level, const struct log_event_kind *kind,
		 const struct log_subject *subject, const struct log_place *place,
		 const char *format, va_list args)
{
	char words[LOG_MESSAGE_MAX], message[LOG_MESSAGE_MAX];

	vsnprintf(words, sizeof(words), format, args);
	escape_string(words, ESCAPE_FOR_TERMINAL, message, sizeof(message));
	if (log->journal != NULL) {
		/* whoever reads the journal as it is sees whom it is about, too */
		snprintf(words, sizeof(words), "%s%s%.*s", subject->app != NULL ? subject->app : "",
			 subject->app != NULL ? ": " : "", LOG_MESSAGE_MAX - LOG_APP_MAX, message);
		send_entry(log, level, kind, subject, place, words);
	}
	if (log->output != NULL && log->json)
		write_json(log, level, subject->app, message);
	else if (log->output != NULL)
		write_text(log, subject->app, message);
}

void log_message(struct log *log, enum log_level level, const char *app, const char *format, ...)
{
	const struct log_subject subject = { .app = app };
	va_list args;

	if (level > log->threshold)
		return;
	va_start(args, format);
	tell(log, level, NULL, &subject, NULL, format, args);
	va_end(args);
}

void log_event_at(struct log *log, enum log_event_id id, const struct log_subject *subject,
		  const struct log_place *place, const char *format, ...)
{
	const struct log_event_kind *kind = log_event_kind(id);
	const struct log_subject nobody = { 0 };
	va_list args;

	if (kind->level > log->threshold)
		return;
	va_start(args, format);
	tell(log, kind->level, kind, subject != NULL ? subject : &nobody, place, format, args);
	va_end(args);
}

void log_report(struct log *log, enum log_event_id id, const struct log_subject *subject,
		const char *text, const char *json)
{
	const struct log_event_kind *kind = log_event_kind(id);

	if (log->journal != NULL)
		send_entry(log, kind->level, kind, subject, NULL, text);
	if (log->output != NULL)
		write_line(log->output, log->json ? json : text);
}
