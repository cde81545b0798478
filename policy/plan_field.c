/* SPDX-License-Identifier: MIT */
#include "policy/plan_field.h"

#include "policy/own.h"
#include "policy/plan.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define STRING_MAX	 131071 /* the kernel's MAX_ARG_STRLEN without its NUL */
#define MESSAGE_TEXT_MAX 600
#define QUOTED_MAX	 200 /* bytes of a bad value that a message quotes */

int field_refuse(const struct place *at, struct error *err, const char *format, ...)
{
	char message[MESSAGE_TEXT_MAX];
	va_list args;
	int r;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	r = place_refuse(at, err, "%s", message);
	error_prefix(err, "plan");
	return r;
}

/* --- objects ----------------------------------------------------------------------------------*/

static int encode_rows(const struct field *fields, size_t count, uint64_t wanted, const void *base,
		       json_t *object, const struct place *at, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		struct place here = { at, fields[i].key, 0 };
		json_t *value;

		if (!(wanted & (UINT64_C(1) << i)))
			continue;
		value = fields[i].encode(&fields[i], (const char *)base + fields[i].offset, &here,
					 err);
		if (value == NULL)
			return -EINVAL;
		if (json_object_set_new(object, fields[i].key, value) < 0)
			return error_no_memory(err);
	}
	return 0;
}

json_t *field_encode_object(const struct field *fields, size_t count, uint64_t wanted,
			    const void *base, const struct place *at, struct error *err)
{
	json_t *object = json_object();

	if (object == NULL) {
		error_no_memory(err);
		return NULL;
	}
	if (encode_rows(fields, count, wanted, base, object, at, err) < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static int check_keys(const json_t *object, const struct field *fields, size_t count,
		      uint64_t wanted, const struct place *at, struct error *err)
{
	/* jansson's iterator takes no const, but changes nothing */
	json_t *walked = (json_t *)object;
	void *iterator;

	for (iterator = json_object_iter(walked); iterator != NULL;
	     iterator = json_object_iter_next(walked, iterator)) {
		const char *key = json_object_iter_key(iterator);
		size_t i = 0;

		while (i < count && strcmp(fields[i].key, key) != 0)
			i++;
		if (i == count)
			return field_refuse(at, err, "\"%.*s\" is no key here", QUOTED_MAX, key);
		if (!(wanted & (UINT64_C(1) << i)))
			return field_refuse(at, err, "\"%s\" has no meaning for this kind", key);
	}
	return 0;
}

int field_decode_object(const struct field *fields, size_t count, uint64_t wanted,
			const json_t *object, void *base, const struct place *at, struct error *err)
{
	int r;

	if (!json_is_object(object))
		return field_refuse(at, err, "must be an object");
	r = check_keys(object, fields, count, wanted, at, err);
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct place here = { at, fields[i].key, 0 };
		const json_t *value;

		if (!(wanted & (UINT64_C(1) << i)))
			continue;
		value = json_object_get(object, fields[i].key);
		if (value == NULL)
			return field_refuse(&here, err, "is missing");
		r = fields[i].decode(&fields[i], value, (char *)base + fields[i].offset, &here,
				     err);
	}
	return r;
}

/* --- arrays -----------------------------------------------------------------------------------*/

json_t *field_encode_array(const struct field *item, const void *first, size_t count, size_t stride,
			   const struct place *at, struct error *err)
{
	json_t *array = json_array();

	if (array == NULL) {
		error_no_memory(err);
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		struct place here = { at, NULL, i };
		json_t *value = item->encode(item, (const char *)first + i * stride, &here, err);

		if (value == NULL)
			goto fail;
		if (json_array_append_new(array, value) < 0) {
			error_no_memory(err);
			goto fail;
		}
	}
	return array;
fail:
	json_decref(array);
	return NULL;
}

static int check_array(const struct field *bounds, const json_t *value, const struct place *at,
		       struct error *err)
{
	size_t size = json_array_size(value);

	if (!json_is_array(value))
		return field_refuse(at, err, "must be an array");
	if (size < (size_t)bounds->min || size > (size_t)bounds->max)
		return field_refuse(at, err, "%zu entries, must be %" PRId64 " to %" PRId64, size,
				    bounds->min, bounds->max);
	return 0;
}

int field_decode_array(const struct field *bounds, const struct field *item, const json_t *value,
		       void *first, size_t *count, size_t stride, const struct place *at,
		       struct error *err)
{
	int r = check_array(bounds, value, at, err);

	for (size_t i = 0; r == 0 && i < json_array_size(value); i++) {
		struct place here = { at, NULL, i };

		*count = i + 1;
		r = item->decode(item, json_array_get(value, i), (char *)first + i * stride, &here,
				 err);
	}
	return r;
}

json_t *field_encode_strings(const struct field *field, const void *member, const struct place *at,
			     struct error *err)
{
	static const struct field item = { .encode = field_encode_string };
	const struct strings *strings = member;

	(void)field;
	return field_encode_array(&item, strings->items, strings->count, sizeof(char *), at, err);
}

int field_decode_strings(const struct field *field, const json_t *value, void *member,
			 const struct place *at, struct error *err)
{
	static const struct field item = { .max = STRING_MAX };
	int r = check_array(field, value, at, err);

	for (size_t i = 0; r == 0 && i < json_array_size(value); i++) {
		struct place here = { at, NULL, i };
		const char *text = "";

		r = field_text(&item, json_array_get(value, i), &here, &text, err);
		if (r == 0)
			r = strings_append(member, text, err);
	}
	return r;
}

/* --- scalars ----------------------------------------------------------------------------------*/

json_t *field_encode_text(const char *text, const struct place *at, struct error *err)
{
	json_t *value = json_string(text != NULL ? text : "");

	if (value == NULL)
		field_refuse(at, err, "is not valid UTF-8, which a plan cannot carry");
	return value;
}

int field_text(const struct field *field, const json_t *value, const struct place *at,
	       const char **ret, struct error *err)
{
	size_t length;

	if (!json_is_string(value))
		return field_refuse(at, err, "must be a string");
	length = json_string_length(value);
	if (length < (size_t)field->min || length > (size_t)field->max)
		return field_refuse(at, err, "%zu bytes long, must be %" PRId64 " to %" PRId64,
				    length, field->min, field->max);
	*ret = json_string_value(value);
	return 0;
}

json_t *field_encode_string(const struct field *field, const void *member, const struct place *at,
			    struct error *err)
{
	(void)field;
	return field_encode_text(*(char *const *)member, at, err);
}

int field_decode_string(const struct field *field, const json_t *value, void *member,
			const struct place *at, struct error *err)
{
	const char *text = "";
	char *copy;
	int r;

	r = field_text(field, value, at, &text, err);
	if (r < 0)
		return r;
	copy = strdup(text);
	if (copy == NULL)
		return error_no_memory(err);
	*(char **)member = copy;
	return 0;
}

json_t *field_encode_path(const struct field *field, const void *member, const struct place *at,
			  struct error *err)
{
	return field_encode_string(field, member, at, err);
}

int field_decode_path(const struct field *field, const json_t *value, void *member,
		      const struct place *at, struct error *err)
{
	const char *text = "";
	int r;

	r = field_text(field, value, at, &text, err);
	if (r < 0)
		return r;
	if (!plan_path_is_normal(text))
		return field_refuse(at, err, "\"%.*s\" is not an absolute path in normal form",
				    QUOTED_MAX, text);
	return field_decode_string(field, value, member, at, err);
}

static json_t *encode_number(uint64_t number, const struct place *at, struct error *err)
{
	json_t *value;

	if (number > INT64_MAX) {
		field_refuse(at, err, "%" PRIu64 " is too large", number);
		return NULL;
	}
	value = json_integer((json_int_t)number);
	if (value == NULL)
		error_no_memory(err);
	return value;
}

static int decode_number(const struct field *field, const json_t *value, const struct place *at,
			 int64_t *ret, struct error *err)
{
	json_int_t number;

	if (!json_is_integer(value))
		return field_refuse(at, err, "must be a whole number");
	number = json_integer_value(value);
	if (number < field->min || number > field->max)
		return field_refuse(at, err, "%" PRId64 " is not within %" PRId64 " to %" PRId64,
				    (int64_t)number, field->min, field->max);
	*ret = number;
	return 0;
}

json_t *field_encode_u32(const struct field *field, const void *member, const struct place *at,
			 struct error *err)
{
	(void)field;
	return encode_number(*(const uint32_t *)member, at, err);
}

int field_decode_u32(const struct field *field, const json_t *value, void *member,
		     const struct place *at, struct error *err)
{
	int64_t number = 0;
	int r = decode_number(field, value, at, &number, err);

	if (r == 0)
		*(uint32_t *)member = (uint32_t)number;
	return r;
}

json_t *field_encode_u64(const struct field *field, const void *member, const struct place *at,
			 struct error *err)
{
	(void)field;
	return encode_number(*(const uint64_t *)member, at, err);
}

int field_decode_u64(const struct field *field, const json_t *value, void *member,
		     const struct place *at, struct error *err)
{
	int64_t number = 0;
	int r = decode_number(field, value, at, &number, err);

	if (r == 0)
		*(uint64_t *)member = (uint64_t)number;
	return r;
}

json_t *field_encode_int(const struct field *field, const void *member, const struct place *at,
			 struct error *err)
{
	json_t *value = json_integer(*(const int *)member);

	(void)field;
	(void)at;
	if (value == NULL)
		error_no_memory(err);
	return value;
}

int field_decode_int(const struct field *field, const json_t *value, void *member,
		     const struct place *at, struct error *err)
{
	int64_t number = 0;
	int r = decode_number(field, value, at, &number, err);

	if (r == 0)
		*(int *)member = (int)number;
	return r;
}

json_t *field_encode_bool(const struct field *field, const void *member, const struct place *at,
			  struct error *err)
{
	(void)field;
	(void)at;
	(void)err;
	return json_boolean(*(const bool *)member);
}

int field_decode_bool(const struct field *field, const json_t *value, void *member,
		      const struct place *at, struct error *err)
{
	(void)field;
	if (!json_is_boolean(value))
		return field_refuse(at, err, "must be true or false");
	*(bool *)member = json_is_true(value);
	return 0;
}

json_t *field_encode_octal(const struct field *field, const void *member, const struct place *at,
			   struct error *err)
{
	char text[16];

	(void)field;
	snprintf(text, sizeof(text), "%04" PRIo32, *(const uint32_t *)member);
	return field_encode_text(text, at, err);
}

int field_decode_octal(const struct field *field, const json_t *value, void *member,
		       const struct place *at, struct error *err)
{
	const char *text = json_string_value(value);
	uint32_t bits = 0;

	if (text == NULL || strlen(text) != 4 || strspn(text, "01234567") != 4)
		return field_refuse(at, err,
				    "must be a string of four octal digits, such as \"0755\"");
	for (; *text != '\0'; text++)
		bits = bits * 8 + (uint32_t)(*text - '0');
	if (bits > field->max)
		return field_refuse(at, err, "%04" PRIo32 " is above %04" PRIo32, bits,
				    (uint32_t)field->max);
	*(uint32_t *)member = bits;
	return 0;
}
