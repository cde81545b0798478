/* SPDX-License-Identifier: MIT */
/*
 * Changes of what is declared. In two steps: everything that can fail is done or checked first, and
 * undone if another part fails; then the new declarations are put in force, which can't fail.
 */
#include "policy/document.h"
#include "policy/own.h"
#include "policy/phrase.h"
#include "policy/spec_diff.h"
#include "policy/spec_json.h"
#include "supervisor/daemon.h"
#include "supervisor/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void daemon_changes_clear(struct daemon_changes *changes)
{
	strings_clear(&changes->added);
	strings_clear(&changes->changed);
	strings_clear(&changes->removed);
	*changes = (struct daemon_changes){ 0 };
}

static void on_complaint(const struct error *err, void *userdata)
{
	struct daemon *daemon = userdata;

	log_event(&daemon->log, LOG_EVENT_CONFIG_REFUSED, NULL, "%s", err->text);
}

static int load(struct daemon *daemon, bool lenient, const struct config_overlay *overlay,
		struct config **ret, struct error *err)
{
	const struct config_paths paths = { PYSBX_SYSCONFDIR, DAEMON_LIB };

	return config_load(&paths, lenient, overlay, on_complaint, daemon, ret, err);
}

/* The patterns have been compiled once, when they were read: without memory for another time the
 * old ones stay. */
static void apply_settings(struct daemon *daemon)
{
	const struct settings *settings = &daemon->config->settings;
	const struct strings *own = settings->incidents.own_mask ? &settings->incidents.mask : NULL;
	struct mask *mask = NULL;
	struct error err;

	daemon->log.threshold = (enum log_level)settings->log_level;
	daemon->host.instance.incidents = &settings->incidents;
	if (incident_hook_configure(daemon->hook, &settings->on_incident,
				    settings->on_incident_user, &err) < 0)
		log_event(&daemon->log, LOG_EVENT_HOOK_FAILED, NULL, "on_incident_user: %s",
			  err.text);
	if (mask_new(own, &mask, &err) < 0) {
		log_message(&daemon->log, LOG_LEVEL_ERROR, NULL, "incidents.mask: %s", err.text);
		return;
	}
	mask_free(daemon->mask);
	daemon->mask = mask;
	daemon->host.instance.mask = mask;
}

int daemon_load(struct daemon *daemon, struct error *err)
{
	int r = load(daemon, true, NULL, &daemon->config, err);

	daemon_find_admins(daemon);
	if (r < 0)
		return r;
	apply_settings(daemon);
	for (size_t i = 0; i < daemon->config->app_count; i++) {
		struct config_app *declared = &daemon->config->apps[i];
		struct app *ignored;

		r = daemon_add_app(daemon, &declared->spec, declared->source, &ignored, err);
		if (r < 0)
			return r;
	}
	config_forget_apps(daemon->config);
	return 0;
}

/* --- limits that change while an app runs --------------------------------------------------- */

/* Of a start, not of a cgroup: they wait for the next one. */
static bool is_live_limit(const char *key)
{
	return strcmp(key, "nofile") != 0 && strcmp(key, "tmp_size") != 0;
}

/* "limits.memory 64M to 100M", one after the other, and the paths; "" if there are none. */
static void compare_limits(const json_t *before, const json_t *after, struct phrase *text,
			   json_t *paths)
{
	_cleanup_json_ json_t *all = json_copy((json_t *)before);
	const char *key;
	json_t *ignored;

	(void)json_object_update(all, (json_t *)after);
	json_object_foreach(all, key, ignored)
	{
		json_t *was = json_object_get(before, key), *is = json_object_get(after, key);
		_cleanup_free_ char *from = was != NULL ? json_dumps(was, JSON_ENCODE_ANY) : NULL;
		_cleanup_free_ char *to = is != NULL ? json_dumps(is, JSON_ENCODE_ANY) : NULL;

		if (!is_live_limit(key) || json_equal(was, is))
			continue;
		phrase_add(text, "%slimits.%s %s to %s", json_array_size(paths) > 0 ? ", " : "",
			   key, from != NULL ? from : "none", to != NULL ? to : "none");
		(void)json_array_append_new(paths, json_sprintf("limits.%s", key));
	}
}

/* In force from here on. Limits that a running app has got without noticing are told. */
static void commit_change(struct daemon *daemon, struct app *app, struct app_spec *spec)
{
	_cleanup_json_ json_t *before = NULL, *after = NULL;
	json_t *paths = json_array();
	struct phrase phrase;
	struct error ignored;
	char text[512] = "";

	phrase = phrase_on(text, sizeof(text));
	if (app_state_has_process(app_state(app)) &&
	    spec_to_json(&app->spec, &before, &ignored) >= 0 &&
	    spec_to_json(spec, &after, &ignored) >= 0)
		compare_limits(json_object_get(before, "limits"), json_object_get(after, "limits"),
			       &phrase, paths);
	app_change_commit(app, spec);
	if (json_array_size(paths) > 0 && app_state(app) != APP_STOPPING) {
		const struct log_subject subject = instance_subject(&app->instance);

		log_event(&daemon->log, LOG_EVENT_LIMITS_CHANGED, &subject, "%s", text);
		events_publish(daemon->events, "app.limits", app->spec.name, app->spec.tenant,
			       json_pack("{s:O}", "changed", paths));
	}
	json_decref(paths);
}

/* --- reload --------------------------------------------------------------------------------- */

struct reload {
	struct daemon *daemon;
	struct config *config; /* the new one */
	struct daemon_changes *changes;
	size_t tenants_done, apps_done; /* live limits are set up to here */
};

static const struct limits *limits_of(const struct config *config, const char *tenant)
{
	const struct config_tenant *found = config_find_tenant(config, tenant);

	return found != NULL ? &found->tenant.limits : NULL;
}

static int set_tenant_limits(const struct reload *reload, const struct tenant *tenant,
			     struct error *err)
{
	const struct limits *before = limits_of(reload->daemon->config, tenant->name);
	int r;

	if (reload->daemon->scope.fd < 0 ||
	    (before != NULL && limits_equal(before, &tenant->limits)))
		return 0;
	r = app_cgroup_set_tenant_limits(reload->daemon->scope.fd, tenant, err);
	if (r >= 0)
		daemon_renew_tripwire(reload->daemon, tenant);
	return r;
}

static int live_step(struct reload *reload, struct error *err)
{
	struct config *config = reload->config;
	int r = 0;

	for (; r >= 0 && reload->tenants_done < config->tenant_count; reload->tenants_done++) {
		const struct tenant *tenant = &config->tenants[reload->tenants_done].tenant;

		r = set_tenant_limits(reload, tenant, err);
		if (r < 0)
			error_prefix(err, "tenant %s", tenant->name);
	}
	for (; r >= 0 && reload->apps_done < config->app_count; reload->apps_done++) {
		const struct app_spec *spec = &config->apps[reload->apps_done].spec;
		struct app *app = daemon_find_app(reload->daemon, spec->name);

		r = app != NULL ? app_change_live(app, spec, err) : 0;
		if (r < 0)
			error_prefix(err, "app %s", spec->name);
	}
	return r;
}

static void undo(struct reload *reload)
{
	struct daemon *daemon = reload->daemon;

	for (size_t i = 0; i < reload->tenants_done; i++) {
		const struct tenant *changed = &reload->config->tenants[i].tenant;
		const struct config_tenant *was = config_find_tenant(daemon->config, changed->name);

		if (was != NULL && !limits_equal(&was->tenant.limits, &changed->limits))
			daemon_renew_tenant(daemon, &was->tenant);
	}
	for (size_t i = 0; i < reload->apps_done; i++) {
		const struct app_spec *changed = &reload->config->apps[i].spec;
		struct app *app = daemon_find_app(daemon, changed->name);

		if (app != NULL && !app_is_same_in_kernel(app, changed))
			app_renew_limits(app);
	}
}

/* What differs, by name, before anything is changed. */
static int compare(struct reload *reload, struct error *err)
{
	struct daemon_changes *changes = reload->changes;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < reload->config->app_count; i++) {
		const struct app_spec *spec = &reload->config->apps[i].spec;
		const struct app *app = daemon_find_app(reload->daemon, spec->name);
		struct spec_difference difference = { 0 };

		if (app == NULL || app->remove) {
			r = strings_append(&changes->added, spec->name, err);
			continue;
		}
		r = spec_diff(&app->spec, spec, &difference, err);
		if (r >= 0 && difference.paths.count > 0)
			r = strings_append(&changes->changed, spec->name, err);
		else
			changes->unchanged++;
		spec_difference_clear(&difference);
	}
	for (size_t i = 0; r >= 0 && i < reload->daemon->app_count; i++) {
		const struct app *app = reload->daemon->apps[i];

		if (!app->remove && config_find_app(reload->config, app->spec.name) == NULL)
			r = strings_append(&changes->removed, app->spec.name, err);
	}
	return r;
}

static void add_declared(struct daemon *daemon, struct config_app *declared)
{
	struct error err;
	struct app *app;

	if (daemon_add_app(daemon, &declared->spec, declared->source, &app, &err) < 0)
		log_event(&daemon->log, LOG_EVENT_CONFIG_REFUSED, NULL, "%s", err.text);
	else if (app->spec.enabled)
		daemon_queue_app(daemon, app);
}

/* Who spoke for a tenant that has gone, or has other users now, is not that any more. */
static void drop_clients(const struct reload *reload, const struct config_tenant *old)
{
	const struct config_tenant *now = config_find_tenant(reload->config, old->tenant.name);

	if (now == NULL || now->uid_count != old->uid_count ||
	    memcmp(now->uids, old->uids, old->uid_count * sizeof(*old->uids)) != 0)
		control_drop_tenant(reload->daemon->control, old->tenant.name);
}

static bool is_tenant(const char *name, void *userdata)
{
	return config_find_tenant(userdata, name) != NULL;
}

static void commit(struct reload *reload)
{
	struct daemon *daemon = reload->daemon;

	for (size_t i = 0; i < reload->changes->removed.count; i++)
		daemon_remove_app(daemon,
				  daemon_find_app(daemon, reload->changes->removed.items[i]));
	for (size_t i = 0; i < reload->config->app_count; i++) {
		struct config_app *declared = &reload->config->apps[i];
		struct app *app = daemon_find_app(daemon, declared->spec.name);
		bool was_held;

		if (app == NULL) {
			add_declared(daemon, declared);
			continue;
		}
		was_held = app->held;
		app->source = declared->source;
		commit_change(daemon, app, &declared->spec);
		daemon_keep_app(daemon, app);
		/* while it was held nothing could start it */
		if (was_held && app->spec.enabled && app_state(app) == APP_FAILED)
			daemon_queue_app(daemon, app);
	}
	config_forget_apps(reload->config);
	for (size_t i = 0; i < daemon->config->tenant_count; i++)
		drop_clients(reload, &daemon->config->tenants[i]);
	tenant_tripwires_forget(&daemon->tripwires, is_tenant, reload->config);
	config_free(daemon->config);
	daemon->config = reload->config;
	daemon_give_uids(daemon);
	filter_cache_clear(&daemon->filters);
	apply_settings(daemon);
}

/* The last step that can fail: a daemon that is killed before it has the old files, one that is
 * killed after it has new ones, and both are right. */
static int write_overlay(const struct daemon *daemon, const struct config_overlay *overlay,
			 struct error *err)
{
	char directory[CONFIG_PATH_MAX];

	if (overlay == NULL)
		return 0;
	config_directory(daemon->config, overlay->kind, directory);
	return overlay->object != NULL
		       ? store_write(directory, overlay->name, overlay->object, true, err)
		       : store_remove(directory, overlay->name, err);
}

int daemon_reload(struct daemon *daemon, const struct config_overlay *overlay,
		  struct daemon_changes *ret, struct error *err)
{
	struct daemon_changes changes = { 0 };
	struct reload reload = { .daemon = daemon, .changes = &changes };
	int r;

	daemon_find_admins(daemon);
	daemon_trim_soon(daemon);
	r = load(daemon, false, overlay, &reload.config, err);
	if (r < 0) {
		log_event(&daemon->log, LOG_EVENT_CONFIG_REFUSED, NULL,
			  "not reloaded, all is as it was: %s", err->text);
		return r;
	}
	r = compare(&reload, err);
	if (r >= 0)
		r = live_step(&reload, err);
	if (r >= 0)
		r = write_overlay(daemon, overlay, err);
	if (r < 0) {
		undo(&reload);
		config_free(reload.config);
		daemon_changes_clear(&changes);
		log_event(&daemon->log, LOG_EVENT_CONFIG_REFUSED, NULL,
			  "not reloaded, all is as it was: %s", err->text);
		return r;
	}
	commit(&reload);
	log_event(&daemon->log, LOG_EVENT_CONFIG_RELOADED, NULL,
		  "reloaded: %zu apps added, %zu changed, %zu removed, %zu as they were",
		  changes.added.count, changes.changed.count, changes.removed.count,
		  changes.unchanged);
	events_publish(daemon->events, "daemon.reloaded", NULL, NULL, NULL);
	daemon_save_soon(daemon);
	*ret = changes;
	return 0;
}

/* --- one app, over the socket --------------------------------------------------------------- */

/* Is it in force and on disk as it is? Control panels say the same again and again. */
static bool is_applied(const struct daemon *daemon, const struct app *app, const json_t *object,
		       const char *by, const struct app_spec *spec)
{
	struct config_declaration kept = { 0 };
	struct spec_difference difference = { 0 };
	struct error ignored;
	bool same;

	if (app->held || spec_diff(&app->spec, spec, &difference, &ignored) < 0)
		return false;
	same = difference.paths.count == 0;
	spec_difference_clear(&difference);
	if (!same || config_read_declaration(daemon->config, spec->name, &kept, &ignored) < 0)
		return false;
	same = json_equal(kept.app, object) != 0 && strcmp(kept.by, by != NULL ? by : "") == 0;
	json_decref(kept.app);
	return same;
}

static int apply_new(struct daemon *daemon, const json_t *object, const char *by,
		     struct app_spec *spec, struct app **ret_app, struct error *err)
{
	struct app *app;
	int r;

	r = config_keep_declaration(daemon->config, spec->name, object, by, err);
	if (r >= 0)
		r = daemon_add_app(daemon, spec, SOURCE_SOCKET, &app, err);
	if (r < 0)
		return r;
	if (app->spec.enabled)
		daemon_start_app(app);
	*ret_app = app;
	return 0;
}

int daemon_apply(struct daemon *daemon, const json_t *object, const char *by, struct app_spec *spec,
		 struct app **ret_app, struct error *err)
{
	struct app *app = daemon_find_app(daemon, spec->name);
	int r;

	if (app == NULL)
		return apply_new(daemon, object, by, spec, ret_app, err);
	if (app->remove)
		return error_set(err, ERROR_CONFLICT, 0,
				 "app %s is being removed: try again when it has ended",
				 spec->name);
	if (is_applied(daemon, app, object, by, spec)) {
		*ret_app = app;
		return 0;
	}
	r = app_change_live(app, spec, err);
	if (r < 0)
		return r;
	r = config_keep_declaration(daemon->config, spec->name, object, by, err);
	if (r < 0) {
		app_renew_limits(app);
		return r;
	}
	commit_change(daemon, app, spec);
	daemon_save_soon(daemon);
	*ret_app = app;
	return 0;
}
