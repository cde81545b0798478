/* SPDX-License-Identifier: MIT */
/* From answers, errors and notifications to text, and an error's way back for clients. */
#include "policy/escape.h"
#include "policy/own.h"
#include "policy/rpc.h"

#include <string.h>

static const struct {
	const char *name; /* data.code */
	enum rpc_code code;
	enum error_kind kind; /* what a client makes of it */
} standard_codes[] = {
	{ "parse-error", RPC_PARSE_ERROR, ERROR_INTERNAL },
	{ "invalid-request", RPC_INVALID_REQUEST, ERROR_INTERNAL },
	{ "no-such-method", RPC_NO_SUCH_METHOD, ERROR_USAGE },
	{ "invalid", RPC_INVALID_PARAMS, ERROR_INVALID },
};

struct sink {
	struct bytes *to;
	struct error *err;
};

static int take_piece(const char *piece, size_t length, void *userdata)
{
	struct sink *sink = userdata;

	return bytes_append(sink->to, piece, length, sink->err);
}

/* A value that jansson can't write (text that is no UTF-8 come in by a _nocheck call) is our bug.
 */
static int write_value(struct bytes *to, const json_t *value, struct error *err)
{
	struct sink sink = { to, err };

	err->kind = ERROR_NONE;
	if (json_dump_callback(value, take_piece, &sink, JSON_COMPACT | JSON_ENCODE_ANY) == 0)
		return 0;
	if (err->kind == ERROR_NO_MEMORY)
		return error_no_memory(err);
	return error_set(err, ERROR_INTERNAL, 0, "the answer can't be written as JSON");
}

/* TEXT VALUE TEXT VALUE ... "}": the one form of all that is written. */
struct part {
	const char *text;
	const json_t *value;
};

static int write_parts(struct bytes *to, const struct part parts[], size_t count, struct error *err)
{
	size_t before = to->length;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < count; i++) {
		r = bytes_append_text(to, parts[i].text, err);
		if (r >= 0)
			r = write_value(to, parts[i].value, err);
	}
	if (r >= 0)
		r = bytes_append_text(to, "}", err);
	if (r < 0)
		bytes_truncate(to, before);
	return r;
}

int rpc_write_result(struct bytes *to, const json_t *id, const json_t *result, struct error *err)
{
	const struct part parts[] = {
		{ "{\"jsonrpc\":\"2.0\",\"id\":", id != NULL ? id : json_null() },
		{ ",\"result\":", result },
	};

	return write_parts(to, parts, ARRAY_SIZE(parts), err);
}

static const char *code_name(enum rpc_code code, const struct error *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(standard_codes); i++)
		if (standard_codes[i].code == code)
			return standard_codes[i].name;
	return error_kind_name(error->kind);
}

/* Escaped text is at most four times as long. */
static json_t *error_object(enum rpc_code code, const struct error *error)
{
	char text[4 * ERROR_TEXT_MAX], path[4 * ERROR_PATH_MAX];
	int number = code != RPC_OK ? (int)code : RPC_KIND_BASE - (int)error->kind;

	escape_string(error->text, ESCAPE_FOR_JSON, text, sizeof(text));
	escape_string(error->path, ESCAPE_FOR_JSON, path, sizeof(path));
	return json_pack("{s:i, s:s, s:{s:s, s:s*}}", "code", number, "message", text, "data",
			 "code", code_name(code, error), "path", path[0] != '\0' ? path : NULL);
}

int rpc_write_error(struct bytes *to, const json_t *id, enum rpc_code code,
		    const struct error *error, struct error *err)
{
	json_t *object = error_object(code, error);
	const struct part parts[] = {
		{ "{\"jsonrpc\":\"2.0\",\"id\":", id != NULL ? id : json_null() },
		{ ",\"error\":", object },
	};
	int r;

	if (object == NULL)
		return error_no_memory(err);
	r = write_parts(to, parts, ARRAY_SIZE(parts), err);
	json_decref(object);
	return r;
}

/* The name may be a person's word, from the command line. */
static int write_call(struct bytes *to, const json_t *id, const char *method, const json_t *params,
		      struct error *err)
{
	json_t *name = json_string(method);
	struct part parts[3];
	size_t count = 0;
	int r;

	if (name == NULL)
		return error_set(err, ERROR_USAGE, 0, "a method's name is UTF-8");
	if (id != NULL)
		parts[count++] = (struct part){ "{\"jsonrpc\":\"2.0\",\"id\":", id };
	parts[count] =
		(struct part){ count > 0 ? ",\"method\":" : "{\"jsonrpc\":\"2.0\",\"method\":",
			       name };
	count++;
	if (params != NULL)
		parts[count++] = (struct part){ ",\"params\":", params };
	r = write_parts(to, parts, count, err);
	json_decref(name);
	return r;
}

int rpc_write_notification(struct bytes *to, const char *method, const json_t *params,
			   struct error *err)
{
	return write_call(to, NULL, method, params, err);
}

int rpc_write_request(struct bytes *to, json_int_t id, const char *method, const json_t *params,
		      struct error *err)
{
	json_t *number = json_integer(id);
	int r;

	if (number == NULL)
		return error_no_memory(err);
	r = write_call(to, number, method, params, err);
	json_decref(number);
	return r;
}

static enum error_kind kind_of(json_int_t code, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(standard_codes); i++)
		if ((json_int_t)standard_codes[i].code == code)
			return standard_codes[i].kind;
	/* The name counts for more: a kind's number may differ between versions. */
	for (int kind = ERROR_NONE + 1; name != NULL && kind < ERROR_KIND_COUNT; kind++)
		if (strcmp(name, error_kind_name((enum error_kind)kind)) == 0)
			return (enum error_kind)kind;
	if (code < RPC_KIND_BASE && code > RPC_KIND_BASE - ERROR_KIND_COUNT)
		return (enum error_kind)(RPC_KIND_BASE - code);
	return ERROR_FAILED;
}

int rpc_error_decode(const json_t *object, struct error *err)
{
	const json_t *data = json_object_get(object, "data");
	const char *message = json_string_value(json_object_get(object, "message"));
	const char *name = json_string_value(json_object_get(data, "code"));
	const char *path = json_string_value(json_object_get(data, "path"));
	json_int_t code = json_integer_value(json_object_get(object, "code"));
	char text[ERROR_TEXT_MAX], printable[ERROR_PATH_MAX];

	escape_string(message != NULL ? message : "an error without a message", ESCAPE_FOR_TERMINAL,
		      text, sizeof(text));
	(void)error_set(err, kind_of(code, name), 0, "%s", text);
	if (path != NULL)
		error_set_path(
			err, "%s",
			escape_string(path, ESCAPE_FOR_TERMINAL, printable, sizeof(printable)));
	return -EINVAL;
}
