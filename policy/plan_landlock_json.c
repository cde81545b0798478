/* SPDX-License-Identifier: MIT */
/* The JSON of a plan's Landlock rules; the launcher has this file, and not the one that makes them.
 */
#include "policy/own.h"
#include "policy/plan_landlock.h"

#include <string.h>

static const struct {
	const char *name;
	uint32_t access;
} access_names[] = {
	{ "list", ACCESS_LIST },   { "read", ACCESS_READ },	{ "execute", ACCESS_EXECUTE },
	{ "write", ACCESS_WRITE }, { "change", ACCESS_CHANGE },
};

static json_t *encode_access(const struct field *field, const void *member, const struct place *at,
			     struct error *err)
{
	json_t *array = json_array();

	(void)field, (void)at;
	for (size_t i = 0; array != NULL && i < ARRAY_SIZE(access_names); i++)
		if ((*(const uint32_t *)member & access_names[i].access) != 0 &&
		    json_array_append_new(array, json_string(access_names[i].name)) < 0) {
			json_decref(array);
			array = NULL;
		}
	if (array == NULL)
		error_no_memory(err);
	return array;
}

static int decode_right(const struct field *field, const json_t *value, void *member,
			const struct place *at, struct error *err)
{
	const char *text = json_string_value(value);

	(void)field;
	for (size_t i = 0; text != NULL && i < ARRAY_SIZE(access_names); i++)
		if (strcmp(text, access_names[i].name) == 0) {
			*(uint32_t *)member |= access_names[i].access;
			return 0;
		}
	return field_refuse(at, err,
			    "must be \"list\", \"read\", \"execute\", \"write\" or \"change\"");
}

static int decode_access(const struct field *field, const json_t *value, void *member,
			 const struct place *at, struct error *err)
{
	static const struct field item = { .decode = decode_right };
	size_t count = 0;

	return field_decode_array(field, &item, value, member, &count, 0, at, err);
}

static const struct field rule_fields[] = {
	FIELD(struct plan_rule, path, path, 1, PLAN_PATH_BYTES_MAX),
	/* the kernel refuses a rule that allows nothing */
	{ "access", offsetof(struct plan_rule, access), encode_access, decode_access, 1,
	  ARRAY_SIZE(access_names) },
};

static json_t *encode_rule(const struct field *field, const void *member, const struct place *at,
			   struct error *err)
{
	(void)field;
	return field_encode_object(rule_fields, ARRAY_SIZE(rule_fields), FIELD_ALL, member, at,
				   err);
}

static int decode_rule(const struct field *field, const json_t *value, void *member,
		       const struct place *at, struct error *err)
{
	(void)field;
	return field_decode_object(rule_fields, ARRAY_SIZE(rule_fields), FIELD_ALL, value, member,
				   at, err);
}

static json_t *encode_rules(const struct field *field, const void *member, const struct place *at,
			    struct error *err)
{
	static const struct field item = { .encode = encode_rule };
	const struct plan_landlock *landlock = member;

	(void)field;
	return field_encode_array(&item, landlock->rules, landlock->rule_count,
				  sizeof(landlock->rules[0]), at, err);
}

static int decode_rules(const struct field *field, const json_t *value, void *member,
			const struct place *at, struct error *err)
{
	static const struct field item = { .decode = decode_rule };
	struct plan_landlock *landlock = member;

	return field_decode_array(field, &item, value, landlock->rules, &landlock->rule_count,
				  sizeof(landlock->rules[0]), at, err);
}

static const struct field landlock_fields[] = {
	FIELD(struct plan_landlock, required_abi, u32, 0, PLAN_LANDLOCK_ABI_SCOPES),
	{ "rules", 0, encode_rules, decode_rules, 0, PLAN_RULES_MAX },
};

json_t *plan_landlock_encode(const struct field *field, const void *member, const struct place *at,
			     struct error *err)
{
	(void)field;
	return field_encode_object(landlock_fields, ARRAY_SIZE(landlock_fields), FIELD_ALL, member,
				   at, err);
}

int plan_landlock_decode(const struct field *field, const json_t *value, void *member,
			 const struct place *at, struct error *err)
{
	const struct plan_landlock *landlock = member;
	const struct place rules_at = { at, "rules", 0 };
	int r = field_decode_object(landlock_fields, ARRAY_SIZE(landlock_fields), FIELD_ALL, value,
				    member, at, err);

	(void)field;
	if (r == 0 && landlock->required_abi > 0 && landlock->rule_count == 0)
		return field_refuse(&rules_at, err, "are missing for a wall that is required");
	return r;
}
