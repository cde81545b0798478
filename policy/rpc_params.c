/* SPDX-License-Identifier: MIT */
#include "policy/rpc_params.h"

#include "policy/nearest.h"
#include "policy/own.h"
#include "policy/phrase.h"
#include "policy/quantity.h"
#include "policy/quote.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

static int refuse(struct error *err, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(struct error *err, const char *name, const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)error_set(err, ERROR_INVALID, 0, "params.%s: %s", name, text);
	error_set_path(err, "params.%s", name);
	return -EINVAL;
}

static int refuse_unknown(struct error *err, const char *key, const struct rpc_param *table,
			  size_t count)
{
	const char *names[RPC_PARAMS_MAX], *near;
	char quoted[QUOTE_TEXT_MAX];

	assert(count <= RPC_PARAMS_MAX);
	for (size_t i = 0; i < count; i++)
		names[i] = table[i].name;
	near = nearest_name(key, names, count);
	(void)error_set(err, ERROR_INVALID, 0, "params: there is no parameter %s%s%s%s",
			quote_text(key, quoted), near != NULL ? "; did you mean \"" : "",
			near != NULL ? near : "", near != NULL ? "\"?" : "");
	error_set_path(err, "params.%s", key);
	return -EINVAL;
}

static int check_choice(const struct rpc_param *param, const char *text, struct error *err)
{
	char list[512];
	struct phrase phrase = phrase_on(list, sizeof(list));

	if (param->choices == NULL)
		return 0;
	for (size_t i = 0; param->choices[i] != NULL; i++) {
		if (strcmp(text, param->choices[i]) == 0)
			return 0;
		phrase_add(&phrase, "%s\"%s\"", i > 0 ? ", " : "", param->choices[i]);
	}
	return refuse(err, param->name, "must be one of %s", list);
}

static int check_string(const struct rpc_param *param, const json_t *value, struct error *err)
{
	if (!json_is_string(value))
		return refuse(err, param->name, "must be a string");
	if (json_string_length(value) > RPC_STRING_MAX)
		return refuse(err, param->name, "must have at most %d bytes", RPC_STRING_MAX);
	return check_choice(param, json_string_value(value), err);
}

static int check_integer(const struct rpc_param *param, const json_t *value, struct error *err)
{
	json_int_t number = json_integer_value(value);
	bool bounded = param->min != 0 || param->max != 0;

	if (json_is_integer(value) && (!bounded || (number >= param->min && number <= param->max)))
		return 0;
	if (!bounded)
		return refuse(err, param->name, "must be an integer");
	return refuse(err, param->name, "must be an integer from %" PRId64 " to %" PRId64,
		      param->min, param->max);
}

static int check_boolean(const struct rpc_param *param, const json_t *value, struct error *err)
{
	return json_is_boolean(value) ? 0 : refuse(err, param->name, "must be true or false");
}

static int check_object(const struct rpc_param *param, const json_t *value, struct error *err)
{
	return json_is_object(value) ? 0 : refuse(err, param->name, "must be an object");
}

static int check_array(const struct rpc_param *param, const json_t *value, struct error *err)
{
	return json_is_array(value) ? 0 : refuse(err, param->name, "must be an array");
}

static int check_strings(const struct rpc_param *param, const json_t *value, struct error *err)
{
	size_t i;
	json_t *item;

	if (json_array_size(value) == 0)
		return refuse(err, param->name, "must be an array of strings, at least one");
	json_array_foreach(value, i, item)
	{
		int r = check_string(param, item, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int read_duration(const json_t *value, uint64_t *ret_usec, struct error *err)
{
	json_int_t seconds = json_integer_value(value);

	if (json_is_string(value))
		return quantity_parse_time(json_string_value(value), ret_usec, err);
	if (!json_is_integer(value) || seconds < 0 ||
	    (uint64_t)seconds > TIME_LIMIT_USEC / USEC_PER_SEC)
		return error_set(err, ERROR_INVALID, 0,
				 "must be a time such as \"30s\", or whole seconds");
	*ret_usec = (uint64_t)seconds * USEC_PER_SEC;
	return 0;
}

static int check_duration(const struct rpc_param *param, const json_t *value, struct error *err)
{
	struct error why;
	uint64_t usec;

	return read_duration(value, &usec, &why) == 0 ? 0
						      : refuse(err, param->name, "%s", why.text);
}

static int check_value(const struct rpc_param *param, const json_t *value, struct error *err)
{
	static int (*const checks[])(const struct rpc_param *param, const json_t *value,
				     struct error *err) = {
		[RPC_STRING] = check_string,	 [RPC_INTEGER] = check_integer,
		[RPC_BOOLEAN] = check_boolean,	 [RPC_OBJECT] = check_object,
		[RPC_ARRAY] = check_array,	 [RPC_STRINGS] = check_strings,
		[RPC_DURATION] = check_duration,
	};
	static_assert(ARRAY_SIZE(checks) == RPC_TYPE_COUNT, "a check for each type");

	if (json_is_null(value) && !param->required)
		return 0;
	return checks[param->type](param, value, err);
}

static int check_known(const json_t *params, const struct rpc_param *table, size_t count,
		       struct error *err)
{
	const char *key;
	json_t *value;

	/* the cast: json_object_iter() takes no const, and changes nothing */
	json_object_foreach((json_t *)params, key, value)
	{
		size_t i = 0;

		while (i < count && strcmp(table[i].name, key) != 0)
			i++;
		if (i == count)
			return refuse_unknown(err, key, table, count);
	}
	return 0;
}

int rpc_params_check(const json_t *params, const struct rpc_param *table, size_t count,
		     struct error *err)
{
	int r = check_known(params, table, count, err);

	for (size_t i = 0; r == 0 && i < count; i++) {
		const json_t *value = json_object_get(params, table[i].name);

		if (value != NULL)
			r = check_value(&table[i], value, err);
		else if (table[i].required)
			r = refuse(err, table[i].name, "is missing");
	}
	return r;
}

const json_t *rpc_params_value(const json_t *params, const char *name)
{
	const json_t *value = json_object_get(params, name);

	return json_is_null(value) ? NULL : value;
}

const char *rpc_params_string(const json_t *params, const char *name, const char *absent)
{
	const char *text = json_string_value(json_object_get(params, name));

	return text != NULL ? text : absent;
}

int64_t rpc_params_integer(const json_t *params, const char *name, int64_t absent)
{
	const json_t *value = json_object_get(params, name);

	return json_is_integer(value) ? json_integer_value(value) : absent;
}

bool rpc_params_boolean(const json_t *params, const char *name, bool absent)
{
	const json_t *value = json_object_get(params, name);

	return json_is_boolean(value) ? json_is_true(value) : absent;
}

uint64_t rpc_params_usec(const json_t *params, const char *name, uint64_t absent)
{
	struct error ignored;
	uint64_t usec;

	return read_duration(json_object_get(params, name), &usec, &ignored) == 0 ? usec : absent;
}
