/* SPDX-License-Identifier: MIT */
#include "supervisor/app_record.h"

#include "policy/denial.h"
#include "policy/document.h"
#include "policy/own.h"
#include "policy/spec_json.h"
#include "policy/spec_row.h"
#include "supervisor/identity.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DELTA_NUMBERS 25 /* of struct event_deltas */

/* --- numbers -------------------------------------------------------------------------------- */

/* One row a member: where it is, and its key. All are unsigned but exit_code, which is small. What
 * is 0 is left out: that is most of an app that runs as it should. */
#define ROWS(X)                                                                \
	X("lost_leaves", app->instance.lost_leaves, unsigned)                  \
	X("in_row", app->instance.restarts.in_row, unsigned)                   \
	X("next_delay_usec", app->instance.restarts.next_delay_usec, uint64_t) \
	X("backoff_usec", app->instance.backoff_usec, uint64_t)                \
	X("due_usec", app->instance.due_usec, uint64_t)                        \
	X("spawned_usec", app->instance.spawned_usec, uint64_t)                \
	X("exit_code", app->instance.exit_code, int)                           \
	X("stop_signal", app->instance.stop_signal, int)                       \
	X("stop_requested", app->instance.stop_requested, bool)                \
	X("killed_by_us", app->instance.killed_by_us, bool)                    \
	X("ended_cause", app->instance.ended_cause, enum cause)                \
	X("tenant_oom", app->instance.tenant_oom, uint64_t)                    \
	X("lifted", app->instance.lifted, bool)                                \
	X("well", app->instance.was_well, bool)                                \
	X("judged", app->instance.judged, bool)                                \
	X("judged_usec", app->instance.judged_usec, uint64_t)                  \
	X("decision", app->instance.decision, enum decision)                   \
	X("pids_seen", app->instance.pids_seen, uint64_t)                      \
	X("pid", app->instance.worker_pid, pid_t)                              \
	X("worker_uid", app->instance.uid, uid_t)                              \
	X("uid", app->uid, uid_t)                                              \
	X("since_usec", app->since_usec, uint64_t)                             \
	X("restarts", app->restarts, uint64_t)                                 \
	X("has_slice", app->has_slice, bool)                                   \
	X("queued", app->queued, bool)                                         \
	X("start_again", app->start_again, bool)                               \
	X("remove", app->remove, bool)

static int set_numbers(const struct app *app, json_t *record)
{
	int r = 0;

#define SET(key, member, type) \
	if ((member) != 0)     \
		r |= json_object_set_new(record, key, json_integer((json_int_t)(member)));
	ROWS(SET)
#undef SET
	return r;
}

static void get_numbers(struct app *app, const json_t *record)
{
#define GET(key, member, type) member = (type)json_integer_value(json_object_get(record, key));
	ROWS(GET)
#undef GET
}

static int set_deltas(json_t *record, const char *key, const struct event_deltas *deltas)
{
	uint64_t numbers[DELTA_NUMBERS], any = 0;
	json_t *array;

	static_assert(sizeof(numbers) == sizeof(*deltas), "nothing but numbers");
	memcpy(numbers, deltas, sizeof(numbers));
	for (size_t i = 0; i < DELTA_NUMBERS; i++)
		any |= numbers[i];
	if (any == 0)
		return 0;
	array = json_array();
	for (size_t i = 0; array != NULL && i < DELTA_NUMBERS; i++)
		(void)json_array_append_new(array, json_integer((json_int_t)numbers[i]));
	return json_object_set_new(record, key, array);
}

static bool unpack_deltas(const json_t *array, struct event_deltas *ret)
{
	uint64_t numbers[DELTA_NUMBERS];

	if (array == NULL) {
		*ret = (struct event_deltas){ 0 };
		return true;
	}
	if (json_array_size(array) != DELTA_NUMBERS)
		return false;
	for (size_t i = 0; i < DELTA_NUMBERS; i++)
		numbers[i] = (uint64_t)json_integer_value(json_array_get(array, i));
	memcpy(ret, numbers, sizeof(numbers));
	return true;
}

/* --- the spec that runs --------------------------------------------------------------------- */

/* FNV-1a, of what of a spec can't be changed in a running app. */
static int digest_spec(const struct app_spec *spec, uint64_t *ret, struct error *err)
{
	_cleanup_json_ json_t *object = NULL;
	_cleanup_free_ char *text = NULL;
	uint64_t hash = UINT64_C(14695981039346656037);
	int r;

	r = spec_to_json(spec, &object, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < spec_row_count; i++) {
		json_t *group = spec_rows[i].section != NULL
					? json_object_get(object, spec_rows[i].section)
					: object;

		if ((spec_rows[i].flags & ROW_LIVE) != 0)
			(void)json_object_del(group, spec_rows[i].key);
	}
	/* all of it is live, and it is there only with a check */
	if (json_object_size(json_object_get(object, "health")) == 0)
		(void)json_object_del(object, "health");
	text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
	if (text == NULL)
		return error_no_memory(err);
	for (const char *c = text; *c != '\0'; c++)
		hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
	*ret = hash;
	return 0;
}

/* --- the record ----------------------------------------------------------------------------- */

static int set_last(json_t *record, const struct app_last *last)
{
	if (last == NULL)
		return 0;
	return json_object_set_new(record, "last",
				   json_pack("{s:s, s:i, s:I, s:s, s:s}", "cause",
					     cause_name(last->cause), "exit_code", last->exit_code,
					     "time_usec", (json_int_t)last->time_usec, "incident",
					     last->incident, "sentence", last->sentence));
}

/* What a canary was refused, as its launcher tells it once only. */
static int set_denied(json_t *record, const struct instance_denials *denials)
{
	json_t *list;

	if (denials == NULL || denials->rules.count == 0)
		return 0;
	list = json_array();
	for (size_t i = 0; list != NULL && i < denials->rules.count; i++)
		(void)json_array_append_new(list, json_string(denials->rules.items[i]));
	return json_object_set_new(record, "denied", list);
}

static int read_denied(struct app *app, const json_t *list, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
		const char *rule = json_string_value(json_array_get(list, i));

		if (rule != NULL && strlen(rule) < DENIAL_TEXT_MAX)
			r = instance_add_rule(&app->instance, rule, err);
	}
	return r;
}

static int digest_app(struct app *app, uint64_t *ret, struct error *err)
{
	int r = 0;

	if (app->digest == 0)
		r = digest_spec(&app->spec, &app->digest, err);
	if (r >= 0)
		*ret = app->digest;
	return r;
}

static int make_object(struct app *app, json_t **ret, struct error *err)
{
	_cleanup_json_ json_t *record = NULL;
	char digest_text[32], tenant[SPEC_NAME_MAX + 1];
	uint64_t digest;
	int r;

	digest = app->held_digest;
	r = app->held ? 0 : digest_app(app, &digest, err);
	if (r < 0)
		return r;
	snprintf(digest_text, sizeof(digest_text), "%016" PRIx64, digest);
	record = json_pack("{s:s, s:s, s:s, s:s, s:s*, s:s*}", "state",
			   app_state_name(app_state(app)), "leaf", app->instance.leaf_name,
			   "command", app->instance.command, "spec", digest_text, "tenant",
			   app_cgroup_tenant(app->path, tenant), "ended_for",
			   app->instance.ended_for);
	if (record == NULL || set_numbers(app, record) < 0 ||
	    set_deltas(record, "base", instance_base(&app->instance)) < 0 ||
	    set_deltas(record, "explained", instance_explained(&app->instance)) < 0 ||
	    set_denied(record, app->instance.denials) < 0 || set_last(record, app->last) < 0)
		return error_no_memory(err);
	*ret = TAKE_PTR(record);
	return 0;
}

int app_record_make(struct app *app, struct error *err)
{
	_cleanup_json_ json_t *record = NULL;
	int r;

	if (app->saved != NULL)
		return 0;
	r = make_object(app, &record, err);
	if (r < 0)
		return r;
	app->saved = json_dumps(record, JSON_COMPACT);
	if (app->saved == NULL)
		return error_no_memory(err);
	app->saved_length = strlen(app->saved);
	return 0;
}

static void get_text(const json_t *record, const char *key, char *text, size_t size)
{
	const char *value = json_string_value(json_object_get(record, key));

	if (value != NULL)
		snprintf(text, size, "%s", value);
}

static void read_last(struct app *app, const json_t *last)
{
	const char *cause = json_string_value(json_object_get(last, "cause"));

	if (cause == NULL)
		return;
	app->last = calloc(1, sizeof(*app->last));
	if (app->last == NULL)
		return;
	for (int i = 0; i < CAUSE_COUNT; i++)
		if (strcmp(cause, cause_name((enum cause)i)) == 0)
			app->last->cause = (enum cause)i;
	app->last->exit_code = (int)json_integer_value(json_object_get(last, "exit_code"));
	app->last->time_usec = (uint64_t)json_integer_value(json_object_get(last, "time_usec"));
	get_text(last, "incident", app->last->incident, sizeof(app->last->incident));
	get_text(last, "sentence", app->last->sentence, sizeof(app->last->sentence));
}

static void read_ended(struct app *app, const char *ended_for)
{
	if (app->instance.ended_cause != CAUSE_HUNG &&
	    app->instance.ended_cause != CAUSE_UNHEALTHY &&
	    app->instance.ended_cause != CAUSE_STALLED &&
	    app->instance.ended_cause != CAUSE_PRESSURE)
		app->instance.ended_cause = 0;
	free(app->instance.ended_for);
	app->instance.ended_for = ended_for != NULL ? strdup(ended_for) : NULL;
}

/* A leaf's name goes into paths: digits and dashes only. */
static bool is_leaf_name(const char *text)
{
	return text != NULL && text[0] != '\0' && strlen(text) < INSTANCE_LEAF_MAX &&
	       strspn(text, "0123456789-") == strlen(text);
}

static bool is_own_uid(json_int_t uid)
{
	return uid == 0 || (uid >= IDENTITY_DAEMON_FIRST &&
			    uid < IDENTITY_DAEMON_FIRST + IDENTITY_DYNAMIC_COUNT);
}

/* Its tenant may have been changed in its file since: what it has is where it was started. 1 if
 * that is where it would be started now, 0 if not. */
static int take_place(struct app *app, const char *tenant, struct error *err)
{
	char path[APP_CGROUP_PATH_MAX];
	bool same = strcmp(app_cgroup_path(tenant, app->spec.name, path), app->path) == 0;

	if (!same && !app->has_slice)
		app->uid = 0; /* that tenant's */
	if (same || !app->has_slice)
		return 1;
	return app_set_place(app, path, err);
}

int app_record_read(struct app *app, const json_t *record, bool *ret_same, struct error *err)
{
	const char *state = json_string_value(json_object_get(record, "state"));
	const char *leaf = json_string_value(json_object_get(record, "leaf"));
	const char *spec = json_string_value(json_object_get(record, "spec"));
	const char *tenant = json_string_value(json_object_get(record, "tenant"));
	struct event_deltas base, explained;
	enum app_state parsed;
	uint64_t digest, recorded;
	int r, at_home;

	if (state == NULL || app_state_parse(state, &parsed) < 0 || !is_leaf_name(leaf) ||
	    !unpack_deltas(json_object_get(record, "base"), &base) ||
	    !unpack_deltas(json_object_get(record, "explained"), &explained) ||
	    (tenant != NULL && spec_validate_name(tenant, err) < 0) ||
	    !is_own_uid(json_integer_value(json_object_get(record, "uid"))))
		return error_set(err, ERROR_INVALID, 0, "app %s: its record makes no sense",
				 app->spec.name);
	r = digest_spec(&app->spec, &digest, err);
	if (r == 0)
		r = read_denied(app, json_object_get(record, "denied"), err);
	if (r < 0)
		return r;
	recorded = spec != NULL ? strtoull(spec, NULL, 16) : 0;
	if (app->held)
		app->held_digest = recorded;
	get_numbers(app, record);
	r = instance_set_base(&app->instance, &base, err);
	if (r < 0)
		return r;
	at_home = take_place(app, tenant, err);
	if (at_home < 0)
		return at_home;
	if ((unsigned)app->instance.decision >= DECISION_COUNT)
		app->instance.decision = DECISION_ENDED;
	read_ended(app, json_string_value(json_object_get(record, "ended_for")));
	app->instance.state = parsed;
	instance_explain(&app->instance, &explained);
	snprintf(app->instance.leaf_name, sizeof(app->instance.leaf_name), "%s", leaf);
	get_text(record, "command", app->instance.command, sizeof(app->instance.command));
	read_last(app, json_object_get(record, "last"));
	*ret_same = app->held || (recorded == digest && at_home > 0);
	return 0;
}

bool app_record_is_of(const struct app *app, const struct app_spec *spec)
{
	struct error ignored;
	uint64_t digest;

	return digest_spec(spec, &digest, &ignored) >= 0 && digest == app->held_digest;
}
