/* SPDX-License-Identifier: MIT */
/*
 * What pysbx itself says. `pysbx run` says it on stderr: one line a message ("pysbx: web: started
 * ..."), or with --json one object a line, through an output, so it never blocks and never cuts a
 * worker's line. The daemon says it to the journal, with fields to search by.
 */
#pragma once

#include "supervisor/journal.h"
#include "supervisor/log_event.h"
#include "supervisor/output.h"

#include <stdbool.h>

#define LOG_IDENTIFIER "pysbxd" /* SYSLOG_IDENTIFIER of the daemon's own messages */

/* Either sink may be NULL, and both may be set; borrowed. */
struct log {
	struct output *output;
	struct journal *journal;
	enum log_level threshold;
	bool json; /* on output */
};

/* Whom an event is about; what is NULL is left out. */
struct log_subject {
	const char *app;	  /* PYSBX_APP */
	const char *tenant;	  /* PYSBX_TENANT */
	const unsigned *instance; /* PYSBX_INSTANCE */
	const char *incident;	  /* PYSBX_INCIDENT: the ID */
};

/* Where in the source an event is told: CODE_FILE, CODE_LINE, CODE_FUNC. */
struct log_place {
	const char *file;
	int line;
	const char *function;
};

/* app may be NULL. The text is made printable: control characters and what is no UTF-8 are escaped.
 */
void log_message(struct log *log, enum log_level level, const char *app, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* log_event(log, id, subject, format, ...): as log_message, at the level of the event's kind, and
 * in the journal with its MESSAGE_ID, the subject and the place. subject may be NULL. */
#define log_event(log, id, subject, ...)                                                          \
	log_event_at((log), (id), (subject), &(struct log_place){ __FILE__, __LINE__, __func__ }, \
		     __VA_ARGS__)
void log_event_at(struct log *log, enum log_event_id id, const struct log_subject *subject,
		  const struct log_place *place, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* Several lines as they are (an incident for people): one entry of the journal, with the MESSAGE_ID
 * of `id` and the subject. On an output with --json, `json` instead, as one line. */
void log_report(struct log *log, enum log_event_id id, const struct log_subject *subject,
		const char *text, const char *json);
