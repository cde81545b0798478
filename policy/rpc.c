/* SPDX-License-Identifier: MIT */
/*
 * From a line to requests. Text comes first: what the parser refuses, its limits included (nesting,
 * duplicate keys, NUL in a string), is a parse error. Then each request on its own, so that one bad
 * request of a batch costs only itself.
 */
#include "policy/rpc.h"

#include "policy/own.h"
#include "policy/quote.h"

#include <string.h>

static enum rpc_code refuse(enum rpc_code code, struct error *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static enum rpc_code refuse(enum rpc_code code, struct error *err, const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)error_set(err, ERROR_INVALID, 0, "%s", text);
	return code;
}

/* What the parser would spend too much on is found before it sees the text: jansson descends by
 * recursion, 2,048 levels, and allocates each value. Brackets and commas in strings don't count; a
 * text that is no JSON may be counted wrong, and is refused later. */
static enum rpc_code check_shape(const char *line, size_t length, struct error *err)
{
	size_t depth = 0, values = 1;
	bool in_string = false;

	for (size_t i = 0; i < length; i++) {
		char c = line[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '[' || c == '{') {
			depth++;
			values++;
		} else if (c == ',' || c == ':') {
			values++;
		} else if ((c == ']' || c == '}') && depth > 0) {
			depth--;
		}
		if (depth > RPC_DEPTH_MAX)
			return refuse(RPC_PARSE_ERROR, err,
				      "more than %d arrays and objects lie in each other",
				      RPC_DEPTH_MAX);
		if (values > RPC_VALUES_MAX)
			return refuse(RPC_PARSE_ERROR, err, "a line has at most %d values",
				      RPC_VALUES_MAX);
	}
	return RPC_OK;
}

enum rpc_code rpc_parse(const char *line, size_t length, struct rpc_message *ret, struct error *err)
{
	json_error_t where;
	json_t *root;
	size_t count = 1;

	if (length > RPC_LINE_MAX)
		return refuse(RPC_PARSE_ERROR, err, "a line has %zu bytes at the most",
			      RPC_LINE_MAX);
	if (check_shape(line, length, err) != RPC_OK)
		return RPC_PARSE_ERROR;
	root = json_loadb(line, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
	if (root == NULL)
		return refuse(RPC_PARSE_ERROR, err, "this is no JSON: %s (at byte %d)", where.text,
			      where.position);
	if (json_is_array(root)) {
		count = json_array_size(root);
		if (count == 0 || count > RPC_BATCH_MAX) {
			json_decref(root);
			return refuse(RPC_INVALID_REQUEST, err,
				      "a batch has 1 to %d requests, this one has %zu",
				      RPC_BATCH_MAX, count);
		}
	}
	*ret = (struct rpc_message){ .root = root, .batch = json_is_array(root), .count = count };
	return RPC_OK;
}

void rpc_message_clear(struct rpc_message *message)
{
	json_decref(message->root);
	*message = (struct rpc_message){ 0 };
}

static enum rpc_code check_members(const json_t *object, struct error *err)
{
	static const char *const known[] = { "jsonrpc", "id", "method", "params" };
	char quoted[QUOTE_TEXT_MAX];
	const char *key;
	json_t *value;

	/* the cast: json_object_iter() takes no const, and changes nothing */
	json_object_foreach((json_t *)object, key, value)
	{
		size_t i = 0;

		while (i < ARRAY_SIZE(known) && strcmp(key, known[i]) != 0)
			i++;
		if (i == ARRAY_SIZE(known))
			return refuse(RPC_INVALID_REQUEST, err,
				      "a request has jsonrpc, id, method and params, no %s",
				      quote_text(key, quoted));
	}
	return RPC_OK;
}

static enum rpc_code read_id(const json_t *object, struct rpc_request *request, struct error *err)
{
	const json_t *id = json_object_get(object, "id");

	if (id == NULL || json_is_integer(id) || json_is_null(id) ||
	    (json_is_string(id) && json_string_length(id) <= RPC_ID_MAX)) {
		request->id = id;
		return RPC_OK;
	}
	return refuse(RPC_INVALID_REQUEST, err,
		      "id: must be a string of at most %d bytes, an integer or null", RPC_ID_MAX);
}

static enum rpc_code read_method(const json_t *object, struct rpc_request *request,
				 struct error *err)
{
	const char *version = json_string_value(json_object_get(object, "jsonrpc"));
	const json_t *method = json_object_get(object, "method");

	if (version == NULL || strcmp(version, "2.0") != 0)
		return refuse(RPC_INVALID_REQUEST, err, "jsonrpc: must be \"2.0\"");
	if (!json_is_string(method) || json_string_length(method) == 0 ||
	    json_string_length(method) > RPC_METHOD_MAX)
		return refuse(RPC_INVALID_REQUEST, err, "method: must be a string of 1 to %d bytes",
			      RPC_METHOD_MAX);
	request->method = json_string_value(method);
	return check_members(object, err);
}

enum rpc_code rpc_request_at(const struct rpc_message *message, size_t index,
			     struct rpc_request *ret, struct error *err)
{
	const json_t *object =
		message->batch ? json_array_get(message->root, index) : message->root;
	enum rpc_code code;

	*ret = (struct rpc_request){ .id = json_null() };
	if (!json_is_object(object))
		return refuse(RPC_INVALID_REQUEST, err, "a request is an object");
	code = read_id(object, ret, err);
	if (code == RPC_OK)
		code = read_method(object, ret, err);
	if (code != RPC_OK) {
		/* what is no request is no notification either: it gets an answer */
		if (ret->id == NULL)
			ret->id = json_null();
		return code;
	}
	ret->params = json_object_get(object, "params");
	if (ret->params == NULL || json_is_object(ret->params))
		return RPC_OK;
	ret->params = NULL;
	code = refuse(RPC_INVALID_PARAMS, err,
		      "params: must be an object: parameters are given by name");
	error_set_path(err, "params");
	return code;
}
