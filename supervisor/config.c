/* SPDX-License-Identifier: MIT */
#include "supervisor/config.h"

#include "policy/own.h"
#include "policy/quote.h"
#include "supervisor/store.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTINGS_FILE	  "pysbxd.json"
#define PASSWD_BUFFER_MAX 65536

static const char *const directories[CONFIG_KIND_COUNT][SOURCE_COUNT] = {
	[CONFIG_PLANS] = { [SOURCE_FILE] = "plans.d", [SOURCE_SOCKET] = "plans" },
	[CONFIG_TENANTS] = { [SOURCE_FILE] = "tenants.d", [SOURCE_SOCKET] = "tenants" },
	[CONFIG_APPS] = { [SOURCE_FILE] = "apps.d", [SOURCE_SOCKET] = "apps" },
};

struct loading {
	struct config *config;
	const struct config_overlay *overlay; /* NULL: none */
	bool lenient;
	config_complaint *complain;
	void *userdata;
};

static const char *directory_of(const struct config *config, enum config_kind kind,
				enum config_source source, char *path)
{
	snprintf(path, CONFIG_PATH_MAX, "%s/%s",
		 source == SOURCE_FILE ? config->paths.etc : config->paths.lib,
		 directories[kind][source]);
	return path;
}

const char *config_directory(const struct config *config, enum config_kind kind, char *path)
{
	return directory_of(config, kind, SOURCE_SOCKET, path);
}

const char *config_file(const struct config *config, enum config_kind kind,
			enum config_source source, const char *name, char *path)
{
	size_t length = strlen(directory_of(config, kind, source, path));

	snprintf(path + length, CONFIG_PATH_MAX - length, "/%s.json", name);
	return path;
}

/* --- looking up ------------------------------------------------------------------------------ */

static int compare_plans(const void *a, const void *b)
{
	return strcmp(((const struct config_plan *)a)->plan.name,
		      ((const struct config_plan *)b)->plan.name);
}

static int compare_tenants(const void *a, const void *b)
{
	return strcmp(((const struct config_tenant *)a)->tenant.name,
		      ((const struct config_tenant *)b)->tenant.name);
}

static int compare_apps(const void *a, const void *b)
{
	return strcmp(((const struct config_app *)a)->spec.name,
		      ((const struct config_app *)b)->spec.name);
}

/* The names of the keys are only read. */
const struct config_plan *config_find_plan(const struct config *config, const char *name)
{
	const struct config_plan key = { .plan = { .name = (char *)name } };

	return config->plan_count == 0 ? NULL
				       : bsearch(&key, config->plans, config->plan_count,
						 sizeof(key), compare_plans);
}

const struct config_tenant *config_find_tenant(const struct config *config, const char *name)
{
	const struct config_tenant key = { .tenant = { .name = (char *)name } };

	return config->tenant_count == 0 ? NULL
					 : bsearch(&key, config->tenants, config->tenant_count,
						   sizeof(key), compare_tenants);
}

const struct config_app *config_find_app(const struct config *config, const char *name)
{
	const struct config_app key = { .spec = { .name = (char *)name } };

	return config->app_count == 0
		       ? NULL
		       : bsearch(&key, config->apps, config->app_count, sizeof(key), compare_apps);
}

const struct config_plan *config_find_plan_of(const struct config *config,
					      const struct app_spec *spec,
					      const struct config_tenant **ret_tenant)
{
	const struct config_tenant *tenant =
		spec->tenant != NULL ? config_find_tenant(config, spec->tenant) : NULL;
	const char *name = spec->plan;

	*ret_tenant = tenant;
	if (name == NULL && tenant != NULL)
		name = tenant->tenant.plan;
	return name != NULL ? config_find_plan(config, name) : NULL;
}

const struct config_tenant *config_tenant_of_uid(const struct config *config, uid_t uid)
{
	for (size_t i = 0; i < config->tenant_count; i++)
		for (size_t k = 0; k < config->tenants[i].uid_count; k++)
			if (config->tenants[i].uids[k] == uid)
				return &config->tenants[i];
	return NULL;
}

/* --- reading -------------------------------------------------------------------------------- */

/* What a file declares must bear the file's name: one name, one place to look. */
static int check_name(const char *stem, const char *name, struct error *err)
{
	char shown[QUOTE_TEXT_MAX], wanted[QUOTE_TEXT_MAX];
	int r;

	if (strcmp(stem, name) == 0)
		return 0;
	r = error_set(err, ERROR_INVALID, 0, "name: %s must be %s, as the file is called",
		      quote_text(name, shown), quote_text(stem, wanted));
	error_set_path(err, "name");
	return r;
}

static int check_twice(bool there, const char *what, const char *name, struct error *err)
{
	return there ? error_set(err, ERROR_INVALID, 0,
				 "name: there is another %s %s already: remove one of them", what,
				 name)
		     : 0;
}

static int grow(void **array, size_t count, size_t size, struct error *err)
{
	void *larger;

	/* a power of two: it is full */
	if (count != 0 && (count & (count - 1)) != 0)
		return 0;
	larger = reallocarray(*array, count == 0 ? 1 : count * 2, size);
	if (larger == NULL)
		return error_no_memory(err);
	*array = larger;
	return 0;
}

static int add_plan(struct loading *loading, enum config_source source, const char *stem,
		    const json_t *object, struct error *err)
{
	struct config *config = loading->config;
	struct config_plan plan = { .source = source };
	int r;

	r = hosting_plan_from_json(object, &plan.plan, err);
	if (r < 0)
		return r;
	r = check_name(stem, plan.plan.name, err);
	if (r >= 0)
		r = check_twice(config_find_plan(config, stem) != NULL, "plan", stem, err);
	if (r >= 0)
		r = grow((void **)&config->plans, config->plan_count, sizeof(plan), err);
	if (r < 0) {
		hosting_plan_clear(&plan.plan);
		return r;
	}
	config->plans[config->plan_count++] = plan;
	qsort(config->plans, config->plan_count, sizeof(plan), compare_plans);
	return 0;
}

/* A user that does not exist (yet) is told, and can simply not connect. */
static void find_users(struct loading *loading, struct config_tenant *tenant)
{
	const struct strings *users = &tenant->tenant.users;

	tenant->uids = calloc(users->count + 1, sizeof(*tenant->uids));
	for (size_t i = 0; tenant->uids != NULL && i < users->count; i++) {
		_cleanup_free_ char *buffer = malloc(PASSWD_BUFFER_MAX);
		struct passwd entry, *found = NULL;
		struct error err;
		uint32_t id;

		if (quantity_parse_id(users->items[i], &id, &err) >= 0) {
			tenant->uids[tenant->uid_count++] = id;
			continue;
		}
		if (buffer != NULL)
			(void)getpwnam_r(users->items[i], &entry, buffer, PASSWD_BUFFER_MAX,
					 &found);
		if (found != NULL && found->pw_uid != 0) {
			tenant->uids[tenant->uid_count++] = found->pw_uid;
			continue;
		}
		(void)error_set(&err, ERROR_INVALID, 0,
				"tenant %s: users[%zu]: there is no user %s: it cannot connect",
				tenant->tenant.name, i, users->items[i]);
		loading->complain(&err, loading->userdata);
	}
}

static int check_users(const struct config *config, const struct config_tenant *tenant,
		       struct error *err)
{
	for (size_t i = 0; i < tenant->uid_count; i++) {
		const struct config_tenant *other = config_tenant_of_uid(config, tenant->uids[i]);

		if (other != NULL)
			return error_set(err, ERROR_INVALID, 0,
					 "users: uid %u is a user of tenant %s already: nobody can "
					 "speak for two",
					 tenant->uids[i], other->tenant.name);
	}
	return 0;
}

static int add_tenant(struct loading *loading, enum config_source source, const char *stem,
		      const json_t *object, struct error *err)
{
	struct config *config = loading->config;
	struct config_tenant tenant = { .source = source };
	int r;

	r = tenant_from_json(object, &tenant.tenant, err);
	if (r < 0)
		return r;
	find_users(loading, &tenant);
	r = check_name(stem, tenant.tenant.name, err);
	if (r >= 0)
		r = check_twice(config_find_tenant(config, stem) != NULL, "tenant", stem, err);
	if (r >= 0)
		r = check_users(config, &tenant, err);
	if (r >= 0 && tenant.tenant.plan != NULL &&
	    config_find_plan(config, tenant.tenant.plan) == NULL)
		r = error_set(err, ERROR_INVALID, 0, "plan: there is no plan %s",
			      tenant.tenant.plan);
	if (r >= 0)
		r = grow((void **)&config->tenants, config->tenant_count, sizeof(tenant), err);
	if (r < 0) {
		tenant_clear(&tenant.tenant);
		free(tenant.uids);
		return r;
	}
	config->tenants[config->tenant_count++] = tenant;
	qsort(config->tenants, config->tenant_count, sizeof(tenant), compare_tenants);
	return 0;
}

/* --- apps ---------------------------------------------------------------------------------- */

static bool has_app(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->app_count; i++)
		if (strcmp(config->apps[i].spec.name, name) == 0)
			return true;
	return false;
}

/* Sorted when all are there: there may be thousands. The files of one directory come in order, so
 * only those of the other one can be there already. */
static int add_app(struct loading *loading, enum config_source source, const char *stem,
		   const json_t *object, struct error *err)
{
	struct config *config = loading->config;
	struct config_app app = { .source = source };
	int r;

	r = config_make_app_of_file(config, source, object, &app.spec, err);
	if (r < 0)
		return r;
	r = check_name(stem, app.spec.name, err);
	if (r >= 0)
		r = check_twice(source == SOURCE_SOCKET && has_app(config, stem), "app", stem, err);
	if (r >= 0)
		r = grow((void **)&config->apps, config->app_count, sizeof(app), err);
	if (r < 0) {
		spec_clear(&app.spec);
		return r;
	}
	config->apps[config->app_count++] = app;
	return 0;
}

static int (*const add[CONFIG_KIND_COUNT])(struct loading *, enum config_source, const char *,
					   const json_t *, struct error *) = {
	[CONFIG_PLANS] = add_plan, [CONFIG_TENANTS] = add_tenant, [CONFIG_APPS] = add_app
};

static int load_file(struct loading *loading, enum config_kind kind, enum config_source source,
		     const char *stem, struct error *err)
{
	char path[CONFIG_PATH_MAX];
	json_t *document = NULL;
	int r;

	config_file(loading->config, kind, source, stem, path);
	r = store_read(path, STORE_DOCUMENT_MAX, &document, err);
	if (r >= 0) {
		r = add[kind](loading, source, stem, document, err);
		if (r < 0)
			error_prefix(err, "%s", path);
		json_decref(document);
	}
	if (r >= 0 || !loading->lenient || r == -ENOMEM)
		return r;
	loading->complain(err, loading->userdata);
	return 0;
}

/* What this directory has under the overlay's name is not looked at. */
static int load_directory(struct loading *loading, enum config_kind kind, enum config_source source,
			  struct error *err)
{
	const struct config_overlay *overlay = loading->overlay;
	_cleanup_strings_ struct strings stems = { 0 };
	char path[CONFIG_PATH_MAX];
	int r;

	if (overlay != NULL && (source != SOURCE_SOCKET || kind != overlay->kind))
		overlay = NULL;
	r = store_list(directory_of(loading->config, kind, source, path), &stems, err);
	for (size_t i = 0; r >= 0 && i < stems.count; i++)
		if (overlay == NULL || strcmp(stems.items[i], overlay->name) != 0)
			r = load_file(loading, kind, source, stems.items[i], err);
	if (r >= 0 && overlay != NULL && overlay->object != NULL)
		r = add[kind](loading, source, overlay->name, overlay->object, err);
	return r;
}

/* Never passed over: without its defaults all apps would run with other limits. */
static int load_settings(struct loading *loading, struct error *err)
{
	char path[CONFIG_PATH_MAX];
	json_t *document = NULL;
	int r;

	settings_init(&loading->config->settings);
	snprintf(path, sizeof(path), "%s/" SETTINGS_FILE, loading->config->paths.etc);
	r = store_read(path, STORE_DOCUMENT_MAX, &document, err);
	if (r == -ENOENT)
		return 0;
	if (r >= 0) {
		r = settings_from_json(document, &loading->config->settings, err);
		if (r < 0)
			error_prefix(err, "%s", path);
		json_decref(document);
	}
	return r;
}

int config_load(const struct config_paths *paths, bool lenient,
		const struct config_overlay *overlay, config_complaint *complain, void *userdata,
		struct config **ret, struct error *err)
{
	struct loading loading = { calloc(1, sizeof(struct config)), overlay, lenient, complain,
				   userdata };
	int r = loading.config == NULL ? error_no_memory(err) : 0;

	if (r < 0)
		return r;
	loading.config->paths = *paths;
	r = load_settings(&loading, err);
	for (int kind = 0; kind < CONFIG_KIND_COUNT; kind++)
		for (int source = 0; r >= 0 && source < SOURCE_COUNT; source++)
			r = load_directory(&loading, (enum config_kind)kind,
					   (enum config_source)source, err);
	if (r < 0) {
		config_free(loading.config);
		return r;
	}
	if (loading.config->app_count > 0)
		qsort(loading.config->apps, loading.config->app_count, sizeof(struct config_app),
		      compare_apps);
	*ret = loading.config;
	return 0;
}

void config_free(struct config *config)
{
	if (config == NULL)
		return;
	settings_clear(&config->settings);
	for (size_t i = 0; i < config->plan_count; i++)
		hosting_plan_clear(&config->plans[i].plan);
	for (size_t i = 0; i < config->tenant_count; i++) {
		tenant_clear(&config->tenants[i].tenant);
		free(config->tenants[i].uids);
	}
	config_forget_apps(config);
	free(config->plans);
	free(config->tenants);
	free(config);
}

void config_forget_apps(struct config *config)
{
	for (size_t i = 0; i < config->app_count; i++)
		spec_clear(&config->apps[i].spec);
	free(TAKE_PTR(config->apps));
	config->app_count = 0;
}
