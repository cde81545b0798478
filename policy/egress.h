/* SPDX-License-Identifier: MIT */
/*
 * Where an app may connect and send to: the entries of `isolation.egress`, as rules. What a list
 * does not name is not reached.
 *
 *   10.0.0.5            an address, each port
 *   10.0.0.5:5432       one port of it
 *   10.1.0.0/16:443     a network
 *   2001:db8::/32       IPv6; with a port in brackets: [2001:db8::1]:443, [2001:db8::/32]:443
 *   localhost[:PORT]    127.0.0.0/8 and ::1
 *   any[:PORT]          every address
 *   dns                 port 53 of the host's name servers
 *   none                nothing: a list of this alone closes everything
 *
 * Names of hosts are not taken: what they stand for changes, and the kernel compares addresses. An
 * IPv4 address in IPv6 clothes (::ffff:10.0.0.5) is the IPv4 address, in rules as in packets.
 */
#pragma once

#include "policy/error.h"
#include "policy/strings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EGRESS_ENTRIES_MAX     64
#define EGRESS_NAMESERVERS_MAX 3 /* MAXNS of resolv.conf(5): the C library asks no more of them */
#define EGRESS_RULES_MAX       (2 * EGRESS_ENTRIES_MAX + EGRESS_NAMESERVERS_MAX)
#define EGRESS_ENTRY_MAX       63 /* bytes of an entry: the longest that is possible, and some */
#define EGRESS_DNS_PORT	       53

/* What is said of an empty list: it could be taken for either end. */
#define EGRESS_EMPTY "is empty: write [\"none\"] to reach nothing, [\"any\"] to reach everything"

struct egress_rule {
	bool ipv6;
	unsigned prefix;     /* leading bits that count: 0 to 32 or 128 */
	uint8_t address[16]; /* network order, IPv4 in the first 4; zero behind the prefix */
	uint16_t port;	     /* host order; 0: each */
};

struct egress_rules {
	struct egress_rule rules[EGRESS_RULES_MAX];
	size_t count;
	bool dns; /* name servers are to be added */
};

/* Checks one entry, and adds what it stands for. ERROR_INVALID quotes it and says what to write,
 * without naming the field; `rules` is as it was then. */
int egress_add_entry(const char *entry, struct egress_rules *rules, struct error *err);

/* A whole list, as it was validated. ERROR_INVALID begins with "isolation.egress[INDEX]: ". */
int egress_rules_from_list(const struct strings *list, struct egress_rules *ret, struct error *err);

/* Is all that `asked` names named by `given`? Each rule by a single one, and "dns" by "dns" or by
 * all addresses: which name servers the host has is not known here. */
bool egress_is_within(const struct egress_rules *asked, const struct egress_rules *given);

/* The name servers of a resolv.conf(5), as the C library takes them: the first three, and the
 * local host where none is named. Lines that are none are passed over. */
void egress_add_nameservers(const char *resolv_conf, struct egress_rules *rules);
