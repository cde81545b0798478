/* SPDX-License-Identifier: MIT */
#include "policy/rpc_openrpc.h"

#include "policy/own.h"

#include <criterion/criterion.h>

static const char *const levels[] = { "info", "debug", NULL };

static const struct rpc_param params[] = {
	{ .name = "name", .type = RPC_STRING, .required = true, .help = "The app" },
	{ .name = "level", .type = RPC_STRING, .choices = levels, .help = "How much" },
	{ .name = "lines", .type = RPC_INTEGER, .min = 1, .max = 1000, .help = "How many" },
	{ .name = "states", .type = RPC_STRINGS, .help = "Any of these" },
	{ .name = "timeout", .type = RPC_DURATION, .help = "How long" },
	{ .name = "app", .type = RPC_OBJECT },
};

static const struct rpc_method method = {
	.name = "app.logs",
	.summary = "The last lines",
	.result = "lines",
	.admin = true,
	.params = params,
	.param_count = ARRAY_SIZE(params),
};

static const char *text_at(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

Test(rpc_openrpc, describes_methods_and_their_parameters)
{
	static const struct rpc_method bare = { .name = "b", .summary = "s", .result = "r" };
	const json_t *methods, *first, *list, *schema;
	struct error err;
	json_t *document = rpc_openrpc_new("pysbx", "1.2.3", &err);

	cr_assert_eq(rpc_openrpc_add(document, &method, &err), 0);
	cr_assert_eq(rpc_openrpc_add(document, &bare, &err), 0);
	cr_assert_str_eq(text_at(document, "openrpc"), "1.3.2");
	cr_assert_str_eq(text_at(json_object_get(document, "info"), "version"), "1.2.3");
	methods = json_object_get(document, "methods");
	cr_assert_eq(json_array_size(methods), 2);
	first = json_array_get(methods, 0);
	cr_assert_str_eq(text_at(first, "name"), "app.logs");
	cr_assert_str_eq(text_at(first, "paramStructure"), "by-name");
	cr_assert(json_is_true(json_object_get(first, "x-admin")));
	cr_assert_null(json_object_get(json_array_get(methods, 1), "x-admin"));
	list = json_object_get(first, "params");
	cr_assert_eq(json_array_size(list), ARRAY_SIZE(params));
	cr_assert(json_is_true(json_object_get(json_array_get(list, 0), "required")));
	cr_assert(json_is_false(json_object_get(json_array_get(list, 1), "required")));
	schema = json_object_get(json_array_get(list, 1), "schema");
	cr_assert_eq(json_array_size(json_object_get(schema, "enum")), 2);
	schema = json_object_get(json_array_get(list, 2), "schema");
	cr_assert_str_eq(text_at(schema, "type"), "integer");
	cr_assert_eq(json_integer_value(json_object_get(schema, "maximum")), 1000);
	schema = json_object_get(json_array_get(list, 3), "schema");
	cr_assert_str_eq(text_at(json_object_get(schema, "items"), "type"), "string");
	schema = json_object_get(json_array_get(list, 4), "schema");
	cr_assert_eq(json_array_size(json_object_get(schema, "type")), 2);
	json_decref(document);
}

/* What the OpenRPC 1.3.2 meta schema requires of every method object. */
Test(rpc_openrpc, every_method_has_what_the_specification_requires)
{
	struct error err;
	json_t *document = rpc_openrpc_new("pysbx", "1", &err);
	const json_t *object, *param;
	size_t i;

	cr_assert_eq(rpc_openrpc_add(document, &method, &err), 0);
	object = json_array_get(json_object_get(document, "methods"), 0);
	cr_assert_not_null(text_at(object, "name"));
	cr_assert(json_is_object(json_object_get(json_object_get(object, "result"), "schema")));
	cr_assert_not_null(text_at(json_object_get(object, "result"), "name"));
	json_array_foreach(json_object_get(object, "params"), i, param)
	{
		cr_assert_not_null(text_at(param, "name"));
		cr_assert(json_is_object(json_object_get(param, "schema")));
	}
	param = json_array_get(json_object_get(object, "errors"), 0);
	cr_assert(json_is_integer(json_object_get(param, "code")));
	cr_assert_not_null(text_at(param, "message"));
	json_decref(document);
}
