/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a line of the control socket, up to where a handler would be called. Whatever comes
 * of it, the answer is JSON, on one line, bounded, and carries the id of the request.
 */
#include "policy/own.h"
#include "policy/rpc.h"
#include "policy/rpc_params.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const choices[] = { "running", "stopped", NULL };

static const struct rpc_param table[] = {
	{ .name = "name", .type = RPC_STRING, .required = true },
	{ .name = "app", .type = RPC_OBJECT },
	{ .name = "states", .type = RPC_STRINGS, .choices = choices },
	{ .name = "list", .type = RPC_ARRAY },
	{ .name = "lines", .type = RPC_INTEGER, .min = 1, .max = 1000 },
	{ .name = "follow", .type = RPC_BOOLEAN },
	{ .name = "timeout", .type = RPC_DURATION },
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* The line that is written, as a client reads it. */
static void check_line(const struct bytes *line, const json_t *id, bool is_error)
{
	json_t *back = json_loadb(bytes_front(line), line->length, JSON_REJECT_DUPLICATES, NULL);

	require(back != NULL && memchr(bytes_front(line), '\n', line->length) == NULL);
	require(json_equal(json_object_get(back, "id"), id != NULL ? id : json_null()));
	if (is_error) {
		struct error err = { 0 };

		require(line->length <= RPC_ERROR_MAX);
		require(rpc_error_decode(json_object_get(back, "error"), &err) < 0);
		require(err.kind != ERROR_NONE && err.text[0] != '\0');
	}
	json_decref(back);
}

static void check_error(const json_t *id, enum rpc_code code, const struct error *error)
{
	_cleanup_bytes_ struct bytes line = { 0 };
	struct error err;

	require(error->kind == ERROR_INVALID && error->text[0] != '\0');
	require(rpc_write_error(&line, id, code, error, &err) == 0);
	check_line(&line, id, true);
}

static void check_request(const struct rpc_message *message, size_t index)
{
	_cleanup_bytes_ struct bytes line = { 0 };
	struct rpc_request request;
	struct error err = { 0 };
	enum rpc_code code = rpc_request_at(message, index, &request, &err);

	if (code == RPC_OK &&
	    rpc_params_check(request.params, table, ARRAY_SIZE(table), &err) < 0) {
		require(strncmp(err.path, "params.", 7) == 0);
		code = RPC_INVALID_PARAMS;
	}
	if (code != RPC_OK) {
		check_error(request.id, code, &err);
		return;
	}
	require(strlen(request.method) <= RPC_METHOD_MAX);
	require(rpc_params_string(request.params, "name", NULL) != NULL);
	require(rpc_params_integer(request.params, "lines", 1) >= 1);
	(void)rpc_params_usec(request.params, "timeout", 0);
	require(rpc_write_result(&line, request.id, request.params, &err) == 0);
	check_line(&line, request.id, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_rpc_message_ struct rpc_message message = { 0 };
	struct error err = { 0 };
	enum rpc_code code = rpc_parse((const char *)data, size, &message, &err);

	if (code != RPC_OK) {
		require(message.root == NULL && message.count == 0);
		check_error(NULL, code, &err);
		return 0;
	}
	require(message.count >= 1 && message.count <= RPC_BATCH_MAX);
	for (size_t i = 0; i < message.count; i++)
		check_request(&message, i);
	return 0;
}
