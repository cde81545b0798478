/* SPDX-License-Identifier: MIT */
/*
 * JSON-RPC 2.0, one message a line: text to requests, and answers to text. Pure.
 *
 * Stricter than the standard where it leaves room: params are an object or absent, an id is a
 * string, an integer or null, a request has no other members, and no key comes twice. A request
 * without an id is a notification: carried out, never answered.
 *
 * Everything that is written is one line of valid JSON, without the newline at its end.
 */
#pragma once

#include "policy/bytes.h"
#include "policy/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define RPC_LINE_MAX   ((size_t)1024 * 1024) /* bytes of a line, its newline not counted */
#define RPC_DEPTH_MAX  32		     /* arrays and objects in each other; a batch is one */
#define RPC_VALUES_MAX 20000 /* of a line, keys counted: a dense MiB would take 0.1 s to parse */
#define RPC_BATCH_MAX  100
#define RPC_METHOD_MAX 64    /* bytes of a method's name */
#define RPC_ID_MAX     256   /* bytes of a string id: it is echoed */
#define RPC_ERROR_MAX  16384 /* bytes of an error answer: the longest text, all of it escaped */

enum rpc_code {
	RPC_OK = 0,
	RPC_PARSE_ERROR = -32700,
	RPC_INVALID_REQUEST = -32600,
	RPC_NO_SUCH_METHOD = -32601,
	RPC_INVALID_PARAMS = -32602,
	RPC_KIND_BASE = -32000, /* ours: RPC_KIND_BASE - error kind */
};

/* One line taken apart. Zero-initialised = none. */
struct rpc_message {
	json_t *root; /* owned */
	bool batch;
	size_t count; /* of its requests, at least 1 */
};

/* All members are borrowed from the message. */
struct rpc_request {
	const json_t *id; /* string, integer or null; NULL: a notification */
	const char *method;
	const json_t *params; /* an object; NULL if absent */
};

/* RPC_OK, or RPC_PARSE_ERROR or RPC_INVALID_REQUEST with err set: the whole line gets one answer,
 * with a null id. The line is `length` bytes without its newline. */
enum rpc_code rpc_parse(const char *line, size_t length, struct rpc_message *ret,
			struct error *err);
void rpc_message_clear(struct rpc_message *message);
#define _cleanup_rpc_message_ __attribute__((cleanup(rpc_message_clear)))

/* The request at index. RPC_OK, or RPC_INVALID_REQUEST or RPC_INVALID_PARAMS with err set; *ret is
 * filled in that case too: its id is what the refusal must carry (never NULL where the standard
 * wants one; NULL for a notification with wrong params, which gets no answer). */
enum rpc_code rpc_request_at(const struct rpc_message *message, size_t index,
			     struct rpc_request *ret, struct error *err);

/* Appended to `to`, which is as before on failure. A NULL id is written as null. */
int rpc_write_result(struct bytes *to, const json_t *id, const json_t *result, struct error *err);
/* {"code","message","data":{"code","path"?}}. code RPC_OK: from the error's kind. Whatever the
 * error's text holds, what comes out is valid and at most RPC_ERROR_MAX bytes. */
int rpc_write_error(struct bytes *to, const json_t *id, enum rpc_code code,
		    const struct error *error, struct error *err);
int rpc_write_notification(struct bytes *to, const char *method, const json_t *params,
			   struct error *err);
/* For clients. params may be NULL. */
int rpc_write_request(struct bytes *to, json_int_t id, const char *method, const json_t *params,
		      struct error *err);

/* For clients: the error object of an answer, as a struct error. Whatever it holds, err is set:
 * kind (from data.code), text, path. Returns a negative errno. */
int rpc_error_decode(const json_t *object, struct error *err);
