/* SPDX-License-Identifier: MIT */
#include "policy/filter_tree.h"

#include "policy/bpf.h"
#include "policy/own.h"

#include <criterion/criterion.h>
#include <linux/seccomp.h>

#define SECTION SECCOMP_RET_ERRNO

static struct filter_range ranges[FILTER_TREE_RANGES];

/* Each third range goes on in a section of its own behind the search; each is `width` numbers. */
static void write_program(struct filter_code *code, size_t count, uint32_t width)
{
	const size_t behind = 1 + filter_tree_length(count);

	for (size_t i = 0; i < count; i++)
		ranges[i] = (struct filter_range){ .from = (uint32_t)i * width,
						   .goes_on = i % 3 == 1,
						   .answer = SECCOMP_RET_TRAP | (uint32_t)i,
						   .section = behind + i };
	filter_code_append(code, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
							      offsetof(struct seccomp_data, nr)));
	filter_tree_write(code, ranges, count);
	cr_expect_eq(code->count, behind, "%zu ranges", count);
	for (size_t i = 0; i < count; i++)
		filter_code_append(
			code, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECTION | (uint32_t)i));
}

static void expect_answers(size_t count, uint32_t width)
{
	__attribute__((cleanup(filter_code_clear))) struct filter_code code = { 0 };
	struct error err;

	write_program(&code, count, width);
	cr_assert_eq(bpf_check(code.items, code.count, &err), 0, "%s", err.text);
	for (uint32_t number = 0; number < (count + 1) * width; number++) {
		const struct seccomp_data call = { .nr = (int)number };
		const uint32_t i = number / width < count ? number / width : (uint32_t)count - 1;

		cr_expect_eq(bpf_run(code.items, &call, NULL),
			     (i % 3 == 1 ? SECTION : SECCOMP_RET_TRAP) | i, "%u of %zu", number,
			     count);
	}
}

Test(filter_tree, finds_the_range_of_every_number)
{
	for (size_t count = 1; count < 40; count++)
		expect_answers(count, 3);
}

Test(filter_tree, reaches_farther_than_a_conditional_jump_does)
{
	expect_answers(255, 1);
	expect_answers(256, 2);
	expect_answers(600, 1);
	expect_answers(FILTER_TREE_RANGES, 1);
}

Test(filter_tree, takes_as_many_steps_for_each_number)
{
	__attribute__((cleanup(filter_code_clear))) struct filter_code code = { 0 };

	write_program(&code, 512, 1);
	for (int number = 0; number < 512; number++) {
		const struct seccomp_data call = { .nr = number };
		unsigned steps = 0;

		(void)bpf_run(code.items, &call, &steps);
		/* load, nine comparisons with up to two jumps among them, the answer */
		cr_expect_leq(steps, 14, "%d", number);
	}
}
