/* SPDX-License-Identifier: MIT */
/*
 * What rules mean, read a second time and slowly: bit by bit. And a program's answer about one
 * destination, by its three doors. For tests and the fuzz target alone.
 */
#pragma once

#include "policy/egress_program.h"
#include "tests/policy/ebpf.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdlib.h>

#define REFERENCE_SYN	  0x02
#define REFERENCE_NO_PORT (-1)

struct destination {
	bool ipv6;
	uint8_t address[16];
	int port; /* REFERENCE_NO_PORT: of a protocol that has none */
};

static inline bool reference_bit(const uint8_t *address, unsigned i)
{
	return (address[i / 8] >> (7 - i % 8) & 1) != 0;
}

static inline bool reference_matches(const struct egress_rule *rule, const struct destination *to)
{
	if (rule->ipv6 != to->ipv6 || (rule->port != 0 && rule->port != to->port))
		return false;
	for (unsigned i = 0; i < rule->prefix; i++)
		if (reference_bit(rule->address, i) != reference_bit(to->address, i))
			return false;
	return true;
}

static inline struct destination reference_unmapped(const struct destination *to)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct destination plain = *to;

	if (to->ipv6 && memcmp(to->address, mapped, sizeof(mapped)) == 0) {
		plain.ipv6 = false;
		memcpy(plain.address, to->address + sizeof(mapped), 4);
	}
	return plain;
}

static inline bool reference_passes(const struct egress_rules *rules, const struct destination *to)
{
	const struct destination plain = reference_unmapped(to);

	for (size_t i = 0; i < rules->count; i++)
		if (reference_matches(&rules->rules[i], &plain))
			return true;
	return false;
}

/* --- programs --------------------------------------------------------------------------------- */

static inline uint64_t run_program(const struct egress_rules *rules, enum egress_source source,
				   struct ebpf *run)
{
	struct egress_program *program = malloc(sizeof(*program));
	uint64_t answer;

	if (program == NULL)
		abort();
	egress_program_assemble(rules, source, program);
	answer = ebpf_run(run, program->instructions, program->count);
	free(program);
	return answer;
}

static inline uint64_t ask_socket(const struct egress_rules *rules, const struct destination *to)
{
	struct bpf_sock_addr context = { .user_port = htons((uint16_t)to->port) };
	struct ebpf run = { .context = &context, .context_size = sizeof(context) };

	if (to->ipv6)
		memcpy(context.user_ip6, to->address, sizeof(context.user_ip6));
	else
		memcpy(&context.user_ip4, to->address, sizeof(context.user_ip4));
	return run_program(rules, to->ipv6 ? EGRESS_FROM_SOCKET6 : EGRESS_FROM_SOCKET4, &run);
}

static inline uint64_t ask_bytes(const struct egress_rules *rules, uint16_t ethertype,
				 const uint8_t *packet, size_t size)
{
	struct __sk_buff context = { .protocol = htons(ethertype), .len = (uint32_t)size };
	struct ebpf run = {
		.context = &context,
		.context_size = sizeof(context),
		.packet = packet,
		.packet_size = size,
	};

	return run_program(rules, EGRESS_FROM_PACKET, &run);
}

/* A packet with `options` words of IPv4 options; `flags` are those of TCP. */
static inline uint64_t ask_packet(const struct egress_rules *rules, const struct destination *to,
				  uint8_t protocol, uint8_t flags, uint8_t options)
{
	uint8_t packet[128] = { 0 };
	size_t header = to->ipv6 ? 40 : 20 + 4 * (size_t)options;
	uint16_t port = htons((uint16_t)to->port);

	if (to->ipv6) {
		packet[0] = 0x60;
		packet[6] = protocol;
		memcpy(packet + 24, to->address, 16);
	} else {
		packet[0] = (uint8_t)(0x40 + 5 + options);
		packet[9] = protocol;
		memcpy(packet + 16, to->address, 4);
	}
	memcpy(packet + header + 2, &port, sizeof(port));
	packet[header + 13] = flags;
	return ask_bytes(rules, to->ipv6 ? ETH_P_IPV6 : ETH_P_IP, packet, header + 20);
}
