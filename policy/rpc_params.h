/* SPDX-License-Identifier: MIT */
/*
 * The parameters of a method, as a table: checked before its handler sees them, and shown by
 * rpc.discover. Pure.
 */
#pragma once

#include "policy/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RPC_STRING_MAX 4096 /* bytes of a string parameter */
#define RPC_PARAMS_MAX 16   /* rows of a table */

enum rpc_type {
	RPC_STRING,
	RPC_INTEGER,
	RPC_BOOLEAN,
	RPC_OBJECT,
	RPC_ARRAY,
	RPC_STRINGS,  /* an array of strings, not empty */
	RPC_DURATION, /* "30s" in the grammar of policy/quantity.h, or whole seconds */
	RPC_TYPE_COUNT,
};

struct rpc_param {
	const char *name;
	enum rpc_type type;
	bool required;
	const char *help;	    /* one sentence, without its full stop */
	int64_t min, max;	    /* of an integer; both 0: any */
	const char *const *choices; /* of a string, or of each in RPC_STRINGS: NULL-terminated, or
				       NULL: any */
};

/* Every parameter known, of its type and within its bounds, none missing. ERROR_INVALID with the
 * path "params.NAME"; an unknown one names the nearest known. params may be NULL: none given.
 * An optional parameter that is null counts as absent. */
int rpc_params_check(const json_t *params, const struct rpc_param *table, size_t count,
		     struct error *err);

/* After the check: the value, or what is given as `absent`. */
const char *rpc_params_string(const json_t *params, const char *name, const char *absent);
int64_t rpc_params_integer(const json_t *params, const char *name, int64_t absent);
bool rpc_params_boolean(const json_t *params, const char *name, bool absent);
uint64_t rpc_params_usec(const json_t *params, const char *name, uint64_t absent);
/* An object or array, borrowed; NULL if absent. */
const json_t *rpc_params_value(const json_t *params, const char *name);
