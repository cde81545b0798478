/* SPDX-License-Identifier: MIT */
/*
 * One rule: action, names, arguments, Docker's conditions. Read whole and checked whole, also where
 * a condition then leaves it out: a mistake must not wait for another machine to be found.
 */
#include "policy/profile_rule.h"

#include "policy/own.h"
#include "policy/quote.h"

#include <string.h>

static const char *const rule_keys[] = { "names", "name",    "action",	 "errnoRet", "errno",
					 "args",  "comment", "includes", "excludes" };
static const struct profile_action_keys action_keys = { "action", "errnoRet", "errno", 0 };

static int append_name(struct profile_rule *rule, const json_t *value, const char *path,
		       struct error *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	const char *name = json_string_value(value);
	char quoted[QUOTE_TEXT_MAX];

	if (name == NULL)
		return profile_raise(err, path, NULL, "must be the name of a system call");
	if (name[0] == '\0' || strlen(name) > PROFILE_NAME_MAX ||
	    name[strspn(name, letters)] != '\0')
		return profile_raise(err, path, NULL, "%s is not the name of a system call",
				     quote_text(name, quoted));
	rule->names[rule->name_count] = strdup(name);
	if (rule->names[rule->name_count] == NULL)
		return error_no_memory(err);
	rule->name_count++;
	return 0;
}

/* "names", or the "name" of Docker's first profiles. */
static int read_names(const json_t *object, const char *path, struct profile_rule *rule,
		      struct error *err)
{
	const json_t *list = profile_get(object, "names"), *single = profile_get(object, "name");
	char item_path[PROFILE_PATH_MAX];
	size_t count = json_array_size(list);

	if ((list != NULL) == (single != NULL))
		return profile_raise(err, path, "names", "%s",
				     list != NULL ? "contradicts name: write one" : "is missing");
	if (list != NULL && (!json_is_array(list) || count == 0 || count > PROFILE_NAMES_MAX))
		return profile_raise(err, path, "names", "must be a list of 1 to %d names",
				     PROFILE_NAMES_MAX);

	rule->names = calloc(single != NULL ? 1 : count, sizeof(*rule->names));
	if (rule->names == NULL)
		return error_no_memory(err);
	if (single != NULL) {
		profile_path_key(item_path, path, "name");
		return append_name(rule, single, item_path, err);
	}
	for (size_t i = 0; i < count; i++) {
		profile_path_item(item_path, path, "names", i);
		int r = append_name(rule, json_array_get(list, i), item_path, err);
		if (r < 0)
			return r;
	}
	return 0;
}

void profile_rule_clear(struct profile_rule *rule)
{
	for (size_t i = 0; i < rule->name_count; i++)
		free(rule->names[i]);
	free(rule->names);
	free(rule->comment);
	*rule = (struct profile_rule){ 0 };
}

/* The rule's own texts are copied: "less than" and "not" append one rule several times. */
static int copy_texts(struct profile_rule *to, const struct profile_rule *from, struct error *err)
{
	if (from->comment != NULL) {
		to->comment = strdup(from->comment);
		if (to->comment == NULL)
			return error_no_memory(err);
	}
	to->names = calloc(from->name_count + 1, sizeof(*to->names));
	if (to->names == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < from->name_count; i++) {
		to->names[i] = strdup(from->names[i]);
		if (to->names[i] == NULL)
			return error_no_memory(err);
		to->name_count++;
	}
	return 0;
}

static int append_rule(struct profile *profile, const struct profile_rule *rule, size_t *name_total,
		       struct error *err)
{
	struct profile_rule *rules, *copy;

	if (profile->rule_count >= PROFILE_RULES_MAX ||
	    rule->name_count > PROFILE_NAMES_MAX - *name_total)
		return profile_raise(err, "", "syscalls",
				     "is too long: %d rules and %d names at most, with each "
				     "\"less than\" and \"not\" written out",
				     PROFILE_RULES_MAX, PROFILE_NAMES_MAX);
	rules = reallocarray(profile->rules, profile->rule_count + 1, sizeof(*rules));
	if (rules == NULL)
		return error_no_memory(err);
	profile->rules = rules;
	/* the profile's from here on, also if copying the names fails */
	copy = &rules[profile->rule_count++];
	*copy = *rule;
	copy->names = NULL;
	copy->name_count = 0;
	copy->comment = NULL;
	*name_total += rule->name_count;
	return copy_texts(copy, rule, err);
}

/* A number is not another one if any of its bits differs. */
static void set_variant(struct profile_draft *draft, uint64_t i)
{
	struct profile_argument *argument = &draft->rule.arguments[draft->varied];

	if (draft->differs) {
		argument->mask = UINT64_C(1) << i;
		argument->value = ~draft->other_than & argument->mask;
	} else {
		argument->value = i;
	}
}

static int append_draft(struct profile *profile, struct profile_draft *draft, size_t *name_total,
			struct error *err)
{
	if (draft->variants == 0)
		return append_rule(profile, &draft->rule, name_total, err);
	for (uint64_t i = 0; i < draft->variants; i++) {
		set_variant(draft, i);
		int r = append_rule(profile, &draft->rule, name_total, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static void draft_clear(struct profile_draft *draft)
{
	profile_rule_clear(&draft->rule);
}

/* An empty one, as Podman writes it, is none. */
static int read_comment(const json_t *object, const char *path, struct profile_rule *rule,
			struct error *err)
{
	const json_t *comment = profile_get(object, "comment");

	if (comment == NULL)
		return 0;
	if (!json_is_string(comment) || json_string_length(comment) > PROFILE_COMMENT_MAX)
		return profile_raise(err, path, "comment", "must be text of %d bytes at most",
				     PROFILE_COMMENT_MAX);
	if (json_string_length(comment) == 0)
		return 0;
	rule->comment = strdup(json_string_value(comment));
	return rule->comment == NULL ? error_no_memory(err) : 0;
}

static int read_draft(const json_t *object, const char *path, struct profile_draft *draft,
		      struct error *err)
{
	int r;

	r = profile_check_keys(object, path, rule_keys, ARRAY_SIZE(rule_keys), err);
	if (r < 0)
		return r;
	r = read_comment(object, path, &draft->rule, err);
	if (r < 0)
		return r;
	r = profile_read_action(object, path, &action_keys, &draft->rule.action,
				&draft->rule.errnum, err);
	if (r < 0)
		return r;
	r = read_names(object, path, &draft->rule, err);
	if (r < 0)
		return r;
	return profile_arguments_read(object, path, draft, err);
}

int profile_rule_read(const json_t *object, unsigned position, const struct profile_facts *facts,
		      struct profile *profile, size_t *name_total, struct error *err)
{
	__attribute__((cleanup(draft_clear))) struct profile_draft draft = { 0 };
	char path[PROFILE_PATH_MAX];
	bool applies = false;
	int r;

	profile_path_item(path, "", "syscalls", position);
	draft.rule.position = position;
	r = read_draft(object, path, &draft, err);
	if (r < 0)
		return r;
	r = profile_conditions_read(object, path, facts, &applies, &profile->architectures, err);
	if (r < 0 || !applies)
		return r;
	return append_draft(profile, &draft, name_total, err);
}
