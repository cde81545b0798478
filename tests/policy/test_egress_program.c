/* SPDX-License-Identifier: MIT */
/*
 * Programs, run by an interpreter that refuses what the kernel's verifier would. That the kernel
 * takes them and holds to them is tried in tests/supervisor/test_egress.c.
 */
#include "policy/own.h"
#include "tests/policy/egress_reference.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define TCP 6
#define UDP 17

static struct egress_rules rules_of(const char *entries)
{
	_cleanup_free_ char *copy = strdup(entries);
	struct egress_rules rules = { 0 };
	struct error err = { 0 };
	char *rest = copy, *entry;

	while ((entry = strsep(&rest, " ")) != NULL)
		cr_assert_eq(egress_add_entry(entry, &rules, &err), 0, "%s", err.text);
	return rules;
}

static struct destination destination_of(const char *host, int port)
{
	struct destination to = { .port = port };

	to.ipv6 = inet_pton(AF_INET6, host, to.address) == 1;
	if (!to.ipv6)
		cr_assert_eq(inet_pton(AF_INET, host, to.address), 1, "%s", host);
	return to;
}

/* All doors of one destination, those of TCP at its first packet. */
static void expect_answer(const char *entries, const char *host, int port, uint64_t expected)
{
	const struct egress_rules rules = rules_of(entries);
	const struct destination to = destination_of(host, port);

	cr_expect_eq(ask_socket(&rules, &to), expected, "socket: %s: %s:%d", entries, host, port);
	cr_expect_eq(ask_packet(&rules, &to, TCP, REFERENCE_SYN, 0), expected, "SYN: %s: %s:%d",
		     entries, host, port);
	cr_expect_eq(ask_packet(&rules, &to, UDP, 0, 0), expected, "UDP: %s: %s:%d", entries, host,
		     port);
	cr_expect_eq(reference_passes(&rules, &to), expected == 1, "%s: %s:%d", entries, host,
		     port);
}

Test(egress_program, compares_address_and_port)
{
	expect_answer("10.0.0.5:5432", "10.0.0.5", 5432, 1);
	expect_answer("10.0.0.5:5432", "10.0.0.5", 5433, 0);
	expect_answer("10.0.0.5:5432", "10.0.0.6", 5432, 0);
	expect_answer("10.0.0.5", "10.0.0.5", 1, 1);
	expect_answer("[2001:db8::1]:443", "2001:db8::1", 443, 1);
	expect_answer("[2001:db8::1]:443", "2001:db8::1", 444, 0);
	expect_answer("[2001:db8::1]:443", "2001:db8::2", 443, 0);
	expect_answer("[2001:db8::1]:443", "2001:db8:1::1", 443, 0);
	expect_answer("2001:db8::1", "2001:db8::1", 65535, 1);
	/* a constant with its highest bit set is negative to the kernel */
	expect_answer("255.254.253.252:65535", "255.254.253.252", 65535, 1);
	expect_answer("255.254.253.252:65535", "255.254.253.251", 65535, 0);
	expect_answer("ffff:fffe::ffff", "ffff:fffe::ffff", 9, 1);
}

Test(egress_program, compares_as_many_bits_as_the_prefix_has)
{
	expect_answer("10.1.0.0/16", "10.1.255.255", 80, 1);
	expect_answer("10.1.0.0/16", "10.2.0.0", 80, 0);
	expect_answer("10.0.0.128/25:80", "10.0.0.255", 80, 1);
	expect_answer("10.0.0.128/25:80", "10.0.0.127", 80, 0);
	expect_answer("128.0.0.0/1", "255.1.1.1", 80, 1);
	expect_answer("128.0.0.0/1", "127.1.1.1", 80, 0);
	expect_answer("2001:db8::/29", "2001:dbf:ffff::1", 80, 1);
	expect_answer("2001:db8::/29", "2001:dc0::1", 80, 0);
	expect_answer("2001:db8::/32", "2001:db8:1:2:3:4:5:6", 80, 1);
	expect_answer("[2001:db8:1::/48]:80", "2001:db8:1::1", 80, 1);
	expect_answer("[2001:db8:1::/48]:80", "2001:db8:2::1", 80, 0);
}

Test(egress_program, tries_one_rule_after_the_other)
{
	static const char list[] = "10.0.0.5:5432 2001:db8::/32 localhost:6379 any:443";

	expect_answer(list, "10.0.0.5", 5432, 1);
	expect_answer(list, "2001:db8::9", 22, 1);
	expect_answer(list, "127.3.2.1", 6379, 1);
	expect_answer(list, "::1", 6379, 1);
	expect_answer(list, "8.8.8.8", 443, 1);
	expect_answer(list, "2600::", 443, 1);
	expect_answer(list, "8.8.8.8", 80, 0);
	expect_answer(list, "2600::", 80, 0);
	expect_answer(list, "::1", 6380, 0);
}

Test(egress_program, answers_with_nothing_and_with_everything)
{
	expect_answer("none", "10.0.0.5", 80, 0);
	expect_answer("none", "::1", 80, 0);
	expect_answer("any", "10.0.0.5", 80, 1);
	expect_answer("any", "::1", 80, 1);
	expect_answer("0.0.0.0/0", "::1", 80, 0);
	expect_answer("::/0", "127.0.0.1", 80, 0);
}

Test(egress_program, takes_an_ipv4_address_in_ipv6_clothes_for_what_it_is)
{
	expect_answer("10.0.0.5:5432", "::ffff:10.0.0.5", 5432, 1);
	expect_answer("10.0.0.5:5432", "::ffff:10.0.0.6", 5432, 0);
	expect_answer("::/0", "::ffff:10.0.0.5", 5432, 0);
	expect_answer("::ffff:10.0.0.5", "10.0.0.5", 80, 1);
	/* near to it */
	expect_answer("10.0.0.5", "::fffe:10.0.0.5", 80, 0);
	expect_answer("10.0.0.5", "::1:ffff:10.0.0.5", 80, 0);
	expect_answer("10.0.0.5", "1::ffff:10.0.0.5", 80, 0);
	expect_answer("10.0.0.5", "::10.0.0.5", 80, 0);
}

Test(egress_program, looks_only_at_the_first_packet_of_a_tcp_connection)
{
	static const uint8_t later[] = { 0x10, 0x12, 0x18, 0x04, 0x11, 0x14, 0x00, 0x52 };
	static const uint8_t first[] = { 0x02, 0x03, 0x0a, 0x22, 0x42, 0xc2, 0x82 };
	const struct egress_rules rules = rules_of("10.0.0.5:5432");
	const struct destination to[] = { destination_of("10.9.9.9", 40000),
					  destination_of("2001:db8::9", 40000) };

	for (size_t i = 0; i < ARRAY_SIZE(to); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(later); j++)
			cr_expect_eq(ask_packet(&rules, &to[i], TCP, later[j], 0), 1, "%#x",
				     later[j]);
		for (size_t j = 0; j < ARRAY_SIZE(first); j++)
			cr_expect_eq(ask_packet(&rules, &to[i], TCP, first[j], 0), 0, "%#x",
				     first[j]);
	}
}

Test(egress_program, finds_the_port_behind_options_of_the_header)
{
	const struct egress_rules rules = rules_of("10.0.0.5:5432");
	const struct destination right = destination_of("10.0.0.5", 5432);
	const struct destination wrong = destination_of("10.0.0.5", 5433);

	for (uint8_t options = 0; options <= 10; options++) {
		cr_expect_eq(ask_packet(&rules, &right, UDP, 0, options), 1);
		cr_expect_eq(ask_packet(&rules, &wrong, UDP, 0, options), 0);
		cr_expect_eq(ask_packet(&rules, &right, TCP, REFERENCE_SYN, options), 1);
		cr_expect_eq(ask_packet(&rules, &wrong, TCP, REFERENCE_SYN, options), 0);
	}
}

/* ICMP, SCTP, and a routing header, behind which the address that is compared is not the last. */
Test(egress_program, lets_protocols_without_a_port_go_where_every_port_is_named)
{
	static const uint8_t protocols[] = { 1, 58, 132, 43, 0, 44, 60, 255 };

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		const struct egress_rules some = rules_of("10.0.0.5:80 [2001:db8::1]:80 any:22");
		const struct egress_rules each = rules_of("10.0.0.5 2001:db8::1");
		const struct destination ipv4 = destination_of("10.0.0.5", 80);
		const struct destination ipv6 = destination_of("2001:db8::1", 80);

		cr_expect_eq(ask_packet(&some, &ipv4, protocols[i], REFERENCE_SYN, 0), 0);
		cr_expect_eq(ask_packet(&some, &ipv6, protocols[i], REFERENCE_SYN, 0), 0);
		cr_expect_eq(ask_packet(&each, &ipv4, protocols[i], REFERENCE_SYN, 0), 1);
		cr_expect_eq(ask_packet(&each, &ipv6, protocols[i], REFERENCE_SYN, 0), 1);
	}
}

Test(egress_program, drops_packets_that_are_cut_short_and_foreign_ones)
{
	const struct egress_rules rules = rules_of("any");
	uint8_t packet[64] = { 0x45 };

	packet[9] = UDP;
	for (size_t size = 0; size < 24; size++)
		cr_expect_eq(ask_bytes(&rules, ETH_P_IP, packet, size), 0, "%zu", size);
	cr_expect_eq(ask_bytes(&rules, ETH_P_IP, packet, 24), 1);
	packet[9] = TCP;
	cr_expect_eq(ask_bytes(&rules, ETH_P_IP, packet, 33), 0);
	packet[6] = UDP;
	for (size_t size = 0; size < 44; size++)
		cr_expect_eq(ask_bytes(&rules, ETH_P_IPV6, packet, size), 0, "%zu", size);
	cr_expect_eq(ask_bytes(&rules, ETH_P_IPV6, packet, 44), 1);
	cr_expect_eq(ask_bytes(&rules, ETH_P_ARP, packet, sizeof(packet)), 0);
}

Test(egress_program, has_room_for_the_longest_list)
{
	struct egress_rules rules = { 0 };
	struct egress_program program;
	struct error err = { 0 };
	char entry[64];

	for (unsigned i = 0; i < EGRESS_ENTRIES_MAX; i++) {
		snprintf(entry, sizeof(entry), "[2001:db8:1:2:3:4:5:6/127]:%u", i + 1);
		cr_assert_eq(egress_add_entry(entry, &rules, &err), 0, "%s", err.text);
	}
	egress_add_nameservers("nameserver ::2\nnameserver ::3\nnameserver ::4\n", &rules);
	for (int source = 0; source < EGRESS_SOURCE_COUNT; source++) {
		egress_program_assemble(&rules, (enum egress_source)source, &program);
		cr_expect_leq(program.count, EGRESS_PROGRAM_MAX);
	}
	rules = (struct egress_rules){ 0 };
	for (unsigned i = 0; i < EGRESS_ENTRIES_MAX; i++)
		cr_assert_eq(egress_add_entry("localhost:1", &rules, &err), 0);
	egress_add_nameservers("", &rules);
	egress_program_assemble(&rules, EGRESS_FROM_PACKET, &program);
	cr_expect_leq(program.count, EGRESS_PROGRAM_MAX);
}

/* Jumps that can't be reached, which the kernel refuses: each instruction but the first is behind
 * one that goes on, or some jump's target. */
Test(egress_program, has_no_instruction_that_nothing_leads_to)
{
	static const char *const lists[] = { "none",	    "any",	 "any:80",
					     "10.0.0.5:80", "::1 dns",	 "localhost",
					     "0.0.0.0/0",   "::/0 none", "any 10.0.0.1 ::1" };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		for (int source = 0; source < EGRESS_SOURCE_COUNT; source++) {
			const struct egress_rules rules = rules_of(lists[i]);
			struct egress_program program;
			bool reached[EGRESS_PROGRAM_MAX + 1] = { true };

			egress_program_assemble(&rules, (enum egress_source)source, &program);
			for (size_t j = 0; j < program.count; j++) {
				const struct bpf_insn *at = &program.instructions[j];
				bool jumps = (BPF_CLASS(at->code) == BPF_JMP ||
					      BPF_CLASS(at->code) == BPF_JMP32) &&
					     BPF_OP(at->code) != BPF_CALL &&
					     BPF_OP(at->code) != BPF_EXIT;
				bool goes_on = at->code != (BPF_JMP | BPF_JA) &&
					       at->code != (BPF_JMP | BPF_EXIT);

				cr_expect(reached[j], "%s: %zu", lists[i], j);
				if (jumps)
					reached[j + 1 + (size_t)at->off] = true;
				reached[j + 1] = reached[j + 1] || goes_on;
			}
			cr_expect_not(reached[program.count]);
		}
}
