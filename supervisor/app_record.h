/* SPDX-License-Identifier: MIT */
/*
 * What the state file says of one app: all that the next daemon can't find out by itself. Its
 * launcher has the rest (pids, pipes, exit status).
 */
#pragma once

#include "supervisor/app.h"

#include <jansson.h>

/* One JSON object on one line, kept in app->saved until something changes. */
int app_record_make(struct app *app, struct error *err);

/* Sets the members of a new app from its record, for app_adopt(). *ret_same: it was started with
 * the spec that it has now, as far as a running one can't be changed; true for one that is held.
 * ERROR_INVALID for a record that makes no sense: the app is as new then. */
int app_record_read(struct app *app, const json_t *record, bool *ret_same, struct error *err);

/* Was one that is held, and runs, started with this spec, as far as a running one can't be changed?
 */
bool app_record_is_of(const struct app *app, const struct app_spec *spec);
