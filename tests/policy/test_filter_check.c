/* SPDX-License-Identifier: MIT */
/* A small program by hand, right and wrong. What compiled ones are asked: tests/supervisor. */
#include "policy/filter_check.h"
#include "policy/filter_section.h"
#include "policy/own.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/audit.h>
#include <string.h>

static char *names[] = { (char *)"socket" };
static struct profile_rule rules[] = {
	{ .names = names,
	  .name_count = 1,
	  .position = 4,
	  .action = PROFILE_ALLOW,
	  .argument_count = 2,
	  .arguments = { { 0, UINT32_MAX, 2 }, { 1, 15, 1 } } },
	{ .names = names,
	  .name_count = 1,
	  .position = 5,
	  .action = PROFILE_ALLOW,
	  .argument_count = 1,
	  .arguments = { { 0, UINT64_MAX, 1 } } },
	{ .names = names, .name_count = 1, .position = 6, .action = PROFILE_ERRNO, .errnum = 1 },
};
static const struct profile profile = {
	.default_action = PROFILE_ERRNO, .default_errnum = 38, .rules = rules, .rule_count = 3
};
static struct filter_rule items[] = { { 41, 0, &rules[0] },
				      { 41, 0, &rules[1] },
				      { 41, 0, &rules[2] } };
static const struct filter_rules all = { &profile, PROFILE_X86_64, items, 3 };

#define JUMP(op, k, jt, jf) BPF_JUMP(BPF_JMP | BPF_##op | BPF_K, k, jt, jf)
#define RET(value)	    BPF_STMT(BPF_RET | BPF_K, value)

static struct filter_code build(void)
{
	static const struct sock_filter prologue[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4),
		JUMP(JEQ, AUDIT_ARCH_X86_64, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		JUMP(JEQ, UINT32_MAX, 3, 0),
		JUMP(JGE, FILTER_X32_BIT, 0, 1),
		RET(SECCOMP_RET_KILL_PROCESS),
		JUMP(JEQ, 41, 1, 0),
		RET(SECCOMP_RET_ERRNO | 38),
	};
	struct filter_code code = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(prologue); i++)
		filter_code_append(&code, prologue[i]);
	filter_section_write(&code, items, 3);
	filter_code_append(&code, (struct sock_filter)RET(SECCOMP_RET_ERRNO | 1));
	cr_assert(!code.failed);
	return code;
}

Test(filter_check, takes_a_program_that_does_what_its_rules_say)
{
	struct filter_code code = build();
	struct error err;

	cr_expect_eq(filter_check(&all, code.items, code.count, &err), 0, "%s", err.text);
	filter_code_clear(&code);
}

Test(filter_check, names_the_rule_the_call_and_both_answers)
{
	struct filter_code code = build();
	struct error err;

	code.items[code.count - 1].k = SECCOMP_RET_ALLOW;
	cr_expect_eq(filter_check(&all, code.items, code.count, &err), -EINVAL);
	cr_expect_eq(err.kind, ERROR_INVALID);
	cr_expect_str_eq(err.text,
			 "syscalls[6].names[0]: the compiled filter answers ALLOW to socket number "
			 "41 of ABI 0xc000003e with (0, 0, 0, 0, 0, 0), the rules say ERRNO(1): "
			 "this is a fault of pysbx or libseccomp, and the filter is not used");
	filter_code_clear(&code);
}

Test(filter_check, refuses_what_the_kernel_would_refuse)
{
	struct filter_code code = build();
	struct error err;

	code.items[3].jt = 200;
	cr_expect_eq(filter_check(&all, code.items, code.count, &err), -EINVAL);
	cr_expect_str_eq(err.text, "BPF: instruction 3 jumps out of the program");
	filter_code_clear(&code);
}

static bool is_caught(const struct filter_code *code, size_t at, struct sock_filter mutant)
{
	struct sock_filter original = code->items[at];
	struct error err;
	int r;

	code->items[at] = mutant;
	r = filter_check(&all, code->items, code->count, &err);
	code->items[at] = original;
	return r < 0;
}

/* Each instruction, wrong in each of several ways. Two of these change nothing: a first rule that
 * fails jumps over the load of the second one, which then compares a word that is the same (9), or
 * that can't be what it looks for either (12). */
Test(filter_check, catches_every_wrong_instruction)
{
	struct filter_code code = build();

	for (size_t i = 0; i < code.count; i++) {
		struct sock_filter mutant = code.items[i];
		bool is_jump = BPF_CLASS(mutant.code) == BPF_JMP && BPF_OP(mutant.code) != BPF_JA;

		for (unsigned bit = 0; bit < 32; bit++) {
			mutant.k = code.items[i].k ^ 1U << bit;
			cr_expect(is_caught(&code, i, mutant), "instruction %zu, bit %u", i, bit);
		}
		mutant = code.items[i];
		mutant.jt = code.items[i].jf;
		mutant.jf = code.items[i].jt;
		cr_expect(!is_jump || is_caught(&code, i, mutant), "instruction %zu, swapped", i);
		mutant = code.items[i];
		mutant.jt++;
		cr_expect(!is_jump || is_caught(&code, i, mutant), "instruction %zu, jt", i);
		mutant = code.items[i];
		mutant.jf++;
		cr_expect(!is_jump || is_caught(&code, i, mutant) != (i == 9 || i == 12),
			  "instruction %zu, jf", i);
	}
	filter_code_clear(&code);
}

Test(filter_check, shows_answers_to_people)
{
	static const struct {
		uint32_t answer;
		const char *text;
	} rows[] = {
		{ SECCOMP_RET_ALLOW, "ALLOW" },
		{ SECCOMP_RET_ERRNO | 38, "ERRNO(38)" },
		{ SECCOMP_RET_ERRNO, "ERRNO(0)" },
		{ SECCOMP_RET_KILL_PROCESS, "KILL_PROCESS" },
		{ SECCOMP_RET_KILL_THREAD, "KILL_THREAD" },
		{ SECCOMP_RET_TRAP, "TRAP" },
		{ SECCOMP_RET_LOG, "LOG" },
		{ SECCOMP_RET_TRACE | 9, "0x7ff00009" },
		{ UINT32_MAX, "0xffffffff" },
	};
	char buffer[FILTER_ANSWER_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_str_eq(filter_answer_text(rows[i].answer, buffer), rows[i].text);
}
