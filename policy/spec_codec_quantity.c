/* SPDX-License-Identifier: MIT */
/*
 * How numbers are read from JSON, written and compared. They have the grammar of policy/quantity.h:
 * a JSON number is the same text without quotes. What is written reads back as the same value.
 */
#include "policy/spec_row.h"

#include <inttypes.h>

#define NUMBER_TEXT_MAX 32

/* The text of a string or of a whole number; `what` is what it must be. */
static int quantity_text(const json_t *value, const char *what, const struct place *at,
			 char buffer[static NUMBER_TEXT_MAX], const char **ret, struct error *err)
{
	*ret = json_string_value(value);
	if (*ret != NULL)
		return 0;
	if (!json_is_integer(value))
		return place_refuse(at, err, "must be %s", what);
	snprintf(buffer, NUMBER_TEXT_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	*ret = buffer;
	return 0;
}

static bool same_number(const void *a, const void *b)
{
	return *(const uint64_t *)a == *(const uint64_t *)b;
}

static int read_size(const struct spec_row *row, const json_t *value, const struct place *at,
		     void *member, struct error *err)
{
	char buffer[NUMBER_TEXT_MAX];
	const char *text = "";
	int r = quantity_text(value, "a size: \"256M\", or a whole number of bytes", at, buffer,
			      &text, err);

	(void)row;
	if (r < 0)
		return r;
	r = quantity_parse_size(text, member, err);
	return r < 0 ? place_prefix(at, r, err) : 0;
}

static int write_size(const struct spec_row *row, const void *member, json_t **ret,
		      struct error *err)
{
	uint64_t bytes = *(const uint64_t *)member, back = 0;
	char text[QUANTITY_TEXT_MAX];
	struct error ignored;

	(void)row;
	*ret = NULL;
	if (bytes == LIMIT_UNSET)
		return 0;
	quantity_format_size(bytes, text);
	if (quantity_parse_size(text, &back, &ignored) < 0 || back != bytes)
		snprintf(text, sizeof(text), "%" PRIu64, bytes); /* that one was rounded */
	return spec_codec_put(json_string(text), ret, err);
}

const struct spec_codec spec_codec_size = { read_size, write_size, same_number };

/* A JSON number has no exact decimals: the nearest thousandth is meant, if it is near. */
static int cores_text(double cores, const struct place *at, char buffer[static NUMBER_TEXT_MAX],
		      struct error *err)
{
	double milli = cores * CPU_MILLI_PER_CORE, off;
	uint64_t rounded;

	if (!(milli >= 0 && milli <= (double)CPU_MILLI_LIMIT))
		return place_refuse(at, err, "must be a number of cores from 0.01 to 4096");
	rounded = (uint64_t)(milli + 0.5);
	off = milli - (double)rounded;
	if (off > 1e-6 || off < -1e-6)
		return place_refuse(at, err, "is too fine: CPU is given in steps of 0.001 cores");
	snprintf(buffer, NUMBER_TEXT_MAX, "%" PRIu64 ".%03" PRIu64, rounded / CPU_MILLI_PER_CORE,
		 rounded % CPU_MILLI_PER_CORE);
	return 0;
}

static int read_cpu(const struct spec_row *row, const json_t *value, const struct place *at,
		    void *member, struct error *err)
{
	char buffer[NUMBER_TEXT_MAX];
	const char *text = buffer;
	int r;

	(void)row;
	if (json_is_real(value))
		r = cores_text(json_real_value(value), at, buffer, err);
	else
		r = quantity_text(value, "a share of CPU: \"150%\", or a number of cores", at,
				  buffer, &text, err);
	if (r < 0)
		return r;
	r = quantity_parse_cpu(text, member, err);
	return r < 0 ? place_prefix(at, r, err) : 0;
}

static int write_cpu(const struct spec_row *row, const void *member, json_t **ret,
		     struct error *err)
{
	uint64_t milli = *(const uint64_t *)member;
	char text[QUANTITY_TEXT_MAX];

	(void)row;
	*ret = NULL;
	if (milli == LIMIT_UNSET)
		return 0;
	return spec_codec_put(json_string(quantity_format_cpu(milli, text)), ret, err);
}

const struct spec_codec spec_codec_cpu = { read_cpu, write_cpu, same_number };

static int read_time(const struct spec_row *row, const json_t *value, const struct place *at,
		     void *member, struct error *err)
{
	char buffer[NUMBER_TEXT_MAX];
	const char *text = "";
	int r = quantity_text(value, "a time: \"5s\", or a whole number of seconds", at, buffer,
			      &text, err);

	(void)row;
	if (r < 0)
		return r;
	r = quantity_parse_time(text, member, err);
	return r < 0 ? place_prefix(at, r, err) : 0;
}

static int write_time(const struct spec_row *row, const void *member, json_t **ret,
		      struct error *err)
{
	char text[QUANTITY_TEXT_MAX];

	(void)row;
	*ret = NULL;
	if (*(const uint64_t *)member == LIMIT_UNSET)
		return 0;
	return spec_codec_put(json_string(quantity_format_time(*(const uint64_t *)member, text)),
			      ret, err);
}

const struct spec_codec spec_codec_time = { read_time, write_time, same_number };

static int read_percent(const struct spec_row *row, const json_t *value, const struct place *at,
			void *member, struct error *err)
{
	int r;

	(void)row;
	if (!json_is_string(value))
		return place_refuse(at, err,
				    "must be a share of the memory limit: \"90%%\", or \"off\"");
	r = quantity_parse_percent(json_string_value(value), member, err);
	return r < 0 ? place_prefix(at, r, err) : 0;
}

static int write_percent(const struct spec_row *row, const void *member, json_t **ret,
			 struct error *err)
{
	char text[QUANTITY_TEXT_MAX];

	(void)row;
	return spec_codec_put(json_string(quantity_format_percent(*(const uint64_t *)member, text)),
			      ret, err);
}

const struct spec_codec spec_codec_percent = { read_percent, write_percent, same_number };

static int read_count(const struct spec_row *row, const json_t *value, const struct place *at,
		      void *member, struct error *err)
{
	bool may_be_max = (row->flags & ROW_MAX) != 0;
	char buffer[NUMBER_TEXT_MAX];
	const char *text = "";
	int r = quantity_text(value, may_be_max ? "a whole number or \"max\"" : "a whole number",
			      at, buffer, &text, err);

	if (r < 0)
		return r;
	r = quantity_parse_count(text, row->min, row->max, may_be_max, member, err);
	return r < 0 ? place_prefix(at, r, err) : 0;
}

static int write_count(const struct spec_row *row, const void *member, json_t **ret,
		       struct error *err)
{
	uint64_t count = *(const uint64_t *)member;

	(void)row;
	*ret = NULL;
	if (count == LIMIT_UNSET)
		return 0;
	return spec_codec_put(count == LIMIT_MAX ? json_string("max")
						 : json_integer((json_int_t)count),
			      ret, err);
}

const struct spec_codec spec_codec_count = { read_count, write_count, same_number };

static int read_signal(const struct spec_row *row, const json_t *value, const struct place *at,
		       void *member, struct error *err)
{
	char buffer[NUMBER_TEXT_MAX];
	const char *text = "";
	int r = quantity_text(value, "a signal: \"TERM\", or its number", at, buffer, &text, err);

	(void)row;
	if (r < 0)
		return r;
	r = spec_signal_parse(text, member, err);
	return r < 0 ? place_prefix(at, r, err) : 0;
}

static int write_signal(const struct spec_row *row, const void *member, json_t **ret,
			struct error *err)
{
	char text[NUMBER_TEXT_MAX];

	(void)row;
	return spec_codec_put(json_string(spec_signal_name(*(const int *)member, text)), ret, err);
}

static bool same_signal(const void *a, const void *b)
{
	return *(const int *)a == *(const int *)b;
}

const struct spec_codec spec_codec_signal = { read_signal, write_signal, same_signal };
