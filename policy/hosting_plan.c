/* SPDX-License-Identifier: MIT */
#include "policy/hosting_plan.h"

#include "policy/ceiling.h"
#include "policy/declaration.h"
#include "policy/document.h"
#include "policy/egress.h"
#include "policy/own.h"
#include "policy/path.h"
#include "policy/quote.h"
#include "policy/spec_json.h"

#include <string.h>

const char *const hosting_plan_keys[HOSTING_PLAN_KEYS] = { "name", "limits", "isolation",
							   "syscalls", "apps" };

static const struct place document = { NULL, NULL, 0 };
static const struct place at_isolation = { &document, "isolation", 0 };
static const struct place at_egress = { &at_isolation, "egress", 0 };

void hosting_plan_clear(struct hosting_plan *plan)
{
	free(plan->name);
	spec_clear_limits(&plan->limits);
	strings_clear(&plan->egress);
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

static int read_egress_entry(const char *entry, const struct place *at, struct egress_rules *ret,
			     struct error *err)
{
	int r = egress_add_entry(entry, ret, err);

	return r < 0 ? place_prefix(at, r, err) : 0;
}

static int check_egress_entry(const char *entry, const struct place *at, struct error *err)
{
	struct egress_rules ignored = { 0 };

	return read_egress_entry(entry, at, &ignored, err);
}

static int read_isolation(const json_t *object, struct strings *egress, struct error *err)
{
	static const char *const keys[] = { "egress" };
	const json_t *value = json_object_get(object, "isolation");
	const json_t *list = json_object_get(value, "egress");
	int r;

	if (value == NULL)
		return 0;
	r = place_check_keys(&at_isolation, value, keys, ARRAY_SIZE(keys), err);
	if (r == 0)
		r = declaration_read_list(&at_isolation, value, "egress", EGRESS_ENTRIES_MAX,
					  check_egress_entry, egress, err);
	if (r == 0 && list != NULL && egress->count == 0)
		r = place_refuse(&at_egress, err, EGRESS_EMPTY);
	return r;
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
		r = read_isolation(object, &plan->egress, err);
	if (r == 0)
		r = declaration_read_list(NULL, object, "syscalls", HOSTING_PLAN_SYSCALLS_MAX,
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

static int write_isolation(json_t *object, const struct strings *egress, struct error *err)
{
	json_t *isolation;
	int r;

	if (egress->count == 0)
		return 0;
	isolation = json_object();
	r = declaration_write_list(isolation, "egress", egress, err);
	if (r < 0) {
		json_decref(isolation);
		return r;
	}
	return json_object_set_new(object, "isolation", isolation) < 0 ? error_no_memory(err) : 0;
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
		r = write_isolation(object, &plan->egress, err);
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

#define CHOICES_TEXT_MAX 512 /* an error is one line, however many choices there are */

/* "python-web", "a or b", "a, b or c" */
static void join_choices(const struct strings *choices, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < choices->count && used < size; i++) {
		const char *before = i == 0 ? "" : i + 1 == choices->count ? " or " : ", ";

		used += (size_t)snprintf(text + used, size - used, "%s%s", before,
					 choices->items[i]);
	}
}

static int check_syscalls(const struct hosting_plan *plan, const char *syscalls, struct error *err)
{
	const struct place at = { &document, "syscalls", 0 };
	char shown[QUOTE_TEXT_MAX], choices[CHOICES_TEXT_MAX];

	if (syscalls == NULL || plan->syscalls.count == 0 ||
	    strings_contains(&plan->syscalls, syscalls))
		return 0;
	join_choices(&plan->syscalls, choices, sizeof(choices));
	return place_refuse(&at, err, "%s is not among the profiles of plan %s: write %s",
			    quote_text(syscalls, shown), plan->name, choices);
}

/* Each entry by itself: an app may write those of its plan, and what lies in one of them. */
static int check_egress(const struct hosting_plan *plan, const struct strings *egress,
			struct error *err)
{
	char shown[QUOTE_TEXT_MAX], choices[CHOICES_TEXT_MAX];
	struct egress_rules given = { 0 };
	int r = 0;

	if (plan->egress.count == 0)
		return 0;
	r = egress_rules_from_list(&plan->egress, &given, err);
	for (size_t i = 0; r == 0 && i < egress->count; i++) {
		const struct place here = { &at_egress, NULL, i };
		struct egress_rules asked = { 0 };

		r = read_egress_entry(egress->items[i], &here, &asked, err);
		if (r < 0 || egress_is_within(&asked, &given))
			continue;
		join_choices(&plan->egress, choices, sizeof(choices));
		r = place_refuse(&here, err, "%s is not within what plan %s gives: %s",
				 quote_text(egress->items[i], shown), plan->name, choices);
	}
	return r;
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
	if (r == 0)
		r = check_egress(plan, &spec->isolation.egress, err);
	return r < 0 ? r : check_syscalls(plan, spec->syscalls.profile, err);
}

int hosting_plan_apply(const struct hosting_plan *plan, struct app_spec *spec, struct error *err)
{
	const struct limits given = given_limits(plan);
	_cleanup_strings_ struct strings egress = { 0 };
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
	if (spec->isolation.egress.count == 0)
		r = strings_append_all(&egress, &plan->egress, err);
	if (r >= 0)
		r = ceiling_fill(&spec->limits, &given, err);
	if (r < 0)
		return r;
	if (egress.count > 0) {
		spec->isolation.egress = egress;
		egress = (struct strings){ 0 };
	}
	if (syscalls != NULL)
		spec->syscalls.profile = TAKE_PTR(syscalls);
	return 0;
}
