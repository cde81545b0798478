/* SPDX-License-Identifier: MIT */
/*
 * What a rule says of a call's arguments. "Less than" is only counted here: profile_rule.c writes
 * it out, once all arguments of the rule are known.
 */
#include "policy/own.h"
#include "policy/profile_rule.h"

#include <assert.h>
#include <string.h>

enum comparison { COMPARE_EQ, COMPARE_MASKED_EQ, COMPARE_LT, COMPARE_LE, COMPARE_COUNT };
static const char *const comparison_names[] = {
	[COMPARE_EQ] = "SCMP_CMP_EQ",
	[COMPARE_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
	[COMPARE_LT] = "SCMP_CMP_LT",
	[COMPARE_LE] = "SCMP_CMP_LE",
};
static_assert(ARRAY_SIZE(comparison_names) == COMPARE_COUNT, "a name for each comparison");
static const char *const argument_keys[] = { "index", "value", "valueTwo", "op" };

static int refuse_comparison(const char *text, const char *path, struct error *err)
{
	char op_path[PROFILE_PATH_MAX];
	static const char *const refused[] = { "SCMP_CMP_NE", "SCMP_CMP_GT", "SCMP_CMP_GE" };

	profile_path_key(op_path, path, "op");
	if (!profile_is_listed(text, refused, ARRAY_SIZE(refused)))
		return profile_raise_unknown(err, op_path, "a comparison", text, comparison_names,
					     COMPARE_COUNT);
	return profile_raise(err, path, "op",
			     "%s lets through values that the kernel then cuts to 32 bits, and "
			     "libseccomp builds wrong filters of it: allow the values that are "
			     "wanted, a rule with SCMP_CMP_EQ or SCMP_CMP_MASKED_EQ for each",
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
	if (draft->less_count != 0)
		return profile_raise(err, path, "op",
				     "a second \"less than\" in one rule is not taken: write the "
				     "values out");
	draft->less_argument = draft->rule.argument_count;
	draft->less_count = count;
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
	argument->mask = UINT64_MAX;
	argument->value = values[0];
	if (op == COMPARE_LT || op == COMPARE_LE)
		return set_less(draft, path, values[0] + (op == COMPARE_LE), err);
	return 0;
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
