/* SPDX-License-Identifier: MIT */
/*
 * Rows that map the keys of a JSON object to the members of a struct, for plan_json.c. One row says
 * where the member lies, how it is written and how it is read, so that the two directions can't
 * drift apart. Reading is strict: every key known, present, of its type and within its bounds.
 */
#pragma once

#include "policy/error.h"
#include "policy/place.h"

#include <jansson.h>
#include <stdint.h>

struct field {
	const char *key;
	size_t offset; /* of the member; 0 where the codec wants the whole struct */
	json_t *(*encode)(const struct field *field, const void *member, const struct place *at,
			  struct error *err); /* a new reference, or NULL with err set */
	int (*decode)(const struct field *field, const json_t *value, void *member,
		      const struct place *at, struct error *err);
	int64_t min, max; /* of a number; of a string's bytes; of an array's entries */
};

#define FIELD_ALL UINT64_MAX

/* ERROR_INVALID: "plan: mounts[3].target: MESSAGE". Returns -EINVAL. */
int field_refuse(const struct place *at, struct error *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Objects: `wanted` has one bit per row; other rows are left out, and refused when reading. */
json_t *field_encode_object(const struct field *fields, size_t count, uint64_t wanted,
			    const void *base, const struct place *at, struct error *err);
int field_decode_object(const struct field *fields, size_t count, uint64_t wanted,
			const json_t *object, void *base, const struct place *at,
			struct error *err);

/* Arrays of `count` members, `stride` bytes apart from `first` on, each by the row `item`. When
 * reading, *count is the number begun: all of them are owned by the caller, also on failure. */
json_t *field_encode_array(const struct field *item, const void *first, size_t count, size_t stride,
			   const struct place *at, struct error *err);
int field_decode_array(const struct field *bounds, const struct field *item, const json_t *value,
		       void *first, size_t *count, size_t stride, const struct place *at,
		       struct error *err);

/* For codecs of their own: the text of a string within the row's bounds, and a string written. */
int field_text(const struct field *field, const json_t *value, const struct place *at,
	       const char **ret, struct error *err);
json_t *field_encode_text(const char *text, const struct place *at, struct error *err);

/* Codec pairs for a row: char * (owned), the same in normal path form, struct strings, uint32_t,
 * uint64_t, int, bool, and uint32_t as four octal digits. */
#define FIELD_CODEC(name)                                                                     \
	json_t *field_encode_##name(const struct field *field, const void *member,            \
				    const struct place *at, struct error *err);               \
	int field_decode_##name(const struct field *field, const json_t *value, void *member, \
				const struct place *at, struct error *err)
FIELD_CODEC(string);
FIELD_CODEC(path);
FIELD_CODEC(strings);
FIELD_CODEC(u32);
FIELD_CODEC(u64);
FIELD_CODEC(int);
FIELD_CODEC(bool);
FIELD_CODEC(octal);
#undef FIELD_CODEC

#define FIELD(type, member, codec, min, max)                                                      \
	{                                                                                         \
#member, offsetof(type, member), field_encode_##codec, field_decode_##codec, min, \
			max                                                                       \
	}
