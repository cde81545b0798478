/* SPDX-License-Identifier: MIT */
#include "policy/filter_entry.h"

#include "policy/own.h"

#include <criterion/criterion.h>
#include <linux/seccomp.h>
#include <string.h>

#define PROFILE "{\"defaultAction\": \"SCMP_ACT_ALLOW\"}"

static const struct filter_entry_key key = { "pysbx 1\n", PROFILE, sizeof(PROFILE) - 1 };
static const struct sock_filter program[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 59, 0, 1),
	BPF_STMT(BPF_RET, SECCOMP_RET_ERRNO | 1),
	BPF_STMT(BPF_RET, SECCOMP_RET_ALLOW),
};

static char *encode(size_t *ret_size)
{
	char *bytes = NULL;
	struct error err;

	cr_assert_eq(
		filter_entry_encode(&key, program, ARRAY_SIZE(program), &bytes, ret_size, &err), 0,
		"%s", err.text);
	return bytes;
}

/* Refused, with outputs as they were. */
static void expect_refused(const struct filter_entry_key *asked, const char *bytes, size_t size,
			   const char *what)
{
	struct sock_filter *read = NULL;
	struct error err = { 0 };
	size_t count = 7;

	cr_expect_lt(filter_entry_decode(asked, bytes, size, &read, &count, &err), 0, "%s", what);
	cr_expect_eq(err.kind, ERROR_INVALID, "%s", what);
	cr_expect_null(read, "%s", what);
	cr_expect_eq(count, 7, "%s", what);
}

Test(filter_entry, gives_back_the_program_that_was_kept)
{
	_cleanup_free_ struct sock_filter *read = NULL;
	_cleanup_free_ char *bytes = NULL;
	size_t size = 0, count = 0;
	struct error err;

	bytes = encode(&size);
	cr_assert_eq(filter_entry_decode(&key, bytes, size, &read, &count, &err), 0, "%s",
		     err.text);
	cr_assert_eq(count, ARRAY_SIZE(program));
	cr_expect_eq(memcmp(read, program, sizeof(program)), 0);
}

Test(filter_entry, refuses_what_was_made_from_something_else)
{
	static const struct filter_entry_key others[] = {
		{ "pysbx 2\n", PROFILE, sizeof(PROFILE) - 1 },
		{ "pysbx 10\n", PROFILE, sizeof(PROFILE) - 1 },
		{ "", PROFILE, sizeof(PROFILE) - 1 },
		{ "pysbx 1\n", PROFILE " ", sizeof(PROFILE) },
		{ "pysbx 1\n", PROFILE, sizeof(PROFILE) - 2 },
		{ "pysbx 1\n", "{\"defaultAction\": \"SCMP_ACT_ERRNO\"}", sizeof(PROFILE) - 1 },
	};
	_cleanup_free_ char *bytes = NULL;
	size_t size = 0;

	bytes = encode(&size);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		expect_refused(&others[i], bytes, size, others[i].profile);
}

Test(filter_entry, notices_each_bit_that_is_not_as_it_was)
{
	_cleanup_free_ char *bytes = NULL;
	size_t size = 0;

	bytes = encode(&size);
	for (size_t bit = 0; bit < size * 8; bit++) {
		/* the header's last four bytes say nothing */
		if (bit / 8 >= 36 && bit / 8 < 40)
			continue;
		bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
		expect_refused(&key, bytes, size, "a turned bit");
		bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
	}
}

Test(filter_entry, refuses_what_is_cut_or_goes_on)
{
	_cleanup_free_ char *bytes = NULL, *longer = NULL;
	size_t size = 0;

	bytes = encode(&size);
	for (size_t length = 0; length < size; length++)
		expect_refused(&key, bytes, length, "cut");
	longer = calloc(1, size + sizeof(*program));
	cr_assert_not_null(longer);
	memcpy(longer, bytes, size);
	expect_refused(&key, longer, size + sizeof(*program), "longer");
}

Test(filter_entry, refuses_a_program_that_the_kernel_would_not_load)
{
	static const struct sock_filter endless[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0) };
	_cleanup_free_ char *bytes = NULL;
	struct error err;
	size_t size = 0;

	cr_assert_eq(filter_entry_encode(&key, endless, 1, &bytes, &size, &err), 0);
	expect_refused(&key, bytes, size, "no return");
}
