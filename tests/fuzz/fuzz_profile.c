/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a seccomp profile: an error on one line, or rules that hold what profile.h promises,
 * and that become a program (or a refusal) in libseccomp.
 */
#include "policy/document.h"
#include "policy/own.h"
#include "policy/profile_json.h"
#include "supervisor/filter_program.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_rule(const struct profile_rule *rule)
{
	unsigned seen = 0;

	require(rule->name_count > 0 && rule->argument_count <= PROFILE_ARGS_MAX);
	require(rule->action < PROFILE_ACTION_COUNT);
	require(rule->action == PROFILE_ERRNO || rule->errnum == 0);
	require(rule->errnum <= PROFILE_ERRNO_MAX);
	for (size_t i = 0; i < rule->name_count; i++)
		require(rule->names[i][0] != '\0' && strlen(rule->names[i]) <= PROFILE_NAME_MAX);
	for (size_t i = 0; i < rule->argument_count; i++) {
		const struct profile_argument *argument = &rule->arguments[i];
		require(argument->index < PROFILE_ARGS_MAX);
		require((seen & 1U << argument->index) == 0);
		require(argument->mask != 0 && (argument->value & ~argument->mask) == 0);
		seen |= 1U << argument->index;
	}
}

/* libseccomp takes longer than linearly many rules: big ones would leave no time for others. */
static bool is_small(const struct profile *profile)
{
	size_t names = 0;

	for (size_t i = 0; i < profile->rule_count; i++)
		names += profile->rules[i].name_count;
	return names <= 100;
}

/* What is written is read again, and written the same. */
static void check_round_trip(const struct profile *profile, const struct profile_facts *facts)
{
	_cleanup_profile_ struct profile *again = NULL;
	_cleanup_free_ char *text = NULL, *second = NULL;
	_cleanup_json_ json_t *json = NULL, *other = NULL;
	struct error err;

	require(profile_to_json(profile, &json, &err) == 0);
	text = json_dumps(json, JSON_COMPACT);
	require(text != NULL);
	/* written out, it may be longer than a document may be */
	if (strlen(text) > PROFILE_SIZE_MAX)
		return;
	require(profile_parse(text, strlen(text), facts, &again, &err) == 0);
	require(profile_to_json(again, &other, &err) == 0);
	second = json_dumps(other, JSON_COMPACT);
	require(second != NULL && strcmp(text, second) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct profile_facts facts = { .architecture = PROFILE_X86_64,
					     .kernel_major = 6,
					     .kernel_minor = 1 };
	_cleanup_profile_ struct profile *profile = NULL;
	_cleanup_free_ struct sock_filter *program = NULL;
	struct error err = { 0 };
	size_t count = 0;

	if (profile_parse((const char *)data, size, &facts, &profile, &err) < 0) {
		require(profile == NULL && err.kind != ERROR_NONE);
		require(strpbrk(err.text, "\n\r\x1b") == NULL);
		return 0;
	}
	require(profile->rule_count <= PROFILE_RULES_MAX);
	for (size_t i = 0; i < profile->rule_count; i++)
		check_rule(&profile->rules[i]);
	check_round_trip(profile, &facts);
	if (is_small(profile) &&
	    filter_program_build(profile, PROFILE_X86_64, &program, &count, &err) == 0)
		require(count > 0 && count <= BPF_MAXINSNS);
	return 0;
}
