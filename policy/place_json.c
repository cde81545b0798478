/* SPDX-License-Identifier: MIT */
/* What the readers of JSON share. The launcher has places, and no JSON. */
#include "policy/place.h"

#include <jansson.h>
#include <string.h>

int place_check_keys(const struct place *at, const json_t *value, const char *const keys[],
		     size_t key_count, struct error *err)
{
	/* jansson's iterator takes no const, but changes nothing */
	json_t *walked = (json_t *)value;

	if (!json_is_object(value))
		return place_refuse(at, err, "must be an object");
	for (void *i = json_object_iter(walked); i != NULL; i = json_object_iter_next(walked, i)) {
		const char *key = json_object_iter_key(i);
		size_t known = 0;

		while (known < key_count && strcmp(keys[known], key) != 0)
			known++;
		if (known == key_count)
			return place_refuse_word(at, key, "is no key here", keys, key_count, err);
	}
	return 0;
}

int place_text(const struct place *at, const json_t *value, const char **ret, struct error *err)
{
	if (!json_is_string(value))
		return place_refuse(at, err, "must be a string");
	*ret = json_string_value(value);
	return 0;
}

int place_check_array(const struct place *at, const json_t *value, size_t max, struct error *err)
{
	if (!json_is_array(value))
		return place_refuse(at, err, "must be a list");
	if (json_array_size(value) > max)
		return place_refuse(at, err, "%zu entries are too many: at most %zu",
				    json_array_size(value), max);
	return 0;
}
