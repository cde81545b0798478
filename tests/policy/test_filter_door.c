/* SPDX-License-Identifier: MIT */
#include "policy/bpf.h"
#include "policy/filter_door.h"
#include "policy/own.h"

#include <criterion/criterion.h>

#define REST (SECCOMP_RET_ERRNO | 1)
#define KEY  UINT64_C(0x0123456789abcdef)

struct doored {
	struct sock_filter items[FILTER_DOOR_LENGTH + 4];
};

#define COUNT ARRAY_SIZE(((struct doored *)NULL)->items)

static struct doored build(void)
{
	struct doored program = { { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
				    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 59, 1, 0),
				    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS) } };

	filter_door_write(&program.items[3], REST);
	program.items[COUNT - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	return program;
}

static uint32_t knock(const struct doored *program, uint64_t key)
{
	const struct seccomp_data data = { .nr = 59, .args = { 1, 2, 3, 4, 5, key } };
	struct error err;

	cr_assert_eq(bpf_check(program->items, COUNT, &err), 0, "%s", err.text);
	return bpf_run(program->items, &data, NULL);
}

Test(filter_door, is_built_closed)
{
	const struct doored program = build();

	for (size_t i = 0; i < COUNT; i++)
		for (size_t j = 0; j < COUNT; j++)
			cr_expect_eq(knock(&program,
					   (uint64_t)program.items[i].k << 32 | program.items[j].k),
				     REST);
}

Test(filter_door, opens_to_its_key_and_to_no_neighbour_of_it)
{
	struct doored program = build();

	cr_assert(filter_door_open(program.items, COUNT, KEY));
	cr_expect_eq(knock(&program, KEY), SECCOMP_RET_ALLOW);
	for (unsigned bit = 0; bit < 64; bit++)
		cr_expect_eq(knock(&program, KEY ^ UINT64_C(1) << bit), REST);
	cr_expect_eq(knock(&program, 0), REST);
}

Test(filter_door, is_not_found_where_there_is_none)
{
	struct doored program = build(), before;

	program.items[5].k ^= 4; /* reads another register */
	before = program;
	cr_expect(!filter_door_open(program.items, COUNT, KEY));
	cr_expect_arr_eq(&program, &before, sizeof(program));
	cr_expect(!filter_door_open(program.items, FILTER_DOOR_LENGTH - 1, KEY));
	cr_expect(!filter_door_open(program.items, 0, KEY));
}

Test(filter_door, is_found_once_only)
{
	struct doored program = build();

	cr_assert(filter_door_open(program.items, COUNT, KEY));
	cr_expect(!filter_door_open(program.items, COUNT, KEY + 1));
	cr_expect_eq(knock(&program, KEY), SECCOMP_RET_ALLOW);
}
