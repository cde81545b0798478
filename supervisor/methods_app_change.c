/* SPDX-License-Identifier: MIT */
/* app.*: declaring apps, changing and removing them. */
#include "policy/document.h"
#include "policy/figure.h"
#include "policy/own.h"
#include "policy/quote.h"
#include "policy/spec_diff.h"
#include "supervisor/methods.h"
#include "supervisor/reclaim.h"
#include "supervisor/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- apply ---------------------------------------------------------------------------------- */

/* May the caller put something in this one's place? Others' names are no more than taken. */
static int check_place(const struct daemon *daemon, const struct call *call, const char *name,
		       struct error *err)
{
	const struct app *app = daemon_find_app(daemon, name);
	char path[CONFIG_PATH_MAX];
	int r = 0;

	if (app == NULL)
		return 0;
	if (!methods_may_see(call, app->spec.tenant)) {
		r = error_set(err, ERROR_CONFLICT, 0, "name: %s is taken: choose another", name);
		error_set_path(err, "name");
	} else if (app->source == SOURCE_FILE) {
		r = error_set(err, ERROR_CONFLICT, 0,
			      "app %s is declared in %s: change it there, and reload", name,
			      config_file(daemon->config, CONFIG_APPS, SOURCE_FILE, name, path));
	}
	return r;
}

static int check_number(const struct daemon *daemon, const struct config_tenant *asker,
			const struct app_spec *spec, struct error *err)
{
	const struct config_plan *plan;

	if (asker == NULL || asker->tenant.plan == NULL ||
	    daemon_find_app(daemon, spec->name) != NULL)
		return 0;
	plan = config_find_plan(daemon->config, asker->tenant.plan);
	if (plan == NULL || plan->plan.apps >= LIMIT_UNSET ||
	    daemon_count_apps(daemon, asker->tenant.name) < plan->plan.apps)
		return 0;
	return error_set(err, ERROR_TOO_MANY, 0, "plan %s has room for %llu apps: remove one first",
			 plan->plan.name, (unsigned long long)plan->plan.apps);
}

/* app.apply, or app.set_limits if there are limits. */
struct apply {
	struct daemon *daemon;
	struct call *call;
	json_t *object; /* the declaration as it is kept: owned */
	char *name;	/* of the app whose limits are set: both owned */
	json_t *limits;
	bool force;
	/* Who has declared what the call only changes; "": an administrator, or nobody yet. */
	char by[SPEC_NAME_MAX + 1];
};

static void apply_clear(struct apply *apply)
{
	json_decref(apply->object);
	json_decref(apply->limits);
	free(apply->name);
}

/* Whose words it is: a tenant's, NULL for an administrator's. Those of a tenant stay its own when
 * an administrator changes limits in them. */
static const char *declarer_of(const struct apply *apply)
{
	const char *tenant = call_tenant(apply->call);

	if (tenant != NULL)
		return tenant;
	return apply->by[0] != '\0' ? apply->by : NULL;
}

static int make_spec(const struct apply *apply, struct app_spec *ret, struct error *err)
{
	const struct config_tenant *asker = NULL;
	const char *by = declarer_of(apply);
	int r;

	if (by != NULL)
		asker = config_find_tenant(apply->daemon->config, by);
	/* never taken for an administrator because its tenant has gone meanwhile */
	if (asker == NULL && by != NULL)
		return error_set(err, ERROR_DENIED, 0, "there is no tenant %s any more", by);
	r = config_make_app(apply->daemon->config, apply->object, asker, ret, err);
	if (r < 0)
		return r;
	r = check_place(apply->daemon, apply->call, ret->name, err);
	if (r >= 0)
		r = check_number(apply->daemon, asker, ret, err);
	/* what is kept says whose it is: at the next start nobody asks */
	if (r >= 0 && asker != NULL &&
	    json_object_set_new(apply->object, "tenant", json_string(asker->tenant.name)) < 0)
		r = error_no_memory(err);
	if (r < 0)
		spec_clear(ret);
	return r;
}

/* {name, created, changed, restart} */
static json_t *describe(const struct daemon *daemon, const struct app_spec *spec)
{
	const struct app *app = daemon_find_app(daemon, spec->name);
	struct spec_difference difference = { 0 };
	json_t *paths = json_array(), *result;
	struct error ignored;

	if (app != NULL)
		(void)spec_diff(&app->spec, spec, &difference, &ignored);
	for (size_t i = 0; i < difference.paths.count; i++)
		(void)json_array_append_new(paths, json_string(difference.paths.items[i]));
	result = json_pack("{s:s, s:b, s:o, s:b, s:s}", "name", spec->name, "created", app == NULL,
			   "changed", paths, "restart",
			   app != NULL && difference.restart && app_is_up(app), "state",
			   app_state_name(app != NULL ? app_state(app) : APP_STOPPED));
	spec_difference_clear(&difference);
	return result;
}

static int carry_out(const struct apply *apply, struct app_spec *spec, struct error *err)
{
	json_t *result = describe(apply->daemon, spec);
	bool created = json_is_true(json_object_get(result, "created"));
	bool restarts = json_is_true(json_object_get(result, "restart"));
	const char *name = NULL;
	struct app *app;
	int r;

	app = daemon_find_app(apply->daemon, spec->name);
	r = app != NULL ? methods_check_waiting(app, apply->call, err) : 0;
	if (r >= 0)
		r = daemon_apply(apply->daemon, apply->object, declarer_of(apply), spec, &app, err);
	if (r < 0) {
		json_decref(result);
		return r;
	}
	name = app->spec.name;
	/* said again as it is, it is no news: a panel may do so every minute */
	if (created || json_array_size(json_object_get(result, "changed")) > 0)
		events_publish(apply->daemon->events, "app.applied", name, app->spec.tenant,
			       json_pack("{s:b, s:O}", "created", created, "changed",
					 json_object_get(result, "changed")));
	if ((created && app->spec.enabled) || restarts)
		return methods_answer_when(apply->call, app, METHODS_STARTED,
					   METHODS_BIT(APP_RUNNING), result, err);
	methods_answer_state(apply->call, result, app);
	return 0;
}

/* The declaration on disk, with these limits in place of its own: null takes one away. */
static int read_with_limits(struct apply *apply, const char *name, const json_t *limits,
			    struct error *err)
{
	struct config_declaration declaration;
	const char *key;
	json_t *value, *own;
	int r;

	r = config_read_declaration(apply->daemon->config, name, &declaration, err);
	if (r < 0)
		return r;
	own = json_object_get(declaration.app, "limits");
	if (own == NULL) {
		own = json_object();
		(void)json_object_set_new(declaration.app, "limits", own);
	}
	json_object_foreach((json_t *)limits, key, value)
	{
		if (json_is_null(value))
			(void)json_object_del(own, key);
		else
			(void)json_object_set(own, key, value);
	}
	json_decref(apply->object);
	apply->object = declaration.app;
	snprintf(apply->by, sizeof(apply->by), "%s", declaration.by);
	return 0;
}

/* --- lowering memory: it is given back first, by a process of its own ----------------------- */

static int put_in_force(struct apply *apply, bool lowered, struct error *err);

/* As much as could be was given back: now it holds or fits, or it is refused. */
static void on_reclaimed(const char *result, void *userdata)
{
	struct apply *apply = userdata;
	struct app *app = daemon_find_app(apply->daemon, apply->name);
	struct error err;
	int r;
	(void)result;

	if (app == NULL || app->remove) {
		r = error_set(&err, ERROR_NOT_FOUND, 0, "app %s was removed meanwhile",
			      apply->name);
	} else {
		app->lowering = false;
		r = put_in_force(apply, true, &err);
		if (r < 0)
			app_renew_limits(app);
	}
	if (r < 0)
		call_fail(apply->call, &err);
	apply_clear(apply);
	free(apply);
}

static int lower_first(struct apply *now, struct app *app, const struct app_spec *spec,
		       struct error *err)
{
	struct apply *apply;
	int r;

	if (app->lowering)
		return error_set(err, ERROR_CONFLICT, 0,
				 "the memory limits of app %s are being lowered: try again when "
				 "that is done",
				 app->spec.name);
	if (now->name == NULL)
		now->name = strdup(app->spec.name);
	apply = now->name != NULL ? malloc(sizeof(*apply)) : NULL;
	if (apply == NULL)
		return error_no_memory(err);
	*apply = *now;
	r = reclaim_start(apply->daemon->event, apply->daemon->scope.fd, app->path, &spec->limits,
			  apply->force, on_reclaimed, apply, err);
	if (r < 0) {
		free(apply);
		return r;
	}
	*now = (struct apply){ 0 }; /* it has moved there */
	app->lowering = true;
	events_publish(apply->daemon->events, "app.progress", app->spec.name, app->spec.tenant,
		       json_pack("{s:s}", "step", "reclaim"));
	return 0;
}

/* limits are put into the declaration as it is now: it may have been changed since the call. */
static int put_in_force(struct apply *apply, bool lowered, struct error *err)
{
	struct app_spec spec;
	struct app *app;
	int r = 0;

	if (apply->limits != NULL)
		r = read_with_limits(apply, apply->name, apply->limits, err);
	if (r >= 0)
		r = make_spec(apply, &spec, err);
	if (r < 0)
		return r;
	app = daemon_find_app(apply->daemon, spec.name);
	if (!lowered && app != NULL && app->has_slice && !app->remove && !app->held &&
	    limits_lower_memory(&spec.limits, &app->spec.limits))
		r = lower_first(apply, app, &spec, err);
	else
		r = carry_out(apply, &spec, err);
	spec_clear(&spec);
	return r;
}

static int dry_run(const struct apply *apply, struct error *err)
{
	struct app_spec spec;
	int r = make_spec(apply, &spec, err);

	if (r < 0)
		return r;
	call_reply(apply->call, describe(apply->daemon, &spec));
	spec_clear(&spec);
	return 0;
}

static int apply_app(struct call *call, const json_t *params, void *userdata, struct error *err)
{
	struct apply apply = { .daemon = userdata,
			       .call = call,
			       .object = json_copy((json_t *)rpc_params_value(params, "app")),
			       .force = rpc_params_boolean(params, "force", false) };
	int r;

	if (apply.object == NULL)
		return error_no_memory(err);
	r = rpc_params_boolean(params, "dry_run", false) ? dry_run(&apply, err)
							 : put_in_force(&apply, false, err);
	apply_clear(&apply);
	return r;
}

static int set_limits(struct call *call, const json_t *params, void *userdata, struct error *err)
{
	const struct app *app = methods_find_app(userdata, call, params, err);
	struct apply apply = { .daemon = userdata,
			       .call = call,
			       .force = rpc_params_boolean(params, "force", false) };
	int r;

	if (app == NULL)
		return -ENOENT;
	r = check_place(userdata, call, app->spec.name, err);
	if (r < 0)
		return r;
	apply.name = strdup(app->spec.name);
	apply.limits = json_incref((json_t *)rpc_params_value(params, "limits"));
	r = apply.name == NULL ? error_no_memory(err) : put_in_force(&apply, false, err);
	apply_clear(&apply);
	return r;
}

/* --- remove --------------------------------------------------------------------------------- */

static void on_removed(struct app *app, int result, void *userdata)
{
	struct error err;

	if (result == -ENOENT) {
		call_reply(userdata, json_pack("{s:s}", "name", app->spec.name));
		return;
	}
	(void)error_set(&err, ERROR_CONFLICT, 0, "app %s was declared again meanwhile, and stays",
			app->spec.name);
	call_fail(userdata, &err);
}

static int remove_app(struct call *call, const json_t *params, void *userdata, struct error *err)
{
	struct app *app = methods_find_app(userdata, call, params, err);
	struct daemon *daemon = userdata;
	char directory[CONFIG_PATH_MAX];
	int r;

	if (app == NULL)
		return -ENOENT;
	r = check_place(daemon, call, app->spec.name, err);
	if (r >= 0)
		r = methods_check_waiting(app, call, err);
	if (r >= 0)
		r = store_remove(config_directory(daemon->config, CONFIG_APPS, directory),
				 app->spec.name, err);
	/* answered when the app is gone */
	if (r >= 0)
		r = app_wait(app,
			     &(struct app_wait){ .states = APP_KEPT,
						 .callback = on_removed,
						 .is_gone = methods_is_gone,
						 .admin = call_tenant(call) == NULL,
						 .userdata = call },
			     err);
	if (r < 0)
		return r;
	daemon_remove_app(daemon, app);
	return 0;
}

/* --- the table ------------------------------------------------------------------------------ */

#define NAME                                                                            \
	{                                                                               \
		.name = "name", .type = RPC_STRING, .required = true, .help = "The app" \
	}
#define FORCE(text)                                                  \
	{                                                            \
		.name = "force", .type = RPC_BOOLEAN, .help = (text) \
	}

static const struct rpc_param name_only[] = { NAME };
static const struct rpc_param apply_params[] = {
	{ .name = "app", .type = RPC_OBJECT, .required = true, .help = "As in pysbx.json(5)" },
	{ .name = "dry_run",
	  .type = RPC_BOOLEAN,
	  .help = "Only tell what would change, and whether it would restart" },
	FORCE("Also lower limits.memory below what is in use: the kernel kills then"),
};
static const struct rpc_param limits_params[] = {
	NAME,
	{ .name = "limits",
	  .type = RPC_OBJECT,
	  .required = true,
	  .help = "As in pysbx.json(5); null takes a limit of the app's own away" },
	FORCE("Also lower limits.memory below what is in use: the kernel kills then"),
};

#define PARAMS(table) .params = (table), .param_count = ARRAY_SIZE(table)

const struct control_method methods_app_change[] = {
	{ .name = "app.apply",
	  .summary = "Declares an app, new or changed, and puts it in force",
	  .result = "name, created, changed: JSON paths; restart, state",
	  .flags = METHOD_TENANT,
	  PARAMS(apply_params),
	  .handle = apply_app },
	{ .name = "app.remove",
	  .summary = "Stops an app and forgets it",
	  .result = "name",
	  .flags = METHOD_TENANT,
	  PARAMS(name_only),
	  .handle = remove_app },
	{ .name = "app.set_limits",
	  .summary = "Changes limits of an app, live where the kernel can; lowering memory "
		     "reclaims first",
	  .result = "name, created, changed: JSON paths; restart, state",
	  .flags = METHOD_TENANT,
	  PARAMS(limits_params),
	  .handle = set_limits },
};
const size_t methods_app_change_count = ARRAY_SIZE(methods_app_change);
