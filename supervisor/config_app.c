/* SPDX-License-Identifier: MIT */
/* One app: from its declaration to its spec, and who declared it. */
#include "policy/document.h"
#include "policy/own.h"
#include "policy/quote.h"
#include "policy/spec_json.h"
#include "supervisor/config.h"
#include "supervisor/store.h"

#include <stdio.h>
#include <string.h>

static int there_is_no(const char *what, const char *name, struct error *err)
{
	char shown[QUOTE_TEXT_MAX];
	int r = error_set(err, ERROR_INVALID, 0, "%s: there is no %s %s: declare it first", what,
			  what, quote_text(name, shown));

	error_set_path(err, "%s", what);
	return r;
}

/* *ret is NULL if there is none to be. */
static int find_plan_of(const struct config *config, const struct app_spec *spec,
			const struct config_plan **ret, struct error *err)
{
	const struct config_tenant *tenant;
	const char *name;

	*ret = config_find_plan_of(config, spec, &tenant);
	if (spec->tenant != NULL && tenant == NULL)
		return there_is_no("tenant", spec->tenant, err);
	name = spec->plan != NULL ? spec->plan : tenant != NULL ? tenant->tenant.plan : NULL;
	return name != NULL && *ret == NULL ? there_is_no("plan", name, err) : 0;
}

/* A tenant answers for its own words alone, not for the administrator's defaults. */
static int check_asker(const struct config_tenant *asker, const json_t *object, struct error *err)
{
	struct app_spec asked;
	int r = spec_from_json(object, NULL, &asked, err);

	if (r < 0)
		return r;
	r = tenant_check_app(&asker->tenant, &asked, err);
	spec_clear(&asked);
	return r;
}

/* Who knows best comes first: the app, its plan, the defaults, what pysbx itself would choose. */
static int complete_app(const struct config *config, const struct config_tenant *asker,
			struct app_spec *spec, struct error *err)
{
	const struct config_plan *plan;
	int r = 0;

	if (asker != NULL && spec->tenant == NULL) {
		spec->tenant = strdup(asker->tenant.name);
		r = spec->tenant == NULL ? error_no_memory(err) : 0;
	}
	if (r >= 0)
		r = find_plan_of(config, spec, &plan, err);
	if (r >= 0 && plan != NULL)
		r = hosting_plan_apply(&plan->plan, spec, err);
	if (r >= 0 && config->settings.defaults != NULL)
		r = spec_fill_defaults(config->settings.defaults, spec, err);
	if (r >= 0)
		r = spec_complete(spec, err);
	if (r >= 0)
		r = spec_validate(spec, err);
	return r;
}

int config_make_app(const struct config *config, const json_t *object,
		    const struct config_tenant *asker, struct app_spec *ret, struct error *err)
{
	struct app_spec spec = { 0 };
	int r;

	if (asker != NULL) {
		r = check_asker(asker, object, err);
		if (r < 0)
			return r;
	}
	r = spec_from_json(object, config->settings.defaults, &spec, err);
	if (r < 0)
		return r;
	r = complete_app(config, asker, &spec, err);
	if (r < 0) {
		spec_clear(&spec);
		return r;
	}
	*ret = spec;
	return 0;
}

/* --- who declared it ------------------------------------------------------------------------ */

/* *ret_app is borrowed from the document. */
static int open_declaration(const json_t *document, const json_t **ret_app,
			    char by[SPEC_NAME_MAX + 1], struct error *err)
{
	const json_t *app = json_object_get(document, "app");
	const json_t *declared_by = json_object_get(document, "declared_by");
	const char *name = json_string_value(declared_by);
	struct error ignored;

	if (!json_is_object(app) || json_object_size(document) != 2 ||
	    (!json_is_null(declared_by) &&
	     (name == NULL || spec_validate_name(name, &ignored) < 0)))
		return error_set(err, ERROR_INVALID, 0,
				 "is not {\"declared_by\": TENANT or null, \"app\": {...}}, as "
				 "pysbxd writes it: declare the app anew over the socket");
	snprintf(by, SPEC_NAME_MAX + 1, "%s", name != NULL ? name : "");
	*ret_app = app;
	return 0;
}

int config_read_declaration(const struct config *config, const char *name,
			    struct config_declaration *ret, struct error *err)
{
	_cleanup_json_ json_t *document = NULL;
	char path[CONFIG_PATH_MAX];
	const json_t *app;
	int r;

	config_file(config, CONFIG_APPS, SOURCE_SOCKET, name, path);
	r = store_read(path, STORE_DOCUMENT_MAX, &document, err);
	if (r < 0)
		return r;
	r = open_declaration(document, &app, ret->by, err);
	if (r < 0) {
		error_prefix(err, "%s", path);
		return r;
	}
	ret->app = json_incref((json_t *)app);
	return 0;
}

int config_read_app(const struct config *config, enum config_source source, const char *name,
		    json_t **ret, struct error *err)
{
	struct config_declaration declaration;
	char path[CONFIG_PATH_MAX];
	int r;

	if (source == SOURCE_FILE)
		return store_read(config_file(config, CONFIG_APPS, source, name, path),
				  STORE_DOCUMENT_MAX, ret, err);
	r = config_read_declaration(config, name, &declaration, err);
	if (r >= 0)
		*ret = declaration.app;
	return r;
}

int config_keep_declaration(const struct config *config, const char *name, const json_t *app,
			    const char *by, struct error *err)
{
	_cleanup_json_ json_t *document = json_object();
	char directory[CONFIG_PATH_MAX];
	bool of_tenant = by != NULL && by[0] != '\0';

	if (json_object_set_new(document, "declared_by",
				of_tenant ? json_string(by) : json_null()) < 0 ||
	    json_object_set(document, "app", (json_t *)app) < 0)
		return error_no_memory(err);
	return store_write(config_directory(config, CONFIG_APPS, directory), name, document, true,
			   err);
}

int config_make_app_of_file(const struct config *config, enum config_source source,
			    const json_t *document, struct app_spec *ret, struct error *err)
{
	const struct config_tenant *asker = NULL;
	const json_t *object = document;
	char by[SPEC_NAME_MAX + 1] = "";
	int r = 0;

	if (source == SOURCE_SOCKET)
		r = open_declaration(document, &object, by, err);
	if (r >= 0 && by[0] != '\0') {
		asker = config_find_tenant(config, by);
		if (asker == NULL)
			r = error_set(err, ERROR_INVALID, 0,
				      "tenant %s has declared it, and is none any more: remove it",
				      by);
	}
	if (r >= 0)
		r = config_make_app(config, object, asker, ret, err);
	if (r >= 0 && source == SOURCE_FILE)
		ret->door = DOOR_FILE;
	return r;
}
