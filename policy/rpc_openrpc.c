/* SPDX-License-Identifier: MIT */
#include "policy/rpc_openrpc.h"

#include "policy/own.h"

#include <assert.h>

static const char *const schema_types[] = {
	[RPC_STRING] = "string",   [RPC_INTEGER] = "integer", [RPC_BOOLEAN] = "boolean",
	[RPC_OBJECT] = "object",   [RPC_ARRAY] = "array",     [RPC_STRINGS] = "array",
	[RPC_DURATION] = "string",
};
static_assert(ARRAY_SIZE(schema_types) == RPC_TYPE_COUNT, "a name for each type");

json_t *rpc_openrpc_new(const char *title, const char *version, struct error *err)
{
	json_t *document = json_pack("{s:s, s:{s:s, s:s}, s:[]}", "openrpc", "1.3.2", "info",
				     "title", title, "version", version, "methods");

	if (document == NULL)
		(void)error_no_memory(err);
	return document;
}

/* Stealing calls of jansson fail when the value is NULL: one look at the end is enough. */
static int put(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value);
}

static int put_choices(json_t *schema, const char *const *choices)
{
	json_t *list = json_array();
	int r = list != NULL ? 0 : -1;

	for (size_t i = 0; r == 0 && choices[i] != NULL; i++)
		r = json_array_append_new(list, json_string(choices[i]));
	if (r < 0) {
		json_decref(list);
		return r;
	}
	return put(schema, "enum", list);
}

static int put_string_schema(json_t *schema, const struct rpc_param *param)
{
	int r = put(schema, "maxLength", json_integer(RPC_STRING_MAX));

	return r == 0 && param->choices != NULL ? put_choices(schema, param->choices) : r;
}

static json_t *items_schema(const struct rpc_param *param)
{
	json_t *items = json_pack("{s:s}", "type", "string");

	if (items != NULL && put_string_schema(items, param) < 0) {
		json_decref(items);
		return NULL;
	}
	return items;
}

static json_t *schema_of(const struct rpc_param *param)
{
	json_t *schema;
	int r = 0;

	if (param->type == RPC_DURATION)
		return json_pack("{s:[s, s], s:[s]}", "type", "string", "integer", "examples",
				 "30s");
	schema = json_pack("{s:s}", "type", schema_types[param->type]);
	if (schema == NULL)
		return NULL;
	if (param->type == RPC_STRING)
		r = put_string_schema(schema, param);
	if (param->type == RPC_STRINGS) {
		r = put(schema, "items", items_schema(param));
		if (r == 0)
			r = put(schema, "minItems", json_integer(1));
	}
	if (param->type == RPC_INTEGER && (param->min != 0 || param->max != 0)) {
		r = put(schema, "minimum", json_integer(param->min));
		if (r == 0)
			r = put(schema, "maximum", json_integer(param->max));
	}
	if (r < 0) {
		json_decref(schema);
		return NULL;
	}
	return schema;
}

static json_t *param_of(const struct rpc_param *param)
{
	return json_pack("{s:s, s:s, s:b, s:o}", "name", param->name, "description",
			 param->help != NULL ? param->help : "", "required", param->required,
			 "schema", schema_of(param));
}

/* Every method can fail with one of our own errors, and these have one form. */
static json_t *method_object(const struct rpc_method *method)
{
	return json_pack("{s:s, s:s, s:s, s:[], s:{s:s, s:s, s:{s:s}}, s:[{s:i, s:s}]}", "name",
			 method->name, "summary", method->summary, "paramStructure", "by-name",
			 "params", "result", "name", "result", "description", method->result,
			 "schema", "type", "object", "errors", "code", -32000, "message",
			 "-32000 - N: data.code names the kind, data.path the wrong value");
}

int rpc_openrpc_add(json_t *document, const struct rpc_method *method, struct error *err)
{
	json_t *object = method_object(method);
	json_t *params = json_object_get(object, "params");
	int r = object != NULL ? 0 : -1;

	for (size_t i = 0; r == 0 && i < method->param_count; i++)
		r = json_array_append_new(params, param_of(&method->params[i]));
	if (r == 0 && method->admin)
		r = put(object, "x-admin", json_true());
	if (r == 0)
		r = json_array_append(json_object_get(document, "methods"), object);
	json_decref(object);
	return r == 0 ? 0 : error_no_memory(err);
}
