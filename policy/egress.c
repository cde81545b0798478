/* SPDX-License-Identifier: MIT */
#include "policy/egress.h"

#include "policy/own.h"
#include "policy/quantity.h"
#include "policy/quote.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define BITS4	     32
#define BITS6	     128
#define MAPPED_BITS  96 /* of ::ffff:0:0/96 */
#define BITS_OF_BYTE 8

static const uint8_t mapped_prefix[MAPPED_BITS / BITS_OF_BYTE] = { [10] = 0xff, [11] = 0xff };

/* An entry cut apart: "[2001:db8::/32]:443". Parts that are not there are NULL. */
struct parts {
	char text[EGRESS_ENTRY_MAX + 1];
	char *host, *prefix, *port;
};

static int refuse(const char *entry, struct error *err)
{
	char shown[QUOTE_TEXT_MAX];

	return error_set(err, ERROR_INVALID, 0,
			 "%s is not an address, for example 10.0.0.5, 10.1.0.0/16:443 or "
			 "[2001:db8::1]:443; nor is it localhost, dns, any or none (names of hosts "
			 "are not looked up: write their addresses)",
			 quote_text(entry, shown));
}

static void cut_prefix(struct parts *parts)
{
	parts->prefix = strchr(parts->host, '/');
	if (parts->prefix != NULL)
		*parts->prefix++ = '\0';
}

/* "[HOST]" or "[HOST]:PORT" */
static bool cut_brackets(struct parts *parts)
{
	char *end = strchr(parts->text, ']');

	if (end == NULL || (end[1] != '\0' && end[1] != ':'))
		return false;
	parts->host = parts->text + 1;
	if (end[1] == ':')
		parts->port = end + 2;
	*end = '\0';
	return strchr(parts->host, ':') != NULL;
}

/* Without brackets one colon is before a port, and several are of an IPv6 address. */
static bool cut(const char *entry, struct parts *parts)
{
	char *colon;

	*parts = (struct parts){ 0 };
	if (strlen(entry) > EGRESS_ENTRY_MAX)
		return false;
	memcpy(parts->text, entry, strlen(entry));
	parts->host = parts->text;
	if (entry[0] == '[') {
		if (!cut_brackets(parts))
			return false;
	} else {
		colon = strchr(parts->text, ':');
		if (colon != NULL && strchr(colon + 1, ':') == NULL) {
			*colon = '\0';
			parts->port = colon + 1;
		}
	}
	cut_prefix(parts);
	return true;
}

static int read_port(const struct parts *parts, uint16_t *ret, struct error *err)
{
	uint64_t port = 0;
	int r;

	if (parts->port == NULL)
		return 0;
	r = quantity_parse_count(parts->port, 1, UINT16_MAX, false, &port, err);
	if (r < 0) {
		error_prefix(err, "port");
		return r;
	}
	*ret = (uint16_t)port;
	return 0;
}

static int read_prefix(const struct parts *parts, unsigned bits, unsigned *ret, struct error *err)
{
	uint64_t prefix = bits;
	int r;

	if (parts->prefix != NULL) {
		r = quantity_parse_count(parts->prefix, 0, bits, false, &prefix, err);
		if (r < 0) {
			error_prefix(err, "length of the prefix");
			return r;
		}
	}
	*ret = (unsigned)prefix;
	return 0;
}

/* Clears what is behind the prefix. True if nothing was there. */
static bool clear_host_bits(struct egress_rule *rule)
{
	bool clean = true;

	for (unsigned i = 0; i < sizeof(rule->address); i++) {
		unsigned begins = i * BITS_OF_BYTE;
		unsigned kept = rule->prefix <= begins		       ? 0
				: rule->prefix - begins < BITS_OF_BYTE ? rule->prefix - begins
								       : BITS_OF_BYTE;
		uint8_t mask = (uint8_t)(0xff00U >> kept);

		clean = clean && (rule->address[i] & ~mask) == 0;
		rule->address[i] &= mask;
	}
	return clean;
}

static int check_host_bits(const char *entry, struct egress_rule *rule, struct error *err)
{
	char network[INET6_ADDRSTRLEN], shown[QUOTE_TEXT_MAX];

	if (clear_host_bits(rule))
		return 0;
	(void)inet_ntop(rule->ipv6 ? AF_INET6 : AF_INET, rule->address, network, sizeof(network));
	return error_set(err, ERROR_INVALID, 0,
			 "%s has bits behind its prefix: for the whole network write %s/%u",
			 quote_text(entry, shown), network, rule->prefix);
}

/* ::ffff:10.0.0.5 is what an IPv6 socket calls 10.0.0.5. */
static void unmap(struct egress_rule *rule)
{
	if (!rule->ipv6 || rule->prefix < MAPPED_BITS ||
	    memcmp(rule->address, mapped_prefix, sizeof(mapped_prefix)) != 0)
		return;
	memmove(rule->address, rule->address + sizeof(mapped_prefix), BITS4 / BITS_OF_BYTE);
	memset(rule->address + BITS4 / BITS_OF_BYTE, 0, sizeof(mapped_prefix));
	rule->ipv6 = false;
	rule->prefix -= MAPPED_BITS;
}

static int read_address(const char *entry, const struct parts *parts, struct egress_rule *rule,
			struct error *err)
{
	int r;

	if (inet_pton(AF_INET6, parts->host, rule->address) == 1)
		rule->ipv6 = true;
	else if (inet_pton(AF_INET, parts->host, rule->address) != 1)
		return refuse(entry, err);
	r = read_prefix(parts, rule->ipv6 ? BITS6 : BITS4, &rule->prefix, err);
	if (r < 0)
		return r;
	unmap(rule);
	return check_host_bits(entry, rule, err);
}

/* --- words ------------------------------------------------------------------------------------ */

struct word {
	const char *word;
	struct egress_rule rules[2]; /* IPv4, IPv6 */
	size_t count;
	bool dns;
};

static const struct word words[] = {
	{ .word = "any", .rules = { { .ipv6 = false }, { .ipv6 = true } }, .count = 2 },
	{ .word = "localhost",
	  .rules = { { .prefix = 8, .address = { 127 } },
		     { .ipv6 = true, .prefix = BITS6, .address = { [15] = 1 } } },
	  .count = 2 },
	{ .word = "dns", .dns = true },
	{ .word = "none" },
};

static const struct word *find_word(const struct parts *parts)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(parts->host, words[i].word) == 0 && parts->prefix == NULL &&
		    (parts->port == NULL || words[i].count > 0))
			return &words[i];
	return NULL;
}

int egress_add_entry(const char *entry, struct egress_rules *rules, struct error *err)
{
	struct word said = { .count = 1 };
	const struct word *word;
	struct parts parts;
	uint16_t port = 0;
	int r;

	if (!cut(entry, &parts))
		return refuse(entry, err);
	word = find_word(&parts);
	if (word != NULL)
		said = *word;
	r = read_port(&parts, &port, err);
	if (r == 0 && word == NULL)
		r = read_address(entry, &parts, &said.rules[0], err);
	if (r < 0)
		return r;
	assert(rules->count + said.count <= EGRESS_RULES_MAX);
	for (size_t i = 0; i < said.count; i++) {
		rules->rules[rules->count] = said.rules[i];
		rules->rules[rules->count++].port = port;
	}
	rules->dns = rules->dns || said.dns;
	return 0;
}

int egress_rules_from_list(const struct strings *list, struct egress_rules *ret, struct error *err)
{
	struct egress_rules rules = { 0 };

	assert(list->count <= EGRESS_ENTRIES_MAX);
	for (size_t i = 0; i < list->count; i++) {
		int r = egress_add_entry(list->items[i], &rules, err);

		if (r < 0) {
			error_prefix(err, "isolation.egress[%zu]", i);
			error_set_path(err, "isolation.egress[%zu]", i);
			return r;
		}
	}
	*ret = rules;
	return 0;
}

/* --- lists under lists ------------------------------------------------------------------------ */

static bool covers(const struct egress_rule *given, const struct egress_rule *asked)
{
	struct egress_rule network = *asked;

	if (given->ipv6 != asked->ipv6 || given->prefix > asked->prefix ||
	    (given->port != 0 && given->port != asked->port))
		return false;
	network.prefix = given->prefix;
	(void)clear_host_bits(&network);
	return memcmp(network.address, given->address, sizeof(network.address)) == 0;
}

static bool is_covered(const struct egress_rule *asked, const struct egress_rules *given)
{
	for (size_t i = 0; i < given->count; i++)
		if (covers(&given->rules[i], asked))
			return true;
	return false;
}

bool egress_is_within(const struct egress_rules *asked, const struct egress_rules *given)
{
	static const struct egress_rule every[] = { { .port = EGRESS_DNS_PORT },
						    { .ipv6 = true, .port = EGRESS_DNS_PORT } };
	bool within = true;

	for (size_t i = 0; within && i < asked->count; i++)
		within = is_covered(&asked->rules[i], given);
	if (within && asked->dns && !given->dns)
		within = is_covered(&every[0], given) && is_covered(&every[1], given);
	return within;
}

/* --- name servers ----------------------------------------------------------------------------- */

/* "nameserver fe80::1%eth0": the C library takes white space before the address, and what follows
 * it is another matter; the kernel's rule has no zone. */
static bool read_nameserver(const char *line, struct egress_rule *ret)
{
	static const char keyword[] = "nameserver";
	struct egress_rule rule = { .prefix = BITS4, .port = EGRESS_DNS_PORT };
	char host[INET6_ADDRSTRLEN];
	size_t length;

	if (strncmp(line, keyword, strlen(keyword)) != 0)
		return false;
	line += strlen(keyword);
	if (*line != ' ' && *line != '\t')
		return false;
	line += strspn(line, " \t");
	length = strcspn(line, " \t\r\n;#%");
	if (length >= sizeof(host))
		return false;
	snprintf(host, sizeof(host), "%.*s", (int)length, line);
	if (inet_pton(AF_INET6, host, rule.address) == 1) {
		rule.ipv6 = true;
		rule.prefix = BITS6;
		unmap(&rule);
	} else if (inet_pton(AF_INET, host, rule.address) != 1) {
		return false;
	}
	*ret = rule;
	return true;
}

void egress_add_nameservers(const char *resolv_conf, struct egress_rules *rules)
{
	const size_t before = rules->count;

	assert(before + EGRESS_NAMESERVERS_MAX <= EGRESS_RULES_MAX);
	for (const char *line = resolv_conf;
	     *line != '\0' && rules->count < before + EGRESS_NAMESERVERS_MAX;) {
		size_t length = strcspn(line, "\n");

		if (read_nameserver(line, &rules->rules[rules->count]))
			rules->count++;
		line += line[length] == '\n' ? length + 1 : length;
	}
	if (rules->count == before)
		rules->rules[rules->count++] = (struct egress_rule){ .prefix = BITS4,
								     .address = { 127, 0, 0, 1 },
								     .port = EGRESS_DNS_PORT };
}
