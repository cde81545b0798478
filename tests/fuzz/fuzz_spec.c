/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as an app's JSON, under a hosting plan and for a tenant. What is refused explains
 * itself on one line and leaves the output alone; what is taken is written and read back as the
 * same spec. The same bytes go through the readers of plans, tenants and settings.
 */
#include "policy/document.h"
#include "policy/hosting_plan.h"
#include "policy/own.h"
#include "policy/settings.h"
#include "policy/spec_diff.h"
#include "policy/spec_json.h"
#include "policy/tenant.h"

#include <stdint.h>
#include <string.h>

#define SIZE_LIMIT     (1U << 20)
#define UNTOUCHED      0x5a
#define _cleanup_spec_ __attribute__((cleanup(spec_clear)))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_error(const struct error *err)
{
	require(err->kind != ERROR_NONE && err->kind != ERROR_INTERNAL && err->text[0] != '\0');
	for (const char *at = err->text; *at != '\0'; at++)
		require((unsigned char)*at >= 0x20 && *at != 0x7f);
	for (const char *at = err->path; *at != '\0'; at++)
		require((unsigned char)*at >= 0x20 && *at != 0x7f);
}

static void require_same(const struct app_spec *a, const struct app_spec *b)
{
	struct spec_difference found;
	struct error err = { 0 };

	require(spec_diff(a, b, &found, &err) == 0);
	require(found.paths.count == 0 && found.fields == 0 && !found.restart);
	spec_difference_clear(&found);
}

static void check_round_trip(const struct app_spec *spec)
{
	_cleanup_json_ json_t *first = NULL, *second = NULL;
	_cleanup_spec_ struct app_spec again = { 0 }, copy = { 0 };
	struct error err = { 0 };

	require(spec_to_json(spec, &first, &err) == 0);
	require(spec_from_json(first, NULL, &again, &err) == 0);
	require_same(spec, &again);
	require(spec_to_json(&again, &second, &err) == 0);
	require(json_equal(first, second) == 1);
	require(spec_copy(spec, &copy, &err) == 0);
	require_same(spec, &copy);
}

static void apply_plan(struct app_spec *spec, struct error *err)
{
	static const char text[] =
		"{\"name\":\"basic\",\"limits\":{\"memory\":\"256M\",\"pids\":99,"
		"\"io\":{\"/srv\":{\"rbps\":\"10M\"}}},\"syscalls\":[\"a\"]}";
	_cleanup_json_ json_t *object = NULL;
	_cleanup_hosting_plan_ struct hosting_plan plan = { 0 };

	require(document_parse(text, strlen(text), SIZE_LIMIT, &object, err) == 0);
	require(hosting_plan_from_json(object, &plan, err) == 0);
	if (hosting_plan_apply(&plan, spec, err) < 0) {
		check_error(err);
		return;
	}
	require(spec->limits.memory_max <= plan.limits.memory_max);
	require(spec->limits.pids_max <= plan.limits.pids_max);
	require(spec->limits.memory_swap_max == 0);
	require(spec_find_io(&spec->limits, "/srv")->rbps <= plan.limits.io[0].rbps);
	require(strcmp(spec->syscalls.profile, "a") == 0);
	require(hosting_plan_apply(&plan, spec, err) == 0); /* what it gives is within it */
}

static void check_app(const json_t *object)
{
	union {
		struct app_spec spec;
		unsigned char bytes[sizeof(struct app_spec)];
	} output;
	struct error err = { 0 };

	memset(&output, UNTOUCHED, sizeof(output));
	if (spec_from_json(object, NULL, &output.spec, &err) < 0) {
		check_error(&err);
		for (size_t i = 0; i < sizeof(output.bytes); i++)
			require(output.bytes[i] == UNTOUCHED);
		return;
	}
	check_round_trip(&output.spec);
	apply_plan(&output.spec, &err);
	require(spec_complete(&output.spec, &err) == 0);
	if (spec_validate(&output.spec, &err) < 0)
		check_error(&err);
	check_round_trip(&output.spec);
	spec_clear(&output.spec);
}

static void check_plan(const json_t *object)
{
	_cleanup_hosting_plan_ struct hosting_plan plan = { 0 }, again = { 0 };
	_cleanup_json_ json_t *first = NULL, *second = NULL;
	struct error err = { 0 };

	if (hosting_plan_from_json(object, &plan, &err) < 0) {
		check_error(&err);
		return;
	}
	require(hosting_plan_to_json(&plan, &first, &err) == 0);
	require(hosting_plan_from_json(first, &again, &err) == 0);
	require(hosting_plan_to_json(&again, &second, &err) == 0);
	require(json_equal(first, second) == 1);
}

static void check_tenant(const json_t *object)
{
	_cleanup_tenant_ struct tenant tenant = { 0 }, again = { 0 };
	_cleanup_json_ json_t *first = NULL, *second = NULL;
	struct error err = { 0 };

	if (tenant_from_json(object, &tenant, &err) < 0) {
		check_error(&err);
		return;
	}
	require(tenant_to_json(&tenant, &first, &err) == 0);
	require(tenant_from_json(first, &again, &err) == 0);
	require(tenant_to_json(&again, &second, &err) == 0);
	require(json_equal(first, second) == 1);
}

/* Defaults that were taken make a valid app of one that says nothing. */
static void check_defaults(const json_t *defaults)
{
	static const char text[] = "{\"name\":\"a\",\"command\":[\"b\"],\"directory\":\"/c\"}";
	_cleanup_json_ json_t *object = NULL;
	_cleanup_spec_ struct app_spec spec = { 0 };
	struct error err = { 0 };

	require(document_parse(text, strlen(text), SIZE_LIMIT, &object, &err) == 0);
	require(spec_from_json(object, defaults, &spec, &err) == 0);
	require(spec_fill_defaults(defaults, &spec, &err) == 0);
	require(spec_complete(&spec, &err) == 0);
	require(spec_validate(&spec, &err) == 0);
}

static void check_settings(const json_t *object)
{
	struct settings settings;
	struct error err = { 0 };

	if (settings_from_json(object, &settings, &err) < 0) {
		check_error(&err);
		return;
	}
	if (settings.defaults != NULL)
		check_defaults(settings.defaults);
	settings_clear(&settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_json_ json_t *object = NULL;
	struct error err = { 0 };

	if (document_parse((const char *)data, size, SIZE_LIMIT, &object, &err) < 0) {
		require(object == NULL);
		check_error(&err);
		return 0;
	}
	check_app(object);
	check_plan(object);
	check_tenant(object);
	check_settings(object);
	return 0;
}
