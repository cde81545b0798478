/* SPDX-License-Identifier: MIT */
/*
 * One layout for all programs:
 *
 *   prologue   puts the destination where the rules look for it
 *   V4         rules for an IPv4 address, then to DENY
 *   V6         rules for an IPv6 address
 *   DENY       answer 0
 *   ALLOW      answer 1
 *
 * Registers and stack:
 *
 *   r6         context
 *   r7         protocol of a packet
 *   r8         port in network order, NO_PORT where the protocol has none
 *   r9         IPv4 address in network order
 *   fp-16      IPv6 address (it is the end of the header at fp-40)
 *   fp-40      IP header of a packet
 *   fp-56      beginning of its transport header
 *
 * All jumps go forward, to a label that is placed later. The verifier refuses instructions that no
 * jump can reach, so sections that a program does not use are left out, and a rule that holds for
 * everything is still a comparison. Comparisons are of 32 bits (Linux 5.1): constants are
 * sign-extended in those of 64.
 */
#include "policy/egress_program.h"

#include <arpa/inet.h>
#include <assert.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#define AT_ADDRESS6  (-16)
#define AT_HEADER    (-40)
#define AT_TRANSPORT (-56)

#define NO_PORT		0x10000 /* equals no port */
#define WORDS6		4
#define HEADER4_SIZE	20
#define HEADER6_SIZE	40
#define PORTS_SIZE	4  /* of a UDP header: source, destination */
#define TCP_SIZE	14 /* of a TCP header, up to its flags */
#define TCP_SYN		0x02
#define TCP_ACK		0x10
#define AT_PROTOCOL4	9
#define AT_DESTINATION4 16
#define AT_PROTOCOL6	6
#define AT_PORT		2
#define AT_TCP_FLAGS	13
#define PROTOCOL_LITE	136 /* IPPROTO_UDPLITE */

/* The longest prologue, and the most that one entry can become: an IPv6 address, or both kinds of
 * localhost. */
#define PROLOGUE_MAX 80
#define ENTRY_MAX    13
static_assert(PROLOGUE_MAX + ENTRY_MAX * (EGRESS_ENTRIES_MAX + EGRESS_NAMESERVERS_MAX) <=
		      EGRESS_PROGRAM_MAX,
	      "every list becomes a program");

enum label { NOWHERE, NEXT, DENY, ALLOW, V4, V6, IS_IPV4, IS_IPV6, IS_UDP, HAS_PORT, NO_PORTS };

struct assembler {
	struct egress_program *program;
	uint8_t pending[EGRESS_PROGRAM_MAX]; /* enum label of each jump that is not placed yet */
};

static void emit(struct assembler *to, struct bpf_insn instruction, enum label label)
{
	assert(to->program->count < EGRESS_PROGRAM_MAX);
	to->pending[to->program->count] = (uint8_t)label;
	to->program->instructions[to->program->count++] = instruction;
}

/* Whether any jump has waited for it. */
static bool place(struct assembler *at, enum label label)
{
	const size_t here = at->program->count;
	bool any = false;

	for (size_t i = 0; i < here; i++) {
		if (at->pending[i] != (uint8_t)label)
			continue;
		at->pending[i] = NOWHERE;
		at->program->instructions[i].off = (int16_t)(here - i - 1);
		any = true;
	}
	return any;
}

/* --- instructions ----------------------------------------------------------------------------- */

static void set_register(struct assembler *to, uint8_t target, uint8_t source)
{
	emit(to,
	     (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_X,
				.dst_reg = target & 0xfU,
				.src_reg = source & 0xfU },
	     NOWHERE);
}

static void set_value(struct assembler *to, uint8_t target, int32_t value)
{
	emit(to,
	     (struct bpf_insn){
		     .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = target & 0xfU, .imm = value },
	     NOWHERE);
}

/* BPF_ADD, BPF_AND, BPF_LSH of a constant; the 32-bit ones clear the upper half. */
static void calculate(struct assembler *to, uint8_t class, uint8_t operation, uint8_t target,
		      int32_t value)
{
	emit(to,
	     (struct bpf_insn){ .code = (uint8_t)(class | operation | BPF_K),
				.dst_reg = target & 0xfU,
				.imm = value },
	     NOWHERE);
}

static void load(struct assembler *to, uint8_t size, uint8_t target, uint8_t base, int offset)
{
	emit(to,
	     (struct bpf_insn){ .code = (uint8_t)(BPF_LDX | BPF_MEM | size),
				.dst_reg = target & 0xfU,
				.src_reg = base & 0xfU,
				.off = (int16_t)offset },
	     NOWHERE);
}

static void store(struct assembler *to, uint8_t source, int offset)
{
	emit(to,
	     (struct bpf_insn){ .code = BPF_STX | BPF_MEM | BPF_W,
				.dst_reg = BPF_REG_10,
				.src_reg = source & 0xfU,
				.off = (int16_t)offset },
	     NOWHERE);
}

static void jump(struct assembler *to, enum label label)
{
	emit(to, (struct bpf_insn){ .code = BPF_JMP | BPF_JA }, label);
}

/* BPF_JEQ, BPF_JNE, BPF_JGE against a constant, 32 bits wide. */
static void jump_if(struct assembler *to, uint8_t condition, uint8_t left, int32_t value,
		    enum label label)
{
	emit(to,
	     (struct bpf_insn){ .code = (uint8_t)(BPF_JMP32 | condition | BPF_K),
				.dst_reg = left & 0xfU,
				.imm = value },
	     label);
}

static void answer(struct assembler *to, int32_t value)
{
	set_value(to, BPF_REG_0, value);
	emit(to, (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT }, NOWHERE);
}

/* r2 of the packet's bytes from the offset in r2 on, to the stack; a packet that ends before is not
 * let out. Clobbers r0 to r5. */
static void copy_from_packet(struct assembler *to, int stack, int32_t size)
{
	set_register(to, BPF_REG_1, BPF_REG_6);
	set_register(to, BPF_REG_3, BPF_REG_10);
	calculate(to, BPF_ALU64, BPF_ADD, BPF_REG_3, stack);
	set_value(to, BPF_REG_4, size);
	emit(to, (struct bpf_insn){ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_skb_load_bytes },
	     NOWHERE);
	jump_if(to, BPF_JNE, BPF_REG_0, 0, DENY);
}

/* --- rules ------------------------------------------------------------------------------------ */

/* 32 bits as they lie in memory, as the kernel loads them. */
static int32_t word_of(const uint8_t *bytes)
{
	int32_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

static int32_t mask_of(unsigned bits)
{
	uint32_t mask = htonl(bits == 0 ? 0 : UINT32_MAX << (32 - bits));

	return (int32_t)mask;
}

/* To NEXT unless the first `bits` of `from` are those of the rule. Clobbers r1. */
static void compare_word(struct assembler *to, uint8_t from, const uint8_t *bytes, unsigned bits)
{
	uint8_t compared = from;

	if (bits == 0)
		return;
	if (bits < 32) {
		compared = BPF_REG_1;
		if (from != BPF_REG_1)
			set_register(to, BPF_REG_1, from);
		calculate(to, BPF_ALU, BPF_AND, BPF_REG_1, mask_of(bits));
	}
	jump_if(to, BPF_JNE, compared, word_of(bytes), NEXT);
}

static void compare_address6(struct assembler *to, const struct egress_rule *rule)
{
	for (unsigned i = 0; i < WORDS6 && rule->prefix > 32 * i; i++) {
		unsigned bits = rule->prefix - 32 * i;

		load(to, BPF_W, BPF_REG_1, BPF_REG_10, AT_ADDRESS6 + (int)(4 * i));
		compare_word(to, BPF_REG_1, rule->address + 4 * (size_t)i, bits < 32 ? bits : 32);
	}
}

static void add_rule(struct assembler *to, const struct egress_rule *rule)
{
	if (rule->ipv6)
		compare_address6(to, rule);
	else
		compare_word(to, BPF_REG_9, rule->address, rule->prefix);
	if (rule->port != 0)
		jump_if(to, BPF_JEQ, BPF_REG_8, htons(rule->port), ALLOW);
	else
		jump_if(to, BPF_JGE, BPF_REG_8, 0, ALLOW);
	(void)place(to, NEXT);
}

static void add_rules(struct assembler *to, const struct egress_rules *rules, bool ipv6)
{
	for (size_t i = 0; i < rules->count; i++)
		if (rules->rules[i].ipv6 == ipv6)
			add_rule(to, &rules->rules[i]);
}

/* --- prologues -------------------------------------------------------------------------------- */

static void load_socket4(struct assembler *to)
{
	load(to, BPF_W, BPF_REG_9, BPF_REG_6, offsetof(struct bpf_sock_addr, user_ip4));
	load(to, BPF_W, BPF_REG_8, BPF_REG_6, offsetof(struct bpf_sock_addr, user_port));
}

static void load_socket6(struct assembler *to)
{
	for (int i = 0; i < WORDS6; i++) {
		load(to, BPF_W, BPF_REG_1, BPF_REG_6,
		     (int)offsetof(struct bpf_sock_addr, user_ip6) + 4 * i);
		store(to, BPF_REG_1, AT_ADDRESS6 + 4 * i);
	}
	load(to, BPF_W, BPF_REG_8, BPF_REG_6, offsetof(struct bpf_sock_addr, user_port));
}

/* An IPv4 address in IPv6 clothes goes to the rules for IPv4, all others to V6. */
static void unwrap_mapped(struct assembler *to)
{
	for (int i = 0; i < WORDS6 - 1; i++) {
		load(to, BPF_W, BPF_REG_1, BPF_REG_10, AT_ADDRESS6 + 4 * i);
		jump_if(to, BPF_JNE, BPF_REG_1, i == 2 ? (int32_t)htonl(0xffff) : 0, V6);
	}
	load(to, BPF_W, BPF_REG_9, BPF_REG_10, AT_ADDRESS6 + 12);
}

/* Where the transport header begins, into r2. */
static void find_transport(struct assembler *to, bool ipv6)
{
	if (ipv6) {
		set_value(to, BPF_REG_2, HEADER6_SIZE);
		return;
	}
	load(to, BPF_B, BPF_REG_2, BPF_REG_10, AT_HEADER);
	calculate(to, BPF_ALU, BPF_AND, BPF_REG_2, 0xf);
	calculate(to, BPF_ALU, BPF_LSH, BPF_REG_2, 2);
}

/* The port into r8. What belongs to a TCP connection that is there passes. Extension headers of
 * IPv6 are protocols without a port. */
static void load_port(struct assembler *to, bool ipv6)
{
	set_value(to, BPF_REG_8, NO_PORT);
	jump_if(to, BPF_JEQ, BPF_REG_7, IPPROTO_UDP, IS_UDP);
	jump_if(to, BPF_JEQ, BPF_REG_7, PROTOCOL_LITE, IS_UDP);
	jump_if(to, BPF_JNE, BPF_REG_7, IPPROTO_TCP, NO_PORTS);
	find_transport(to, ipv6);
	copy_from_packet(to, AT_TRANSPORT, TCP_SIZE);
	load(to, BPF_B, BPF_REG_1, BPF_REG_10, AT_TRANSPORT + AT_TCP_FLAGS);
	calculate(to, BPF_ALU, BPF_AND, BPF_REG_1, TCP_SYN | TCP_ACK);
	jump_if(to, BPF_JNE, BPF_REG_1, TCP_SYN, ALLOW);
	jump(to, HAS_PORT);
	(void)place(to, IS_UDP);
	find_transport(to, ipv6);
	copy_from_packet(to, AT_TRANSPORT, PORTS_SIZE);
	(void)place(to, HAS_PORT);
	load(to, BPF_H, BPF_REG_8, BPF_REG_10, AT_TRANSPORT + AT_PORT);
	(void)place(to, NO_PORTS);
}

static void load_packet(struct assembler *to)
{
	load(to, BPF_W, BPF_REG_1, BPF_REG_6, offsetof(struct __sk_buff, protocol));
	jump_if(to, BPF_JEQ, BPF_REG_1, htons(ETH_P_IP), IS_IPV4);
	jump_if(to, BPF_JEQ, BPF_REG_1, htons(ETH_P_IPV6), IS_IPV6);
	jump(to, DENY);

	(void)place(to, IS_IPV4);
	set_value(to, BPF_REG_2, 0);
	copy_from_packet(to, AT_HEADER, HEADER4_SIZE);
	load(to, BPF_W, BPF_REG_9, BPF_REG_10, AT_HEADER + AT_DESTINATION4);
	load(to, BPF_B, BPF_REG_7, BPF_REG_10, AT_HEADER + AT_PROTOCOL4);
	load_port(to, false);
	jump(to, V4);

	(void)place(to, IS_IPV6);
	set_value(to, BPF_REG_2, 0);
	copy_from_packet(to, AT_HEADER, HEADER6_SIZE);
	load(to, BPF_B, BPF_REG_7, BPF_REG_10, AT_HEADER + AT_PROTOCOL6);
	load_port(to, true);
}

void egress_program_assemble(const struct egress_rules *rules, enum egress_source source,
			     struct egress_program *ret)
{
	struct assembler to = { .program = ret };

	ret->count = 0;
	set_register(&to, BPF_REG_6, BPF_REG_1);
	if (source == EGRESS_FROM_SOCKET4)
		load_socket4(&to);
	else if (source == EGRESS_FROM_SOCKET6)
		load_socket6(&to);
	else
		load_packet(&to);
	if (source != EGRESS_FROM_SOCKET4)
		unwrap_mapped(&to);
	(void)place(&to, V4);
	add_rules(&to, rules, false);
	if (source != EGRESS_FROM_SOCKET4) {
		jump(&to, DENY);
		(void)place(&to, V6);
		add_rules(&to, rules, true);
	}
	(void)place(&to, DENY);
	answer(&to, 0);
	if (place(&to, ALLOW))
		answer(&to, 1);
}
