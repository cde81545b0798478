/* SPDX-License-Identifier: MIT */
/*
 * How texts, lists, variables and choices are read from JSON, written and compared.
 */
#include "policy/egress.h"
#include "policy/env_file.h"
#include "policy/own.h"
#include "policy/quote.h"
#include "policy/spec_row.h"

#include <inttypes.h>
#include <string.h>

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
	r = spec_codec_put(json_array(), &array, err);
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
	return strings_equal(a, b);
}

const struct spec_codec spec_codec_list = { read_list, write_list, same_list };

/* An empty one could be taken for either end. */
static int read_egress(const struct spec_row *row, const json_t *value, const struct place *at,
		       void *member, struct error *err)
{
	if (json_is_array(value) && json_array_size(value) == 0)
		return place_refuse(at, err, EGRESS_EMPTY);
	return read_list(row, value, at, member, err);
}

const struct spec_codec spec_codec_egress = { read_egress, write_list, same_list };

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
	r = spec_codec_put(json_object(), &object, err);
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
	return spec_codec_put(json_string(spec_choice_name(row->field, *(const unsigned *)member)),
			      ret, err);
}

static bool same_choice(const void *a, const void *b)
{
	return *(const unsigned *)a == *(const unsigned *)b;
}

const struct spec_codec spec_codec_choice = { read_choice, write_choice, same_choice };

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
	return spec_codec_put(json_boolean(*(const bool *)member), ret, err);
}

static bool same_bool(const void *a, const void *b)
{
	return *(const bool *)a == *(const bool *)b;
}

const struct spec_codec spec_codec_bool = { read_bool, write_bool, same_bool };

/* --- syscalls --------------------------------------------------------------------------------- */

/* "PROFILE", or {"profile": PROFILE, "mode": MODE}. */
static int read_syscalls(const struct spec_row *row, const json_t *value, const struct place *at,
			 void *member, struct error *err)
{
	static const char *const keys[] = { "profile", "mode" };
	const struct place at_profile = { at, "profile", 0 }, at_mode = { at, "mode", 0 };
	struct syscalls_policy read = { 0 }, *syscalls = member;
	const json_t *profile = value, *mode = json_object_get(value, "mode");
	int r = 0;

	if (!json_is_string(value) && !json_is_object(value))
		return place_refuse(at, err, "must be a string or an object");
	if (json_is_object(value)) {
		profile = json_object_get(value, "profile");
		r = place_check_keys(at, value, keys, ARRAY_SIZE(keys), err);
	}
	if (r == 0 && profile == NULL)
		return place_refuse(&at_profile, err, "is missing");
	if (r == 0 && mode != NULL)
		r = read_choice(row, mode, &at_mode, &read.mode, err);
	if (r == 0)
		r = read_text(row, profile, json_is_object(value) ? &at_profile : at, &read.profile,
			      err);
	if (r < 0)
		return r;
	free(syscalls->profile);
	*syscalls = read;
	return 0;
}

/* The plain word where that says all. */
static int write_syscalls(const struct spec_row *row, const void *member, json_t **ret,
			  struct error *err)
{
	const struct syscalls_policy *syscalls = member;
	json_t *profile = NULL, *object;
	int r = write_text(row, &syscalls->profile, &profile, err);

	if (r < 0 || profile == NULL || syscalls->mode == SYSCALLS_ENFORCE) {
		*ret = profile;
		return r;
	}
	object = json_pack("{s:o, s:s}", "profile", profile, "mode",
			   spec_syscalls_mode_name(syscalls->mode));
	return spec_codec_put(object, ret, err);
}

static bool same_syscalls(const void *a, const void *b)
{
	const struct syscalls_policy *left = a, *right = b;

	return left->mode == right->mode && same_text(&left->profile, &right->profile);
}

const struct spec_codec spec_codec_syscalls = { read_syscalls, write_syscalls, same_syscalls };
