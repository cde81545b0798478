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

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};
static_assert(ARRAY_SIZE(level_names) == LOG_LEVEL_COUNT, "a name for each level");

static void write_line(struct output *output, const char *line)
{
	if (output->mid_line)
		output_write(output, "\n", 1);
	output_write(output, line, strlen(line));
	if (line[0] == '\0' || line[strlen(line) - 1] != '\n')
		output_write(output, "\n", 1);
}

/* A message is one line, and may hold names that a worker chose. */
static void make_printable(char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
	}
}

static void write_json(struct log *log, enum log_level level, const char *app, const char *message)
{
	_cleanup_free_ char *line = NULL;
	struct timespec now;
	struct tm utc;
	char stamp[64], words[LOG_MESSAGE_MAX * 2];
	json_t *object;

	escape_string(message, ESCAPE_FOR_JSON, words, sizeof(words));

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &utc);
	object = json_pack("{s:s, s:s, s:s*, s:s}", "time", stamp, "level", level_names[level],
			   "app", app, "message", words);
	line = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	if (line != NULL)
		write_line(log->output, line);
}

void log_message(struct log *log, enum log_level level, const char *app, const char *format, ...)
{
	char message[LOG_MESSAGE_MAX], line[LOG_MESSAGE_MAX + 128];
	va_list args;

	if (level > log->threshold)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	make_printable(message);
	if (log->json) {
		write_json(log, level, app, message);
		return;
	}
	snprintf(line, sizeof(line), "pysbx: %s%s%s", app != NULL ? app : "",
		 app != NULL ? ": " : "", message);
	write_line(log->output, line);
}

void log_report(struct log *log, const char *text, const char *json)
{
	write_line(log->output, log->json ? json : text);
}
