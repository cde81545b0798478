/* SPDX-License-Identifier: MIT */
/*
 * The part of eBPF (RFC 9669) that egress programs are made of, run as the kernel would: context,
 * stack and one helper, bpf_skb_load_bytes. What the verifier refuses stops it as well: a register
 * or a byte of the stack that was not written, a place outside of context and stack, a jump out of
 * the program or backwards.
 */
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define EBPF_BROKEN UINT64_MAX /* no answer of a program */
#define EBPF_STACK  512

/* Pointers are numbers far away from all values: base + offset. */
#define EBPF_AT_CONTEXT (UINT64_C(1) << 40)
#define EBPF_AT_FRAME	(UINT64_C(2) << 40) /* the end of the stack */

struct ebpf {
	const void *context;
	size_t context_size;
	const uint8_t *packet; /* for bpf_skb_load_bytes; NULL: the program may not call it */
	size_t packet_size;
	uint64_t registers[11];
	bool known[11];
	uint8_t stack[EBPF_STACK];
	bool written[EBPF_STACK];
};

static inline size_t ebpf_size(uint8_t code)
{
	switch (BPF_SIZE(code)) {
	case BPF_W:
		return 4;
	case BPF_H:
		return 2;
	case BPF_B:
		return 1;
	default:
		return 8;
	}
}

/* Where in the stack `size` bytes at `address` begin; -1 outside or not aligned. */
static inline int ebpf_stack_at(uint64_t address, size_t size)
{
	uint64_t bottom = EBPF_AT_FRAME - EBPF_STACK;

	if (address < bottom || address + size > EBPF_AT_FRAME || address % size != 0)
		return -1;
	return (int)(address - bottom);
}

static inline bool ebpf_load(struct ebpf *run, uint64_t address, size_t size, uint64_t *ret)
{
	int at = ebpf_stack_at(address, size);
	uint64_t offset = address - EBPF_AT_CONTEXT;
	const uint8_t *from = NULL;
	uint32_t word;
	uint16_t half;

	if (at >= 0) {
		for (size_t i = 0; i < size; i++)
			if (!run->written[(size_t)at + i])
				return false;
		from = run->stack + at;
	} else if (address >= EBPF_AT_CONTEXT && offset + size <= run->context_size &&
		   offset % size == 0) {
		from = (const uint8_t *)run->context + offset;
	}
	if (from == NULL || size > 4)
		return false;
	memcpy(&word, from, size == 4 ? 4 : 0);
	memcpy(&half, from, size == 2 ? 2 : 0);
	*ret = size == 4 ? word : size == 2 ? half : *from;
	return true;
}

static inline bool ebpf_store(struct ebpf *run, uint64_t address, size_t size, uint64_t value)
{
	int at = ebpf_stack_at(address, size);
	uint32_t word = (uint32_t)value;

	if (at < 0 || size != 4)
		return false;
	memcpy(run->stack + at, &word, sizeof(word));
	memset(run->written + at, 1, sizeof(word));
	return true;
}

/* r0 = bpf_skb_load_bytes(r1 context, r2 offset, r3 to, r4 length): r1 to r5 are lost. */
static inline bool ebpf_call(struct ebpf *run)
{
	uint64_t offset = run->registers[2], to = run->registers[3], length = run->registers[4];
	int at = length > 0 && length <= EBPF_STACK ? ebpf_stack_at(to, 1) : -1;

	if (run->packet == NULL || !run->known[1] || !run->known[2] || !run->known[3] ||
	    !run->known[4] || run->registers[1] != EBPF_AT_CONTEXT || at < 0 ||
	    (size_t)at + length > EBPF_STACK)
		return false;
	if (offset + length <= run->packet_size) {
		memcpy(run->stack + at, run->packet + offset, length);
		run->registers[0] = 0;
	} else {
		memset(run->stack + at, 0, length);
		run->registers[0] = (uint64_t)-14;
	}
	memset(run->written + at, 1, length);
	memset(run->known, 0, 6 * sizeof(*run->known));
	run->known[0] = true;
	return true;
}

static inline bool ebpf_calculate(struct ebpf *run, const struct bpf_insn *at)
{
	uint64_t *target = &run->registers[at->dst_reg];
	uint64_t operand = (uint64_t)(int64_t)at->imm;

	if (BPF_SRC(at->code) == BPF_X) {
		if (!run->known[at->src_reg])
			return false;
		operand = run->registers[at->src_reg];
	}
	if (BPF_OP(at->code) != BPF_MOV && !run->known[at->dst_reg])
		return false;
	switch (BPF_OP(at->code)) {
	case BPF_MOV:
		*target = operand;
		break;
	case BPF_ADD:
		*target += operand;
		break;
	case BPF_AND:
		*target &= operand;
		break;
	case BPF_LSH:
		*target <<= operand;
		break;
	default:
		return false;
	}
	if (BPF_CLASS(at->code) == BPF_ALU)
		*target = (uint32_t)*target;
	run->known[at->dst_reg] = true;
	return true;
}

/* 1 jump, 0 go on, -1 broken */
static inline int ebpf_condition(const struct ebpf *run, const struct bpf_insn *at)
{
	uint32_t left = (uint32_t)run->registers[at->dst_reg], right = (uint32_t)at->imm;

	if (at->code == (BPF_JMP | BPF_JA))
		return 1;
	if (BPF_CLASS(at->code) != BPF_JMP32 || BPF_SRC(at->code) != BPF_K ||
	    !run->known[at->dst_reg])
		return -1;
	switch (BPF_OP(at->code)) {
	case BPF_JEQ:
		return left == right;
	case BPF_JNE:
		return left != right;
	case BPF_JGE:
		return left >= right;
	default:
		return -1;
	}
}

static inline bool ebpf_move(struct ebpf *run, const struct bpf_insn *at)
{
	uint64_t value = 0;

	switch (BPF_CLASS(at->code)) {
	case BPF_LDX:
		if (!run->known[at->src_reg] ||
		    !ebpf_load(run, run->registers[at->src_reg] + (uint64_t)(int64_t)at->off,
			       ebpf_size(at->code), &value))
			return false;
		run->registers[at->dst_reg] = value;
		run->known[at->dst_reg] = true;
		return true;
	case BPF_STX:
		return run->known[at->dst_reg] && run->known[at->src_reg] &&
		       ebpf_store(run, run->registers[at->dst_reg] + (uint64_t)(int64_t)at->off,
				  ebpf_size(at->code), run->registers[at->src_reg]);
	case BPF_ALU:
	case BPF_ALU64:
		return ebpf_calculate(run, at);
	default:
		return false;
	}
}

/* What the program answers, EBPF_BROKEN if the kernel would not have taken it. */
static inline uint64_t ebpf_run(struct ebpf *run, const struct bpf_insn *program, size_t count)
{
	memset(run->known, 0, sizeof(run->known));
	memset(run->written, 0, sizeof(run->written));
	run->registers[1] = EBPF_AT_CONTEXT;
	run->registers[10] = EBPF_AT_FRAME;
	run->known[1] = run->known[10] = true;
	for (size_t i = 0; i < count; i++) {
		const struct bpf_insn *at = &program[i];
		int jumps;

		if (at->code == (BPF_JMP | BPF_EXIT))
			return run->known[0] ? run->registers[0] : EBPF_BROKEN;
		if (at->code == (BPF_JMP | BPF_CALL)) {
			if (at->imm != BPF_FUNC_skb_load_bytes || !ebpf_call(run))
				return EBPF_BROKEN;
		} else if (BPF_CLASS(at->code) == BPF_JMP || BPF_CLASS(at->code) == BPF_JMP32) {
			jumps = ebpf_condition(run, at);
			if (jumps < 0 || at->off < 0)
				return EBPF_BROKEN;
			i += jumps ? (size_t)at->off : 0;
		} else if (!ebpf_move(run, at)) {
			return EBPF_BROKEN;
		}
	}
	return EBPF_BROKEN;
}
