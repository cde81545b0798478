/* SPDX-License-Identifier: MIT */
/* What the settings say about incidents: how many are kept, what is hidden, who is told. */
#include "policy/settings.h"

#include "policy/mask.h"
#include "policy/own.h"
#include "policy/place.h"
#include "policy/quote.h"

#include <inttypes.h>
#include <string.h>

const char *const settings_incidents_keys[SETTINGS_INCIDENTS_KEYS] = { "keep", "max_age",
								       "max_size", "mask" };

void settings_incidents_init(struct settings_incidents *incidents)
{
	*incidents = (struct settings_incidents){ .keep = SETTINGS_INCIDENTS_KEEP,
						  .max_age_usec = SETTINGS_INCIDENTS_AGE_USEC,
						  .max_size = SETTINGS_INCIDENTS_SIZE };
}

static int read_keep(const struct place *at, const json_t *value, uint64_t *ret, struct error *err)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 1 || (uint64_t)number > SETTINGS_INCIDENTS_KEEP_MAX)
		return place_refuse(at, err, "must be a whole number from 1 to %" PRIu64,
				    SETTINGS_INCIDENTS_KEEP_MAX);
	*ret = (uint64_t)number;
	return 0;
}

/* "90d"; a number is seconds, "max" is for ever. */
static int read_age(const struct place *at, const json_t *value, uint64_t *ret, struct error *err)
{
	const char *text = json_string_value(value);
	json_int_t seconds = json_integer_value(value);
	int r = 0;

	if (json_is_integer(value) && seconds >= 0 &&
	    (uint64_t)seconds <= TIME_LIMIT_USEC / USEC_PER_SEC)
		*ret = (uint64_t)seconds * USEC_PER_SEC;
	else if (text != NULL && strcmp(text, "max") == 0)
		*ret = LIMIT_MAX;
	else if (text != NULL)
		r = quantity_parse_time(text, ret, err);
	else
		return place_refuse(at, err, "must be a time such as \"90d\", or \"max\"");
	if (r < 0)
		return place_prefix(at, r, err);
	return *ret < SETTINGS_INCIDENTS_AGE_MIN
		       ? place_refuse(at, err, "is too little: at least 1min")
		       : 0;
}

static int read_size(const struct place *at, const json_t *value, uint64_t *ret, struct error *err)
{
	const char *text = json_string_value(value);
	json_int_t bytes = json_integer_value(value);
	char least[QUANTITY_TEXT_MAX];
	int r = 0;

	if (json_is_integer(value) && bytes >= 0)
		*ret = (uint64_t)bytes;
	else if (text != NULL)
		r = quantity_parse_size(text, ret, err);
	else
		return place_refuse(at, err, "must be a size such as \"32M\"");
	if (r < 0)
		return place_prefix(at, r, err);
	if (*ret == LIMIT_MAX)
		return place_refuse(at, err, "must be a size: a disk always has an end");
	if (*ret < SETTINGS_INCIDENTS_SIZE_MIN)
		return place_refuse(at, err, "is too little: at least %s",
				    quantity_format_size(SETTINGS_INCIDENTS_SIZE_MIN, least));
	return 0;
}

static int read_mask(const struct place *at, const json_t *value,
		     struct settings_incidents *incidents, struct error *err)
{
	const json_t *entry;
	size_t i;
	int r = place_check_array(at, value, MASK_PATTERNS_MAX, err);

	if (r < 0)
		return r;
	incidents->own_mask = true;
	json_array_foreach(value, i, entry)
	{
		const struct place here = { at, NULL, i };
		const char *pattern = "";

		r = place_text(&here, entry, &pattern, err);
		if (r < 0)
			return r;
		r = mask_check(pattern, err);
		if (r < 0)
			return place_prefix(&here, r, err);
		r = strings_append(&incidents->mask, pattern, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int settings_incidents_read(const struct place *at, const json_t *value,
			    struct settings_incidents *ret, struct error *err)
{
	const struct place keep = { at, "keep", 0 }, age = { at, "max_age", 0 },
			   size = { at, "max_size", 0 }, mask = { at, "mask", 0 };
	const json_t *member;
	int r = place_check_keys(at, value, settings_incidents_keys, SETTINGS_INCIDENTS_KEYS, err);

	if (r == 0 && (member = json_object_get(value, "keep")) != NULL)
		r = read_keep(&keep, member, &ret->keep, err);
	if (r == 0 && (member = json_object_get(value, "max_age")) != NULL)
		r = read_age(&age, member, &ret->max_age_usec, err);
	if (r == 0 && (member = json_object_get(value, "max_size")) != NULL)
		r = read_size(&size, member, &ret->max_size, err);
	if (r == 0 && (member = json_object_get(value, "mask")) != NULL)
		r = read_mask(&mask, member, ret, err);
	return r;
}

int settings_hook_read(const struct place *at, const json_t *value, struct strings *ret,
		       struct error *err)
{
	const json_t *entry;
	size_t i;
	int r = place_check_array(at, value, SETTINGS_HOOK_WORDS_MAX, err);

	json_array_foreach(value, i, entry)
	{
		const struct place here = { at, NULL, i };
		const char *word = "";

		if (r >= 0)
			r = place_text(&here, entry, &word, err);
		if (r < 0)
			return r;
		if (i == 0 && word[0] != '/')
			return place_refuse(&here, err,
					    "must be a program's absolute path: no shell is run");
		if (strlen(word) > SETTINGS_HOOK_WORD_MAX)
			return place_refuse(&here, err, "is too long: at most %d bytes",
					    SETTINGS_HOOK_WORD_MAX);
		r = strings_append(ret, word, err);
	}
	return r;
}
