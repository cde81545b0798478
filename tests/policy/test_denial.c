/* SPDX-License-Identifier: MIT */
#include "policy/denial.h"

#include "policy/own.h"
#include "policy/profile.h"

#include <criterion/criterion.h>
#include <linux/audit.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define NATIVE PROFILE_X86_64

static const struct {
	const char *name;
	struct seccomp_data call;
	const char *text;
} calls[] = {
	{ "socket",
	  { .nr = SYS_socket, .args = { AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0 } },
	  "socket(AF_VSOCK, SOCK_STREAM|0x80000, 0)" },
	{ "socket",
	  { .nr = SYS_socket, .args = { AF_ALG | UINT64_C(1) << 32, SOCK_SEQPACKET, 0 } },
	  "socket(AF_ALG, SOCK_SEQPACKET, 0)" },
	{ "socket", { .nr = SYS_socket, .args = { 99, 12, UINT32_MAX } }, "socket(0x63, 0xc, -1)" },
	{ "unshare",
	  { .nr = SYS_unshare, .args = { CLONE_NEWUSER | CLONE_NEWNET } },
	  "unshare(CLONE_NEWUSER|CLONE_NEWNET)" },
	{ "unshare", { .nr = SYS_unshare, .args = { 0x1 } }, "unshare(0x1)" },
	{ "ioctl",
	  { .nr = SYS_ioctl, .args = { 0, 0x5412, 0x7ffe } },
	  "ioctl(0, TIOCSTI, 0x7ffe)" },
	{ "mount",
	  { .nr = SYS_mount, .args = { 0, 0x1000, 0x2000, 4096, 0 } },
	  "mount(NULL, 0x1000, 0x2000, 0x1000, NULL)" },
	{ "fchmodat",
	  { .nr = SYS_fchmodat, .args = { UINT64_C(0xffffff9c), 0x10, 04755 } },
	  "fchmodat(-100, 0x10, 04755)" },
	{ "quotactl", { .nr = SYS_quotactl }, "quotactl(...)" },
	{ NULL, { .nr = 999 }, "system call 999" },
};

Test(denial, a_call_is_shown_with_what_it_is_about)
{
	char buffer[DENIAL_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		cr_expect_str_eq(denial_describe(calls[i].name, &calls[i].call, buffer),
				 calls[i].text);
}

Test(denial, calls_that_differ_in_a_telling_argument_alone_are_two)
{
	struct seccomp_data one = { .nr = SYS_socket, .args = { AF_ALG, SOCK_STREAM } };
	struct seccomp_data other = one;

	other.args[1] |= SOCK_CLOEXEC;
	cr_expect(denial_is_same(&one, &other), "flags of the type do not tell");
	other.args[2] = 4;
	cr_expect_not(denial_is_same(&one, &other), "the protocol does");
	other = one;
	other.args[0] = AF_VSOCK;
	cr_expect_not(denial_is_same(&one, &other));
	other = one;
	other.args[0] |= UINT64_C(7) << 32;
	cr_expect(denial_is_same(&one, &other), "the kernel takes the low half");
	other = one;
	other.arch = AUDIT_ARCH_I386;
	cr_expect_not(denial_is_same(&one, &other));
	one = (struct seccomp_data){ .nr = SYS_mount, .args = { 1 } };
	other = (struct seccomp_data){ .nr = SYS_mount, .args = { 2 } };
	cr_expect(denial_is_same(&one, &other), "pointers do not tell");
}

/* What is printed is what a user will paste: it must be a rule that the parser takes. */
Test(denial, the_rule_is_one_that_a_profile_can_have)
{
	const struct profile_facts facts = { .architecture = NATIVE, .kernel_major = 6 };
	char rule[DENIAL_TEXT_MAX], text[DENIAL_TEXT_MAX + 128];

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		_cleanup_profile_ struct profile *profile = NULL;
		struct error err = { 0 };

		if (calls[i].name == NULL)
			continue;
		snprintf(text, sizeof(text),
			 "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [%s]}",
			 denial_rule(calls[i].name, &calls[i].call, rule));
		cr_assert_eq(profile_parse(text, strlen(text), &facts, &profile, &err), 0, "%s: %s",
			     rule, err.text);
		cr_expect_eq(profile->rule_count, 1);
	}
	cr_expect_str_empty(denial_rule(NULL, &calls[0].call, rule));
}

Test(denial, the_rule_allows_the_telling_arguments_alone)
{
	char rule[DENIAL_TEXT_MAX];

	const struct seccomp_data mode = { .nr = SYS_fchmodat, .args = { 0, 0, 04755 } };

	cr_expect_str_eq(denial_rule("socket", &calls[0].call, rule),
			 "{\"names\": [\"socket\"], \"action\": \"SCMP_ACT_ALLOW\", \"args\": "
			 "[{\"index\": 0, \"value\": 4294967295, \"valueTwo\": 40, \"op\": "
			 "\"SCMP_CMP_MASKED_EQ\"}, {\"index\": 1, \"value\": 15, \"valueTwo\": 1, "
			 "\"op\": \"SCMP_CMP_MASKED_EQ\"}, {\"index\": 2, \"value\": 4294967295, "
			 "\"valueTwo\": 0, \"op\": \"SCMP_CMP_MASKED_EQ\"}]}");
	cr_expect_str_eq(denial_rule("fchmodat", &mode, rule),
			 "{\"names\": [\"fchmodat\"], \"action\": \"SCMP_ACT_ALLOW\", \"args\": "
			 "[{\"index\": 2, \"value\": 3072, \"valueTwo\": 2048, \"op\": "
			 "\"SCMP_CMP_MASKED_EQ\"}]}");
}

Test(denial, a_name_of_any_length_fits)
{
	char name[600], buffer[DENIAL_TEXT_MAX];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	cr_expect_lt(strlen(denial_describe(name, &calls[0].call, buffer)), DENIAL_TEXT_MAX);
	cr_expect_lt(strlen(denial_rule(name, &calls[0].call, buffer)), DENIAL_TEXT_MAX);
}
