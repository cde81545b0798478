/* SPDX-License-Identifier: MIT */
/*
 * What a rule says of a call's arguments. "Less than" and "not" are only noted here: profile_rule.c
 * writes them out, once all arguments of the rule are known.
 */
#include "policy/own.h"
#include "policy/profile_rule.h"

#include <assert.h>
#include <string.h>

enum comparison {
	COMPARE_EQ,
	COMPARE_MASKED_EQ,
	COMPARE_LT,
	COMPARE_LE,
	COMPARE_NE,
	COMPARE_COUNT
};
static const char *const comparison_names[] = {
	[COMPARE_EQ] = "SCMP_CMP_EQ", [COMPARE_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
	[COMPARE_LT] = "SCMP_CMP_LT", [COMPARE_LE] = "SCMP_CMP_LE",
	[COMPARE_NE] = "SCMP_CMP_NE",
};
static_assert(ARRAY_SIZE(comparison_names) == COMPARE_COUNT, "a name for each comparison");
static const char *const argument_keys[] = { "index", "value", "valueTwo", "op" };

static int refuse_comparison(const char *text, const char *path, struct error *err)
{
	char op_path[PROFILE_PATH_MAX];
	static const char *const refused[] = { "SCMP_CMP_GT", "SCMP_CMP_GE" };

	profile_path_key(op_path, path, "op");
	if (!profile_is_listed(text, refused, ARRAY_SIZE(refused)))
		return profile_raise_unknown(err, op_path, "a comparison", text, comparison_names,
					     COMPARE_COUNT);
	return profile_raise(err, path, "op",
			     "%s lets through values that the kernel then cuts to 32 bits: allow "
			     "the values that are wanted, a rule with SCMP_CMP_EQ or "
			     "SCMP_CMP_MASKED_EQ for each",
			     text);
}

static int read_comparison(const json_t *object, const char *path, enum comparison *ret,
			   struct error *err)
{
	const char *text = json_string_value(profile_get(object, "op"));

	if (text == NULL)
		return profile_raise(err, path, "op",
				     "must be a comparison, for example SCMP_CMP_EQ");
	for (size_t i = 0; i < COMPARE_COUNT; i++) {
		if (strcmp(text, comparison_names[i]) != 0)
			continue;
		*ret = (enum comparison)i;
		return 0;
	}
	return refuse_comparison(text, path, err);
}

/* In OCI the mask is `value`, and what the masked argument must equal `valueTwo`. */
static int set_masked(struct profile_argument *argument, const char *path, uint64_t value,
		      uint64_t value_two, struct error *err)
{
	if (value == 0)
		return profile_raise(err, path, "value",
				     "is a mask of no bits, which any argument matches: leave the "
				     "argument out");
	if ((value_two & ~value) != 0)
		return profile_raise(err, path, "valueTwo",
				     "has bits outside the mask in value: it can never match");
	argument->mask = value;
	argument->value = value_two;
	return 0;
}

/* Once a rule: two would be each variant of one with each of the other. */
static int set_variants(struct profile_draft *draft, const char *path, uint64_t count,
			struct error *err)
{
	if (draft->variants != 0)
		return profile_raise(err, path, "op",
				     "a second \"less than\" or \"not\" in one rule is not taken: "
				     "write the values out");
	draft->varied = draft->rule.argument_count;
	draft->variants = count;
	return 0;
}

static int set_less(struct profile_draft *draft, const char *path, uint64_t count,
		    struct error *err)
{
	if (count == 0)
		return profile_raise(err, path, "value", "nothing is less than 0");
	if (count > PROFILE_LESS_MAX)
		return profile_raise(err, path, "value",
				     "stands for %llu values, %d at most are taken: use "
				     "SCMP_CMP_MASKED_EQ",
				     (unsigned long long)count, PROFILE_LESS_MAX);
	return set_variants(draft, path, count, err);
}

/* What such a rule is for must not get by with a bit above those that the kernel takes of an int,
 * as ioctl(fd, TIOCSTI | 1<<32) would: the lower 32 bits decide, and more is refused than written.
 */
static bool refuses(const struct profile_rule *rule)
{
	return rule->action != PROFILE_ALLOW && rule->action != PROFILE_LOG;
}

/* Of the lower 32 bits alone: "not 40" must not let 40 | 1<<32 through, which the kernel cuts to
 * 40. That lets less through than was written, so it can't be had for a rule that refuses. */
static int set_not(struct profile_draft *draft, const char *path, uint64_t value, struct error *err)
{
	if (refuses(&draft->rule))
		return profile_raise(err, path, "op",
				     "SCMP_CMP_NE is taken in rules that allow: refuse by the "
				     "default action, and allow the values that are wanted");
	if (value > UINT32_MAX)
		return profile_raise(err, path, "value",
				     "is compared as 32 bits by SCMP_CMP_NE: %u at most",
				     UINT32_MAX);
	int r = set_variants(draft, path, 32, err);

	if (r < 0)
		return r;
	draft->differs = true;
	draft->other_than = value;
	return 0;
}

static int set_values(struct profile_draft *draft, struct profile_argument *argument,
		      enum comparison op, const char *path, const uint64_t values[2],
		      struct error *err)
{
	if (op == COMPARE_MASKED_EQ)
		return set_masked(argument, path, values[0], values[1], err);
	if (values[1] != 0)
		return profile_raise(err, path, "valueTwo", "goes with SCMP_CMP_MASKED_EQ only");
	argument->mask = refuses(&draft->rule) && values[0] <= UINT32_MAX ? UINT32_MAX : UINT64_MAX;
	argument->value = values[0];
	if (op == COMPARE_LT || op == COMPARE_LE)
		return set_less(draft, path, values[0] + (op == COMPARE_LE), err);
	return op == COMPARE_NE ? set_not(draft, path, values[0], err) : 0;
}

static int check_index(const struct profile_rule *rule, const char *path, uint64_t index,
		       struct error *err)
{
	for (size_t i = 0; i < rule->argument_count; i++) {
		if (rule->arguments[i].index == index)
			return profile_raise(err, path, "index",
					     "argument %llu is compared twice in one rule: write "
					     "two rules for \"or\", one mask for \"and\"",
					     (unsigned long long)index);
	}
	return 0;
}

static int read_argument(const json_t *object, const char *path, struct profile_draft *draft,
			 struct error *err)
{
	struct profile_argument argument = { 0 };
	enum comparison op = COMPARE_EQ;
	uint64_t index = 0, values[2] = { 0 };
	int r;

	r = profile_check_keys(object, path, argument_keys, ARRAY_SIZE(argument_keys), err);
	if (r < 0)
		return r;
	r = profile_read_integer(object, path, "index", PROFILE_ARGS_MAX - 1, &index, err);
	if (r < 0)
		return r;
	r = check_index(&draft->rule, path, index, err);
	if (r < 0)
		return r;
	r = profile_read_integer(object, path, "value", INT64_MAX, &values[0], err);
	if (r < 0)
		return r;
	if (profile_get(object, "valueTwo") != NULL) {
		r = profile_read_integer(object, path, "valueTwo", INT64_MAX, &values[1], err);
		if (r < 0)
			return r;
	}
	r = read_comparison(object, path, &op, err);
	if (r < 0)
		return r;
	argument.index = (unsigned)index;
	r = set_values(draft, &argument, op, path, values, err);
	if (r < 0)
		return r;
	draft->rule.arguments[draft->rule.argument_count++] = argument;
	return 0;
}

int profile_arguments_read(const json_t *object, const char *path, struct profile_draft *draft,
			   struct error *err)
{
	const json_t *list = profile_get(object, "args");
	char item_path[PROFILE_PATH_MAX];

	if (list == NULL)
		return 0;
	if (!json_is_array(list) || json_array_size(list) > PROFILE_ARGS_MAX)
		return profile_raise(err, path, "args", "must be a list of %d comparisons at most",
				     PROFILE_ARGS_MAX);
	for (size_t i = 0; i < json_array_size(list); i++) {
		profile_path_item(item_path, path, "args", i);
		int r = read_argument(json_array_get(list, i), item_path, draft, err);
		if (r < 0)
			return r;
	}
	return 0;
}
