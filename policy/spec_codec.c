/* SPDX-License-Identifier: MIT */
/*
 * How each kind of member is read from JSON, written and compared. Quantities have the grammar of
 * policy/quantity.h: a JSON number is the same text without quotes. What is written reads back as
 * the same value.
 */
#include "policy/env_file.h"
#include "policy/own.h"
#include "policy/quote.h"
#include "policy/spec_row.h"

#include <inttypes.h>
#include <string.h>

#define NUMBER_TEXT_MAX 32

static int put(json_t *value, json_t **ret, struct error *err)
{
	if (value == NULL)
		return error_no_memory(err);
	*ret = value;
	return 0;
}

/* Texts come from a command line too, which takes any bytes. */
static int put_text(const char *text, json_t **ret, struct error *err)
{
	char shown[QUOTE_TEXT_MAX];
	json_t *value = json_string(text);

	if (value == NULL)
		return error_set(err, ERROR_INVALID, 0, "%s is not valid UTF-8, which JSON must be",
				 quote_text(text, shown));
	*ret = value;
	return 0;
}

/* --- text ------------------------------------------------------------------------------------- */

static int read_text(const struct spec_row *row, const json_t *value, const struct place *at,
		     void *member, struct error *err)
{
	char **text = member, *copy;
	const char *said = "";
	int r = place_text(at, value, &said, err);

	(void)row;
	if (r < 0)
		return r;
	copy = strdup(said);
	if (copy == NULL)
		return error_no_memory(err);
	free(*text);
	*text = copy;
	return 0;
}

static int write_text(const struct spec_row *row, const void *member, json_t **ret,
		      struct error *err)
{
	const char *text = *(char *const *)member;

	(void)row;
	*ret = NULL;
	return text != NULL ? put_text(text, ret, err) : 0;
}

static bool same_text(const void *a, const void *b)
{
	const char *left = *(char *const *)a, *right = *(char *const *)b;

	return left == right || (left != NULL && right != NULL && strcmp(left, right) == 0);
}

const struct spec_codec spec_codec_text = { read_text, write_text, same_text };

/* --- lists ------------------------------------------------------------------------------------ */

static int read_list(const struct spec_row *row, const json_t *value, const struct place *at,
		     void *member, struct error *err)
{
	_cleanup_strings_ struct strings list = { 0 };
	int r = place_check_array(at, value, row->max, err);

	for (size_t i = 0; r == 0 && i < json_array_size(value); i++) {
		const struct place here = { at, NULL, i };
		const char *text = "";

		r = place_text(&here, json_array_get(value, i), &text, err);
		if (r == 0)
			r = strings_append(&list, text, err);
	}
	if (r < 0)
		return r;
	strings_clear(member);
	*(struct strings *)member = list;
	list = (struct strings){ 0 };
	return 0;
}

static int write_list(const struct spec_row *row, const void *member, json_t **ret,
		      struct error *err)
{
	const struct strings *list = member;
	json_t *array = NULL, *item = NULL;
	int r = 0;

	(void)row;
	*ret = NULL;
	if (list->count == 0)
		return 0;
	r = put(json_array(), &array, err);
	for (size_t i = 0; r == 0 && i < list->count; i++) {
		r = put_text(list->items[i], &item, err);
		if (r == 0 && json_array_append_new(array, item) < 0)
			r = error_no_memory(err);
	}
	if (r == 0)
		*ret = array;
	else
		json_decref(array);
	return r;
}

static bool same_list(const void *a, const void *b)
{
	const struct strings *left = a, *right = b;

	if (left->count != right->count)
		return false;
	for (size_t i = 0; i < left->count; i++)
		if (strcmp(left->items[i], right->items[i]) != 0)
			return false;
	return true;
}

const struct spec_codec spec_codec_list = { read_list, write_list, same_list };

/* --- the environment -------------------------------------------------------------------------- */

static int check_variable(const char *name, const json_t *value, const struct place *at,
			  const char **ret, struct error *err)
{
	int r;

	if (!env_name_is_valid(name, strlen(name)))
		return place_refuse(at, err,
				    "is no name of a variable: letters, digits and '_', and no "
				    "digit first");
	r = place_text(at, value, ret, err);
	if (r == 0 && strlen(name) + strlen(*ret) + 2 > SPEC_STRING_MAX)
		return place_refuse(at, err, "name and value are longer than %d bytes",
				    SPEC_STRING_MAX - 2);
	return r;
}

static int read_variables(const struct spec_row *row, const json_t *value, const struct place *at,
			  void *member, struct error *err)
{
	json_t *walked = (json_t *)value; /* not changed */
	int r = 0;

	if (!json_is_object(value))
		return place_refuse(at, err, "must be an object: {\"NAME\": \"value\"}");
	if (json_object_size(value) > row->max)
		return place_refuse(at, err, "%zu variables are too many: at most %" PRIu64,
				    json_object_size(value), row->max);
	for (void *i = json_object_iter(walked); r == 0 && i != NULL;
	     i = json_object_iter_next(walked, i)) {
		const char *name = json_object_iter_key(i), *text = "";
		const struct place here = { at, name, 0 };

		r = check_variable(name, json_object_iter_value(i), &here, &text, err);
		if (r == 0)
			r = strings_env_set(member, name, text, err);
	}
	return r;
}

/* "NAME=value" into the object. */
static int write_variable(json_t *object, const char *item, struct error *err)
{
	const char *equals = strchr(item, '=');
	_cleanup_free_ char *name = NULL;
	char shown[QUOTE_TEXT_MAX];
	json_t *value = NULL;
	int r;

	if (equals == NULL)
		return error_set(err, ERROR_INVALID, 0,
				 "%s asks for a caller's own value: write NAME=value",
				 quote_text(item, shown));
	name = strndup(item, (size_t)(equals - item));
	if (name == NULL)
		return error_no_memory(err);
	r = put_text(equals + 1, &value, err);
	if (r == 0 && json_object_set_new(object, name, value) < 0)
		r = error_no_memory(err);
	return r;
}

static int write_variables(const struct spec_row *row, const void *member, json_t **ret,
			   struct error *err)
{
	const struct strings *list = member;
	json_t *object = NULL;
	int r = 0;

	(void)row;
	*ret = NULL;
	if (list->count == 0)
		return 0;
	r = put(json_object(), &object, err);
	for (size_t i = 0; r == 0 && i < list->count; i++)
		r = write_variable(object, list->items[i], err);
	if (r == 0)
		*ret = object;
	else
		json_decref(object);
	return r;
}

/* The order of variables means nothing. */
static bool same_variables(const void *a, const void *b)
{
	const struct strings *left = a, *right = b;

	if (left->count != right->count)
		return false;
	for (size_t i = 0; i < left->count; i++)
		if (!strings_contains(right, left->items[i]))
			return false;
	return true;
}

const struct spec_codec spec_codec_variables = { read_variables, write_variables, same_variables };

/* --- quantities ------------------------------------------------------------------------------- */

/* The text of a string or of a whole number; `what` is what it must be. */
static int quantity_text(const json_t *value, const char *what, const struct place *at,
			 char buffer[static NUMBER_TEXT_MAX], const char **ret, struct error *err)
{
	*ret = json_string_value(value);
	if (*ret != NULL)
		return 0;
	if (!json_is_integer(value))
		return place_refuse(at, err, "must be %s", what);
	snprintf(buffer, NUMBER_TEXT_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	*ret = buffer;
	return 0;
}

static bool same_number(const void *a, const void *b)
{
	return *(const uint64_t *)a == *(const uint64_t *)b;
}

static int read_size(const struct spec_row *row, const json_t *value, const struct place *at,
		     void *member, struct error *err)
{
	char buffer[NUMBER_TEXT_MAX];
	const char *text = "";
	int r = quantity_text(value, "a size: \"256M\", or a whole number of bytes", at, buffer,
			      &text, err);

	(void)row;
	if (r < 0)
		return r;
	r = quantity_parse_size(text, member, err);
	return r < 0 ? place_prefix(at, r, err) : 0;
}

static int write_size(const struct spec_row *row, const void *member, json_t **ret,
		      struct error *err)
{
	uint64_t bytes = *(const uint64_t *)member, back = 0;
	char text[QUANTITY_TEXT_MAX];
	struct error ignored;

	(void)row;
	*ret = NULL;
	if (bytes == LIMIT_UNSET)
		return 0;
	quantity_format_size(bytes, text);
	if (quantity_parse_size(text, &back, &ignored) < 0 || back != bytes)
		snprintf(text, sizeof(text), "%" PRIu64, bytes); /* that one was rounded */
	return put(json_string(text), ret, err);
}

const struct spec_codec spec_codec_size = { read_size, write_size, same_number };

/* A JSON number has no exact decimals: the nearest thousandth is meant, if it is near. */
static int cores_text(double cores, const struct place *at, char buffer[static NUMBER_TEXT_MAX],
		      struct error *err)
{
	double milli = cores * CPU_MILLI_PER_CORE, off;
	uint64_t rounded;

	if (!(milli >= 0 && milli <= (double)CPU_MILLI_LIMIT))
		return place_refuse(at, err, "must be a number of cores from 0.01 to 4096");
	rounded = (uint64_t)(milli + 0.5);
	off = milli - (double)rounded;
	if (off > 1e-6 || off < -1e-6)
		return place_refuse(at, err, "is too fine: CPU is given in steps of 0.001 cores");
	snprintf(buffer, NUMBER_TEXT_MAX, "%" PRIu64 ".%03" PRIu64, rounded / CPU_MILLI_PER_CORE,
		 rounded % CPU_MILLI_PER_CORE);
	return 0;
}

static int read_cpu(const struct spec_row *row, const json_t *value, const struct place *at,
		    void *member, struct error *err)
{
	char buffer[NUMBER_TEXT_MAX];
	const char *text = buffer;
	int r;

	(void)row;
	if (json_is_real(value))
		r = cores_text(json_real_value(value), at, buffer, err);
	else
		r = quantity_text(value, "a share of CPU: \"150%\", or a number of cores", at,
				  buffer, &text, err);
	if (r < 0)
		return r;
	r = quantity_parse_cpu(text, member, err);
	return r < 0 ? place_prefix(at, r, err) : 0;
}

static int write_cpu(const struct spec_row *row, const void *member, json_t **ret,
		     struct error *err)
{
	uint64_t milli = *(const uint64_t *)member;
	char text[QUANTITY_TEXT_MAX];

	(void)row;
	*ret = NULL;
	if (milli == LIMIT_UNSET)
		return 0;
	return put(json_string(quantity_format_cpu(milli, text)), ret, err);
}

const struct spec_codec spec_codec_cpu = { read_cpu, write_cpu, same_number };

static int read_time(const struct spec_row *row, const json_t *value, const struct place *at,
		     void *member, struct error *err)
{
	char buffer[NUMBER_TEXT_MAX];
	const char *text = "";
	int r = quantity_text(value, "a time: \"5s\", or a whole number of seconds", at, buffer,
			      &text, err);

	(void)row;
	if (r < 0)
		return r;
	r = quantity_parse_time(text, member, err);
	return r < 0 ? place_prefix(at, r, err) : 0;
}

static int write_time(const struct spec_row *row, const void *member, json_t **ret,
		      struct error *err)
{
	char text[QUANTITY_TEXT_MAX];

	(void)row;
	return put(json_string(quantity_format_time(*(const uint64_t *)member, text)), ret, err);
}

const struct spec_codec spec_codec_time = { read_time, write_time, same_number };

static int read_count(const struct spec_row *row, const json_t *value, const struct place *at,
		      void *member, struct error *err)
{
	bool may_be_max = (row->flags & ROW_MAX) != 0;
	char buffer[NUMBER_TEXT_MAX];
	const char *text = "";
	int r = quantity_text(value, may_be_max ? "a whole number or \"max\"" : "a whole number",
			      at, buffer, &text, err);

	if (r < 0)
		return r;
	r = quantity_parse_count(text, row->min, row->max, may_be_max, member, err);
	return r < 0 ? place_prefix(at, r, err) : 0;
}

static int write_count(const struct spec_row *row, const void *member, json_t **ret,
		       struct error *err)
{
	uint64_t count = *(const uint64_t *)member;

	(void)row;
	*ret = NULL;
	if (count == LIMIT_UNSET)
		return 0;
	return put(count == LIMIT_MAX ? json_string("max") : json_integer((json_int_t)count), ret,
		   err);
}

const struct spec_codec spec_codec_count = { read_count, write_count, same_number };

/* --- choices ---------------------------------------------------------------------------------- */

static int read_choice(const struct spec_row *row, const json_t *value, const struct place *at,
		       void *member, struct error *err)
{
	const char *text = "";
	int r = place_text(at, value, &text, err);

	if (r < 0)
		return r;
	r = spec_choice_parse(row->field, text, member, err);
	return r < 0 ? place_prefix(at, r, err) : 0;
}

static int write_choice(const struct spec_row *row, const void *member, json_t **ret,
			struct error *err)
{
	return put(json_string(spec_choice_name(row->field, *(const unsigned *)member)), ret, err);
}

static bool same_choice(const void *a, const void *b)
{
	return *(const unsigned *)a == *(const unsigned *)b;
}

const struct spec_codec spec_codec_choice = { read_choice, write_choice, same_choice };

static int read_signal(const struct spec_row *row, const json_t *value, const struct place *at,
		       void *member, struct error *err)
{
	char buffer[NUMBER_TEXT_MAX];
	const char *text = "";
	int r = quantity_text(value, "a signal: \"TERM\", or its number", at, buffer, &text, err);

	(void)row;
	if (r < 0)
		return r;
	r = spec_signal_parse(text, member, err);
	return r < 0 ? place_prefix(at, r, err) : 0;
}

static int write_signal(const struct spec_row *row, const void *member, json_t **ret,
			struct error *err)
{
	char text[NUMBER_TEXT_MAX];

	(void)row;
	return put(json_string(spec_signal_name(*(const int *)member, text)), ret, err);
}

static bool same_signal(const void *a, const void *b)
{
	return *(const int *)a == *(const int *)b;
}

const struct spec_codec spec_codec_signal = { read_signal, write_signal, same_signal };

static int read_bool(const struct spec_row *row, const json_t *value, const struct place *at,
		     void *member, struct error *err)
{
	(void)row;
	if (!json_is_boolean(value))
		return place_refuse(at, err, "must be true or false");
	*(bool *)member = json_is_true(value);
	return 0;
}

static int write_bool(const struct spec_row *row, const void *member, json_t **ret,
		      struct error *err)
{
	(void)row;
	return put(json_boolean(*(const bool *)member), ret, err);
}

static bool same_bool(const void *a, const void *b)
{
	return *(const bool *)a == *(const bool *)b;
}

const struct spec_codec spec_codec_bool = { read_bool, write_bool, same_bool };
