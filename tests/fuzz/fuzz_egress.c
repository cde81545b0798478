/* SPDX-License-Identifier: MIT */
/*
 * The first line is a destination (a byte of what it is, 16 of address, 2 of port), the rest a
 * list, one entry a line. What the list means, read slowly, is what all programs answer; and the
 * text as a resolv.conf adds one to three rules.
 */
#include "policy/own.h"
#include "tests/policy/egress_reference.h"

#include <stdio.h>
#include <string.h>

#define DESTINATION_SIZE 19
#define TCP		 6
#define UDP		 17

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_refusal(const struct error *err)
{
	require(err->kind == ERROR_INVALID && err->text[0] != '\0');
	for (const char *at = err->text; *at != '\0'; at++)
		require((unsigned char)*at >= 0x20 && *at != 0x7f);
}

static void read_list(char *text, struct egress_rules *rules)
{
	char *rest = text, *entry;

	for (unsigned i = 0; i < EGRESS_ENTRIES_MAX && (entry = strsep(&rest, "\n")) != NULL; i++) {
		const size_t count = rules->count;
		const bool dns = rules->dns;
		struct error err = { 0 };

		if (egress_add_entry(entry, rules, &err) < 0) {
			require(rules->count == count && rules->dns == dns);
			check_refusal(&err);
		}
	}
}

static void ask(const struct egress_rules *rules, const struct destination *to)
{
	const uint64_t expected = reference_passes(rules, to);
	struct destination portless = *to;

	require(ask_socket(rules, to) == expected);
	require(ask_packet(rules, to, UDP, 0, 0) == expected);
	require(ask_packet(rules, to, TCP, REFERENCE_SYN, 3) == expected);
	portless.port = REFERENCE_NO_PORT;
	require(ask_packet(rules, to, 1, 0, 0) == reference_passes(rules, &portless));
}

static void check_nameservers(const char *text)
{
	struct egress_rules rules = { 0 };

	egress_add_nameservers(text, &rules);
	require(rules.count >= 1 && rules.count <= EGRESS_NAMESERVERS_MAX);
	for (size_t i = 0; i < rules.count; i++)
		require(rules.rules[i].port == EGRESS_DNS_PORT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct egress_rules rules;
	struct destination to = { 0 };
	char *text;

	if (size < DESTINATION_SIZE)
		return 0;
	rules = (struct egress_rules){ 0 };
	to.ipv6 = (data[0] & 1) != 0;
	memcpy(to.address, data + 1, sizeof(to.address));
	to.port = data[17] << 8 | data[18];
	text = strndup((const char *)data + DESTINATION_SIZE, size - DESTINATION_SIZE);
	require(text != NULL);
	check_nameservers(text);
	read_list(text, &rules);
	ask(&rules, &to);
	/* and where the list itself leads */
	if (rules.count > 0) {
		const struct egress_rule *rule = &rules.rules[data[0] % rules.count];

		to.ipv6 = rule->ipv6;
		memcpy(to.address, rule->address, sizeof(to.address));
		to.port = rule->port;
		require(reference_passes(&rules, &to));
		ask(&rules, &to);
	}
	free(text);
	return 0;
}
