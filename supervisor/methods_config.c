/* SPDX-License-Identifier: MIT */
/*
 * plan.* and tenant.*: hosting plans and tenants, which are made and changed like files: all is
 * read again as if what is asked for were written below /var/lib/pysbx, and if that is found right,
 * it is written.
 */
#include "policy/document.h"
#include "policy/own.h"
#include "policy/quote.h"
#include "supervisor/methods.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What differs between the two. */
struct family {
	enum config_kind kind;
	const char *word;
	int (*check)(const json_t *object, struct error *err);
	int (*pack)(const struct config *config, const char *name, json_t **ret,
		    enum config_source *ret_source, struct error *err);
};

static int check_plan(const json_t *object, struct error *err)
{
	struct hosting_plan plan;
	int r = hosting_plan_from_json(object, &plan, err);

	if (r >= 0)
		hosting_plan_clear(&plan);
	return r;
}

static int check_tenant(const json_t *object, struct error *err)
{
	struct tenant tenant;
	int r = tenant_from_json(object, &tenant, err);

	if (r >= 0)
		tenant_clear(&tenant);
	return r;
}

static int pack_plan(const struct config *config, const char *name, json_t **ret,
		     enum config_source *ret_source, struct error *err)
{
	const struct config_plan *plan = config_find_plan(config, name);

	if (plan == NULL)
		return -ENOENT;
	*ret_source = plan->source;
	return hosting_plan_to_json(&plan->plan, ret, err);
}

static int pack_tenant(const struct config *config, const char *name, json_t **ret,
		       enum config_source *ret_source, struct error *err)
{
	const struct config_tenant *tenant = config_find_tenant(config, name);

	if (tenant == NULL)
		return -ENOENT;
	*ret_source = tenant->source;
	return tenant_to_json(&tenant->tenant, ret, err);
}

static const struct family plans = { CONFIG_PLANS, "plan", check_plan, pack_plan };
static const struct family tenants = { CONFIG_TENANTS, "tenant", check_tenant, pack_tenant };

/* --- looking -------------------------------------------------------------------------------- */

static int pack(const struct daemon *daemon, const struct family *family, const char *name,
		json_t **ret, struct error *err)
{
	enum config_source source = SOURCE_FILE;
	char shown[QUOTE_TEXT_MAX];
	json_t *object = NULL;
	int r;

	r = family->pack(daemon->config, name, &object, &source, err);
	if (r == -ENOENT)
		return error_set(err, ERROR_NOT_FOUND, 0, "there is no %s %s", family->word,
				 quote_text(name, shown));
	if (r < 0)
		return r;
	(void)json_object_set_new(object, "source",
				  json_string(source == SOURCE_FILE ? "file" : "socket"));
	*ret = object;
	return 0;
}

static int get(struct call *call, const json_t *params, const struct daemon *daemon,
	       const struct family *family, struct error *err)
{
	json_t *object = NULL;
	int r = pack(daemon, family, rpc_params_string(params, "name", ""), &object, err);

	if (r < 0)
		return r;
	/* as it can be applied again */
	(void)json_object_del(object, "source");
	call_reply(call, object);
	return 0;
}

static const char *name_at(const struct config *config, const struct family *family, size_t i)
{
	if (family->kind == CONFIG_PLANS)
		return i < config->plan_count ? config->plans[i].plan.name : NULL;
	return i < config->tenant_count ? config->tenants[i].tenant.name : NULL;
}

static int list(struct call *call, const struct daemon *daemon, const struct family *family,
		struct error *err)
{
	json_t *array = json_array();
	const char *name;
	char key[16];
	int r = 0;

	for (size_t i = 0; r >= 0 && (name = name_at(daemon->config, family, i)) != NULL; i++) {
		json_t *object = NULL;

		r = pack(daemon, family, name, &object, err);
		if (r >= 0)
			(void)json_array_append_new(array, object);
	}
	if (r < 0) {
		json_decref(array);
		return r;
	}
	snprintf(key, sizeof(key), "%ss", family->word);
	call_reply(call, json_pack("{s:o}", key, array));
	return 0;
}

/* --- changing ------------------------------------------------------------------------------- */

static int check_source(const struct daemon *daemon, const struct family *family, const char *name,
			bool must_exist, struct error *err)
{
	enum config_source source = SOURCE_SOCKET;
	_cleanup_json_ json_t *object = NULL;
	char path[CONFIG_PATH_MAX], shown[QUOTE_TEXT_MAX];
	int r = family->pack(daemon->config, name, &object, &source, err);

	if (r == -ENOENT && !must_exist)
		return 0;
	if (r == -ENOENT)
		return error_set(err, ERROR_NOT_FOUND, 0, "there is no %s %s", family->word,
				 quote_text(name, shown));
	if (r >= 0 && source == SOURCE_FILE)
		return error_set(
			err, ERROR_CONFLICT, 0,
			"%s %s is declared in %s: change it there, and reload", family->word, name,
			config_file(daemon->config, family->kind, SOURCE_FILE, name, path));
	return r;
}

static bool is_named(const char *by, const char *name)
{
	return by != NULL && strcmp(by, name) == 0;
}

/* May it go? An app or a tenant that names it would be left without. */
static int check_unused(const struct daemon *daemon, const struct family *family, const char *name,
			struct error *err)
{
	bool is_plan = family->kind == CONFIG_PLANS;

	for (size_t i = 0; is_plan && i < daemon->config->tenant_count; i++) {
		const struct tenant *tenant = &daemon->config->tenants[i].tenant;

		if (is_named(tenant->plan, name))
			return error_set(err, ERROR_CONFLICT, 0, "tenant %s has the plan %s",
					 tenant->name, name);
	}
	for (size_t i = 0; i < daemon->app_count; i++) {
		const struct app *app = daemon->apps[i];

		if (!app->remove && is_named(is_plan ? app->spec.plan : app->spec.tenant, name))
			return error_set(err, ERROR_CONFLICT, 0, "app %s has the %s %s",
					 app->spec.name, family->word, name);
	}
	return 0;
}

/* object NULL: it is removed. */
static int change(struct call *call, struct daemon *daemon, const struct family *family,
		  const char *name, const json_t *object, struct error *err)
{
	const struct config_overlay overlay = { family->kind, name, object };
	struct daemon_changes changes;
	int r;

	r = check_source(daemon, family, name, object == NULL, err);
	if (r >= 0 && object == NULL)
		r = check_unused(daemon, family, name, err);
	if (r >= 0)
		r = daemon_reload(daemon, &overlay, &changes, err);
	if (r < 0)
		return r;
	call_reply(call, json_pack("{s:s, s:I}", "name", name, "apps_changed",
				   (json_int_t)changes.changed.count));
	daemon_changes_clear(&changes);
	return 0;
}

static int apply(struct call *call, const json_t *params, struct daemon *daemon,
		 const struct family *family, struct error *err)
{
	const json_t *object = rpc_params_value(params, family->word);
	int r = family->check(object, err);

	if (r < 0)
		return r;
	return change(call, daemon, family, json_string_value(json_object_get(object, "name")),
		      object, err);
}

/* --- the table ------------------------------------------------------------------------------ */

#define HANDLERS(family)                                                                        \
	static int family##_get(struct call *call, const json_t *params, void *userdata,        \
				struct error *err)                                              \
	{                                                                                       \
		return get(call, params, userdata, &(family), err);                             \
	}                                                                                       \
	static int family##_list(struct call *call, const json_t *params, void *userdata,       \
				 struct error *err)                                             \
	{                                                                                       \
		(void)params;                                                                   \
		return list(call, userdata, &(family), err);                                    \
	}                                                                                       \
	static int family##_apply(struct call *call, const json_t *params, void *userdata,      \
				  struct error *err)                                            \
	{                                                                                       \
		return apply(call, params, userdata, &(family), err);                           \
	}                                                                                       \
	static int family##_remove(struct call *call, const json_t *params, void *userdata,     \
				   struct error *err)                                           \
	{                                                                                       \
		return change(call, userdata, &(family), rpc_params_string(params, "name", ""), \
			      NULL, err);                                                       \
	}
HANDLERS(plans)
HANDLERS(tenants)
#undef HANDLERS

static const struct rpc_param plan_name[] = {
	{ .name = "name", .type = RPC_STRING, .required = true, .help = "The hosting plan" },
};
static const struct rpc_param plan_object[] = {
	{ .name = "plan", .type = RPC_OBJECT, .required = true, .help = "As in pysbx.json(5)" },
};
static const struct rpc_param tenant_name[] = {
	{ .name = "name", .type = RPC_STRING, .required = true, .help = "The tenant" },
};
static const struct rpc_param tenant_object[] = {
	{ .name = "tenant", .type = RPC_OBJECT, .required = true, .help = "As in pysbx.json(5)" },
};

#define PARAMS(table) .params = (table), .param_count = ARRAY_SIZE(table)

const struct control_method methods_config[] = {
	{ .name = "plan.list",
	  .summary = "Lists the hosting plans",
	  .result = "plans: objects as in pysbx.json(5), with their source",
	  .flags = METHOD_ADMIN,
	  .handle = plans_list },
	{ .name = "plan.get",
	  .summary = "Tells all about one hosting plan",
	  .result = "the plan as it can be applied",
	  .flags = METHOD_ADMIN,
	  PARAMS(plan_name),
	  .handle = plans_get },
	{ .name = "plan.apply",
	  .summary = "Declares a hosting plan, new or changed; its apps get its limits",
	  .result = "name; apps_changed: their number",
	  .flags = METHOD_ADMIN,
	  PARAMS(plan_object),
	  .handle = plans_apply },
	{ .name = "plan.remove",
	  .summary = "Forgets a hosting plan that nothing uses",
	  .result = "name; apps_changed: their number",
	  .flags = METHOD_ADMIN,
	  PARAMS(plan_name),
	  .handle = plans_remove },
	{ .name = "tenant.list",
	  .summary = "Lists the tenants",
	  .result = "tenants: objects as in pysbx.json(5), with their source",
	  .flags = METHOD_ADMIN,
	  .handle = tenants_list },
	{ .name = "tenant.get",
	  .summary = "Tells all about one tenant",
	  .result = "the tenant as it can be applied",
	  .flags = METHOD_ADMIN,
	  PARAMS(tenant_name),
	  .handle = tenants_get },
	{ .name = "tenant.apply",
	  .summary = "Declares a tenant, new or changed",
	  .result = "name; apps_changed: their number",
	  .flags = METHOD_ADMIN,
	  PARAMS(tenant_object),
	  .handle = tenants_apply },
	{ .name = "tenant.remove",
	  .summary = "Forgets a tenant that has no apps",
	  .result = "name; apps_changed: their number",
	  .flags = METHOD_ADMIN,
	  PARAMS(tenant_name),
	  .handle = tenants_remove },
};
const size_t methods_config_count = ARRAY_SIZE(methods_config);
