/* SPDX-License-Identifier: MIT */
/*
 * The OpenRPC 1.3.2 document of a table of methods: what rpc.discover answers. Pure.
 */
#pragma once

#include "policy/error.h"
#include "policy/rpc_params.h"

#include <jansson.h>

struct rpc_method {
	const char *name;
	const char *summary; /* one sentence, without its full stop */
	const char *result;  /* what its answer holds, in words */
	bool admin;	     /* tenants may not call it: "x-admin": true */
	const struct rpc_param *params;
	size_t param_count;
};

/* A document without methods: a new reference, or NULL with err set. */
json_t *rpc_openrpc_new(const char *title, const char *version, struct error *err);
int rpc_openrpc_add(json_t *document, const struct rpc_method *method, struct error *err);
