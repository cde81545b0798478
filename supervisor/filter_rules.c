/* SPDX-License-Identifier: MIT */
#include "supervisor/filter_rules.h"

#include "policy/own.h"
#include "supervisor/filter_syscall.h"

#include <stdlib.h>

static int raise_unknown(const struct profile_rule *rule, size_t name, struct error *err)
{
	char buffer[FILTER_SYSCALL_NAME_MAX];
	const char *near = filter_syscall_nearest(rule->names[name], buffer);

	return error_set(
		err, ERROR_INVALID, 0, "syscalls[%u].names[%zu]: \"%s\" is not a system call%s%s%s",
		rule->position, name, rule->names[name], near != NULL ? "; did you mean " : "",
		near != NULL ? near : "", near != NULL ? "?" : "");
}

static int raise_contradiction(const struct filter_rule *item, const struct profile_rule *other,
			       struct error *err)
{
	const struct profile_rule *rule = item->rule;

	return error_set(err, ERROR_INVALID, 0,
			 "syscalls[%u].names[%u]: %s gets another action here than in "
			 "syscalls[%u]: %s",
			 rule->position, item->name, rule->names[item->name], other->position,
			 rule->argument_count == 0
				 ? "keep one of the two"
				 : "both match some arguments, so they must agree");
}

/* Is there an argument that can't have both values? */
static bool exclude_each_other(const struct profile_rule *a, const struct profile_rule *b)
{
	for (size_t i = 0; i < a->argument_count; i++)
		for (size_t j = 0; j < b->argument_count; j++) {
			const struct profile_argument *left = &a->arguments[i];
			const struct profile_argument *right = &b->arguments[j];

			if (left->index == right->index &&
			    ((left->value ^ right->value) & left->mask & right->mask) != 0)
				return true;
		}
	return false;
}

static bool contradict(const struct profile_rule *a, const struct profile_rule *b)
{
	if (a->action == b->action && a->errnum == b->errnum)
		return false;
	if ((a->argument_count == 0) != (b->argument_count == 0))
		return false; /* the one without arguments is for the rest */
	return !exclude_each_other(a, b);
}

/* No two rules of one number may both match a call and say different things. */
static int check_contradictions(const struct filter_rules *rules, struct error *err)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct filter_rule *item = &rules->items[i];

		for (size_t j = i; j > 0 && rules->items[j - 1].number == item->number; j--)
			if (contradict(item->rule, rules->items[j - 1].rule))
				return raise_contradiction(item, rules->items[j - 1].rule, err);
	}
	return 0;
}

/* The rules of a profile are one array, so their addresses have its order. */
static int compare(const void *a, const void *b)
{
	const struct filter_rule *left = a, *right = b;

	if (left->number != right->number)
		return left->number < right->number ? -1 : 1;
	if (left->rule != right->rule)
		return left->rule < right->rule ? -1 : 1;
	return left->name < right->name ? -1 : left->name > right->name;
}

static int add_names(struct filter_rules *rules, const struct profile_rule *rule, struct error *err)
{
	for (unsigned name = 0; name < rule->name_count; name++) {
		int number;

		if (!filter_syscall_resolve(rule->names[name], rules->architecture, &number))
			return raise_unknown(rule, name, err);
		if (number != FILTER_SYSCALL_ELSEWHERE)
			rules->items[rules->count++] = (struct filter_rule){ number, name, rule };
	}
	return 0;
}

int filter_rules_resolve(const struct profile *profile, enum profile_architecture architecture,
			 struct filter_rules *ret, struct error *err)
{
	_cleanup_filter_rules_ struct filter_rules rules = { .profile = profile,
							     .architecture = architecture };
	size_t total = 0;
	int r;

	for (size_t i = 0; i < profile->rule_count; i++)
		total += profile->rules[i].name_count;
	rules.items = calloc(total + 1, sizeof(*rules.items));
	if (rules.items == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < profile->rule_count; i++) {
		r = add_names(&rules, &profile->rules[i], err);
		if (r < 0)
			return r;
	}
	qsort(rules.items, rules.count, sizeof(*rules.items), compare);
	r = check_contradictions(&rules, err);
	if (r < 0)
		return r;
	*ret = rules;
	rules.items = NULL;
	return 0;
}

void filter_rules_clear(struct filter_rules *rules)
{
	free(rules->items);
	*rules = (struct filter_rules){ 0 };
}
