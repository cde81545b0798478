/* SPDX-License-Identifier: MIT */
#include "policy/ceiling.h"

#include "policy/own.h"
#include "policy/place.h"
#include "policy/spec_json.h"

#include <inttypes.h>
#include <string.h>

static const char *format_count(uint64_t count, char *text)
{
	if (count == LIMIT_MAX)
		snprintf(text, QUANTITY_TEXT_MAX, "max");
	else
		snprintf(text, QUANTITY_TEXT_MAX, "%" PRIu64, count);
	return text;
}

struct value {
	enum spec_field field;
	const char *key;
	size_t offset; /* of a uint64_t in struct limits, or in struct io_limit */
	const char *(*format)(uint64_t value, char *text);
};

#define IN(member) offsetof(struct limits, member)
static const struct value values[] = {
	{ FIELD_MEMORY, "memory", IN(memory_max), quantity_format_size },
	{ FIELD_MEMORY_HIGH, "memory_high", IN(memory_high), quantity_format_size },
	{ FIELD_MEMORY_SWAP, "memory_swap", IN(memory_swap_max), quantity_format_size },
	{ FIELD_CPU, "cpu", IN(cpu_max), quantity_format_cpu },
	{ FIELD_CPU_WEIGHT, "cpu_weight", IN(cpu_weight), format_count },
	{ FIELD_PIDS, "pids", IN(pids_max), format_count },
	{ FIELD_NOFILE, "nofile", IN(nofile), format_count },
	{ FIELD_TMP_SIZE, "tmp_size", IN(tmp_size), quantity_format_size },
};
#undef IN

#define IN(member) offsetof(struct io_limit, member)
static const struct value rates[] = {
	{ FIELD_IO, "rbps", IN(rbps), quantity_format_size },
	{ FIELD_IO, "wbps", IN(wbps), quantity_format_size },
	{ FIELD_IO, "riops", IN(riops), format_count },
	{ FIELD_IO, "wiops", IN(wiops), format_count },
};
#undef IN

static uint64_t *member(void *base, const struct value *value)
{
	return (uint64_t *)((char *)base + value->offset);
}

static uint64_t member_value(const void *base, const struct value *value)
{
	return *(const uint64_t *)((const char *)base + value->offset);
}

/* One value against its ceiling; `at` is where the value stands. */
static int check_value(const struct value *value, uint64_t asked, uint64_t ceiling,
		       const struct place *at, const char *who, struct error *err)
{
	char shown[QUANTITY_TEXT_MAX], given[QUANTITY_TEXT_MAX];

	if (asked == LIMIT_UNSET || ceiling == LIMIT_UNSET || asked <= ceiling)
		return 0;
	return place_refuse(at, err, "%s is above what %s, %s", value->format(asked, shown), who,
			    value->format(ceiling, given));
}

static int check_io(const struct io_limit *asked, const struct io_limit *ceiling,
		    const struct place *at, const char *who, struct error *err)
{
	const struct place at_path = { at, asked->path, 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		const struct place here = { &at_path, rates[i].key, 0 };
		int r = check_value(&rates[i], member_value(asked, &rates[i]),
				    member_value(ceiling, &rates[i]), &here, who, err);

		if (r < 0)
			return r;
	}
	return 0;
}

int ceiling_check(const struct limits *asked, const struct limits *ceiling, uint64_t fields,
		  const char *who, struct error *err)
{
	static const struct place document = { NULL, NULL, 0 };
	static const struct place at_limits = { &document, "limits", 0 };
	static const struct place at_io = { &at_limits, "io", 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(values); i++) {
		const struct place here = { &at_limits, values[i].key, 0 };

		if ((fields & SPEC_FIELD_BIT(values[i].field)) != 0)
			r = check_value(&values[i], member_value(asked, &values[i]),
					member_value(ceiling, &values[i]), &here, who, err);
	}
	for (size_t i = 0; r == 0 && i < ceiling->io_count; i++) {
		/* only read */
		const struct io_limit *io =
			spec_find_io((struct limits *)asked, ceiling->io[i].path);

		if (io != NULL && (fields & SPEC_FIELD_BIT(FIELD_IO)) != 0)
			r = check_io(io, &ceiling->io[i], &at_io, who, err);
	}
	return r;
}

static void fill(uint64_t *value, uint64_t given)
{
	if (*value == LIMIT_UNSET)
		*value = given;
}

static void fill_values(struct limits *limits, const struct limits *given)
{
	fill(&limits->memory_max, given->memory_max);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		bool is_part =
			values[i].field == FIELD_MEMORY_HIGH || values[i].field == FIELD_TMP_SIZE;
		uint64_t value = member_value(given, &values[i]);

		if (!is_part || value <= limits->memory_max)
			fill(member(limits, &values[i]), value);
	}
}

static int fill_io(struct limits *limits, const struct limits *given, struct error *err)
{
	for (size_t i = 0; i < given->io_count; i++) {
		struct io_limit *io;
		int r = spec_add_io(limits, given->io[i].path, &io, err);

		if (r < 0) {
			error_prefix(err, "%s", spec_json_labels.of[FIELD_IO]);
			error_set_path(err, "%s", spec_json_labels.of[FIELD_IO]);
			return r;
		}
		for (size_t j = 0; j < ARRAY_SIZE(rates); j++)
			fill(member(io, &rates[j]), member_value(&given->io[i], &rates[j]));
	}
	return 0;
}

int ceiling_fill(struct limits *limits, const struct limits *given, struct error *err)
{
	struct limits filled;
	int r = spec_copy_limits(limits, &filled, err);

	if (r < 0)
		return r;
	fill_values(&filled, given);
	r = fill_io(&filled, given, err);
	if (r < 0) {
		spec_clear_limits(&filled);
		return r;
	}
	spec_clear_limits(limits);
	*limits = filled;
	return 0;
}
