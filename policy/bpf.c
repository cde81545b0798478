/* SPDX-License-Identifier: MIT */
/*
 * A program that was checked needs no bounds while it runs: it only goes forward, and its last
 * instruction returns.
 */
#include "policy/bpf.h"

#include "policy/own.h"

#include <stdbool.h>
#include <string.h>

#define CELLS BPF_MEMWORDS

/* --- what is taken ---------------------------------------------------------------------------- */

/* With a constant (BPF_K is 0), and with the index register. */
#define BOTH(code) (code), (code) | BPF_X

/* seccomp's own list: no packets, no bytes and half-words, no remainders. */
static const uint16_t known[] = {
	BPF_RET | BPF_K,
	BPF_RET | BPF_A,
	BPF_LD | BPF_W | BPF_ABS,
	BPF_LD | BPF_W | BPF_LEN,
	BPF_LDX | BPF_W | BPF_LEN,
	BPF_LD | BPF_IMM,
	BPF_LDX | BPF_IMM,
	BPF_LD | BPF_MEM,
	BPF_LDX | BPF_MEM,
	BPF_ST,
	BPF_STX,
	BPF_MISC | BPF_TAX,
	BPF_MISC | BPF_TXA,
	BOTH(BPF_ALU | BPF_ADD),
	BOTH(BPF_ALU | BPF_SUB),
	BOTH(BPF_ALU | BPF_MUL),
	BOTH(BPF_ALU | BPF_DIV),
	BOTH(BPF_ALU | BPF_AND),
	BOTH(BPF_ALU | BPF_OR),
	BOTH(BPF_ALU | BPF_XOR),
	BOTH(BPF_ALU | BPF_LSH),
	BOTH(BPF_ALU | BPF_RSH),
	BPF_ALU | BPF_NEG,
	BPF_JMP | BPF_JA,
	BOTH(BPF_JMP | BPF_JEQ),
	BOTH(BPF_JMP | BPF_JGE),
	BOTH(BPF_JMP | BPF_JGT),
	BOTH(BPF_JMP | BPF_JSET),
};

static bool is_known(uint16_t code)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i] == code)
			return true;
	return false;
}

static bool uses_cell(uint16_t code)
{
	return code == (BPF_LD | BPF_MEM) || code == (BPF_LDX | BPF_MEM) || code == BPF_ST ||
	       code == BPF_STX;
}

/* What is wrong with one instruction by itself, `left` others after it; NULL if nothing is. */
static const char *find_fault(const struct sock_filter *at, size_t left)
{
	if (!is_known(at->code))
		return "is not known to seccomp";
	if (at->code == (BPF_LD | BPF_W | BPF_ABS) &&
	    (at->k >= sizeof(struct seccomp_data) || at->k % 4 != 0))
		return "reads beside the call's number and arguments";
	if (uses_cell(at->code) && at->k >= CELLS)
		return "uses a cell of memory that is not there";
	if (at->code == (BPF_ALU | BPF_DIV | BPF_K) && at->k == 0)
		return "divides by zero";
	if ((at->code == (BPF_ALU | BPF_LSH | BPF_K) || at->code == (BPF_ALU | BPF_RSH | BPF_K)) &&
	    at->k >= 32)
		return "shifts by more than 31 bits";
	if (at->code == (BPF_JMP | BPF_JA) && at->k >= left)
		return "jumps out of the program";
	if (BPF_CLASS(at->code) == BPF_JMP && BPF_OP(at->code) != BPF_JA &&
	    (at->jt >= left || at->jf >= left))
		return "jumps out of the program";
	return NULL;
}

/* written[i]: the cells that are written on every way to instruction i. False if at[i] reads
 * another one. As the kernel has it, what can't be reached is taken to have all written. */
static bool follow_cells(const struct sock_filter *program, size_t i, uint16_t *written,
			 uint16_t *valid)
{
	const struct sock_filter *at = &program[i];

	*valid &= written[i];
	switch (at->code) {
	case BPF_ST:
	case BPF_STX:
		*valid = (uint16_t)(*valid | 1U << at->k);
		return true;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
		return (*valid & 1U << at->k) != 0;
	case BPF_JMP | BPF_JA:
		written[i + 1 + at->k] &= *valid;
		*valid = UINT16_MAX;
		return true;
	default:
		break;
	}
	if (BPF_CLASS(at->code) == BPF_JMP) {
		written[i + 1 + at->jt] &= *valid;
		written[i + 1 + at->jf] &= *valid;
		*valid = UINT16_MAX;
	}
	return true;
}

static int raise(size_t at, const char *fault, struct error *err)
{
	return error_set(err, ERROR_INVALID, 0, "BPF: instruction %zu %s", at, fault);
}

int bpf_check(const struct sock_filter *program, size_t count, struct error *err)
{
	uint16_t written[BPF_MAXINSNS], valid = 0;

	if (count == 0 || count > BPF_MAXINSNS)
		return error_set(err, ERROR_INVALID, 0,
				 "BPF: a program of %zu instructions: 1 to %d are taken", count,
				 BPF_MAXINSNS);
	for (size_t i = 0; i < count; i++) {
		const char *fault = find_fault(&program[i], count - i - 1);

		if (fault != NULL)
			return raise(i, fault, err);
	}
	if (BPF_CLASS(program[count - 1].code) != BPF_RET)
		return raise(count - 1, "is the last one and does not return", err);
	memset(written, 0xff, sizeof(written));
	for (size_t i = 0; i < count; i++)
		if (!follow_cells(program, i, written, &valid))
			return raise(i, "reads a cell of memory before it is written", err);
	return 0;
}

/* --- what is answered ------------------------------------------------------------------------- */

struct machine {
	uint32_t a, x;
	uint32_t cells[CELLS];
};

static uint32_t load(const struct seccomp_data *data, uint32_t offset)
{
	uint32_t word;

	memcpy(&word, (const char *)data + offset, sizeof(word));
	return word;
}

/* False: a division by zero, which ends the program with the answer 0 (as the kernel has it). */
static bool calculate(struct machine *machine, const struct sock_filter *at)
{
	uint32_t operand = BPF_SRC(at->code) == BPF_X ? machine->x : at->k;

	switch (BPF_OP(at->code)) {
	case BPF_ADD:
		machine->a += operand;
		break;
	case BPF_SUB:
		machine->a -= operand;
		break;
	case BPF_MUL:
		machine->a *= operand;
		break;
	case BPF_DIV:
		if (operand == 0)
			return false;
		machine->a /= operand;
		break;
	case BPF_AND:
		machine->a &= operand;
		break;
	case BPF_OR:
		machine->a |= operand;
		break;
	case BPF_XOR:
		machine->a ^= operand;
		break;
	case BPF_LSH: /* the kernel looks at five bits of a variable distance */
		machine->a <<= operand & 31;
		break;
	case BPF_RSH:
		machine->a >>= operand & 31;
		break;
	default: /* BPF_NEG */
		machine->a = -machine->a;
		break;
	}
	return true;
}

/* How many instructions to leave out. */
static size_t jump(const struct machine *machine, const struct sock_filter *at)
{
	uint32_t operand = BPF_SRC(at->code) == BPF_X ? machine->x : at->k;
	bool taken;

	switch (BPF_OP(at->code)) {
	case BPF_JA:
		return at->k;
	case BPF_JEQ:
		taken = machine->a == operand;
		break;
	case BPF_JGT:
		taken = machine->a > operand;
		break;
	case BPF_JGE:
		taken = machine->a >= operand;
		break;
	default: /* BPF_JSET */
		taken = (machine->a & operand) != 0;
		break;
	}
	return taken ? at->jt : at->jf;
}

static uint32_t fetch(const struct machine *machine, const struct sock_filter *at,
		      const struct seccomp_data *data)
{
	switch (BPF_MODE(at->code)) {
	case BPF_ABS:
		return load(data, at->k);
	case BPF_LEN:
		return sizeof(*data);
	case BPF_MEM:
		return machine->cells[at->k];
	default: /* BPF_IMM */
		return at->k;
	}
}

/* One instruction that neither jumps nor returns. False: see calculate. */
static bool step(struct machine *machine, const struct sock_filter *at,
		 const struct seccomp_data *data)
{
	switch (BPF_CLASS(at->code)) {
	case BPF_LD:
		machine->a = fetch(machine, at, data);
		return true;
	case BPF_LDX:
		machine->x = fetch(machine, at, data);
		return true;
	case BPF_ST:
		machine->cells[at->k] = machine->a;
		return true;
	case BPF_STX:
		machine->cells[at->k] = machine->x;
		return true;
	case BPF_ALU:
		return calculate(machine, at);
	default: /* BPF_MISC */
		if (BPF_MISCOP(at->code) == BPF_TAX)
			machine->x = machine->a;
		else
			machine->a = machine->x;
		return true;
	}
}

uint32_t bpf_run(const struct sock_filter *program, const struct seccomp_data *data,
		 unsigned *ret_steps)
{
	const struct sock_filter *at = program;
	struct machine machine = { 0 };
	uint32_t answer = 0;
	unsigned steps = 0;

	for (;; at++) {
		steps++;
		if (BPF_CLASS(at->code) == BPF_RET) {
			answer = BPF_RVAL(at->code) == BPF_A ? machine.a : at->k;
			break;
		}
		if (BPF_CLASS(at->code) == BPF_JMP)
			at += jump(&machine, at);
		else if (!step(&machine, at, data))
			break;
	}
	if (ret_steps != NULL)
		*ret_steps = steps;
	return answer;
}
