/* SPDX-License-Identifier: MIT */
/*
 * Classic BPF as the kernel runs it for seccomp (kernel/seccomp.c, seccomp_check_filter), to ask a
 * compiled filter what it would answer without making the call. Anything the kernel would refuse is
 * UINT32_MAX, which is no action.
 */
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <string.h>

#define BPF_BROKEN UINT32_MAX

static inline int bpf_jump(const struct sock_filter *at, uint32_t a, uint32_t *ret_skip)
{
	switch (BPF_OP(at->code)) {
	case BPF_JA:
		*ret_skip = at->k;
		return 0;
	case BPF_JEQ:
		*ret_skip = a == at->k ? at->jt : at->jf;
		return 0;
	case BPF_JGT:
		*ret_skip = a > at->k ? at->jt : at->jf;
		return 0;
	case BPF_JGE:
		*ret_skip = a >= at->k ? at->jt : at->jf;
		return 0;
	case BPF_JSET:
		*ret_skip = (a & at->k) != 0 ? at->jt : at->jf;
		return 0;
	default:
		return -1;
	}
}

static inline uint32_t bpf_run(const struct sock_filter *program, size_t count,
			       const struct seccomp_data *data)
{
	uint32_t a = 0, skip;

	for (size_t i = 0; i < count; i++) {
		const struct sock_filter *at = &program[i];
		if (at->code == (BPF_RET | BPF_K))
			return at->k;
		if (at->code == (BPF_LD | BPF_W | BPF_ABS) && at->k % 4 == 0 &&
		    at->k < sizeof(*data)) {
			memcpy(&a, (const char *)data + at->k, sizeof(a));
		} else if (at->code == (BPF_ALU | BPF_AND | BPF_K)) {
			a &= at->k;
		} else if (BPF_CLASS(at->code) == BPF_JMP && bpf_jump(at, a, &skip) == 0) {
			i += skip;
		} else {
			return BPF_BROKEN;
		}
	}
	return BPF_BROKEN;
}
