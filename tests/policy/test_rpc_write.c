/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "policy/rpc.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static void assert_text(struct bytes *bytes, const char *expected)
{
	struct error err;

	cr_assert_eq(bytes_append(bytes, "", 1, &err), 0);
	cr_assert_str_eq(bytes_front(bytes), expected);
	bytes_clear(bytes);
}

Test(rpc_write, writes_answers_and_notifications_on_one_line)
{
	_cleanup_bytes_ struct bytes text = { 0 };
	json_t *id = json_string("a\n\"b"), *value = json_pack("{s:s}", "text", "one\ntwo");
	struct error err;

	cr_assert_eq(rpc_write_result(&text, id, value, &err), 0);
	assert_text(&text, "{\"jsonrpc\":\"2.0\",\"id\":\"a\\n\\\"b\","
			   "\"result\":{\"text\":\"one\\ntwo\"}}");
	cr_assert_eq(rpc_write_result(&text, NULL, value, &err), 0);
	assert_text(&text, "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{\"text\":\"one\\ntwo\"}}");
	cr_assert_eq(rpc_write_notification(&text, "event", value, &err), 0);
	assert_text(&text, "{\"jsonrpc\":\"2.0\",\"method\":\"event\","
			   "\"params\":{\"text\":\"one\\ntwo\"}}");
	cr_assert_eq(rpc_write_request(&text, 12, "app.list", NULL, &err), 0);
	assert_text(&text, "{\"jsonrpc\":\"2.0\",\"id\":12,\"method\":\"app.list\"}");
	json_decref(id);
	json_decref(value);
}

Test(rpc_write, an_error_has_its_number_name_and_path)
{
	_cleanup_bytes_ struct bytes text = { 0 };
	struct error error, err;

	error_set(&error, ERROR_NOT_FOUND, 0, "there is no app \"web\"");
	cr_assert_eq(rpc_write_error(&text, NULL, RPC_OK, &error, &err), 0);
	assert_text(&text, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32003,"
			   "\"message\":\"there is no app \\\"web\\\"\","
			   "\"data\":{\"code\":\"not-found\"}}}");
	error_set(&error, ERROR_INVALID, 0, "params.name: is missing");
	error_set_path(&error, "params.name");
	cr_assert_eq(rpc_write_error(&text, NULL, RPC_INVALID_PARAMS, &error, &err), 0);
	assert_text(&text, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32602,"
			   "\"message\":\"params.name: is missing\","
			   "\"data\":{\"code\":\"invalid\",\"path\":\"params.name\"}}}");
}

Test(rpc_write, every_kind_and_code_comes_back_as_what_it_was)
{
	static const struct {
		const char *name;
		enum rpc_code code;
		enum error_kind kind;
	} standard[] = {
		{ "parse-error", RPC_PARSE_ERROR, ERROR_INTERNAL },
		{ "invalid-request", RPC_INVALID_REQUEST, ERROR_INTERNAL },
		{ "no-such-method", RPC_NO_SUCH_METHOD, ERROR_USAGE },
		{ "invalid", RPC_INVALID_PARAMS, ERROR_INVALID },
	};

	for (int i = ERROR_NONE + 1; i < ERROR_KIND_COUNT + (int)ARRAY_SIZE(standard); i++) {
		_cleanup_bytes_ struct bytes text = { 0 };
		bool own = i < ERROR_KIND_COUNT;
		size_t row = own ? 0 : (size_t)(i - ERROR_KIND_COUNT);
		enum error_kind kind = own ? (enum error_kind)i : standard[row].kind;
		struct error error, err;
		json_t *object, *data;

		error_set(&error, own ? kind : ERROR_INVALID, 0, "some text");
		error_set_path(&error, "limits.io[\"/srv\"]");
		cr_assert_eq(rpc_write_error(&text, NULL, own ? RPC_OK : standard[row].code, &error,
					     &err),
			     0);
		object = json_loadb(bytes_front(&text), text.length, 0, NULL);
		cr_assert_not_null(object);
		data = json_object_get(json_object_get(object, "error"), "data");
		cr_assert_str_eq(json_string_value(json_object_get(data, "code")),
				 own ? error_kind_name(kind) : standard[row].name);
		cr_assert_lt(rpc_error_decode(json_object_get(object, "error"), &err), 0);
		cr_assert_eq(err.kind, kind);
		cr_assert_str_eq(err.text, "some text");
		cr_assert_str_eq(err.path, "limits.io[\"/srv\"]");
		json_decref(object);
	}
}

Test(rpc_write, an_error_of_the_worst_text_stays_within_its_bound_and_valid)
{
	static const char fillers[] = { '\x01', '\xff', '"', '\\', '\n' };
	char id_text[RPC_ID_MAX + 1] = "";

	memset(id_text, '\x01', RPC_ID_MAX);
	for (size_t i = 0; i < sizeof(fillers); i++) {
		_cleanup_bytes_ struct bytes text = { 0 };
		json_t *id = json_string(id_text), *back;
		struct error error, err;

		error_set(&error, ERROR_FAILED, 0, "x");
		memset(error.text, fillers[i], ERROR_TEXT_MAX - 1);
		error.text[ERROR_TEXT_MAX - 1] = '\0';
		memset(error.path, fillers[i], ERROR_PATH_MAX - 1);
		error.path[ERROR_PATH_MAX - 1] = '\0';
		cr_assert_eq(rpc_write_error(&text, id, RPC_OK, &error, &err), 0);
		cr_assert_leq(text.length, RPC_ERROR_MAX);
		cr_assert_null(memchr(bytes_front(&text), '\n', text.length));
		back = json_loadb(bytes_front(&text), text.length, 0, NULL);
		cr_assert_not_null(back);
		json_decref(back);
		json_decref(id);
	}
}

Test(rpc_write, a_result_that_is_no_text_is_an_error_and_leaves_what_was_there)
{
	_cleanup_bytes_ struct bytes text = { 0 };
	json_t *value = json_pack("[o]", json_string_nocheck("\xff\xfe"));
	struct error err;

	cr_assert_eq(bytes_append_text(&text, "before", &err), 0);
	cr_assert_lt(rpc_write_result(&text, NULL, value, &err), 0);
	cr_assert_eq(err.kind, ERROR_INTERNAL);
	cr_assert_eq(text.length, 6);
	cr_assert_lt(rpc_write_request(&text, 1, "\xff", NULL, &err), 0);
	cr_assert_eq(text.length, 6);
	json_decref(value);
}

Test(rpc_write, whatever_an_error_object_holds_it_becomes_an_error)
{
	static const char *const texts[] = {
		"{}",
		"{\"code\":\"x\",\"message\":7,\"data\":[]}",
		"{\"code\":-32999,\"message\":\"m\",\"data\":{\"code\":\"who-knows\"}}",
		"{\"code\":-32000,\"message\":\"\\u001b[31m\",\"data\":{\"path\":\"\\u0007\"}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_t *object = json_loads(texts[i], 0, NULL);
		struct error err = { 0 };

		cr_assert_lt(rpc_error_decode(object, &err), 0);
		cr_assert_eq(err.kind, ERROR_FAILED);
		cr_assert_neq(err.text[0], '\0');
		cr_assert_null(strpbrk(err.text, "\x1b\x07"));
		json_decref(object);
	}
}
