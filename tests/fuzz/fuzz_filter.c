/* SPDX-License-Identifier: MIT */
/*
 * Rules made of any bytes become a program for each architecture, which is found right; calls that
 * the bytes make up are answered as the rules say.
 */
#include "policy/bpf.h"
#include "policy/own.h"
#include "supervisor/filter_program.h"
#include "supervisor/filter_rules.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RULES_MAX 16
#define CALLS	  32

struct bytes_left {
	const uint8_t *at;
	size_t left;
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

static uint64_t take(struct bytes_left *bytes, size_t size)
{
	uint64_t value = 0;

	size = size < bytes->left ? size : bytes->left;
	memcpy(&value, bytes->at, size);
	bytes->at += size;
	bytes->left -= size;
	return value;
}

/* Masks and values are drawn from few, so that rules meet. */
static void take_argument(struct bytes_left *bytes, struct profile_argument *argument)
{
	static const uint64_t masks[] = { UINT64_MAX, UINT32_MAX, 15, UINT64_MAX << 32 };
	uint64_t choice = take(bytes, 1);

	argument->mask = choice % 8 < 4 ? masks[choice % 4] : take(bytes, 8) | 1;
	argument->value = (choice & 0x80) != 0 ? take(bytes, 8) : take(bytes, 1);
	argument->value &= argument->mask;
}

static void take_rule(struct bytes_left *bytes, struct profile_rule *rule)
{
	static const char *const names[] = { "socket", "ioctl", "prctl",  "kill", "mmap",
					     "clone",  "mseal", "execve", "read", "uname" };

	rule->names = calloc(1, sizeof(*rule->names));
	require(rule->names != NULL);
	rule->names[0] = strdup(names[take(bytes, 1) % ARRAY_SIZE(names)]);
	rule->name_count = 1;
	rule->argument_count = take(bytes, 1) % 4;
	rule->action = rule->argument_count == 0 ? PROFILE_LOG : PROFILE_ALLOW;
	for (unsigned i = 0; i < rule->argument_count; i++) {
		rule->arguments[i].index = i;
		take_argument(bytes, &rule->arguments[i]);
	}
}

static struct profile *take_profile(struct bytes_left *bytes)
{
	struct profile *profile = calloc(1, sizeof(*profile));
	size_t count = take(bytes, 1) % (RULES_MAX + 1);

	require(profile != NULL);
	profile->default_action = PROFILE_ERRNO;
	profile->default_errnum = 38;
	profile->rules = calloc(RULES_MAX, sizeof(*profile->rules));
	require(profile->rules != NULL);
	while (profile->rule_count < count)
		take_rule(bytes, &profile->rules[profile->rule_count++]);
	return profile;
}

static void ask(struct bytes_left bytes, const struct filter_rules *rules,
		const struct sock_filter *program)
{
	for (int i = 0; i < CALLS; i++) {
		struct seccomp_data call = { .arch = filter_audit_arch(rules->architecture) };

		call.nr = (int)take(&bytes, 2) % FILTER_SYSCALL_MAX;
		if (rules->count > 0 && i % 4 != 0)
			call.nr = rules->items[(size_t)call.nr % rules->count].number;
		for (int index = 0; index < 4; index++)
			call.args[index] = take(&bytes, i % 2 == 0 ? 8 : 1);
		require(bpf_run(program, &call, NULL) == filter_rules_answer(rules, &call, NULL));
	}
}

static void check(struct bytes_left bytes, const struct profile *profile,
		  enum profile_architecture architecture)
{
	_cleanup_filter_rules_ struct filter_rules rules = { 0 };
	_cleanup_free_ struct sock_filter *program = NULL;
	struct error err = { 0 };
	size_t count = 0;

	require(filter_program_build(profile, architecture, &program, &count, &err) == 0);
	require(filter_rules_resolve(profile, architecture, &rules, &err) == 0);
	ask(bytes, &rules, program);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes_left bytes = { data, size };
	_cleanup_profile_ struct profile *profile = take_profile(&bytes);

	for (int i = 0; i < PROFILE_ARCHITECTURE_COUNT; i++)
		check(bytes, profile, (enum profile_architecture)i);
	return 0;
}
