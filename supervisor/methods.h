/* SPDX-License-Identifier: MIT */
/*
 * The socket's methods, a table a family. Between methods_*.c and their list alone.
 *
 * Who may call what is a flag in the table (supervisor/control.h). What a tenant may see is decided
 * in one place: methods_find_app(), for which other tenants' apps do not exist.
 */
#pragma once

#include "supervisor/daemon.h"

extern const struct control_method methods_daemon[];
extern const size_t methods_daemon_count;
extern const struct control_method methods_apps[];
extern const size_t methods_apps_count;
extern const struct control_method methods_app_life[];
extern const size_t methods_app_life_count;
extern const struct control_method methods_app_change[];
extern const size_t methods_app_change_count;
extern const struct control_method methods_config[];
extern const size_t methods_config_count;
extern const struct control_method methods_incidents[];
extern const size_t methods_incidents_count;
extern const struct control_method methods_stacks[];
extern const size_t methods_stacks_count;
extern const struct control_method methods_history[];
extern const size_t methods_history_count;

/* The app of params.name, as far as the caller may see it; ERROR_NOT_FOUND. */
struct app *methods_find_app(const struct daemon *daemon, const struct call *call,
			     const json_t *params, struct error *err);
/* Is the app, or what belongs to this tenant (NULL: to none), there for the caller? */
bool methods_may_see(const struct call *call, const char *tenant);

/* Has the client of the call that is waiting gone? For app_wait(). */
bool methods_is_gone(const void *call);

/* {"name": ..., "state": ...} */
json_t *methods_name_and_state(const struct app *app);

/* RFC 3339 in UTC, with milliseconds; null for 0. */
json_t *methods_time(uint64_t realtime_usec);

/* {"memory": {...}, "cpu": {...}, ...} of a running app, from its cgroup's files. */
json_t *methods_app_stats(const struct app *app);

/* [{"name", "state", "detail"}] of a running app (policy/wall.h), else null. */
json_t *methods_app_walls(const struct app *app);

/* --- methods_answer.c ------------------------------------------------------------------------ */

#define METHODS_BIT(state) (1U << (state))
/* A start has succeeded or failed, or was overtaken by a stop. "stopped" alone says nothing: a
 * restart comes through it. */
#define METHODS_STARTED                                                                  \
	(METHODS_BIT(APP_RUNNING) | METHODS_BIT(APP_BACKOFF) | METHODS_BIT(APP_FAILED) | \
	 APP_SETTLED)
/* A stop is done, and maybe was followed by a start. */
#define METHODS_STOPPED                                                      \
	(APP_SETTLED | METHODS_BIT(APP_FAILED) | METHODS_BIT(APP_STARTING) | \
	 METHODS_BIT(APP_RUNNING) | METHODS_BIT(APP_BACKOFF))

/* To be asked before anything is done that is waited for. */
int methods_check_waiting(struct app *app, const struct call *call, struct error *err);

/* Answers name and state, or `result` (stolen) with the state in it. */
void methods_answer_state(struct call *call, json_t *result, const struct app *app);

/* The same when the app is in one of `states`: well if it is one of `wanted`. */
int methods_answer_when(struct call *call, struct app *app, unsigned states, unsigned wanted,
			json_t *result, struct error *err);
