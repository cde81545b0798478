/* SPDX-License-Identifier: MIT */
#include "policy/spec_json.h"

#include "policy/ceiling.h"
#include "policy/document.h"
#include "policy/own.h"
#include "policy/quote.h"
#include "policy/spec_row.h"

#include <string.h>

#define _cleanup_spec_ __attribute__((cleanup(spec_clear)))

/* --- reading ---------------------------------------------------------------------------------- */

static bool is_in(const struct spec_row *row, const char *section)
{
	if (section == NULL || row->section == NULL)
		return row->section == section;
	return strcmp(row->section, section) == 0;
}

static bool is_wanted(const struct spec_row *row, uint64_t fields)
{
	return (fields & SPEC_FIELD_BIT(row->field)) != 0;
}

/* Rows of a section lie together: a section is named by the first of them. */
static bool begins_section(size_t i)
{
	return spec_rows[i].section != NULL &&
	       (i == 0 || !is_in(&spec_rows[i - 1], spec_rows[i].section));
}

/* The keys that `section` may hold; for the app itself also the names of the sections. */
static size_t known_keys(const char *section, uint64_t fields,
			 const char *keys[static PLACE_KNOWN_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < spec_row_count; i++) {
		if (section == NULL && begins_section(i))
			keys[count++] = spec_rows[i].section;
		else if (is_in(&spec_rows[i], section) && is_wanted(&spec_rows[i], fields))
			keys[count++] = spec_rows[i].key;
	}
	return count;
}

/* A key that is right elsewhere: "memory" beside "limits", "name" among the defaults. */
static int check_misplaced(const json_t *object, const char *section, uint64_t fields,
			   const struct place *at, struct error *err)
{
	for (size_t i = 0; i < spec_row_count; i++) {
		const struct spec_row *row = &spec_rows[i];
		const struct place here = { at, row->key, 0 };

		if (json_object_get(object, row->key) == NULL)
			continue;
		if (is_in(row, section) && !is_wanted(row, fields))
			return place_refuse(&here, err, "can't be set here: leave it out");
	}
	return 0;
}

static int check_keys(const json_t *object, const char *section, uint64_t fields,
		      const struct place *at, struct error *err)
{
	const char *keys[PLACE_KNOWN_MAX];
	size_t count = known_keys(section, fields, keys);
	json_t *walked = (json_t *)object; /* not changed */
	int r = check_misplaced(object, section, fields, at, err);

	if (r < 0)
		return r;
	for (void *i = json_object_iter(walked); i != NULL && section == NULL;
	     i = json_object_iter_next(walked, i)) {
		const char *key = json_object_iter_key(i);
		bool known = false;

		for (size_t j = 0; j < count; j++)
			known = known || strcmp(keys[j], key) == 0;
		for (size_t j = 0; j < spec_row_count && !known; j++)
			if (spec_rows[j].section != NULL && strcmp(spec_rows[j].key, key) == 0)
				return place_refuse(at, err,
						    "\"%s\" is no key here; did you mean %s?", key,
						    spec_json_labels.of[spec_rows[j].field]);
	}
	return place_check_keys(at, object, keys, count, err);
}

/* What the object says about the keys of one section goes into spec, the rest stays. */
static int read_section(const json_t *object, const char *section, uint64_t fields,
			const struct place *at, struct app_spec *spec, struct error *err)
{
	int r;

	if (!json_is_object(object))
		return place_refuse(at, err, "must be an object");
	r = check_keys(object, section, fields, at, err);
	for (size_t i = 0; r == 0 && i < spec_row_count; i++) {
		const struct spec_row *row = &spec_rows[i];
		const struct place here = { at, row->key, 0 };
		const json_t *value = json_object_get(object, row->key);

		if (value != NULL && is_in(row, section))
			r = row->codec->read(row, value, &here, spec_row_member(row, spec), err);
	}
	return r;
}

static int read_all(const json_t *object, uint64_t fields, const struct place *at,
		    struct app_spec *spec, struct error *err)
{
	int r = read_section(object, NULL, fields, at, spec, err);

	for (size_t i = 0; r == 0 && i < spec_row_count; i++) {
		const char *section = spec_rows[i].section;
		const struct place here = { at, section, 0 };
		const json_t *value;

		if (!begins_section(i))
			continue;
		value = json_object_get(object, section);
		if (value != NULL)
			r = read_section(value, section, fields, &here, spec, err);
	}
	return r;
}

static int check_required(const json_t *object, struct error *err)
{
	static const struct place document = { NULL, NULL, 0 };

	for (size_t i = 0; i < spec_row_count; i++) {
		const struct place here = { &document, spec_rows[i].key, 0 };
		const json_t *value = json_object_get(object, spec_rows[i].key);

		if ((spec_rows[i].flags & ROW_REQUIRED) == 0)
			continue;
		if (value == NULL)
			return place_refuse(&here, err, "is missing: every app must say it");
		if (json_is_array(value) && json_array_size(value) == 0)
			return place_refuse(&here, err, "is empty: every app must say it");
	}
	return 0;
}

/* `defaults` over those of spec_init. */
static int read_defaults(const json_t *defaults, struct app_spec *spec, struct error *err)
{
	static const struct place document = { NULL, NULL, 0 };
	static const struct place at = { &document, "defaults", 0 };
	int r = spec_init(spec, err);

	return r < 0 ? r : read_all(defaults, ~SPEC_FIELDS_OWN, &at, spec, err);
}

/* The app's own words, over what spec holds. */
static int read_app(const json_t *object, struct app_spec *spec, struct error *err)
{
	static const struct place document = { NULL, NULL, 0 };
	int r = read_all(object, SPEC_FIELDS_ALL, &document, spec, err);

	return r < 0 ? r : check_required(object, err);
}

int spec_from_json(const json_t *object, const json_t *defaults, struct app_spec *ret,
		   struct error *err)
{
	_cleanup_spec_ struct app_spec spec = { 0 };
	int r;

	r = defaults != NULL ? read_defaults(defaults, &spec, err) : spec_init(&spec, err);
	if (r < 0)
		return r;
	spec_clear_limits(&spec.limits);
	free(spec.syscalls.profile);
	spec.syscalls = (struct syscalls_policy){ 0 };
	strings_clear(&spec.isolation.egress);
	r = read_app(object, &spec, err);
	if (r < 0)
		return r;
	spec.door = DOOR_SOCKET;
	*ret = spec;
	spec = (struct app_spec){ 0 };
	return 0;
}

int spec_fill_defaults(const json_t *defaults, struct app_spec *spec, struct error *err)
{
	_cleanup_spec_ struct app_spec given = { 0 };
	int r = read_defaults(defaults, &given, err);

	if (r == 0)
		r = ceiling_fill(&spec->limits, &given.limits, err);
	if (r == 0 && spec->syscalls.profile == NULL) {
		spec->syscalls = given.syscalls;
		given.syscalls.profile = NULL;
	}
	if (r == 0 && spec->isolation.egress.count == 0) {
		spec->isolation.egress = given.isolation.egress;
		given.isolation.egress = (struct strings){ 0 };
	}
	return r;
}

/* The ranges are those of a whole spec: one is made around the defaults. */
static int complete_and_validate(struct app_spec *spec, const struct place *at, struct error *err)
{
	int r;

	r = strings_append(&spec->command, "true", err);
	spec->directory = strdup("/");
	if (r == 0 && spec->directory == NULL)
		r = error_no_memory(err);
	if (r == 0)
		r = spec_complete(spec, err);
	if (r < 0)
		return r;
	r = spec_validate(spec, err);
	return r < 0 ? place_prefix(at, r, err) : 0;
}

int spec_check_defaults(const json_t *object, const struct place *at, struct error *err)
{
	_cleanup_spec_ struct app_spec spec = { 0 };
	int r;

	r = spec_init(&spec, err);
	if (r == 0)
		r = read_all(object, ~SPEC_FIELDS_OWN, at, &spec, err);
	if (r == 0)
		r = complete_and_validate(&spec, at, err);
	return r;
}

int spec_limits_from_json(const json_t *object, uint64_t fields, const struct place *at,
			  struct limits *limits, struct error *err)
{
	_cleanup_spec_ struct app_spec spec = { .limits = spec_no_limits };
	int r;

	r = spec_copy_limits(limits, &spec.limits, err);
	if (r == 0)
		r = read_section(object, "limits", fields, at, &spec, err);
	if (r < 0)
		return r;
	spec_clear_limits(limits);
	*limits = spec.limits;
	spec.limits = spec_no_limits;
	return 0;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* The object to put a row's key into; a section is made when its first value comes. */
static json_t *target(json_t *object, const char *section)
{
	json_t *found = section != NULL ? json_object_get(object, section) : object;

	if (found == NULL && json_object_set_new(object, section, json_object()) == 0)
		found = json_object_get(object, section);
	return found;
}

static int write_row(const struct spec_row *row, const struct app_spec *spec, json_t *object,
		     const char *section, struct error *err)
{
	json_t *value = NULL;
	int r;

	if ((row->flags & ROW_HEALTH) != 0 && spec->health.http == NULL)
		return 0;
	r = row->codec->write(row, spec_row_member_const(row, spec), &value, err);
	if (r < 0) {
		error_prefix(err, "%s", spec_json_labels.of[row->field]);
		error_set_path(err, "%s", spec_json_labels.of[row->field]);
		return r;
	}
	if (value == NULL)
		return 0;
	object = target(object, section);
	if (object == NULL) {
		json_decref(value);
		return error_no_memory(err);
	}
	return json_object_set_new(object, row->key, value) < 0 ? error_no_memory(err) : 0;
}

int spec_to_json(const struct app_spec *spec, json_t **ret, struct error *err)
{
	_cleanup_json_ json_t *object = json_object();
	int r = object == NULL ? error_no_memory(err) : 0;

	for (size_t i = 0; r == 0 && i < spec_row_count; i++)
		r = write_row(&spec_rows[i], spec, object, spec_rows[i].section, err);
	if (r == 0)
		*ret = TAKE_PTR(object);
	return r;
}

int spec_limits_to_json(const struct limits *limits, json_t **ret, struct error *err)
{
	const struct app_spec spec = { .limits = *limits }; /* only read */
	_cleanup_json_ json_t *object = json_object();
	int r = object == NULL ? error_no_memory(err) : 0;

	for (size_t i = 0; r == 0 && i < spec_row_count; i++)
		if (is_in(&spec_rows[i], "limits"))
			r = write_row(&spec_rows[i], &spec, object, NULL, err);
	if (r == 0)
		*ret = TAKE_PTR(object);
	return r;
}
