/* SPDX-License-Identifier: MIT */
/* What is done with apps: declared, shown, started, stopped, changed. */
#include "policy/limit_words.h"
#include "policy/own.h"
#include "policy/quote.h"
#include "supervisor/ctl.h"

#include <string.h>

#define WAIT_DEFAULT "30s"
#define STATUS_LINES 5 /* of the log, unless --lines says so */

/* Returns params, which may be NULL. */
static json_t *with_force(const struct ctl *ctl, json_t *params)
{
	if (ctl_given(ctl, CTL_FORCE))
		json_object_set_new(params, "force", json_true());
	return params;
}

/* --- apply ------------------------------------------------------------------------------------ */

/* "limits.memory, limits.cpu" */
static const char *join(const json_t *words, char *buffer, size_t size)
{
	const json_t *word;
	size_t index, used = 0;

	buffer[0] = '\0';
	json_array_foreach(words, index, word)
	{
		const char *text = json_string_value(word);
		int n = snprintf(buffer + used, size - used, "%s%s", index > 0 ? ", " : "",
				 text != NULL ? text : "?");

		if (n < 0 || (size_t)n >= size - used)
			break;
		used += (size_t)n;
	}
	return buffer;
}

static void say_applied(struct ctl *ctl, const json_t *result)
{
	const char *name = ctl_view_string(result, "name");
	const json_t *changed = json_object_get(result, "changed");
	bool dry = ctl_given(ctl, CTL_DRY_RUN);
	char list[CTL_VIEW_TEXT_MAX];

	if (json_is_true(json_object_get(result, "created")))
		ctl_say(ctl, "%s: %s", name, dry ? "would be created" : "created");
	else if (json_array_size(changed) == 0)
		ctl_say(ctl, "%s: unchanged", name);
	else
		ctl_say(ctl, "%s: %s: %s%s", name, dry ? "would change" : "changed",
			join(changed, list, sizeof(list)),
			!json_is_true(json_object_get(result, "restart")) ? ""
			: dry						  ? "; would restart"
									  : "; restarted");
}

static int apply_app(struct ctl *ctl, json_t *app, struct error *err)
{
	_cleanup_json_ json_t *result = NULL;
	json_t *params = with_force(ctl, json_pack("{s:O}", "app", app));
	int r;

	if (ctl_given(ctl, CTL_DRY_RUN))
		json_object_set_new(params, "dry_run", json_true());
	r = ctl_call(ctl, "app.apply", params, &result, err);
	if (r < 0)
		return r;
	if (ctl_given(ctl, CTL_JSON))
		ctl_put_json(ctl, result);
	else
		say_applied(ctl, result);
	return 0;
}

int ctl_apply(struct ctl *ctl, struct error *err)
{
	return ctl_apply_files(ctl, apply_app, err);
}

/* --- shown ------------------------------------------------------------------------------------ */

int ctl_get(struct ctl *ctl, struct error *err)
{
	_cleanup_json_ json_t *result = NULL;
	int r = ctl_call(ctl, "app.get", json_pack("{s:s}", "name", ctl->words[0]), &result, err);
	const json_t *spec;

	if (r < 0)
		return r;
	spec = json_object_get(result, "spec");
	if (ctl_given(ctl, CTL_JSON))
		spec = result;
	else if (json_is_null(spec))
		return error_set(err, ERROR_CONFLICT, 0,
				 "app %s has no declaration that can be read: --json shows what "
				 "is in force",
				 ctl->words[0]);
	ctl_put_json(ctl, spec);
	return 0;
}

int ctl_list(struct ctl *ctl, struct error *err)
{
	_cleanup_json_ json_t *result = NULL;
	int r = ctl_call(ctl, "app.list",
			 json_pack("{s:s*, s:s*}", "tenant", ctl->options.tenant, "state",
				   ctl->options.state),
			 &result, err);

	if (r < 0)
		return r;
	if (ctl_given(ctl, CTL_JSON))
		ctl_put_json(ctl, result);
	else
		r = ctl_view_apps(&ctl->view, result, err);
	return r;
}

/* What can't be had of an app that does not run is left out; what may not be is an error. */
static int optional_call(struct ctl *ctl, const char *method, json_t *params, json_t **ret,
			 struct error *err)
{
	int r = ctl_call(ctl, method, params, ret, err);

	return r < 0 && (err->kind == ERROR_CONFLICT || err->kind == ERROR_NOT_FOUND) ? 0 : r;
}

static int show_status(struct ctl *ctl, const char *name, struct error *err)
{
	_cleanup_json_ json_t *app = NULL, *stats = NULL, *logs = NULL, *whole = NULL;
	json_int_t lines =
		ctl_given(ctl, CTL_LINES) ? (json_int_t)ctl->options.lines : STATUS_LINES;
	int r = ctl_call(ctl, "app.get", json_pack("{s:s}", "name", name), &app, err);

	if (r >= 0)
		r = optional_call(ctl, "app.stats", json_pack("{s:s}", "name", name), &stats, err);
	if (r >= 0 && lines > 0)
		r = optional_call(ctl, "app.logs",
				  json_pack("{s:s, s:I}", "name", name, "lines", lines), &logs,
				  err);
	if (r < 0)
		return r;
	if (!ctl_given(ctl, CTL_JSON)) {
		ctl_view_status(&ctl->view, app, stats, logs);
		return 0;
	}
	whole = json_pack("{s:O, s:O?, s:O?}", "app", app, "stats", stats, "logs", logs);
	if (whole == NULL)
		return error_no_memory(err);
	ctl_put_json(ctl, whole);
	return 0;
}

int ctl_status(struct ctl *ctl, struct error *err)
{
	return ctl_for_each(ctl, show_status, err);
}

/* --- done to them ----------------------------------------------------------------------------- */

static json_t *name_params(struct ctl *ctl, const char *name)
{
	return with_force(ctl, json_pack("{s:s}", "name", name));
}

/* The answer's state, or `done` where it has none. */
static void tell_done(struct ctl *ctl, const char *name, const json_t *result, const char *done)
{
	const char *state = ctl_view_string(result, "state");

	if (ctl_given(ctl, CTL_JSON))
		ctl_put_json(ctl, result);
	else
		ctl_say(ctl, "%s: %s", name, state[0] != '\0' ? state : done);
}

/* A method that takes a name. */
static int call_by_name(struct ctl *ctl, const char *method, const char *name, const char *done,
			struct error *err)
{
	_cleanup_json_ json_t *result = NULL;
	int r = ctl_call(ctl, method, name_params(ctl, name), &result, err);

	if (r >= 0)
		tell_done(ctl, name, result, done);
	return r;
}

static int start_one(struct ctl *ctl, const char *name, struct error *err)
{
	return call_by_name(ctl, "app.start", name, "started", err);
}

static int restart_one(struct ctl *ctl, const char *name, struct error *err)
{
	return call_by_name(ctl, "app.restart", name, "restarted", err);
}

static int suspend_one(struct ctl *ctl, const char *name, struct error *err)
{
	return call_by_name(ctl, "app.suspend", name, "suspended", err);
}

static int resume_one(struct ctl *ctl, const char *name, struct error *err)
{
	return call_by_name(ctl, "app.resume", name, "resumed", err);
}

static void tell_stopped(struct ctl *ctl, const char *name, const json_t *result)
{
	tell_done(ctl, name, result, "stopped");
}

static void tell_removed(struct ctl *ctl, const char *name, const json_t *result)
{
	tell_done(ctl, name, result, "removed");
}

int ctl_start(struct ctl *ctl, struct error *err)
{
	return ctl_for_each(ctl, start_one, err);
}

int ctl_stop(struct ctl *ctl, struct error *err)
{
	return ctl_for_all(ctl, "app.stop", name_params, tell_stopped, err);
}

int ctl_restart(struct ctl *ctl, struct error *err)
{
	return ctl_for_each(ctl, restart_one, err);
}

int ctl_suspend(struct ctl *ctl, struct error *err)
{
	return ctl_for_each(ctl, suspend_one, err);
}

int ctl_resume(struct ctl *ctl, struct error *err)
{
	return ctl_for_each(ctl, resume_one, err);
}

int ctl_remove(struct ctl *ctl, struct error *err)
{
	return ctl_for_all(ctl, "app.remove", name_params, tell_removed, err);
}

int ctl_signal(struct ctl *ctl, struct error *err)
{
	_cleanup_json_ json_t *result = NULL;
	int r = ctl_call(ctl, "app.signal",
			 json_pack("{s:s, s:s}", "name", ctl->words[0], "signal", ctl->words[1]),
			 &result, err);

	if (r >= 0 && ctl_given(ctl, CTL_JSON))
		ctl_put_json(ctl, result);
	return r;
}

int ctl_set(struct ctl *ctl, struct error *err)
{
	_cleanup_json_ json_t *limits = NULL, *result = NULL;
	char list[CTL_VIEW_TEXT_MAX];
	json_t *params;
	int r = limit_words_to_json(ctl->words + 1, ctl->word_count - 1, &limits, err);

	if (r < 0)
		return r;
	params = json_pack("{s:s, s:O}", "name", ctl->words[0], "limits", limits);
	params = with_force(ctl, params);
	r = ctl_call(ctl, "app.set_limits", params, &result, err);
	if (r < 0)
		return r;
	join(json_object_get(result, "changed"), list, sizeof(list));
	if (ctl_given(ctl, CTL_JSON))
		ctl_put_json(ctl, result);
	else
		ctl_say(ctl, "%s: %s%s", ctl->words[0], list[0] != '\0' ? "changed: " : "unchanged",
			list);
	return 0;
}

int ctl_wait(struct ctl *ctl, struct error *err)
{
	_cleanup_json_ json_t *result = NULL;
	json_t *states = json_array();
	int r;

	for (size_t i = 1; i < ctl->word_count; i++)
		json_array_append_new(states, json_string(ctl->words[i]));
	r = ctl_call(ctl, "app.wait",
		     json_pack("{s:s, s:o, s:s}", "name", ctl->words[0], "states", states,
			       "timeout",
			       ctl_given(ctl, CTL_TIMEOUT) ? ctl->options.timeout : WAIT_DEFAULT),
		     &result, err);
	if (r < 0)
		return r;
	if (ctl_given(ctl, CTL_JSON))
		ctl_put_json(ctl, result);
	else
		ctl_say(ctl, "%s: %s", ctl->words[0], ctl_view_string(result, "state"));
	return 0;
}
