/* SPDX-License-Identifier: MIT */
/*
 * The daemon's answers, shown to people: results (pysbx-protocol(7)) in, text out. Pure but for the
 * stream. What an answer lacks is shown as "-" or left out, so an older or newer daemon can be
 * looked at; every foreign word is escaped (policy/layout.h).
 */
#pragma once

#include "policy/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

struct ctl_view {
	FILE *out;	  /* borrowed */
	unsigned columns; /* of the terminal; 0: no terminal, lines are neither cut nor broken */
	bool colour;	  /* states may be coloured */
	time_t now;	  /* ages are counted from here */
	bool utf8;	  /* drawn with more than ASCII */
};

/* The results of the methods of the same names. */
int ctl_view_apps(const struct ctl_view *view, const json_t *result, struct error *err);
int ctl_view_incidents(const struct ctl_view *view, const json_t *result, struct error *err);
int ctl_view_plans(const struct ctl_view *view, const json_t *result, struct error *err);
int ctl_view_tenants(const struct ctl_view *view, const json_t *result, struct error *err);
void ctl_view_incident(const struct ctl_view *view, const json_t *incident);
/* For a ticket: Markdown, in which no foreign word means anything. */
void ctl_view_incident_markdown(const struct ctl_view *view, const json_t *incident);
void ctl_view_daemon(const struct ctl_view *view, const json_t *info);

/* app.history: so many rows, spread over what is there; or drawn. */
int ctl_view_history(const struct ctl_view *view, const json_t *result, size_t rows,
		     struct error *err);
int ctl_view_plot(const struct ctl_view *view, const json_t *result, struct error *err);

/* One app: app.get, app.stats (NULL: nothing runs) and app.logs (NULL: none). */
void ctl_view_status(const struct ctl_view *view, const json_t *app, const json_t *stats,
		     const json_t *logs);

/* The params of one notification, as one line each. */
void ctl_view_event(const struct ctl_view *view, const json_t *event);
void ctl_view_log(const struct ctl_view *view, const json_t *line);

/* --- pieces ----------------------------------------------------------------------------------- */

#define CTL_VIEW_TEXT_MAX 1024

/* A string member, "" if there is none. */
const char *ctl_view_string(const json_t *object, const char *key);
/* A member as text: a string as it is, a number in decimal, "yes" or "no"; "" for anything else.
 * buffer holds QUANTITY_TEXT_MAX bytes. */
const char *ctl_view_scalar(const json_t *object, const char *key, char *buffer);
/* The member "pid"; "" where there is no process: 0 is none. buffer as above. */
const char *ctl_view_pid(const json_t *object, char *buffer);
/* RFC 3339 in UTC, or seconds since the epoch. False if it is neither; *ret is undefined
 * then. */
bool ctl_view_time(const json_t *value, time_t *ret);
/* "2h 3min" until now; "" if it is no time. buffer as above. */
const char *ctl_view_age(const struct ctl_view *view, const json_t *time, char *buffer);
/* SGR of a state: "32"; NULL for none. */
const char *ctl_view_state_colour(const char *state);
/* "  label     text", broken at the margin. Nothing for an empty text. */
void ctl_view_field(const struct ctl_view *view, const char *label, const char *text);
