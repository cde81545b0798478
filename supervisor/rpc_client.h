/* SPDX-License-Identifier: MIT */
/*
 * The command line's end of the control socket: blocking calls with timeouts.
 *
 * Errors: ERROR_UNREACHABLE when nobody answers (not running, gone in between, timed out: the text
 * says how to start it); an error answer comes as its own kind, text and path (ERROR_USAGE for "no
 * such method").
 */
#pragma once

#include "policy/error.h"

#include <jansson.h>
#include <stdint.h>

#define RPC_CLIENT_PATH "/run/pysbx/control.sock"
/* An answer or notification may be this long: more than the daemon ever queues. */
#define RPC_CLIENT_LINE_MAX ((size_t)8 * 1024 * 1024)
/* Notifications that come before the answer to a call are kept for rpc_client_next. */
#define RPC_CLIENT_KEPT_MAX 10000
#define RPC_CLIENT_FOREVER  UINT64_MAX

/* Calls that may be under way together; the daemon takes 64 of one client. */
#define RPC_CLIENT_CALLS_MAX 32

struct rpc_client;

/* path NULL: RPC_CLIENT_PATH. */
int rpc_client_open(struct rpc_client **ret, const char *path, struct error *err);
/* Takes a connected stream socket. */
int rpc_client_open_fd(struct rpc_client **ret, int fd, struct error *err);
void rpc_client_close(struct rpc_client *client); /* NULL is fine */
static inline void rpc_client_closep(struct rpc_client **client)
{
	rpc_client_close(*client);
}
#define _cleanup_rpc_client_ __attribute__((cleanup(rpc_client_closep)))

/* One call and its answer. params is borrowed and may be NULL. *ret_result is a new reference;
 * ret_result may be NULL. */
int rpc_client_call(struct rpc_client *client, const char *method, const json_t *params,
		    uint64_t timeout_usec, json_t **ret_result, struct error *err);

/* The same in two steps, for calls that are under way together: at most RPC_CLIENT_CALLS_MAX, whose
 * answers are waited for in any order. *ret_id: for rpc_client_wait(), which is to follow unless
 * the client is closed. */
int rpc_client_ask(struct rpc_client *client, const char *method, const json_t *params,
		   uint64_t timeout_usec, json_int_t *ret_id, struct error *err);
int rpc_client_wait(struct rpc_client *client, json_int_t id, uint64_t timeout_usec,
		    json_t **ret_result, struct error *err);

/* The error object of the last call that got one, for --json; NULL: none. Borrowed until the next
 * call. */
const json_t *rpc_client_error(const struct rpc_client *client);

/* The next notification: 1 with a new reference to the whole object ({"method","params",...}), 0
 * when there was none in that time. ERROR_UNREACHABLE at the end of the connection. */
int rpc_client_next(struct rpc_client *client, uint64_t timeout_usec, json_t **ret_notification,
		    struct error *err);

/* For poll(2): readable means rpc_client_next(client, 0) is worth a try. Check it first: lines may
 * have been read already. */
int rpc_client_fd(const struct rpc_client *client);
