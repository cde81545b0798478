/* SPDX-License-Identifier: MIT */
#include "policy/rpc.h"

#include "policy/own.h"

#include <criterion/criterion.h>
#include <string.h>

struct bad_line {
	const char *text;
	enum rpc_code code;
	const char *says; /* part of the message */
};

static enum rpc_code parse(const char *text, struct rpc_message *message, struct error *err)
{
	return rpc_parse(text, strlen(text), message, err);
}

Test(rpc, takes_a_call_apart)
{
	_cleanup_rpc_message_ struct rpc_message message = { 0 };
	struct rpc_request request;
	struct error err;

	cr_assert_eq(parse("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"app.get\","
			   "\"params\":{\"name\":\"web\"}}",
			   &message, &err),
		     RPC_OK);
	cr_assert_not(message.batch);
	cr_assert_eq(message.count, 1);
	cr_assert_eq(rpc_request_at(&message, 0, &request, &err), RPC_OK);
	cr_assert_eq(json_integer_value(request.id), 7);
	cr_assert_str_eq(request.method, "app.get");
	cr_assert_str_eq(json_string_value(json_object_get(request.params, "name")), "web");
}

Test(rpc, ids_are_strings_integers_and_null_and_none_is_a_notification)
{
	static const struct {
		const char *id;
		int type; /* -1: none */
	} rows[] = {
		{ "", -1 },
		{ "\"id\":null,", JSON_NULL },
		{ "\"id\":0,", JSON_INTEGER },
		{ "\"id\":-9223372036854775808,", JSON_INTEGER },
		{ "\"id\":\"\",", JSON_STRING },
		{ "\"id\":\"f81d\",", JSON_STRING },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_rpc_message_ struct rpc_message message = { 0 };
		struct rpc_request request;
		struct error err;
		char text[256];

		snprintf(text, sizeof(text), "{%s\"jsonrpc\":\"2.0\",\"method\":\"m\"}",
			 rows[i].id);
		cr_assert_eq(parse(text, &message, &err), RPC_OK, "%s", text);
		cr_assert_eq(rpc_request_at(&message, 0, &request, &err), RPC_OK, "%s", text);
		cr_assert_eq(request.id != NULL ? (int)json_typeof(request.id) : -1, rows[i].type);
		cr_assert_null(request.params);
	}
}

Test(rpc, refuses_lines_that_are_no_message)
{
	static const struct bad_line rows[] = {
		{ "", RPC_PARSE_ERROR, "no JSON" },
		{ " ", RPC_PARSE_ERROR, "no JSON" },
		{ "{", RPC_PARSE_ERROR, "no JSON" },
		{ "}", RPC_PARSE_ERROR, "no JSON" },
		{ "nonsense", RPC_PARSE_ERROR, "no JSON" },
		{ "GET / HTTP/1.1\r", RPC_PARSE_ERROR, "no JSON" },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"m\"} {}", RPC_PARSE_ERROR, "end of file" },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"m\"", RPC_PARSE_ERROR, "'}'" },
		{ "{\"id\":NaN}", RPC_PARSE_ERROR, "NaN" },
		{ "{\"id\":Infinity}", RPC_PARSE_ERROR, "Infinity" },
		{ "{\"id\":-Infinity}", RPC_PARSE_ERROR, "invalid token" },
		{ "{\"id\":1e999}", RPC_PARSE_ERROR, "overflow" },
		{ "{\"id\":99999999999999999999}", RPC_PARSE_ERROR, "big integer" },
		{ "{\"id\":01}", RPC_PARSE_ERROR, "invalid token" },
		{ "{'id':1}", RPC_PARSE_ERROR, "no JSON" },
		{ "{\"id\":1,}", RPC_PARSE_ERROR, "no JSON" },
		{ "{\"id\":1,\"id\":2}", RPC_PARSE_ERROR, "duplicate" },
		{ "{\"params\":{\"a\":1,\"a\":2}}", RPC_PARSE_ERROR, "duplicate" },
		{ "{\"a\":\"\\u0000\"}", RPC_PARSE_ERROR, "\\u0000" },
		{ "{\"a\\u0000b\":1}", RPC_PARSE_ERROR, "NUL" },
		{ "{\"a\":\"\\ud800\"}", RPC_PARSE_ERROR, "Unicode" },
		{ "{\"a\":\"\xff\"}", RPC_PARSE_ERROR, "decode byte" },
		{ "{\"a\":\"\xc0\xaf\"}", RPC_PARSE_ERROR, "decode byte" },
		{ "{\"a\":\"\xed\xa0\x80\"}", RPC_PARSE_ERROR, "decode byte" },
		{ "{\"a\":\"\x01\"}", RPC_PARSE_ERROR, "control character" },
		{ "[]", RPC_INVALID_REQUEST, "1 to 100" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rpc_message message = { .count = 77 };
		struct error err = { 0 };

		cr_assert_eq(parse(rows[i].text, &message, &err), rows[i].code, "%s", rows[i].text);
		cr_assert_eq(err.kind, ERROR_INVALID);
		cr_assert_not_null(strstr(err.text, rows[i].says), "%s: %s", rows[i].text,
				   err.text);
		cr_assert_eq(message.count, 77, "untouched");
		cr_assert_null(message.root);
	}
}

Test(rpc, a_nul_byte_in_the_line_is_a_parse_error)
{
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"method\":\"m\"}\0";
	struct rpc_message message = { 0 };
	struct error err;

	cr_assert_eq(rpc_parse(line, sizeof(line) - 1, &message, &err), RPC_PARSE_ERROR);
	cr_assert_eq(rpc_parse("{\"a\":\"b\0c\"}", 11, &message, &err), RPC_PARSE_ERROR);
}

static enum rpc_code parse_nested(size_t depth, char open, char close, struct error *err)
{
	_cleanup_rpc_message_ struct rpc_message message = { 0 };
	char *text = calloc(1, 2 * depth + 8), *at = text;
	enum rpc_code code;

	cr_assert_not_null(text);
	for (size_t i = 0; i < depth; i++)
		*at++ = open;
	for (size_t i = 0; close != '\0' && i < depth; i++)
		*at++ = close;
	code = rpc_parse(text, (size_t)(at - text), &message, err);
	free(text);
	return code;
}

Test(rpc, refuses_what_is_nested_deeper_than_32_before_the_parser_sees_it)
{
	struct error err;

	cr_assert_eq(parse_nested(RPC_DEPTH_MAX, '[', ']', &err), RPC_OK);
	cr_assert_eq(parse_nested(RPC_DEPTH_MAX + 1, '[', ']', &err), RPC_PARSE_ERROR);
	cr_assert_not_null(strstr(err.text, "more than 32"), "%s", err.text);
	cr_assert_eq(parse_nested(500000, '[', '\0', &err), RPC_PARSE_ERROR);
	cr_assert_not_null(strstr(err.text, "more than 32"), "%s", err.text);
	cr_assert_eq(parse_nested(500000, '{', '\0', &err), RPC_PARSE_ERROR);
}

/* An array of so many numbers as the one member of an object. */
static enum rpc_code parse_values(size_t count, struct error *err)
{
	_cleanup_rpc_message_ struct rpc_message message = { 0 };
	char *text = malloc(2 * count + 16), *at = text;
	enum rpc_code code;

	cr_assert_not_null(text);
	at += sprintf(at, "{\"a\":[1");
	for (size_t i = 1; i < count; i++) {
		*at++ = ',';
		*at++ = '1';
	}
	*at++ = ']';
	*at++ = '}';
	code = rpc_parse(text, (size_t)(at - text), &message, err);
	free(text);
	return code;
}

Test(rpc, refuses_what_has_too_many_values_before_the_parser_sees_it)
{
	struct error err;

	cr_assert_eq(parse_values(RPC_VALUES_MAX - 3, &err), RPC_OK);
	cr_assert_eq(parse_values(RPC_VALUES_MAX - 2, &err), RPC_PARSE_ERROR);
	cr_assert_not_null(strstr(err.text, "at most 20000 values"), "%s", err.text);
	cr_assert_eq(parse_values(500000, &err), RPC_PARSE_ERROR);
}

Test(rpc, brackets_in_strings_are_no_nesting)
{
	_cleanup_rpc_message_ struct rpc_message message = { 0 };
	struct error err;

	cr_assert_eq(
		parse("[\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\\\", 1]", &message, &err),
		RPC_OK);
	cr_assert_eq(message.count, 2);
}

Test(rpc, refuses_a_line_that_is_too_long)
{
	struct rpc_message message = { 0 };
	char *line = malloc(RPC_LINE_MAX + 1);
	struct error err;

	cr_assert_not_null(line);
	memset(line, ' ', RPC_LINE_MAX + 1);
	line[0] = '[';
	line[1] = '1';
	line[2] = ']';
	cr_assert_eq(rpc_parse(line, RPC_LINE_MAX + 1, &message, &err), RPC_PARSE_ERROR);
	cr_assert_not_null(strstr(err.text, "1048576 bytes"));
	cr_assert_eq(rpc_parse(line, RPC_LINE_MAX, &message, &err), RPC_OK);
	rpc_message_clear(&message);
	free(line);
}

Test(rpc, a_batch_has_at_most_100_requests)
{
	char text[2 * RPC_BATCH_MAX + 8] = "[1";
	struct rpc_message message = { 0 };
	size_t end = 2;
	struct error err;

	for (; end < (size_t)2 * RPC_BATCH_MAX; end += 2)
		snprintf(text + end, sizeof(text) - end, ",1");
	snprintf(text + end, sizeof(text) - end, "]");
	cr_assert_eq(parse(text, &message, &err), RPC_OK);
	cr_assert(message.batch);
	cr_assert_eq(message.count, RPC_BATCH_MAX);
	rpc_message_clear(&message);
	snprintf(text + end, sizeof(text) - end, ",1]");
	cr_assert_eq(parse(text, &message, &err), RPC_INVALID_REQUEST);
}

#define CALL(members) "{\"jsonrpc\":\"2.0\",\"id\":1," members "}"

Test(rpc, refuses_what_is_no_request)
{
	static const char long_name[] = CALL(
		"\"method\":\"mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm\"");
	static const struct {
		const char *text;
		enum rpc_code code;
		int id; /* what the refusal carries; 0: null */
		const char *says;
	} rows[] = {
		{ "1", RPC_INVALID_REQUEST, 0, "is an object" },
		{ "\"x\"", RPC_INVALID_REQUEST, 0, "is an object" },
		{ "null", RPC_INVALID_REQUEST, 0, "is an object" },
		{ "{}", RPC_INVALID_REQUEST, 0, "jsonrpc" },
		{ "{\"method\":\"m\",\"id\":1}", RPC_INVALID_REQUEST, 1, "jsonrpc" },
		{ "{\"jsonrpc\":\"1.0\",\"method\":\"m\",\"id\":1}", RPC_INVALID_REQUEST, 1,
		  "jsonrpc" },
		{ "{\"jsonrpc\":2.0,\"method\":\"m\",\"id\":1}", RPC_INVALID_REQUEST, 1,
		  "jsonrpc" },
		{ "{\"jsonrpc\":\"2.0\"}", RPC_INVALID_REQUEST, 0, "method" },
		{ CALL("\"method\":1"), RPC_INVALID_REQUEST, 1, "method" },
		{ CALL("\"method\":\"\""), RPC_INVALID_REQUEST, 1, "method" },
		{ CALL("\"method\":null"), RPC_INVALID_REQUEST, 1, "method" },
		{ long_name, RPC_INVALID_REQUEST, 1, "method" },
		{ CALL("\"method\":\"m\",\"parms\":{}"), RPC_INVALID_REQUEST, 1, "\"parms\"" },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":1.5}", RPC_INVALID_REQUEST, 0,
		  "id" },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":{}}", RPC_INVALID_REQUEST, 0,
		  "id" },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":[1]}", RPC_INVALID_REQUEST, 0,
		  "id" },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":true}", RPC_INVALID_REQUEST, 0,
		  "id" },
		{ CALL("\"method\":\"m\",\"params\":[1]"), RPC_INVALID_PARAMS, 1, "by name" },
		{ CALL("\"method\":\"m\",\"params\":[]"), RPC_INVALID_PARAMS, 1, "by name" },
		{ CALL("\"method\":\"m\",\"params\":null"), RPC_INVALID_PARAMS, 1, "by name" },
		{ CALL("\"method\":\"m\",\"params\":\"x\""), RPC_INVALID_PARAMS, 1, "by name" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_rpc_message_ struct rpc_message message = { 0 };
		struct rpc_request request;
		struct error err = { 0 };

		cr_assert_eq(parse(rows[i].text, &message, &err), RPC_OK, "%s", rows[i].text);
		cr_assert_eq(rpc_request_at(&message, 0, &request, &err), rows[i].code, "%s",
			     rows[i].text);
		cr_assert_not_null(strstr(err.text, rows[i].says), "%s: %s", rows[i].text,
				   err.text);
		cr_assert_not_null(request.id, "%s", rows[i].text);
		cr_assert_eq(json_is_null(request.id), rows[i].id == 0, "%s", rows[i].text);
		cr_assert_eq(json_integer_value(request.id), rows[i].id);
	}
}

Test(rpc, a_notification_with_wrong_params_has_no_id_to_answer_to)
{
	_cleanup_rpc_message_ struct rpc_message message = { 0 };
	struct rpc_request request;
	struct error err;

	cr_assert_eq(parse("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":[]}", &message, &err),
		     RPC_OK);
	cr_assert_eq(rpc_request_at(&message, 0, &request, &err), RPC_INVALID_PARAMS);
	cr_assert_null(request.id);
	cr_assert_str_eq(err.path, "params");
}

Test(rpc, one_bad_request_of_a_batch_costs_only_itself)
{
	_cleanup_rpc_message_ struct rpc_message message = { 0 };
	struct rpc_request request;
	struct error err;

	cr_assert_eq(parse("[" CALL("\"method\":\"a\"") ",1," CALL("\"method\":\"b\"") "]",
			   &message, &err),
		     RPC_OK);
	cr_assert_eq(rpc_request_at(&message, 0, &request, &err), RPC_OK);
	cr_assert_eq(rpc_request_at(&message, 1, &request, &err), RPC_INVALID_REQUEST);
	cr_assert_eq(rpc_request_at(&message, 2, &request, &err), RPC_OK);
	cr_assert_str_eq(request.method, "b");
}
