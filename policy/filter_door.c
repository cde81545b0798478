/* SPDX-License-Identifier: MIT */
#include "policy/filter_door.h"

#include "policy/own.h"

#include <linux/seccomp.h>

/* What stands in a closed door for the key: any two words would do, as it opens nothing. */
#define LOW_WORD  0x70797362U
#define HIGH_WORD 0x78646f72U

/* x86-64 and arm64 have the low half first. */
#define LOW_HALF  (offsetof(struct seccomp_data, args) + 5 * sizeof(uint64_t))
#define HIGH_HALF (LOW_HALF + sizeof(uint32_t))

enum { LOAD_LOW, TEST_LOW, LOAD_HIGH, TEST_HIGH, INSIDE, REST };

void filter_door_write(struct sock_filter *at, uint32_t rest)
{
	at[LOAD_LOW] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOW_HALF);
	at[TEST_LOW] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, LOW_WORD, 0, 3);
	at[LOAD_HIGH] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, HIGH_HALF);
	at[TEST_HIGH] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, HIGH_WORD, 0, 1);
	at[INSIDE] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, rest);
	at[REST] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, rest);
}

static bool is_same(const struct sock_filter *a, const struct sock_filter *b)
{
	return a->code == b->code && a->k == b->k && a->jt == b->jt && a->jf == b->jf;
}

static bool is_door(const struct sock_filter *at)
{
	struct sock_filter door[FILTER_DOOR_LENGTH];

	filter_door_write(door, at[REST].k);
	for (size_t i = 0; i < FILTER_DOOR_LENGTH; i++)
		if (!is_same(&at[i], &door[i]))
			return false;
	return true;
}

bool filter_door_open(struct sock_filter *program, size_t count, uint64_t key)
{
	for (size_t i = 0; i + FILTER_DOOR_LENGTH <= count; i++) {
		if (!is_door(&program[i]))
			continue;
		program[i + TEST_LOW].k = (uint32_t)key;
		program[i + TEST_HIGH].k = (uint32_t)(key >> 32);
		program[i + INSIDE].k = SECCOMP_RET_ALLOW;
		return true;
	}
	return false;
}
