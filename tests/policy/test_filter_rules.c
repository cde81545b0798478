/* SPDX-License-Identifier: MIT */
/* What rules answer, and how that is said. */
#include "policy/filter_rules.h"
#include "policy/filter_text.h"
#include "policy/own.h"

#include <criterion/criterion.h>
#include <linux/audit.h>

static char *names[] = { (char *)"kill" };

#define RULE(action_, errnum_, count, ...)                                                 \
	{                                                                                  \
		.names = names, .name_count = 1, .action = (action_), .errnum = (errnum_), \
		.argument_count = (count), .arguments = {                                  \
			__VA_ARGS__                                                        \
		}                                                                          \
	}

static const struct profile_rule rules[] = {
	RULE(PROFILE_ALLOW, 0, 1, { 1, UINT64_MAX, 15 }),
	RULE(PROFILE_ALLOW, 0, 2, { 3, UINT32_MAX, 2 }, { 0, UINT32_MAX, 1 }),
	RULE(PROFILE_ERRNO, 1, 0),
	RULE(PROFILE_LOG, 0, 0),
	RULE(PROFILE_ERRNO, 0, 1, { 0, 15, 3 }),
};
static const struct profile profile = { .default_action = PROFILE_ERRNO, .default_errnum = 38 };
static struct filter_rule items[] = {
	{ 3, 0, &rules[3] },  { 62, 0, &rules[2] }, { 62, 0, &rules[0] },
	{ 62, 0, &rules[1] }, { 90, 0, &rules[4] },
};
static const struct filter_rules all = { &profile, PROFILE_X86_64, items, 5 };

Test(filter_rules, finds_the_rules_of_a_number)
{
	static const struct {
		int number;
		size_t first, count;
	} rows[] = { { -1, 0, 0 }, { 3, 0, 1 },	 { 4, 1, 0 },
		     { 62, 1, 3 }, { 90, 4, 1 }, { 1000, 5, 0 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t count = 99;
		const struct filter_rule *found = filter_rules_of(&all, rows[i].number, &count);
		cr_expect_eq(count, rows[i].count, "%d", rows[i].number);
		cr_expect_eq(found, items + rows[i].first, "%d", rows[i].number);
	}
}

Test(filter_rules, let_arguments_decide_before_the_rest_before_the_default)
{
	static const struct {
		int nr;
		uint64_t args[4];
		uint32_t answer;
		int item; /* -1: none */
	} rows[] = {
		{ 62, { 0, 15 }, SECCOMP_RET_ALLOW, 2 },
		{ 62, { 0, 14 }, SECCOMP_RET_ERRNO | 1, 1 },
		{ 62, { 0, 15 | UINT64_C(1) << 40 }, SECCOMP_RET_ERRNO | 1, 1 },
		{ 62, { 1, 0, 0, 2 }, SECCOMP_RET_ALLOW, 3 },
		{ 62, { 1 | UINT64_C(1) << 40, 0, 0, 2 }, SECCOMP_RET_ALLOW, 3 },
		{ 62, { 1, 0, 0, 3 }, SECCOMP_RET_ERRNO | 1, 1 },
		{ 3, { 0 }, SECCOMP_RET_LOG, 0 },
		{ 90, { 0xf3 }, SECCOMP_RET_ERRNO, 4 },
		{ 90, { 0xf4 }, SECCOMP_RET_ERRNO | 38, -1 },
		{ 5, { 0 }, SECCOMP_RET_ERRNO | 38, -1 },
		{ -1, { 0 }, SECCOMP_RET_ERRNO | 38, -1 },
		{ 0x40000003, { 0 }, SECCOMP_RET_KILL_PROCESS, -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct seccomp_data data = { .nr = rows[i].nr, .arch = AUDIT_ARCH_X86_64 };
		const struct filter_rule *found = items;
		for (size_t index = 0; index < 4; index++)
			data.args[index] = rows[i].args[index];
		cr_expect_eq(filter_rules_answer(&all, &data, &found), rows[i].answer, "row %zu",
			     i);
		cr_expect_eq(found, rows[i].item < 0 ? NULL : &items[rows[i].item], "row %zu", i);
		data.arch = AUDIT_ARCH_I386;
		cr_expect_eq(filter_rules_answer(&all, &data, NULL), SECCOMP_RET_KILL_PROCESS);
	}
}

Test(filter_rules, know_no_x32_on_arm64)
{
	const struct filter_rules arm = { &profile, PROFILE_AARCH64, items, 5 };
	const struct seccomp_data data = { .nr = 0x40000003, .arch = AUDIT_ARCH_AARCH64 };

	cr_expect_eq(filter_rules_answer(&arm, &data, NULL), SECCOMP_RET_ERRNO | 38);
}

Test(filter_rules, are_said_in_words)
{
	static const struct {
		int number;
		const char *text;
	} rows[] = {
		{ 3, "LOG" },
		{ 5, "ERRNO(38)" },
		{ 62, "ALLOW if arg0 & 0xffffffff = 0x1 and arg3 & 0xffffffff = 0x2, or if arg1 = "
		      "0xf; else ERRNO(1)" },
		{ 90, "ERRNO(0) if arg0 & 0xf = 0x3; else ERRNO(38)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *text = NULL;
		struct error err;
		cr_assert_eq(filter_call_text(&all, rows[i].number, &text, &err), 0);
		cr_expect_str_eq(text, rows[i].text);
	}
}

Test(filter_rules, are_said_alike_in_any_order_and_where_arguments_change_nothing)
{
	static const struct profile_rule alike[] = { RULE(PROFILE_ERRNO, 1, 1, { 1, 3, 1 }),
						     RULE(PROFILE_ERRNO, 1, 0) };
	static struct filter_rule turned[] = { { 62, 0, &rules[1] },
					       { 62, 0, &rules[0] },
					       { 62, 0, &rules[0] },
					       { 62, 0, &rules[2] } };
	static struct filter_rule same[] = { { 62, 0, &alike[0] }, { 62, 0, &alike[1] } };
	const struct filter_rules other = { &profile, PROFILE_X86_64, turned, 4 },
				  plain = { &profile, PROFILE_X86_64, same, 2 };
	_cleanup_free_ char *one = NULL, *two = NULL, *three = NULL;
	struct error err;

	cr_assert_eq(filter_call_text(&all, 62, &one, &err), 0);
	cr_assert_eq(filter_call_text(&other, 62, &two, &err), 0);
	cr_expect_str_eq(one, two);
	cr_assert_eq(filter_call_text(&plain, 62, &three, &err), 0);
	cr_expect_str_eq(three, "ERRNO(1)");
}

Test(filter_rules, are_said_with_each_action_once)
{
	static const struct profile_rule mixed[] = { RULE(PROFILE_ERRNO, 22, 1, { 0, 7, 1 }),
						     RULE(PROFILE_ALLOW, 0, 1, { 0, 7, 3 }),
						     RULE(PROFILE_ALLOW, 0, 1, { 0, 7, 2 }) };
	static struct filter_rule few[] = { { 9, 0, &mixed[0] },
					    { 9, 0, &mixed[1] },
					    { 9, 0, &mixed[2] } };
	const struct filter_rules rules_of_few = { &profile, PROFILE_X86_64, few, 3 };
	_cleanup_free_ char *text = NULL;
	struct error err;

	cr_assert_eq(filter_call_text(&rules_of_few, 9, &text, &err), 0);
	cr_expect_str_eq(text, "ALLOW if arg0 & 0x7 = 0x2, or if arg0 & 0x7 = 0x3; ERRNO(22) if "
			       "arg0 & 0x7 = 0x1; else ERRNO(38)");
}
