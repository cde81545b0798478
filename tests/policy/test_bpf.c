/* SPDX-License-Identifier: MIT */
/*
 * Our reading of classic BPF, by hand and against the kernel's: random programs are loaded in a
 * child, which then makes a call that does nothing and tells what it was answered.
 */
#include "policy/bpf.h"
#include "policy/own.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/audit.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RET(value)	    BPF_STMT(BPF_RET | BPF_K, value)
#define ARG(n)		    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16 + 8 * (n))
#define ALU(op, k)	    BPF_STMT(BPF_ALU | BPF_##op | BPF_K, k)
#define ALU_X(op)	    BPF_STMT(BPF_ALU | BPF_##op | BPF_X, 0)
#define JUMP(op, k, jt, jf) BPF_JUMP(BPF_JMP | BPF_##op | BPF_K, k, jt, jf)
#define PROGRAM_MAX	    32

static uint64_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

static uint32_t run(const struct sock_filter *program, size_t count,
		    const struct seccomp_data *data)
{
	struct error err;
	unsigned steps = 0;
	uint32_t answer;

	cr_assert_eq(bpf_check(program, count, &err), 0, "%s", err.text);
	answer = bpf_run(program, data, &steps);
	cr_expect_gt(steps, 0);
	cr_expect_leq(steps, count);
	return answer;
}

Test(bpf, calculates)
{
	static const struct {
		struct sock_filter program[8];
		uint32_t answer;
	} rows[] = {
		{ { ARG(0), ALU(ADD, 3), BPF_STMT(BPF_RET | BPF_A, 0) }, 10 },
		{ { ARG(0), ALU(SUB, 8), BPF_STMT(BPF_RET | BPF_A, 0) }, UINT32_MAX },
		{ { ARG(0), ALU(MUL, 6), BPF_STMT(BPF_RET | BPF_A, 0) }, 42 },
		{ { ARG(0), ALU(DIV, 2), BPF_STMT(BPF_RET | BPF_A, 0) }, 3 },
		{ { ARG(0), ALU(AND, 5), BPF_STMT(BPF_RET | BPF_A, 0) }, 5 },
		{ { ARG(0), ALU(OR, 8), BPF_STMT(BPF_RET | BPF_A, 0) }, 15 },
		{ { ARG(0), ALU(XOR, 1), BPF_STMT(BPF_RET | BPF_A, 0) }, 6 },
		{ { ARG(0), ALU(LSH, 31), BPF_STMT(BPF_RET | BPF_A, 0) }, 0x80000000 },
		{ { ARG(0), ALU(RSH, 1), BPF_STMT(BPF_RET | BPF_A, 0) }, 3 },
		{ { ARG(0), BPF_STMT(BPF_ALU | BPF_NEG, 0), BPF_STMT(BPF_RET | BPF_A, 0) },
		  (uint32_t)-7 },
		{ { BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_RET | BPF_A, 0) }, 64 },
		{ { BPF_STMT(BPF_LD | BPF_IMM, 9), BPF_STMT(BPF_ST, 15),
		    BPF_STMT(BPF_LDX | BPF_MEM, 15), BPF_STMT(BPF_MISC | BPF_TXA, 0),
		    BPF_STMT(BPF_RET | BPF_A, 0) },
		  9 },
		{ { ARG(0), BPF_STMT(BPF_MISC | BPF_TAX, 0), ALU_X(MUL),
		    BPF_STMT(BPF_RET | BPF_A, 0) },
		  49 },
		/* five bits of a variable distance count */
		{ { BPF_STMT(BPF_LDX | BPF_IMM, 33), ARG(0), ALU_X(LSH),
		    BPF_STMT(BPF_RET | BPF_A, 0) },
		  14 },
		/* a variable division by zero answers 0 */
		{ { BPF_STMT(BPF_LDX | BPF_IMM, 0), ARG(0), ALU_X(DIV), RET(5) }, 0 },
	};
	const struct seccomp_data data = { .args = { 7 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t count = 8;
		while (BPF_CLASS(rows[i].program[count - 1].code) != BPF_RET)
			count--;
		cr_expect_eq(run(rows[i].program, count, &data), rows[i].answer, "row %zu", i);
	}
}

Test(bpf, jumps_by_comparison)
{
	static const struct {
		struct sock_filter jump;
		bool below, equal, above;
	} rows[] = {
		{ JUMP(JEQ, 6, 0, 1), false, true, false },
		{ JUMP(JGT, 6, 0, 1), false, false, true },
		{ JUMP(JGE, 6, 0, 1), false, true, true },
		{ JUMP(JSET, 6, 0, 1), true, true, true },
		{ JUMP(JSET, 1, 0, 1), true, false, true },
		{ BPF_STMT(BPF_JMP | BPF_JA, 1), false, false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct sock_filter program[] = { ARG(1), rows[i].jump, RET(1), RET(0) };
		const bool expected[] = { rows[i].below, rows[i].equal, rows[i].above };
		for (uint64_t value = 5; value <= 7; value++) {
			const struct seccomp_data data = { .args = { 0, value } };
			cr_expect_eq(run(program, 4, &data), expected[value - 5], "row %zu, %d", i,
				     (int)value);
		}
	}
}

Test(bpf, counts_what_it_executes)
{
	static const struct sock_filter program[] = { ARG(0), JUMP(JEQ, 1, 1, 0), RET(1), RET(2) };
	unsigned steps = 0;

	bpf_run(program, &(struct seccomp_data){ .args = { 1 } }, &steps);
	cr_expect_eq(steps, 3);
	bpf_run(program, &(struct seccomp_data){ 0 }, NULL);
}

Test(bpf, refuses_what_the_kernel_refuses_and_names_the_instruction)
{
	static const struct {
		struct sock_filter program[4];
		size_t count;
		const char *message;
	} rows[] = {
		{ { RET(0) }, 0, "BPF: a program of 0 instructions: 1 to 4096 are taken" },
		{ { RET(0) }, 4097, "BPF: a program of 4097 instructions: 1 to 4096 are taken" },
		{ { ARG(0) }, 1, "BPF: instruction 0 is the last one and does not return" },
		{ { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), RET(0) },
		  2,
		  "BPF: instruction 0 reads beside the call's number and arguments" },
		{ { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RET(0) },
		  2,
		  "BPF: instruction 0 reads beside the call's number and arguments" },
		{ { BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), RET(0) },
		  2,
		  "BPF: instruction 0 is not known to seccomp" },
		{ { ALU(MOD, 3), RET(0) }, 2, "BPF: instruction 0 is not known to seccomp" },
		{ { RET(0), { .code = 0xffff }, RET(0) },
		  3,
		  "BPF: instruction 1 is not known to seccomp" },
		{ { ALU(DIV, 0), RET(0) }, 2, "BPF: instruction 0 divides by zero" },
		{ { ALU(LSH, 32), RET(0) }, 2, "BPF: instruction 0 shifts by more than 31 bits" },
		{ { BPF_STMT(BPF_JMP | BPF_JA, 1), RET(0) },
		  2,
		  "BPF: instruction 0 jumps out of the program" },
		{ { BPF_STMT(BPF_JMP | BPF_JA, UINT32_MAX), RET(0) },
		  2,
		  "BPF: instruction 0 jumps out of the program" },
		{ { JUMP(JEQ, 0, 1, 0), RET(0) },
		  2,
		  "BPF: instruction 0 jumps out of the program" },
		{ { JUMP(JEQ, 0, 0, 255), RET(0) },
		  2,
		  "BPF: instruction 0 jumps out of the program" },
		{ { BPF_STMT(BPF_ST, 16), RET(0) },
		  2,
		  "BPF: instruction 0 uses a cell of memory that is not there" },
		{ { BPF_STMT(BPF_LD | BPF_MEM, 0), RET(0) },
		  2,
		  "BPF: instruction 0 reads a cell of memory before it is written" },
		{ { JUMP(JEQ, 0, 0, 1), BPF_STMT(BPF_ST, 0), BPF_STMT(BPF_LD | BPF_MEM, 0),
		    RET(0) },
		  4,
		  "BPF: instruction 2 reads a cell of memory before it is written" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err;
		cr_expect_eq(bpf_check(rows[i].program, rows[i].count, &err), -EINVAL, "%s",
			     rows[i].message);
		cr_expect_str_eq(err.text, rows[i].message);
	}
}

/* --- against the kernel ----------------------------------------------------------------------- */

/* Not always a good one: jumps may lead out, cells may be unwritten, distances too long. */
static struct sock_filter random_instruction(uint64_t *state)
{
	static const uint16_t codes[] = {
		BPF_LD | BPF_W | BPF_ABS,
		BPF_LD | BPF_W | BPF_ABS,
		BPF_LD | BPF_W | BPF_LEN,
		BPF_LDX | BPF_W | BPF_LEN,
		BPF_LD | BPF_IMM,
		BPF_LDX | BPF_IMM,
		BPF_LD | BPF_MEM,
		BPF_LDX | BPF_MEM,
		BPF_ST,
		BPF_ST,
		BPF_STX,
		BPF_MISC | BPF_TAX,
		BPF_MISC | BPF_TXA,
		BPF_ALU | BPF_ADD, /* BPF_K is 0 */
		BPF_ALU | BPF_ADD | BPF_X,
		BPF_ALU | BPF_SUB | BPF_K,
		BPF_ALU | BPF_SUB | BPF_X,
		BPF_ALU | BPF_MUL | BPF_K,
		BPF_ALU | BPF_DIV | BPF_K,
		BPF_ALU | BPF_DIV | BPF_X,
		BPF_ALU | BPF_AND | BPF_K,
		BPF_ALU | BPF_OR | BPF_X,
		BPF_ALU | BPF_XOR | BPF_X,
		BPF_ALU | BPF_LSH | BPF_K,
		BPF_ALU | BPF_LSH | BPF_X,
		BPF_ALU | BPF_RSH | BPF_K,
		BPF_ALU | BPF_RSH | BPF_X,
		BPF_ALU | BPF_NEG,
		BPF_JMP | BPF_JA,
		BPF_JMP | BPF_JEQ | BPF_K,
		BPF_JMP | BPF_JEQ | BPF_X,
		BPF_JMP | BPF_JGT | BPF_K,
		BPF_JMP | BPF_JGE | BPF_X,
		BPF_JMP | BPF_JSET | BPF_K,
		BPF_JMP | BPF_JSET | BPF_X,
		BPF_ALU | BPF_MOD | BPF_K,
	};
	struct sock_filter at = { .code = codes[next_random(state) % ARRAY_SIZE(codes)] };

	at.jt = (uint8_t)(next_random(state) % 4);
	at.jf = (uint8_t)(next_random(state) % 4);
	switch (BPF_CLASS(at.code)) {
	case BPF_LD:
	case BPF_LDX:
		at.k = (uint32_t)(next_random(state) % (BPF_MODE(at.code) == BPF_MEM ? 3 : 16));
		if (BPF_MODE(at.code) == BPF_ABS)
			at.k = 16 + at.k % 12 * 4;
		break;
	case BPF_ST:
	case BPF_STX:
	case BPF_JMP:
		at.k = (uint32_t)(next_random(state) % 3);
		break;
	default:
		at.k = (uint32_t)(next_random(state) % (next_random(state) % 8 == 0 ? 64 : 20));
		break;
	}
	return at;
}

/* getpid answers an errno made of A (0 to 4095); every other call is let through. */
static size_t random_program(uint64_t *state, struct sock_filter *program)
{
	size_t count = 0, body = 4 + next_random(state) % 16;

	program[count++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
	program[count++] = (struct sock_filter)JUMP(JEQ, SYS_getpid, 1, 0);
	program[count++] = (struct sock_filter)RET(SECCOMP_RET_ALLOW);
	program[count++] = (struct sock_filter)ARG(0);
	for (size_t i = 0; i < body; i++)
		program[count++] = random_instruction(state);
	for (size_t i = 0; i < 3; i++) /* where the longest jump of the body ends */
		program[count++] = (struct sock_filter)BPF_STMT(BPF_MISC | BPF_TAX, 0);
	program[count++] = (struct sock_filter)ALU(AND, 0xfff);
	program[count++] = (struct sock_filter)ALU(OR, SECCOMP_RET_ERRNO);
	program[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
	return count;
}

#define CALLS 8
#define NEVER UINT32_MAX

struct observed {
	int load;		 /* errno of the load */
	uint32_t answers[CALLS]; /* NEVER: the child was killed before */
};

/* The argument of call number i of a program. */
static uint64_t argument(uint64_t seed, unsigned call, unsigned index)
{
	uint64_t state = seed * 131 + (uint64_t)call * 7 + index;

	next_random(&state);
	return next_random(&state) << (call % 3 * 16) ^ next_random(&state) % 3;
}

__attribute__((noreturn)) static void observe(const struct sock_filter *program, size_t count,
					      uint64_t seed, struct observed *observed)
{
	const struct sock_fprog fprog = { (unsigned short)count, (struct sock_filter *)program };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog) < 0) {
		observed->load = errno;
		_exit(0);
	}
	for (unsigned i = 0; i < CALLS; i++) {
		long r = syscall(SYS_getpid, argument(seed, i, 0), argument(seed, i, 1),
				 argument(seed, i, 2), argument(seed, i, 3), argument(seed, i, 4),
				 argument(seed, i, 5));
		observed->answers[i] = SECCOMP_RET_ERRNO | (r < 0 ? (uint32_t)errno : (uint32_t)r);
	}
	_exit(0);
}

static void expect_same(uint64_t seed, struct observed *observed, unsigned *taken)
{
	struct sock_filter program[PROGRAM_MAX];
	uint64_t state = seed;
	size_t count = random_program(&state, program);
	struct error err;
	bool good = bpf_check(program, count, &err) == 0;
	pid_t child;

	*observed = (struct observed){ 0 };
	for (size_t i = 0; i < CALLS; i++)
		observed->answers[i] = NEVER;
	child = fork();
	if (child == 0)
		observe(program, count, seed, observed);
	cr_assert_eq(waitpid(child, NULL, 0), child);
	cr_assert_eq(observed->load == 0, good, "seed %d: the kernel says %s, and we \"%s\"",
		     (int)seed, strerror(observed->load), good ? "" : err.text);
	for (unsigned i = 0; good && i < CALLS; i++) {
		struct seccomp_data data = { .nr = SYS_getpid };
		for (unsigned index = 0; index < 6; index++)
			data.args[index] = argument(seed, i, index);
		uint32_t answer = bpf_run(program, &data, NULL);
		if (answer == 0) { /* a division by zero kills */
			cr_expect_eq(observed->answers[i], NEVER, "seed %d", (int)seed);
			break;
		}
		cr_expect_eq(observed->answers[i], answer, "seed %d, call %u", (int)seed, i);
	}
	*taken += good;
}

Test(bpf, agrees_with_the_kernel_on_random_programs)
{
	struct observed *observed = mmap(NULL, sizeof(*observed), PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned taken = 0;

	cr_assert_neq(observed, MAP_FAILED);
	for (uint64_t seed = 1; seed <= 600; seed++)
		expect_same(seed, observed, &taken);
	cr_expect_gt(taken, 100, "%u", taken);
	cr_expect_lt(taken, 550, "%u", taken);
	munmap(observed, sizeof(*observed));
}
