/* SPDX-License-Identifier: MIT */
#include "policy/filter_text.h"

#include "policy/filter_check.h"
#include "policy/own.h"
#include "policy/strings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The argument with that index; NULL if the rule does not look at it. */
static const struct profile_argument *find_argument(const struct profile_rule *rule, unsigned index)
{
	for (size_t i = 0; i < rule->argument_count; i++)
		if (rule->arguments[i].index == index)
			return &rule->arguments[i];
	return NULL;
}

static void put_condition(FILE *out, const struct profile_rule *rule)
{
	const char *between = "";

	for (unsigned index = 0; index < PROFILE_ARGS_MAX; index++) {
		const struct profile_argument *argument = find_argument(rule, index);

		if (argument == NULL)
			continue;
		fprintf(out, "%sarg%u", between, index);
		if (argument->mask != UINT64_MAX)
			fprintf(out, " & %#llx", (unsigned long long)argument->mask);
		fprintf(out, " = %#llx", (unsigned long long)argument->value);
		between = " and ";
	}
}

int filter_condition_text(const struct profile_rule *rule, char **ret, struct error *err)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		return error_no_memory(err);
	put_condition(out, rule);
	if (fclose(out) != 0) {
		free(text);
		return error_no_memory(err);
	}
	*ret = text;
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "ALLOW if arg0 = 0x1", for each rule that says something else than the rest; sorted, since the
 * order of rules has no meaning. */
static int collect_conditions(const struct filter_rule *items, size_t count, uint32_t rest,
			      struct strings *conditions, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t some = filter_action(items[i].rule->action, items[i].rule->errnum);
		_cleanup_free_ char *text = NULL;
		char answer[FILTER_ANSWER_MAX];
		int r;

		if (items[i].rule->argument_count == 0 || some == rest)
			continue;
		r = filter_condition_text(items[i].rule, &text, err);
		if (r == 0)
			r = strings_appendf(conditions, err, "%s if %s",
					    filter_answer_text(some, answer), text);
		if (r < 0)
			return r;
	}
	if (conditions->count > 0)
		qsort(conditions->items, conditions->count, sizeof(*conditions->items), compare);
	return 0;
}

/* What two neighbours share up to " if" is said once. */
static void put_call(FILE *out, const struct strings *conditions, uint32_t rest)
{
	const char *last = NULL;
	char answer[FILTER_ANSWER_MAX];

	for (size_t i = 0; i < conditions->count; i++) {
		const char *text = conditions->items[i];
		size_t length = strcspn(text, " ");

		if (last != NULL && strcmp(last, text) == 0)
			continue;
		if (last != NULL && strncmp(last, text, length + 1) == 0)
			fprintf(out, ", or%s", text + length);
		else
			fprintf(out, "%s%s", last != NULL ? "; " : "", text);
		last = text;
	}
	fprintf(out, "%s%s", last != NULL ? "; else " : "", filter_answer_text(rest, answer));
}

int filter_call_text(const struct filter_rules *rules, int number, char **ret, struct error *err)
{
	_cleanup_strings_ struct strings conditions = { 0 };
	uint32_t rest =
		filter_action(rules->profile->default_action, rules->profile->default_errnum);
	const struct filter_rule *items;
	char *text = NULL;
	size_t count, size;
	FILE *out;
	int r;

	items = filter_rules_of(rules, number, &count);
	for (size_t i = 0; i < count; i++)
		if (items[i].rule->argument_count == 0)
			rest = filter_action(items[i].rule->action, items[i].rule->errnum);
	r = collect_conditions(items, count, rest, &conditions, err);
	if (r < 0)
		return r;
	out = open_memstream(&text, &size);
	if (out == NULL)
		return error_no_memory(err);
	put_call(out, &conditions, rest);
	if (fclose(out) != 0) {
		free(text);
		return error_no_memory(err);
	}
	*ret = text;
	return 0;
}
