/* SPDX-License-Identifier: MIT */
#include "policy/declaration.h"

#include "policy/own.h"
#include "policy/quote.h"
#include "policy/spec_json.h"

#include <string.h>

static const struct place document = { NULL, NULL, 0 };

/* --- reading ---------------------------------------------------------------------------------- */

int declaration_read_name(const json_t *object, const char *key, bool required, char **name,
			  struct error *err)
{
	const struct place at = { &document, key, 0 };
	const json_t *value = json_object_get(object, key);
	const char *text = "";
	char *copy;
	int r;

	if (value == NULL)
		return required ? place_refuse(&at, err, "is missing") : 0;
	r = place_text(&at, value, &text, err);
	if (r < 0)
		return r;
	r = spec_validate_name(text, err);
	if (r < 0)
		return place_prefix(&at, r, err);
	copy = strdup(text);
	if (copy == NULL)
		return error_no_memory(err);
	free(*name);
	*name = copy;
	return 0;
}

int declaration_read_list(const struct place *outer, const json_t *object, const char *key,
			  size_t max,
			  int (*check)(const char *item, const struct place *at, struct error *err),
			  struct strings *list, struct error *err)
{
	const struct place at = { outer != NULL ? outer : &document, key, 0 };
	const json_t *value = json_object_get(object, key);
	_cleanup_strings_ struct strings read = { 0 };
	char shown[QUOTE_TEXT_MAX];
	int r = value != NULL ? place_check_array(&at, value, max, err) : 0;

	for (size_t i = 0; r == 0 && i < json_array_size(value); i++) {
		const struct place here = { &at, NULL, i };
		const char *text = "";

		r = place_text(&here, json_array_get(value, i), &text, err);
		if (r == 0)
			r = check(text, &here, err);
		if (r == 0 && strings_contains(&read, text))
			r = place_refuse(&here, err, "%s is there twice", quote_text(text, shown));
		if (r == 0)
			r = strings_append(&read, text, err);
	}
	if (r < 0 || value == NULL)
		return r;
	strings_clear(list);
	*list = read;
	read = (struct strings){ 0 };
	return 0;
}

int declaration_read_limits(const json_t *object, uint64_t fields, struct limits *limits,
			    struct error *err)
{
	const struct place at = { &document, "limits", 0 };
	const json_t *value = json_object_get(object, "limits");
	struct limits read = spec_no_limits;
	int r;

	if (value == NULL)
		return 0;
	r = spec_limits_from_json(value, fields, &at, &read, err);
	if (r == 0)
		r = spec_validate_limits(&read, err);
	if (r < 0) {
		spec_clear_limits(&read);
		return r;
	}
	spec_clear_limits(limits);
	*limits = read;
	return 0;
}

/* --- writing ---------------------------------------------------------------------------------- */

int declaration_write_text(json_t *object, const char *key, const char *text, struct error *err)
{
	if (text != NULL && json_object_set_new(object, key, json_string(text)) < 0)
		return error_no_memory(err);
	return 0;
}

int declaration_write_list(json_t *object, const char *key, const struct strings *list,
			   struct error *err)
{
	json_t *array = list->count > 0 ? json_array() : NULL;

	if (list->count == 0)
		return 0;
	for (size_t i = 0; array != NULL && i < list->count; i++)
		if (json_array_append_new(array, json_string(list->items[i])) < 0) {
			json_decref(array);
			array = NULL;
		}
	/* jansson refuses NULL */
	return json_object_set_new(object, key, array) < 0 ? error_no_memory(err) : 0;
}

int declaration_write_limits(json_t *object, const struct limits *limits, struct error *err)
{
	json_t *written = NULL;
	int r = spec_limits_to_json(limits, &written, err);

	if (r < 0)
		return r;
	if (json_object_size(written) == 0) {
		json_decref(written);
		return 0;
	}
	return json_object_set_new(object, "limits", written) < 0 ? error_no_memory(err) : 0;
}
