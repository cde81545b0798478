/* SPDX-License-Identifier: MIT */
/* An app under another declaration: what is changed in the kernel, and what takes a restart. */
#include "policy/own.h"
#include "policy/spec_diff.h"
#include "supervisor/app.h"
#include "supervisor/app_record.h"
#include "supervisor/file.h"

#include <errno.h>
#include <string.h>

static bool is_same_tenant(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static int check_change(const struct app *app, const struct app_spec *spec, struct error *err)
{
	int r;

	if (is_same_tenant(app->spec.tenant, spec->tenant))
		return 0;
	r = error_set(err, ERROR_CONFLICT, 0,
		      "tenant: app %s belongs to %s: remove it, then declare it anew",
		      app->spec.name, app->spec.tenant != NULL ? app->spec.tenant : "no tenant");
	error_set_path(err, "tenant");
	return r;
}

bool app_is_same_in_kernel(const struct app *app, const struct app_spec *spec)
{
	return limits_equal(&app->spec.limits, &spec->limits) &&
	       strings_equal(&app->spec.isolation.egress, &spec->isolation.egress);
}

int app_change_live(struct app *app, const struct app_spec *spec, struct error *err)
{
	int r;

	r = check_change(app, spec, err);
	if (r < 0 || !app->has_slice || app_is_same_in_kernel(app, spec))
		return r;
	/* what it has is not known, and could not be given back: at the commit */
	if (app->held)
		return app_cgroup_check_limits(app->host->instance.root_fd, app->path,
					       &spec->limits, err);
	if (!limits_equal(&app->spec.limits, &spec->limits))
		r = app_cgroup_set_limits(app->host->instance.root_fd, app->path, &spec->limits,
					  err);
	if (r >= 0 && !strings_equal(&app->spec.isolation.egress, &spec->isolation.egress))
		r = app_set_egress(app, spec, err);
	/* half of it may be in force: back to what was */
	if (r < 0)
		app_renew_limits(app);
	return r;
}

/* Of the leaf, so of what runs: the next one is made with it. */
static void set_oom_group(struct app *app)
{
	_cleanup_close_ int leaf = -1;
	bool group = app->spec.oom == OOM_APP;
	struct error err;
	int r;

	if (!app_state_has_process(app_state(app)) || app->host->instance.root_fd < 0)
		return;
	if (instance_open_leaf(&app->instance, &leaf, &err) < 0)
		return; /* it is just being made, or has ended */
	r = file_write_at(leaf, "memory.oom.group", group ? "1" : "0", &err);
	/* without a memory controller there is no file, and no group */
	if (r < 0 && (group || r != -ENOENT))
		log_message(app->host->instance.log, LOG_LEVEL_ERROR, app->spec.name, "oom: %s",
			    err.text);
}

/* Also where there is none: an earlier daemon may have been killed before it was on disk. */
static void renew_egress(struct app *app)
{
	struct error err;

	if (app_set_egress(app, &app->spec, &err) < 0)
		log_message(app->host->instance.log, LOG_LEVEL_ERROR, app->spec.name, "%s",
			    err.text);
}

void app_renew_limits(struct app *app)
{
	struct error err;

	if (!app->has_slice || app->held || app->remove)
		return;
	set_oom_group(app);
	renew_egress(app);
	if (app_cgroup_renew_limits(app->host->instance.root_fd, app->path, &app->spec.limits,
				    &err) < 0)
		log_message(app->host->instance.log, LOG_LEVEL_ERROR, app->spec.name, "%s",
			    err.text);
}

/* One that failed to be compared is taken for another. */
static bool needs_restart(const struct app *app, const struct app_spec *spec)
{
	struct spec_difference difference;
	struct error ignored;
	bool restart;

	if (!app_is_up(app))
		return false;
	if (app->held)
		return !app_record_is_of(app, spec);
	if (spec_diff(&app->spec, spec, &difference, &ignored) < 0)
		return true;
	restart = difference.restart;
	spec_difference_clear(&difference);
	return restart;
}

void app_change_commit(struct app *app, struct app_spec *spec)
{
	bool restart = needs_restart(app, spec), held = app->held;
	bool other_oom = app->spec.oom != spec->oom;
	bool other_health = !health_policy_equal(&app->spec.health, &spec->health);

	spec_clear(&app->spec);
	app->spec = *spec;
	app->digest = 0;
	*spec = (struct app_spec){ 0 };
	app->held = false;
	app_log_set_spec(&app->log, &app->spec);
	app_forget_record(app);
	/* a canary is one for as long as its declaration stands; a restart forgets by itself */
	if (!restart && !app_is_up(app))
		instance_forget_denials(&app->instance);
	if (held)
		app_renew_limits(app);
	else if (other_oom)
		set_oom_group(app);
	instance_renew_tripwire(&app->instance);
	if (other_health || held)
		instance_watch_health(&app->instance);
	if (restart)
		app_restart(app);
}
