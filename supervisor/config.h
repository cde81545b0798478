/* SPDX-License-Identifier: MIT */
/*
 * What has been declared, as one value: settings, hosting plans, tenants and apps, from the
 * administrator's files and from those that the socket's users have made.
 *
 *   /etc/pysbx/pysbxd.json                     defaults of apps, the daemon's own settings
 *   /etc/pysbx/plans.d/ tenants.d/ apps.d/     the administrator's
 *   /var/lib/pysbx/plans/ tenants/ apps/       made over the socket
 *
 * NAME.json holds the object of that name. Those in /var/lib/pysbx/apps say who declared them, too:
 *
 *   {"declared_by": "acme", "app": {...}}
 *
 * (null: an administrator), so that a tenant's words are measured at each load by what that tenant
 * may ask for by then, and not by what it might when it spoke. A config is loaded whole, checked
 * whole, and then never changed but by the functions below: a reload makes another one and
 * compares.
 *
 *   config.c      loading, and looking up
 *   config_app.c  one app's declaration
 */
#pragma once

#include "policy/hosting_plan.h"
#include "policy/settings.h"
#include "policy/spec.h"
#include "policy/tenant.h"

#include <jansson.h>
#include <stdbool.h>

enum config_source { SOURCE_FILE, SOURCE_SOCKET, SOURCE_COUNT };
enum config_kind { CONFIG_PLANS, CONFIG_TENANTS, CONFIG_APPS, CONFIG_KIND_COUNT };

struct config_paths {
	const char *etc; /* "/etc/pysbx" */
	const char *lib; /* "/var/lib/pysbx" */
};

struct config_plan {
	enum config_source source;
	struct hosting_plan plan;
};

struct config_tenant {
	enum config_source source;
	struct tenant tenant;
	uid_t *uids; /* of those of its users that exist */
	size_t uid_count;
};

struct config_app {
	enum config_source source;
	struct app_spec spec; /* complete: defaults, plan and all */
};

struct config {
	struct config_paths paths;
	struct settings settings;
	/* each sorted by name */
	struct config_plan *plans;
	struct config_tenant *tenants;
	struct config_app *apps;
	size_t plan_count, tenant_count, app_count;
};

/* Told of each file that is passed over (lenient), and of what is no error but strange. */
typedef void config_complaint(const struct error *err, void *userdata);

/* A configuration as it would be: with this object of the socket's users in place of the one of
 * that name, or without it. */
struct config_overlay {
	enum config_kind kind;
	const char *name;
	const json_t *object; /* as in its file; NULL: without it */
};

/* lenient: a file that is wrong costs only itself, as at the start of the daemon, but for
 * pysbxd.json; else the first wrong one is the error, as at a reload. Errors name file and JSON
 * path; those of the overlay's object have no file. overlay: NULL for what the files say. */
int config_load(const struct config_paths *paths, bool lenient,
		const struct config_overlay *overlay, config_complaint *complain, void *userdata,
		struct config **ret, struct error *err);
void config_free(struct config *config);
/* Without its apps from now on: who has put them in force has taken what it needs of each spec. */
void config_forget_apps(struct config *config);

/* NULL if there is none. */
const struct config_plan *config_find_plan(const struct config *config, const char *name);
const struct config_tenant *config_find_tenant(const struct config *config, const char *name);
const struct config_app *config_find_app(const struct config *config, const char *name);
/* The plan that an app is under: its own, or that of its tenant; and the tenant. */
const struct config_plan *config_find_plan_of(const struct config *config,
					      const struct app_spec *spec,
					      const struct config_tenant **ret_tenant);
const struct config_tenant *config_tenant_of_uid(const struct config *config, uid_t uid);

/* The app that `object` declares, with the defaults and its plan, complete and valid; not kept.
 * asker: the tenant who declares it over the socket, NULL for an administrator. */
int config_make_app(const struct config *config, const json_t *object,
		    const struct config_tenant *asker, struct app_spec *ret, struct error *err);

/* The same of a file's document, as whoever wrote it may. */
int config_make_app_of_file(const struct config *config, enum config_source source,
			    const json_t *document, struct app_spec *ret, struct error *err);

/* What the socket's users have declared of an app. */
struct config_declaration {
	json_t *app;		    /* owned */
	char by[SPEC_NAME_MAX + 1]; /* the tenant that did; "": an administrator */
};
/* -ENOENT if there is none. */
int config_read_declaration(const struct config *config, const char *name,
			    struct config_declaration *ret, struct error *err);
/* An app's declaration as it stands in its file, by whoever made it, with nothing filled in. *ret
 * is a new reference. -ENOENT if there is none. */
int config_read_app(const struct config *config, enum config_source source, const char *name,
		    json_t **ret, struct error *err);
/* Durably. by: a tenant; NULL or "": an administrator. */
int config_keep_declaration(const struct config *config, const char *name, const json_t *app,
			    const char *by, struct error *err);

/* Where the object of that name is or would be kept; path: 4096 bytes. */
const char *config_file(const struct config *config, enum config_kind kind,
			enum config_source source, const char *name, char *path);
/* The directory of what the socket's users make; path: 4096 bytes. */
const char *config_directory(const struct config *config, enum config_kind kind, char *path);

#define CONFIG_PATH_MAX 4096
