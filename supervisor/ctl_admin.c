/* SPDX-License-Identifier: MIT */
/* The administrator's: plans, tenants, the daemon itself, and calls by hand. */
#include "policy/own.h"
#include "supervisor/ctl.h"

#include <string.h>

/* --- plans and tenants ------------------------------------------------------------------------ */

static int show_list(struct ctl *ctl, const char *method,
		     int (*view)(const struct ctl_view *view, const json_t *result,
				 struct error *err),
		     struct error *err)
{
	_cleanup_json_ json_t *result = NULL;
	int r = ctl_call(ctl, method, json_object(), &result, err);

	if (r < 0)
		return r;
	if (ctl_given(ctl, CTL_JSON))
		ctl_put_json(ctl, result);
	else
		r = view(&ctl->view, result, err);
	return r;
}

static int show_object(struct ctl *ctl, const char *method, struct error *err)
{
	_cleanup_json_ json_t *result = NULL;
	int r = ctl_call(ctl, method, json_pack("{s:s}", "name", ctl->words[0]), &result, err);

	if (r < 0)
		return r;
	/* where it comes from can't be applied */
	if (!ctl_given(ctl, CTL_JSON))
		json_object_del(result, "source");
	ctl_put_json(ctl, result);
	return 0;
}

static int do_and_say(struct ctl *ctl, const char *method, json_t *params, const char *name,
		      const char *done, struct error *err)
{
	_cleanup_json_ json_t *result = NULL;
	int r = ctl_call(ctl, method, params, &result, err);

	if (r < 0)
		return r;
	if (ctl_given(ctl, CTL_JSON))
		ctl_put_json(ctl, result);
	else
		ctl_say(ctl, "%s: %s", name, done);
	return 0;
}

static int apply_plan(struct ctl *ctl, json_t *plan, struct error *err)
{
	return do_and_say(ctl, "plan.apply", json_pack("{s:O}", "plan", plan),
			  ctl_view_string(plan, "name"), "applied", err);
}

static int apply_tenant(struct ctl *ctl, json_t *tenant, struct error *err)
{
	return do_and_say(ctl, "tenant.apply", json_pack("{s:O}", "tenant", tenant),
			  ctl_view_string(tenant, "name"), "applied", err);
}

static int remove_plan(struct ctl *ctl, const char *name, struct error *err)
{
	return do_and_say(ctl, "plan.remove", json_pack("{s:s}", "name", name), name, "removed",
			  err);
}

static int remove_tenant(struct ctl *ctl, const char *name, struct error *err)
{
	return do_and_say(ctl, "tenant.remove", json_pack("{s:s}", "name", name), name, "removed",
			  err);
}

int ctl_plan_list(struct ctl *ctl, struct error *err)
{
	return show_list(ctl, "plan.list", ctl_view_plans, err);
}

int ctl_plan_get(struct ctl *ctl, struct error *err)
{
	return show_object(ctl, "plan.get", err);
}

int ctl_plan_apply(struct ctl *ctl, struct error *err)
{
	return ctl_apply_files(ctl, apply_plan, err);
}

int ctl_plan_remove(struct ctl *ctl, struct error *err)
{
	return ctl_for_each(ctl, remove_plan, err);
}

int ctl_tenant_list(struct ctl *ctl, struct error *err)
{
	return show_list(ctl, "tenant.list", ctl_view_tenants, err);
}

int ctl_tenant_get(struct ctl *ctl, struct error *err)
{
	return show_object(ctl, "tenant.get", err);
}

int ctl_tenant_apply(struct ctl *ctl, struct error *err)
{
	return ctl_apply_files(ctl, apply_tenant, err);
}

int ctl_tenant_remove(struct ctl *ctl, struct error *err)
{
	return ctl_for_each(ctl, remove_tenant, err);
}

/* --- the daemon ------------------------------------------------------------------------------- */

int ctl_reload(struct ctl *ctl, struct error *err)
{
	static const char *const kinds[] = { "added", "changed", "removed" };
	_cleanup_json_ json_t *result = NULL;
	int r = ctl_call(ctl, "daemon.reload", json_object(), &result, err);

	if (r < 0)
		return r;
	if (ctl_given(ctl, CTL_JSON)) {
		ctl_put_json(ctl, result);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const json_t *name;
		size_t index;

		json_array_foreach(json_object_get(result, kinds[i]), index, name)
		{
			const char *text = json_string_value(name);

			ctl_say(ctl, "%s: %s", text != NULL ? text : "?", kinds[i]);
		}
	}
	ctl_say(ctl, "unchanged: %" JSON_INTEGER_FORMAT,
		json_integer_value(json_object_get(result, "unchanged")));
	return 0;
}

int ctl_daemon(struct ctl *ctl, struct error *err)
{
	_cleanup_json_ json_t *result = NULL;
	bool set = ctl_given(ctl, CTL_LOG_LEVEL);
	int r = set ? ctl_call(ctl, "daemon.log_level",
			       json_pack("{s:s}", "level", ctl->options.log_level), &result, err)
		    : ctl_call(ctl, "daemon.info", json_object(), &result, err);

	if (r < 0)
		return r;
	if (ctl_given(ctl, CTL_JSON))
		ctl_put_json(ctl, result);
	else if (set)
		ctl_say(ctl, "log level: %s", ctl_view_string(result, "level"));
	else
		ctl_view_daemon(&ctl->view, result);
	return 0;
}

/* --- calls by hand ---------------------------------------------------------------------------- */

static int read_params(struct ctl *ctl, json_t **ret, struct error *err)
{
	json_error_t where;
	json_t *params;

	if (ctl->word_count < 2) {
		*ret = json_object(); /* NULL: ctl_call raises it */
		return 0;
	}
	if (strcmp(ctl->words[1], "-") == 0)
		return ctl_read_json(ctl, "-", ret, err);
	params = json_loads(ctl->words[1], JSON_REJECT_DUPLICATES, &where);
	if (params == NULL)
		return error_set(err, ERROR_USAGE, 0, "rpc: params: column %d: is not JSON: %s",
				 where.column, where.text);
	*ret = params;
	return 0;
}

int ctl_rpc(struct ctl *ctl, struct error *err)
{
	_cleanup_json_ json_t *result = NULL;
	json_t *params;
	int r = read_params(ctl, &params, err);

	if (r >= 0)
		r = ctl_call(ctl, ctl->words[0], params, &result, err);
	if (r >= 0)
		ctl_put_json(ctl, result);
	return r;
}
