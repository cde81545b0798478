/* SPDX-License-Identifier: MIT */
#include "policy/rpc_params.h"

#include "policy/own.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static const char *const levels[] = { "info", "debug", NULL };

static const struct rpc_param table[] = {
	{ .name = "name", .type = RPC_STRING, .required = true },
	{ .name = "level", .type = RPC_STRING, .choices = levels },
	{ .name = "lines", .type = RPC_INTEGER, .min = 1, .max = 1000 },
	{ .name = "offset", .type = RPC_INTEGER },
	{ .name = "follow", .type = RPC_BOOLEAN },
	{ .name = "app", .type = RPC_OBJECT },
	{ .name = "list", .type = RPC_ARRAY },
	{ .name = "states", .type = RPC_STRINGS, .choices = levels },
	{ .name = "timeout", .type = RPC_DURATION },
};

static int check(const char *text, struct error *err)
{
	json_t *params = json_loads(text, 0, NULL);
	int r;

	cr_assert_not_null(params, "%s", text);
	r = rpc_params_check(params, table, ARRAY_SIZE(table), err);
	json_decref(params);
	return r;
}

Test(rpc_params, takes_what_the_table_allows)
{
	static const char *const texts[] = {
		"{\"name\":\"\"}",
		"{\"name\":\"web\",\"lines\":1}",
		"{\"name\":\"web\",\"lines\":1000,\"offset\":-5}",
		"{\"name\":\"web\",\"follow\":true,\"app\":{},\"list\":[]}",
		"{\"name\":\"web\",\"level\":\"debug\",\"states\":[\"info\",\"debug\"]}",
		"{\"name\":\"web\",\"timeout\":\"1min 30s\"}",
		"{\"name\":\"web\",\"timeout\":0}",
		"{\"name\":\"web\",\"timeout\":null,\"lines\":null,\"app\":null}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct error err = { 0 };

		cr_assert_eq(check(texts[i], &err), 0, "%s: %s", texts[i], err.text);
	}
}

Test(rpc_params, refuses_what_it_does_not_and_names_the_path)
{
	static const struct {
		const char *text, *path, *says;
	} rows[] = {
		{ "{}", "params.name", "is missing" },
		{ "{\"name\":null}", "params.name", "must be a string" },
		{ "{\"name\":7}", "params.name", "must be a string" },
		{ "{\"name\":[\"web\"]}", "params.name", "must be a string" },
		{ "{\"nmae\":\"web\"}", "params.nmae", "did you mean \"name\"?" },
		{ "{\"name\":\"web\",\"zzz\":1}", "params.zzz", "no parameter \"zzz\"" },
		{ "{\"name\":\"web\",\"\":1}", "params.", "no parameter" },
		{ "{\"name\":\"web\",\"level\":\"warn\"}", "params.level",
		  "one of \"info\", \"debug\"" },
		{ "{\"name\":\"web\",\"lines\":0}", "params.lines", "from 1 to 1000" },
		{ "{\"name\":\"web\",\"lines\":1001}", "params.lines", "from 1 to 1000" },
		{ "{\"name\":\"web\",\"lines\":5.0}", "params.lines", "integer" },
		{ "{\"name\":\"web\",\"lines\":\"5\"}", "params.lines", "integer" },
		{ "{\"name\":\"web\",\"offset\":true}", "params.offset", "integer" },
		{ "{\"name\":\"web\",\"follow\":1}", "params.follow", "true or false" },
		{ "{\"name\":\"web\",\"follow\":\"true\"}", "params.follow", "true or false" },
		{ "{\"name\":\"web\",\"app\":[]}", "params.app", "object" },
		{ "{\"name\":\"web\",\"list\":{}}", "params.list", "array" },
		{ "{\"name\":\"web\",\"states\":[]}", "params.states", "at least one" },
		{ "{\"name\":\"web\",\"states\":\"info\"}", "params.states", "array of strings" },
		{ "{\"name\":\"web\",\"states\":[\"info\",1]}", "params.states", "string" },
		{ "{\"name\":\"web\",\"states\":[\"gone\"]}", "params.states", "one of" },
		{ "{\"name\":\"web\",\"timeout\":-1}", "params.timeout", "whole seconds" },
		{ "{\"name\":\"web\",\"timeout\":1.5}", "params.timeout", "whole seconds" },
		{ "{\"name\":\"web\",\"timeout\":9223372036854775807}", "params.timeout",
		  "whole seconds" },
		{ "{\"name\":\"web\",\"timeout\":\"infinity\"}", "params.timeout", "infinity" },
		{ "{\"name\":\"web\",\"timeout\":\"5 parsecs\"}", "params.timeout", "parsecs" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = { 0 };

		cr_assert_lt(check(rows[i].text, &err), 0, "%s", rows[i].text);
		cr_assert_eq(err.kind, ERROR_INVALID);
		cr_assert_str_eq(err.path, rows[i].path, "%s", rows[i].text);
		cr_assert_not_null(strstr(err.text, rows[i].says), "%s: %s", rows[i].text,
				   err.text);
	}
}

Test(rpc_params, refuses_a_string_that_is_too_long)
{
	char text[RPC_STRING_MAX + 2] = "";
	struct error err;
	json_t *params;

	memset(text, 'x', RPC_STRING_MAX + 1);
	params = json_pack("{s:s}", "name", text);
	cr_assert_lt(rpc_params_check(params, table, ARRAY_SIZE(table), &err), 0);
	json_decref(params);
	params = json_pack("{s:s}", "name", text + 1);
	cr_assert_eq(rpc_params_check(params, table, ARRAY_SIZE(table), &err), 0);
	json_decref(params);
}

Test(rpc_params, no_params_at_all_are_fine_where_none_is_required)
{
	struct error err;

	cr_assert_eq(rpc_params_check(NULL, table + 1, ARRAY_SIZE(table) - 1, &err), 0);
	cr_assert_eq(rpc_params_check(NULL, NULL, 0, &err), 0);
	cr_assert_lt(rpc_params_check(NULL, table, ARRAY_SIZE(table), &err), 0);
}

Test(rpc_params, gives_values_and_what_stands_for_absent_ones)
{
	json_t *params = json_loads("{\"name\":\"web\",\"lines\":5,\"follow\":true,\"app\":{},"
				    "\"timeout\":\"2s\",\"level\":null}",
				    0, NULL);

	cr_assert_str_eq(rpc_params_string(params, "name", "?"), "web");
	cr_assert_str_eq(rpc_params_string(params, "level", "info"), "info");
	cr_assert_eq(rpc_params_integer(params, "lines", 50), 5);
	cr_assert_eq(rpc_params_integer(params, "offset", 50), 50);
	cr_assert(rpc_params_boolean(params, "follow", false));
	cr_assert(rpc_params_boolean(params, "dry_run", true));
	cr_assert_eq(rpc_params_usec(params, "timeout", 1), 2000000);
	cr_assert_eq(rpc_params_usec(params, "grace", 1), 1);
	cr_assert_not_null(rpc_params_value(params, "app"));
	cr_assert_null(rpc_params_value(params, "level"));
	cr_assert_null(rpc_params_value(NULL, "level"));
	json_decref(params);
}
