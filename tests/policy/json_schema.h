/* SPDX-License-Identifier: MIT */
/*
 * A check against a JSON Schema, of as much of it as packaging/incident.schema.json uses: type,
 * enum, const, properties, required, additionalProperties, items, maxItems, minimum, and $ref to
 * #/$defs. A keyword that is not known here is an error of the test, so that none is passed over;
 * `pattern` is tried as an extended regular expression.
 */
#pragma once

#include <criterion/criterion.h>
#include <jansson.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#define JSON_SCHEMA_REF	 "#/$defs/"
#define JSON_SCHEMA_PATH 512

struct json_schema {
	const json_t *root;
	char path[JSON_SCHEMA_PATH]; /* of what is looked at */
	char error[1024];	     /* the first; "" if there is none */
};

static inline bool json_schema_fail(struct json_schema *schema, const char *what)
{
	if (schema->error[0] == '\0')
		snprintf(schema->error, sizeof(schema->error), "%s: %s", schema->path, what);
	return false;
}

static inline bool json_schema_is_type(const json_t *value, const char *type)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return strcmp(type, "object") == 0;
	case JSON_ARRAY:
		return strcmp(type, "array") == 0;
	case JSON_STRING:
		return strcmp(type, "string") == 0;
	case JSON_INTEGER:
		return strcmp(type, "integer") == 0 || strcmp(type, "number") == 0;
	case JSON_REAL:
		return strcmp(type, "number") == 0;
	case JSON_TRUE:
	case JSON_FALSE:
		return strcmp(type, "boolean") == 0;
	default:
		return strcmp(type, "null") == 0;
	}
}

static inline bool json_schema_check_type(struct json_schema *schema, const json_t *types,
					  const json_t *value)
{
	const json_t *type;
	size_t i;

	if (json_is_string(types))
		return json_schema_is_type(value, json_string_value(types)) ||
		       json_schema_fail(schema, json_string_value(types));
	json_array_foreach(types, i, type) if (json_schema_is_type(
						       value, json_string_value(type))) return true;
	return json_schema_fail(schema, "is of another type");
}

static inline bool json_schema_check_pattern(struct json_schema *schema, const char *pattern,
					     const json_t *value)
{
	regex_t compiled;
	bool matches;

	if (!json_is_string(value))
		return true;
	cr_assert_eq(regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB), 0, "%s", pattern);
	matches = regexec(&compiled, json_string_value(value), 0, NULL, 0) == 0;
	regfree(&compiled);
	return matches || json_schema_fail(schema, pattern);
}

static inline bool json_schema_check_enum(struct json_schema *schema, const json_t *words,
					  const json_t *value)
{
	const json_t *word;
	size_t i;

	json_array_foreach(words, i, word) if (json_equal(word, value)) return true;
	return json_schema_fail(schema, "is none of the choices");
}

static inline bool json_schema_check(struct json_schema *schema, const json_t *rule,
				     const json_t *value);

static inline bool json_schema_check_at(struct json_schema *schema, const char *name,
					const json_t *rule, const json_t *value)
{
	size_t length = strlen(schema->path);
	bool ok;

	snprintf(schema->path + length, sizeof(schema->path) - length, ".%s", name);
	ok = json_is_false(rule) ? json_schema_fail(schema, "is no key here")
				 : json_schema_check(schema, rule, value);
	schema->path[length] = '\0';
	return ok;
}

static inline bool json_schema_check_object(struct json_schema *schema, const json_t *rule,
					    const json_t *value)
{
	const json_t *properties = json_object_get(rule, "properties"), *required;
	const json_t *others = json_object_get(rule, "additionalProperties");
	const char *key;
	json_t *member;
	bool ok = true;
	size_t i;

	json_array_foreach(json_object_get(rule, "required"), i,
			   required) if (json_object_get(value, json_string_value(required)) ==
					 NULL) ok =
		json_schema_fail(schema, json_string_value(required));
	json_object_foreach((json_t *)value, key, member)
	{
		const json_t *known = json_object_get(properties, key);

		if (known == NULL)
			known = others;
		if (known != NULL)
			ok = json_schema_check_at(schema, key, known, member) && ok;
	}
	return ok;
}

static inline bool json_schema_check_array(struct json_schema *schema, const json_t *rule,
					   const json_t *value)
{
	const json_t *most = json_object_get(rule, "maxItems"), *entry;
	const json_t *items = json_object_get(rule, "items");
	bool ok = true;
	size_t i;

	if (most != NULL && (json_int_t)json_array_size(value) > json_integer_value(most))
		ok = json_schema_fail(schema, "has too many entries");
	json_array_foreach(value, i, entry) if (items != NULL) ok =
		json_schema_check_at(schema, "[]", items, entry) && ok;
	return ok;
}

static inline void json_schema_expect_known(const json_t *rule)
{
	static const char *const known[] = {
		"type",	 "enum",     "const",	 "required", "properties", "additionalProperties",
		"items", "maxItems", "minimum",	 "pattern",  "$ref",	   "description",
		"title", "$schema",  "$comment", "$defs"
	};
	const char *key;
	json_t *ignored;

	json_object_foreach((json_t *)rule, key, ignored)
	{
		bool found = false;

		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			found = found || strcmp(known[i], key) == 0;
		cr_assert(found, "the check knows no \"%s\"", key);
	}
}

static inline bool json_schema_check(struct json_schema *schema, const json_t *rule,
				     const json_t *value)
{
	const json_t *type = json_object_get(rule, "type"), *word;
	bool ok = true;

	json_schema_expect_known(rule);
	if ((word = json_object_get(rule, "$ref")) != NULL) {
		const char *name = json_string_value(word) + strlen(JSON_SCHEMA_REF);
		const json_t *of = json_object_get(json_object_get(schema->root, "$defs"), name);

		cr_assert_not_null(of, "%s", name);
		return json_schema_check(schema, of, value);
	}
	if (type != NULL && !json_schema_check_type(schema, type, value))
		return false;
	if ((word = json_object_get(rule, "const")) != NULL && !json_equal(word, value))
		ok = json_schema_fail(schema, "is another constant");
	if ((word = json_object_get(rule, "enum")) != NULL)
		ok = json_schema_check_enum(schema, word, value) && ok;
	if ((word = json_object_get(rule, "pattern")) != NULL)
		ok = json_schema_check_pattern(schema, json_string_value(word), value) && ok;
	if ((word = json_object_get(rule, "minimum")) != NULL && json_is_number(value) &&
	    json_number_value(value) < json_number_value(word))
		ok = json_schema_fail(schema, "is too little");
	if (json_is_object(value))
		ok = json_schema_check_object(schema, rule, value) && ok;
	if (json_is_array(value))
		ok = json_schema_check_array(schema, rule, value) && ok;
	return ok;
}

/* path: of the schema. */
static inline void json_schema_expect(const char *path, const json_t *value)
{
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	struct json_schema schema = { .root = root };

	cr_assert_not_null(root, "%s", path);
	cr_expect(json_schema_check(&schema, root, value), "%s", schema.error);
	json_decref(root);
}
