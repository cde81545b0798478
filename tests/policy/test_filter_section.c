/* SPDX-License-Identifier: MIT */
/* The code for one call's arguments, held against its rules, without libseccomp. */
#include "policy/bpf.h"
#include "policy/filter_section.h"
#include "policy/own.h"

#include <criterion/criterion.h>
#include <string.h>

#define RULES_MAX 80
#define HIT	  (SECCOMP_RET_ERRNO | 7)
#define MISS	  SECCOMP_RET_ALLOW

static struct profile_rule rules[RULES_MAX];
static struct filter_rule items[RULES_MAX];

static uint64_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

static void add_rule(size_t at, size_t count, const struct profile_argument *arguments)
{
	rules[at] = (struct profile_rule){ .action = PROFILE_ERRNO,
					   .errnum = 7,
					   .argument_count = count };
	memcpy(rules[at].arguments, arguments, count * sizeof(*arguments));
	items[at] = (struct filter_rule){ .number = 1, .rule = &rules[at] };
}

static struct filter_code build(size_t count)
{
	struct filter_code code = { 0 };
	struct error err;

	filter_section_write(&code, items, count);
	filter_code_append(&code, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, MISS));
	cr_assert(!code.failed);
	cr_assert_eq(bpf_check(code.items, code.count, &err), 0, "%s", err.text);
	return code;
}

static bool is_hit(size_t count, const struct seccomp_data *data)
{
	for (size_t i = 0; i < count; i++) {
		bool all = rules[i].argument_count > 0;
		for (size_t a = 0; a < rules[i].argument_count; a++) {
			const struct profile_argument *argument = &rules[i].arguments[a];
			all = all &&
			      (data->args[argument->index] & argument->mask) == argument->value;
		}
		if (all)
			return true;
	}
	return false;
}

static uint64_t random_mask(uint64_t *state)
{
	static const uint64_t masks[] = { UINT64_MAX,	       UINT32_MAX,	 15,
					  UINT64_C(0xf) << 32, UINT64_MAX << 32, 0x80000001 };

	return masks[next_random(state) % ARRAY_SIZE(masks)];
}

static size_t random_rules(uint64_t *state)
{
	size_t count = 1 + next_random(state) % (next_random(state) % 4 == 0 ? RULES_MAX : 6);
	uint64_t shared = random_mask(state);

	for (size_t i = 0; i < count; i++) {
		struct profile_argument arguments[3];
		size_t argument_count = 1 + next_random(state) % 3;
		for (unsigned a = 0; a < argument_count; a++) {
			uint64_t mask = next_random(state) % 2 == 0 ? shared : random_mask(state);
			uint64_t value = next_random(state) % 64;
			arguments[a] = (struct profile_argument){
				.index = a, .mask = mask, .value = (value << 32 | value) & mask
			};
		}
		add_rule(i, argument_count, arguments);
	}
	return count;
}

static void expect_answers(const struct filter_code *code, size_t count, uint64_t *state)
{
	for (int i = 0; i < 200; i++) {
		struct seccomp_data data = { .nr = 1 };
		for (int index = 0; index < 6; index++) {
			data.args[index] = next_random(state) % 64;
			if (next_random(state) % 2 == 0)
				data.args[index] |= data.args[index] << 32;
			if (next_random(state) % 4 == 0)
				data.args[index] ^= UINT64_C(1) << next_random(state) % 64;
		}
		cr_assert_eq(bpf_run(code->items, &data, NULL), is_hit(count, &data) ? HIT : MISS,
			     "%zu rules, (%#llx, %#llx, %#llx)", count, data.args[0], data.args[1],
			     data.args[2]);
	}
}

Test(filter_section, answers_as_random_rules_say)
{
	uint64_t state = 1;

	for (int i = 0; i < 500; i++) {
		size_t count = random_rules(&state);
		struct filter_code code = build(count);
		expect_answers(&code, count, &state);
		filter_code_clear(&code);
	}
}

Test(filter_section, searches_many_values_in_few_steps)
{
	struct filter_code code;

	for (uint64_t i = 0; i < 64; i++)
		add_rule(i, 1,
			 &(struct profile_argument){
				 .index = 1, .mask = UINT32_MAX, .value = 0x5400 + 2 * i });
	code = build(64);
	for (uint64_t value = 0x53f0; value < 0x5490; value++) {
		struct seccomp_data data = { .args = { 0, value } };
		unsigned steps = 0;
		bool is_listed = value >= 0x5400 && value < 0x5480 && value % 2 == 0;
		cr_expect_eq(bpf_run(code.items, &data, &steps), is_listed ? HIT : MISS);
		cr_expect_leq(steps, 17, "%u", steps);
	}
	filter_code_clear(&code);
}

Test(filter_section, passes_over_rules_without_arguments)
{
	struct filter_code code;

	add_rule(0, 0, rules[0].arguments);
	code = build(1);
	cr_expect_eq(code.count, 1);
	filter_code_clear(&code);
}

Test(filter_section, fails_for_good_when_it_gets_too_long)
{
	struct filter_code code = { 0 };

	for (int i = 0; i < 20000; i++)
		filter_code_append(&code, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0));
	cr_expect(code.failed);
	cr_expect(!code.no_memory);
	cr_expect_gt(code.count, BPF_MAXINSNS);
	filter_code_clear(&code);
}
