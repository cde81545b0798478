/* SPDX-License-Identifier: MIT */
/*
 * What pysbx itself says, on stderr: one line a message ("pysbx: web: started ..."), or with --json
 * one object a line. Goes through an output, so it never blocks and never cuts a worker's line.
 */
#pragma once

#include "supervisor/output.h"

#include <stdbool.h>

enum log_level {
	LOG_LEVEL_ERROR,   /* always shown */
	LOG_LEVEL_WARNING, /* something died or came near it: always shown */
	LOG_LEVEL_INFO,	   /* not with --quiet */
	LOG_LEVEL_DEBUG,   /* with --verbose */
	LOG_LEVEL_COUNT,
};

struct log {
	struct output *output;
	enum log_level threshold;
	bool json;
};

/* app may be NULL. The text is made printable: control characters are escaped. */
void log_message(struct log *log, enum log_level level, const char *app, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Several lines as they are (an incident for people); with --json, `json` instead, as one line. */
void log_report(struct log *log, const char *text, const char *json);
