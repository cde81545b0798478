/* SPDX-License-Identifier: MIT */
/* The pieces that all views are made of, and the lists. */
#include "supervisor/ctl_view.h"

#include "policy/figure.h"
#include "policy/layout.h"
#include "policy/own.h"
#include "policy/phrase.h"
#include "policy/table.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#define LABEL_COLUMNS 11
#define INDENT	      (2 + LABEL_COLUMNS)
#define TIME_MAX      253402300799.0 /* 9999-12-31T23:59:59Z */

/* --- pieces ----------------------------------------------------------------------------------- */

const char *ctl_view_string(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

const char *ctl_view_scalar(const json_t *object, const char *key, char *buffer)
{
	const json_t *value = json_object_get(object, key);

	if (json_is_string(value))
		return json_string_value(value);
	if (json_is_integer(value))
		snprintf(buffer, QUANTITY_TEXT_MAX, "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
	else if (json_is_real(value))
		snprintf(buffer, QUANTITY_TEXT_MAX, "%g", json_real_value(value));
	else if (json_is_boolean(value))
		snprintf(buffer, QUANTITY_TEXT_MAX, "%s", json_is_true(value) ? "yes" : "no");
	else
		buffer[0] = '\0';
	return buffer;
}

const char *ctl_view_pid(const json_t *object, char *buffer)
{
	ctl_view_scalar(object, "pid", buffer);
	if (json_integer_value(json_object_get(object, "pid")) <= 0)
		buffer[0] = '\0';
	return buffer;
}

bool ctl_view_time(const json_t *value, time_t *ret)
{
	struct tm utc = { 0 };

	if (json_is_number(value)) {
		if (json_number_value(value) < 0 || json_number_value(value) > TIME_MAX)
			return false;
		*ret = (time_t)json_number_value(value);
		return true;
	}
	if (!json_is_string(value) ||
	    strptime(json_string_value(value), "%Y-%m-%dT%H:%M:%S", &utc) == NULL)
		return false;
	*ret = timegm(&utc);
	return true;
}

const char *ctl_view_age(const struct ctl_view *view, const json_t *time, char *buffer)
{
	time_t then;

	if (!ctl_view_time(time, &then)) {
		buffer[0] = '\0';
		return buffer;
	}
	/* a clock that was set back is no reason for a negative age */
	return figure_time(view->now > then ? (uint64_t)(view->now - then) * USEC_PER_SEC : 0,
			   buffer);
}

const char *ctl_view_state_colour(const char *state)
{
	static const struct {
		const char *state, *sgr;
	} colours[] = {
		{ "running", "32" },	       { "starting", "33" },
		{ "stopping", "33" },	       { "backoff", "33" },
		{ "suspended", "36" },	       { "failed", "31" },
		{ "running (failing)", "33" }, { "running (unhealthy)", "31" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(colours); i++)
		if (strcmp(colours[i].state, state) == 0)
			return colours[i].sgr;
	return NULL;
}

void ctl_view_field(const struct ctl_view *view, const char *label, const char *text)
{
	struct layout layout = { view->columns > INDENT ? view->columns : UINT_MAX, INDENT };

	if (text[0] == '\0')
		return;
	fprintf(view->out, "  %-*s", LABEL_COLUMNS, label);
	layout_put_wrapped(view->out, &layout, text, INDENT);
}

/* --- lists ------------------------------------------------------------------------------------ */

static int add_member(struct table *table, const json_t *object, const char *key, struct error *err)
{
	char buffer[QUANTITY_TEXT_MAX];

	return table_add(table, ctl_view_scalar(object, key, buffer), err);
}

static int add_age(const struct ctl_view *view, struct table *table, const json_t *object,
		   const char *key, struct error *err)
{
	char buffer[QUANTITY_TEXT_MAX];

	return table_add(table, ctl_view_age(view, json_object_get(object, key), buffer), err);
}

/* "running", or "running (unhealthy)" */
static int add_state(struct table *table, const json_t *app, struct error *err)
{
	const char *state = ctl_view_string(app, "state"), *health = ctl_view_string(app, "health");
	char text[64];

	if (strcmp(state, "running") != 0 ||
	    (strcmp(health, "failing") != 0 && strcmp(health, "unhealthy") != 0))
		return add_member(table, app, "state", err);
	(void)snprintf(text, sizeof(text), "running (%s)", health);
	return table_add(table, text, err);
}

static int add_app(const struct ctl_view *view, struct table *table, const json_t *app,
		   struct error *err)
{
	static const char *const first[] = { "name", "tenant" };
	char pid[QUANTITY_TEXT_MAX];
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(first); i++)
		r = add_member(table, app, first[i], err);
	if (r == 0)
		r = add_state(table, app, err);
	if (r == 0)
		r = table_add(table, ctl_view_pid(app, pid), err);
	if (r == 0)
		r = add_member(table, app, "restarts", err);
	if (r == 0)
		r = add_age(view, table, app, "since", err);
	return r < 0 ? r : add_member(table, app, "last_cause", err);
}

static int add_incident(const struct ctl_view *view, struct table *table, const json_t *incident,
			struct error *err)
{
	static const char *const rest[] = { "app", "cause", "sentence" };
	int r = add_member(table, incident, "id", err);

	if (r == 0)
		r = add_age(view, table, incident, "time", err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rest); i++)
		r = add_member(table, incident, rest[i], err);
	return r;
}

/* "256M" however it was written: a number is bytes. */
static int add_size(struct table *table, const json_t *limits, const char *key, struct error *err)
{
	const json_t *value = json_object_get(limits, key);
	char buffer[QUANTITY_TEXT_MAX];

	if (json_is_integer(value) && json_integer_value(value) >= 0)
		return table_add(table,
				 quantity_format_size((uint64_t)json_integer_value(value), buffer),
				 err);
	return add_member(table, limits, key, err);
}

static int add_limits(struct table *table, const json_t *limits, struct error *err)
{
	int r = add_size(table, limits, "memory", err);

	if (r == 0)
		r = add_member(table, limits, "cpu", err);
	return r < 0 ? r : add_member(table, limits, "pids", err);
}

/* "a, b" of an array of strings. */
static int add_list(struct table *table, const json_t *array, struct error *err)
{
	char text[CTL_VIEW_TEXT_MAX];
	struct phrase list = phrase_on(text, sizeof(text));
	const json_t *item;
	size_t index;

	json_array_foreach(array, index, item)
	{
		const char *word = json_string_value(item);

		phrase_add(&list, "%s%s", index > 0 ? ", " : "", word != NULL ? word : "?");
	}
	return table_add(table, text, err);
}

static int add_plan(const struct ctl_view *view, struct table *table, const json_t *plan,
		    struct error *err)
{
	int r = add_member(table, plan, "name", err);

	(void)view;
	if (r == 0)
		r = add_limits(table, json_object_get(plan, "limits"), err);
	if (r == 0)
		r = add_member(table, plan, "apps", err);
	return r < 0 ? r : add_list(table, json_object_get(plan, "syscalls"), err);
}

static int add_tenant(const struct ctl_view *view, struct table *table, const json_t *tenant,
		      struct error *err)
{
	int r = add_member(table, tenant, "name", err);

	(void)view;
	if (r == 0)
		r = add_member(table, tenant, "plan", err);
	if (r == 0)
		r = add_limits(table, json_object_get(tenant, "limits"), err);
	return r < 0 ? r : add_list(table, json_object_get(tenant, "users"), err);
}

static int view_list(const struct ctl_view *view, struct table *table, const json_t *array,
		     int (*add)(const struct ctl_view *view, struct table *table,
				const json_t *item, struct error *err),
		     struct error *err)
{
	const json_t *item;
	size_t index;

	json_array_foreach(array, index, item)
	{
		int r = add(view, table, item, err);

		if (r < 0)
			return r;
	}
	table_print(table, view->columns, view->colour, view->out);
	return 0;
}

int ctl_view_apps(const struct ctl_view *view, const json_t *result, struct error *err)
{
	static const struct table_column columns[] = {
		{ .heading = "NAME", .shrink = true },
		{ .heading = "TENANT", .shrink = true },
		{ .heading = "STATE", .colour = ctl_view_state_colour },
		{ .heading = "PID", .right = true },
		{ .heading = "RESTARTS", .right = true },
		{ .heading = "SINCE", .right = true },
		{ .heading = "LAST" },
	};
	_cleanup_table_ struct table table = { columns, ARRAY_SIZE(columns), { 0 } };

	return view_list(view, &table, json_object_get(result, "apps"), add_app, err);
}

int ctl_view_incidents(const struct ctl_view *view, const json_t *result, struct error *err)
{
	static const struct table_column columns[] = {
		{ .heading = "INCIDENT" },
		{ .heading = "AGE", .right = true },
		{ .heading = "APP", .shrink = true },
		{ .heading = "CAUSE" },
		{ .heading = "WHAT", .shrink = true },
	};
	_cleanup_table_ struct table table = { columns, ARRAY_SIZE(columns), { 0 } };

	return view_list(view, &table, json_object_get(result, "incidents"), add_incident, err);
}

int ctl_view_plans(const struct ctl_view *view, const json_t *result, struct error *err)
{
	static const struct table_column columns[] = {
		{ .heading = "NAME", .shrink = true }, { .heading = "MEMORY", .right = true },
		{ .heading = "CPU", .right = true },   { .heading = "PIDS", .right = true },
		{ .heading = "APPS", .right = true },  { .heading = "SYSCALLS", .shrink = true },
	};
	_cleanup_table_ struct table table = { columns, ARRAY_SIZE(columns), { 0 } };

	return view_list(view, &table, json_object_get(result, "plans"), add_plan, err);
}

int ctl_view_tenants(const struct ctl_view *view, const json_t *result, struct error *err)
{
	static const struct table_column columns[] = {
		{ .heading = "NAME", .shrink = true },	{ .heading = "PLAN", .shrink = true },
		{ .heading = "MEMORY", .right = true }, { .heading = "CPU", .right = true },
		{ .heading = "PIDS", .right = true },	{ .heading = "USERS", .shrink = true },
	};
	_cleanup_table_ struct table table = { columns, ARRAY_SIZE(columns), { 0 } };

	return view_list(view, &table, json_object_get(result, "tenants"), add_tenant, err);
}
