/* SPDX-License-Identifier: MIT */
/*
 * The keys of an app in JSON: one row says where a key stands, where its member lies, how it is
 * read, written and compared, and whether a running app takes a new value as it is. Reading,
 * writing, the differences and the check of the manual page all walk this table, so that they can't
 * drift apart. For policy/spec_*.c and their tests alone.
 */
#pragma once

#include "policy/place.h"
#include "policy/spec.h"

#include <jansson.h>

struct spec_row;

struct spec_codec {
	/* Puts what is said in the place of what was there; objects with keys of the user's own
	 * (environment, io) are merged into what was there. On failure the member is still whole.
	 */
	int (*read)(const struct spec_row *row, const json_t *value, const struct place *at,
		    void *member, struct error *err);
	/* A new reference; NULL for what is unset. */
	int (*write)(const struct spec_row *row, const void *member, json_t **ret,
		     struct error *err);
	bool (*same)(const void *a, const void *b);
};

enum {
	ROW_REQUIRED = 1, /* an app without it is refused */
	ROW_LIVE = 2,	  /* a running app takes a new value without a restart */
	ROW_MAX = 4,	  /* a count may be "max" */
	ROW_HEALTH = 8,	  /* says something only beside health.http: else it is not written */
};

struct spec_row {
	enum spec_field field;
	unsigned flags;
	const char *section; /* the object that the key stands in; NULL: the app itself */
	const char *key;
	const struct spec_codec *codec;
	size_t offset;	   /* in struct app_spec */
	uint64_t min, max; /* of a count; max: entries of a list */
};

extern const struct spec_row spec_rows[];
extern const size_t spec_row_count;

/* char *; struct strings; the list of variables; bytes, CPU, microseconds and counts in uint64_t;
 * a share in percent, or off, in uint64_t; an enum with names in spec_names.c; a signal's number;
 * bool; the io limits; a list that is not empty; struct syscalls_policy. */
extern const struct spec_codec spec_codec_text, spec_codec_list, spec_codec_variables,
	spec_codec_size, spec_codec_cpu, spec_codec_time, spec_codec_count, spec_codec_choice,
	spec_codec_signal, spec_codec_bool, spec_codec_io, spec_codec_egress, spec_codec_percent,
	spec_codec_syscalls;

/* Hands over what jansson made; NULL is no memory. */
static inline int spec_codec_put(json_t *value, json_t **ret, struct error *err)
{
	if (value == NULL)
		return error_no_memory(err);
	*ret = value;
	return 0;
}

static inline void *spec_row_member(const struct spec_row *row, struct app_spec *spec)
{
	return (char *)spec + row->offset;
}

static inline const void *spec_row_member_const(const struct spec_row *row,
						const struct app_spec *spec)
{
	return (const char *)spec + row->offset;
}
