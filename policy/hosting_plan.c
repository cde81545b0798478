/* SPDX-License-Identifier: MIT */
#include "policy/hosting_plan.h"

#include "policy/ceiling.h"
#include "policy/declaration.h"
#include "policy/document.h"
#include "policy/own.h"
#include "policy/path.h"
#include "policy/quote.h"
#include "policy/spec_json.h"

#include <string.h>

const char *const hosting_plan_keys[HOSTING_PLAN_KEYS] = { "name", "limits", "syscalls", "apps" };

static const struct place document = { NULL, NULL, 0 };

void hosting_plan_clear(struct hosting_plan *plan)
{
	free(plan->name);
	spec_clear_limits(&plan->limits);
	strings_clear(&plan->syscalls);
	*plan = (struct hosting_plan){ 0 };
}

/* --- JSON ------------------------------------------------------------------------------------- */

static int check_profile(const char *profile, const struct place *at, struct error *err)
{
	struct error ignored;
	char shown[QUOTE_TEXT_MAX];

	if (path_is_normal(profile) || spec_validate_name(profile, &ignored) == 0)
		return 0;
	return place_refuse(at, err, "%s is neither the name of a profile nor a path to one",
			    quote_text(profile, shown));
}

static int read_apps(const json_t *object, uint64_t *apps, struct error *err)
{
	const json_t *value = json_object_get(object, "apps");
	const struct place at = { &document, "apps", 0 };

	if (value == NULL)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > HOSTING_PLAN_APPS_LIMIT)
		return place_refuse(&at, err,
				    "must be a whole number from 0 to %d; leave it out for any "
				    "number",
				    HOSTING_PLAN_APPS_LIMIT);
	*apps = (uint64_t)json_integer_value(value);
	return 0;
}

static int read_plan(const json_t *object, struct hosting_plan *plan, struct error *err)
{
	int r;

	r = place_check_keys(&document, object, hosting_plan_keys, HOSTING_PLAN_KEYS, err);
	if (r == 0)
		r = declaration_read_name(object, "name", true, &plan->name, err);
	if (r == 0)
		r = declaration_read_limits(object, SPEC_FIELDS_ALL, &plan->limits, err);
	if (r == 0)
		r = declaration_read_list(object, "syscalls", HOSTING_PLAN_SYSCALLS_MAX,
					  check_profile, &plan->syscalls, err);
	if (r == 0)
		r = read_apps(object, &plan->apps, err);
	return r;
}

int hosting_plan_from_json(const json_t *object, struct hosting_plan *ret, struct error *err)
{
	struct hosting_plan plan = { .limits = spec_no_limits, .apps = LIMIT_UNSET };
	int r = read_plan(object, &plan, err);

	if (r < 0) {
		hosting_plan_clear(&plan);
		return r;
	}
	*ret = plan;
	return 0;
}

int hosting_plan_to_json(const struct hosting_plan *plan, json_t **ret, struct error *err)
{
	_cleanup_json_ json_t *object = json_object();
	int r = object == NULL ? error_no_memory(err) : 0;

	if (r == 0)
		r = declaration_write_text(object, "name", plan->name, err);
	if (r == 0)
		r = declaration_write_limits(object, &plan->limits, err);
	if (r == 0)
		r = declaration_write_list(object, "syscalls", &plan->syscalls, err);
	if (r == 0 && plan->apps != LIMIT_UNSET &&
	    json_object_set_new(object, "apps", json_integer((json_int_t)plan->apps)) < 0)
		r = error_no_memory(err);
	if (r == 0)
		*ret = TAKE_PTR(object);
	return r;
}

/* --- an app under it -------------------------------------------------------------------------- */

/* "python-web", "a or b", "a, b or c" */
static void join_profiles(const struct strings *profiles, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < profiles->count && used < size; i++) {
		const char *before = i == 0 ? "" : i + 1 == profiles->count ? " or " : ", ";

		used += (size_t)snprintf(text + used, size - used, "%s%s", before,
					 profiles->items[i]);
	}
}

static int check_syscalls(const struct hosting_plan *plan, const char *syscalls, struct error *err)
{
	const struct place at = { &document, "syscalls", 0 };
	char shown[QUOTE_TEXT_MAX], choices[512];

	if (syscalls == NULL || plan->syscalls.count == 0 ||
	    strings_contains(&plan->syscalls, syscalls))
		return 0;
	join_profiles(&plan->syscalls, choices, sizeof(choices));
	return place_refuse(&at, err, "%s is not among the profiles of plan %s: write %s",
			    quote_text(syscalls, shown), plan->name, choices);
}

/* What the plan gives, with what follows from it. Borrowed: never cleared. */
static struct limits given_limits(const struct hosting_plan *plan)
{
	struct limits given = plan->limits;

	if (given.memory_swap_max == LIMIT_UNSET && given.memory_max < LIMIT_UNSET)
		given.memory_swap_max = 0;
	return given;
}

static int check(const struct hosting_plan *plan, const struct limits *given,
		 const struct app_spec *spec, struct error *err)
{
	char who[SPEC_NAME_MAX + 16];
	int r;

	snprintf(who, sizeof(who), "plan %s gives", plan->name);
	r = ceiling_check(&spec->limits, given, SPEC_FIELDS_ALL, who, err);
	return r < 0 ? r : check_syscalls(plan, spec->syscalls.profile, err);
}

int hosting_plan_apply(const struct hosting_plan *plan, struct app_spec *spec, struct error *err)
{
	const struct limits given = given_limits(plan);
	_cleanup_free_ char *syscalls = NULL;
	int r;

	r = check(plan, &given, spec, err);
	if (r < 0)
		return r;
	if (spec->syscalls.profile == NULL && plan->syscalls.count > 0) {
		syscalls = strdup(plan->syscalls.items[0]);
		if (syscalls == NULL)
			return error_no_memory(err);
	}
	r = ceiling_fill(&spec->limits, &given, err);
	if (r < 0)
		return r;
	if (syscalls != NULL)
		spec->syscalls.profile = TAKE_PTR(syscalls);
	return 0;
}
