/* SPDX-License-Identifier: MIT */
/*
 * The io limits in JSON: {"/srv": {"rbps": "20M", "wiops": 200}}. The member is the whole struct
 * limits, since list and count lie side by side there.
 */
#include "policy/own.h"
#include "policy/path.h"
#include "policy/spec_row.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define IN(member) offsetof(struct io_limit, member)

/* The four values of one path, as rows of their own. */
static const struct spec_row io_rows[] = {
	{ FIELD_IO, 0, NULL, "rbps", &spec_codec_size, IN(rbps), SPEC_IO_BPS_MIN,
	  SIZE_LIMIT_BYTES },
	{ FIELD_IO, 0, NULL, "wbps", &spec_codec_size, IN(wbps), SPEC_IO_BPS_MIN,
	  SIZE_LIMIT_BYTES },
	{ FIELD_IO, ROW_MAX, NULL, "riops", &spec_codec_count, IN(riops), SPEC_IO_IOPS_MIN,
	  SPEC_IO_IOPS_LIMIT },
	{ FIELD_IO, ROW_MAX, NULL, "wiops", &spec_codec_count, IN(wiops), SPEC_IO_IOPS_MIN,
	  SPEC_IO_IOPS_LIMIT },
};
static const char *const io_keys[] = { "rbps", "wbps", "riops", "wiops" };
static_assert(ARRAY_SIZE(io_keys) == ARRAY_SIZE(io_rows), "a row for each key");

static int read_rate(const struct spec_row *row, const json_t *value, const struct place *at,
		     struct io_limit *io, struct error *err)
{
	const struct place here = { at, row->key, 0 };
	char shown[QUANTITY_TEXT_MAX], least[QUANTITY_TEXT_MAX];
	uint64_t rate = LIMIT_UNSET;
	int r = row->codec->read(row, value, &here, &rate, err);

	if (r < 0)
		return r;
	if (rate < row->min)
		return place_refuse(&here, err, "%s is too little: at least %s",
				    quantity_format_size(rate, shown),
				    quantity_format_size(row->min, least));
	memcpy((char *)io + row->offset, &rate, sizeof(rate));
	return 0;
}

static int read_rates(const json_t *value, const struct place *at, struct io_limit *io,
		      struct error *err)
{
	int r = place_check_keys(at, value, io_keys, ARRAY_SIZE(io_keys), err);

	if (r == 0 && json_object_size(value) == 0)
		return place_refuse(at, err, "is empty: write rbps, wbps, riops or wiops");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(io_rows); i++) {
		const json_t *rate = json_object_get(value, io_rows[i].key);

		if (rate != NULL)
			r = read_rate(&io_rows[i], rate, at, io, err);
	}
	return r;
}

static int read_path(const char *path, const json_t *value, const struct place *at,
		     struct limits *limits, struct error *err)
{
	const struct io_limit *known = spec_find_io(limits, path);
	struct io_limit io = { NULL, LIMIT_UNSET, LIMIT_UNSET, LIMIT_UNSET, LIMIT_UNSET };
	struct io_limit *kept = NULL;
	char *owned;
	int r;

	if (strlen(path) > PATH_TEXT_MAX || !path_is_normal(path))
		return place_refuse(at, err,
				    "is not an absolute path without \".\", \"..\" and double "
				    "slashes");
	if (known != NULL)
		io = *known;
	r = read_rates(value, at, &io, err);
	if (r < 0)
		return r;
	r = spec_add_io(limits, path, &kept, err);
	if (r < 0)
		return place_prefix(at, r, err);
	owned = kept->path;
	*kept = io;
	kept->path = owned;
	return 0;
}

static int read_io(const struct spec_row *row, const json_t *value, const struct place *at,
		   void *member, struct error *err)
{
	json_t *walked = (json_t *)value; /* not changed */
	int r = 0;

	if (!json_is_object(value))
		return place_refuse(at, err, "must be an object: {\"/srv\": {\"rbps\": \"20M\"}}");
	if (json_object_size(value) > row->max)
		return place_refuse(at, err, "%zu paths are too many: at most %" PRIu64,
				    json_object_size(value), row->max);
	for (void *i = json_object_iter(walked); r == 0 && i != NULL;
	     i = json_object_iter_next(walked, i)) {
		const struct place here = { at, json_object_iter_key(i), 0 };

		r = read_path(here.key, json_object_iter_value(i), &here, member, err);
	}
	return r;
}

static int write_rates(const struct io_limit *io, json_t *object, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(io_rows); i++) {
		json_t *value = NULL;
		int r = io_rows[i].codec->write(&io_rows[i], (const char *)io + io_rows[i].offset,
						&value, err);

		if (r < 0)
			return r;
		if (value != NULL && json_object_set_new(object, io_rows[i].key, value) < 0)
			return error_no_memory(err);
	}
	return 0;
}

/* One path into the object; one of which nothing is limited is left out. */
static int write_path(const struct io_limit *io, json_t *object, struct error *err)
{
	json_t *rates = json_object();
	int r;

	if (rates == NULL)
		return error_no_memory(err);
	r = write_rates(io, rates, err);
	if (r < 0 || json_object_size(rates) == 0) {
		json_decref(rates);
		return r;
	}
	if (json_object_set_new(object, io->path, rates) < 0)
		return error_set(err, ERROR_INVALID, 0, "a path is not valid UTF-8");
	return 0;
}

static int write_io(const struct spec_row *row, const void *member, json_t **ret, struct error *err)
{
	const struct limits *limits = member;
	json_t *object = json_object();
	int r = object == NULL ? error_no_memory(err) : 0;

	(void)row;
	for (size_t i = 0; r == 0 && i < limits->io_count; i++)
		r = write_path(&limits->io[i], object, err);
	*ret = NULL;
	if (r == 0 && json_object_size(object) > 0)
		*ret = object;
	else
		json_decref(object);
	return r;
}

/* The order of paths means nothing. */
static bool same_io(const void *a, const void *b)
{
	const struct limits *left = a, *right = b;

	if (left->io_count != right->io_count)
		return false;
	for (size_t i = 0; i < left->io_count; i++) {
		const struct io_limit *io = &left->io[i];
		/* only read */
		const struct io_limit *other = spec_find_io((struct limits *)right, io->path);

		if (other == NULL || io->rbps != other->rbps || io->wbps != other->wbps ||
		    io->riops != other->riops || io->wiops != other->wiops)
			return false;
	}
	return true;
}

const struct spec_codec spec_codec_io = { read_io, write_io, same_io };
