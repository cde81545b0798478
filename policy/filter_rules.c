/* SPDX-License-Identifier: MIT */
#include "policy/filter_rules.h"

#include "policy/own.h"

#include <assert.h>
#include <linux/audit.h>

static const uint32_t audit_archs[] = {
	[PROFILE_X86_64] = AUDIT_ARCH_X86_64,
	[PROFILE_AARCH64] = AUDIT_ARCH_AARCH64,
};
static_assert(ARRAY_SIZE(audit_archs) == PROFILE_ARCHITECTURE_COUNT, "one for each architecture");

static const uint32_t actions[] = {
	[PROFILE_ALLOW] = SECCOMP_RET_ALLOW,
	[PROFILE_ERRNO] = SECCOMP_RET_ERRNO,
	[PROFILE_KILL_PROCESS] = SECCOMP_RET_KILL_PROCESS,
	[PROFILE_KILL_THREAD] = SECCOMP_RET_KILL_THREAD,
	[PROFILE_TRAP] = SECCOMP_RET_TRAP,
	[PROFILE_LOG] = SECCOMP_RET_LOG,
};
static_assert(ARRAY_SIZE(actions) == PROFILE_ACTION_COUNT, "an answer for each action");

uint32_t filter_audit_arch(enum profile_architecture architecture)
{
	return audit_archs[architecture];
}

uint32_t filter_action(enum profile_action action, uint16_t errnum)
{
	return actions[action] | errnum;
}

const struct filter_rule *filter_rules_of(const struct filter_rules *rules, int number,
					  size_t *ret_count)
{
	size_t low = 0, high = rules->count, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (rules->items[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < rules->count && rules->items[end].number == number;)
		end++;
	*ret_count = end - low;
	return rules->items + low;
}

static bool matches(const struct profile_rule *rule, const struct seccomp_data *data)
{
	for (size_t i = 0; i < rule->argument_count; i++) {
		const struct profile_argument *argument = &rule->arguments[i];

		if ((data->args[argument->index] & argument->mask) != argument->value)
			return false;
	}
	return true;
}

/* libseccomp lets -1 pass the check for x32: it is what a tracer writes to skip a call. */
static bool is_foreign(const struct filter_rules *rules, const struct seccomp_data *data)
{
	if (data->arch != audit_archs[rules->architecture])
		return true;
	return rules->architecture == PROFILE_X86_64 && (uint32_t)data->nr >= FILTER_X32_BIT &&
	       data->nr != -1;
}

uint32_t filter_rules_answer(const struct filter_rules *rules, const struct seccomp_data *data,
			     const struct filter_rule **ret_rule)
{
	const struct filter_rule *items, *found = NULL;
	size_t count;

	if (ret_rule != NULL)
		*ret_rule = NULL;
	if (is_foreign(rules, data))
		return SECCOMP_RET_KILL_PROCESS;
	items = filter_rules_of(rules, data->nr, &count);
	for (size_t i = 0; i < count; i++) {
		if (items[i].rule->argument_count > 0 && matches(items[i].rule, data)) {
			found = &items[i];
			break;
		}
		if (items[i].rule->argument_count == 0 && found == NULL)
			found = &items[i];
	}
	if (ret_rule != NULL)
		*ret_rule = found;
	if (found == NULL)
		return filter_action(rules->profile->default_action,
				     rules->profile->default_errnum);
	return filter_action(found->rule->action, found->rule->errnum);
}
