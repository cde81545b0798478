/* SPDX-License-Identifier: MIT */
#include "policy/egress.h"

#include "policy/own.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* "4 10.0.0.0/8 443; " a rule */
static char *rules_text(const struct egress_rules *rules)
{
	static char text[16384];
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < rules->count; i++) {
		const struct egress_rule *rule = &rules->rules[i];
		char address[INET6_ADDRSTRLEN];

		cr_assert_not_null(inet_ntop(rule->ipv6 ? AF_INET6 : AF_INET, rule->address,
					     address, sizeof(address)));
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s/%u:%u",
					 i > 0 ? " " : "", address, rule->prefix, rule->port);
	}
	return text;
}

static void expect_rules(const char *entry, const char *expected)
{
	struct egress_rules rules = { 0 };
	struct error err = { 0 };

	cr_expect_eq(egress_add_entry(entry, &rules, &err), 0, "%s: %s", entry, err.text);
	cr_expect_str_eq(rules_text(&rules), expected, "%s: %s", entry, rules_text(&rules));
}

Test(egress, reads_addresses_and_networks_with_and_without_a_port)
{
	expect_rules("10.0.0.5", "10.0.0.5/32:0");
	expect_rules("10.0.0.5:5432", "10.0.0.5/32:5432");
	expect_rules("10.1.0.0/16", "10.1.0.0/16:0");
	expect_rules("10.1.0.0/16:1", "10.1.0.0/16:1");
	expect_rules("10.1.128.0/17:65535", "10.1.128.0/17:65535");
	expect_rules("0.0.0.0/0", "0.0.0.0/0:0");
	expect_rules("2001:db8::1", "2001:db8::1/128:0");
	expect_rules("2001:DB8::/32", "2001:db8::/32:0");
	expect_rules("[2001:db8::1]", "2001:db8::1/128:0");
	expect_rules("[2001:db8::1]:443", "2001:db8::1/128:443");
	expect_rules("[2001:db8::/29]:443", "2001:db8::/29:443");
	expect_rules("::1", "::1/128:0");
	expect_rules("::/0", "::/0:0");
	expect_rules("[2001:1234:5678:9abc:def0:1234:255.255.255.255/128]:65535",
		     "2001:1234:5678:9abc:def0:1234:ffff:ffff/128:65535");
}

Test(egress, reads_words)
{
	expect_rules("localhost", "127.0.0.0/8:0 ::1/128:0");
	expect_rules("localhost:6379", "127.0.0.0/8:6379 ::1/128:6379");
	expect_rules("any", "0.0.0.0/0:0 ::/0:0");
	expect_rules("any:443", "0.0.0.0/0:443 ::/0:443");
	expect_rules("none", "");
	expect_rules("dns", "");
}

Test(egress, takes_an_ipv4_address_in_ipv6_clothes_for_what_it_is)
{
	expect_rules("::ffff:10.0.0.5", "10.0.0.5/32:0");
	expect_rules("[::ffff:10.0.0.5]:80", "10.0.0.5/32:80");
	expect_rules("::ffff:10.1.0.0/112", "10.1.0.0/16:0");
	expect_rules("::ffff:0:0/96", "0.0.0.0/0:0");
	/* wider than that it is a network of IPv6 */
	expect_rules("::/95", "::/95:0");
}

#define NO_ADDRESS                                                                                \
	" is not an address, for example 10.0.0.5, 10.1.0.0/16:443 or [2001:db8::1]:443; nor is " \
	"it localhost, dns, any or none (names of hosts are not looked up: write their "          \
	"addresses)"

Test(egress, refuses_what_is_no_address_and_leaves_the_rules_alone)
{
	static const struct {
		const char *entry, *text;
	} samples[] = {
		{ "", "\"\"" NO_ADDRESS },
		{ "db.example:5432", "\"db.example:5432\"" NO_ADDRESS },
		{ "10.0.0", "\"10.0.0\"" NO_ADDRESS },
		{ "10.0.0.05", "\"10.0.0.05\"" NO_ADDRESS },
		{ "10.0.0.256", "\"10.0.0.256\"" NO_ADDRESS },
		{ " 10.0.0.5", "\" 10.0.0.5\"" NO_ADDRESS },
		{ "10.0.0.5 ", "\"10.0.0.5 \"" NO_ADDRESS },
		{ "[10.0.0.5]:80", "\"[10.0.0.5]:80\"" NO_ADDRESS },
		{ "[::1", "\"[::1\"" NO_ADDRESS },
		{ "[::1]443", "\"[::1]443\"" NO_ADDRESS },
		{ "[::1]x:443", "\"[::1]x:443\"" NO_ADDRESS },
		{ "[any]:443", "\"[any]:443\"" NO_ADDRESS },
		{ "fe80::1%eth0", "\"fe80::1%eth0\"" NO_ADDRESS },
		{ "2001:db8::1:443:x", "\"2001:db8::1:443:x\"" NO_ADDRESS },
		{ "Any", "\"Any\"" NO_ADDRESS },
		{ "any/8", "\"any/8\"" NO_ADDRESS },
		{ "none:80", "\"none:80\"" NO_ADDRESS },
		{ "dns:53", "\"dns:53\"" NO_ADDRESS },
		{ "*", "\"*\"" NO_ADDRESS },
		{ "10.0.0.5:", "port: \"\" is not a whole number from 1 to 65535" },
		{ "10.0.0.5:0", "port: \"0\" is not a whole number from 1 to 65535" },
		{ "10.0.0.5:65536", "port: \"65536\" is not a whole number from 1 to 65535" },
		{ "10.0.0.5:http", "port: \"http\" is not a whole number from 1 to 65535" },
		{ "any:-1", "port: \"-1\" is not a whole number from 1 to 65535" },
		{ "10.0.0.0/33",
		  "length of the prefix: \"33\" is not a whole number from 0 to 32" },
		{ "10.0.0.0/", "length of the prefix: \"\" is not a whole number from 0 to 32" },
		{ "10.0.0.0/8/8",
		  "length of the prefix: \"8/8\" is not a whole number from 0 to 32" },
		{ "2001:db8::/129",
		  "length of the prefix: \"129\" is not a whole number from 0 to 128" },
		{ "10.1.2.3/16",
		  "\"10.1.2.3/16\" has bits behind its prefix: for the whole network write "
		  "10.1.0.0/16" },
		{ "10.0.0.1/31",
		  "\"10.0.0.1/31\" has bits behind its prefix: for the whole network write "
		  "10.0.0.0/31" },
		{ "2001:db8::1/32",
		  "\"2001:db8::1/32\" has bits behind its prefix: for the whole network write "
		  "2001:db8::/32" },
		{ "10.0.0.5/0", "\"10.0.0.5/0\" has bits behind its prefix: for the whole network "
				"write 0.0.0.0/0" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct egress_rules rules = { .count = 0 };
		struct error err = { 0 };

		cr_expect_eq(egress_add_entry(samples[i].entry, &rules, &err), -EINVAL, "%s",
			     samples[i].entry);
		cr_expect_eq(err.kind, ERROR_INVALID);
		cr_expect_str_eq(err.text, samples[i].text, "%s: %s", samples[i].entry, err.text);
		cr_expect_eq(rules.count, 0);
		cr_expect_not(rules.dns);
	}
}

Test(egress, refuses_an_entry_that_is_longer_than_any_can_be)
{
	char entry[EGRESS_ENTRY_MAX + 2];
	struct egress_rules rules = { 0 };
	struct error err = { 0 };

	memset(entry, '1', sizeof(entry));
	entry[sizeof(entry) - 1] = '\0';
	cr_expect_eq(egress_add_entry(entry, &rules, &err), -EINVAL);
	cr_expect_eq(rules.count, 0);
}

Test(egress, names_the_entry_of_a_list_that_is_wrong)
{
	char *items[] = { (char *)"any", (char *)"nowhere", NULL };
	const struct strings list = { items, 2 };
	struct egress_rules rules = { .count = 77 };
	struct error err = { 0 };

	cr_expect_eq(egress_rules_from_list(&list, &rules, &err), -EINVAL);
	cr_expect_str_eq(err.text, "isolation.egress[1]: \"nowhere\"" NO_ADDRESS);
	cr_expect_str_eq(err.path, "isolation.egress[1]");
	cr_expect_eq(rules.count, 77);
}

Test(egress, joins_the_entries_of_a_list)
{
	char *items[] = { (char *)"10.0.0.5:5432", (char *)"dns", (char *)"localhost", NULL };
	const struct strings list = { items, 3 };
	struct egress_rules rules;
	struct error err = { 0 };

	cr_assert_eq(egress_rules_from_list(&list, &rules, &err), 0, "%s", err.text);
	cr_expect_str_eq(rules_text(&rules), "10.0.0.5/32:5432 127.0.0.0/8:0 ::1/128:0");
	cr_expect(rules.dns);
}

/* --- name servers ----------------------------------------------------------------------------- */

static void expect_nameservers(const char *resolv_conf, const char *expected)
{
	struct egress_rules rules = { 0 };

	egress_add_nameservers(resolv_conf, &rules);
	cr_expect_str_eq(rules_text(&rules), expected, "%s: %s", resolv_conf, rules_text(&rules));
}

static struct egress_rules rules_of(const char *entry)
{
	struct egress_rules rules = { 0 };
	struct error err = { 0 };

	cr_assert_eq(egress_add_entry(entry, &rules, &err), 0, "%s: %s", entry, err.text);
	return rules;
}

Test(egress, knows_which_entry_lies_in_another)
{
	static const struct {
		const char *asked, *given;
		bool within;
	} samples[] = {
		{ "10.0.0.5", "10.0.0.5", true },
		{ "10.0.0.5:80", "10.0.0.5", true },
		{ "10.0.0.5", "10.0.0.5:80", false },
		{ "10.0.0.5:81", "10.0.0.5:80", false },
		{ "10.0.0.6", "10.0.0.5", false },
		{ "10.1.2.0/24", "10.1.0.0/16", true },
		{ "10.1.0.0/16", "10.1.2.0/24", false },
		{ "10.1.0.0/16", "10.1.0.0/16", true },
		{ "10.2.0.0/24", "10.1.0.0/16", false },
		{ "10.1.130.0/23", "10.1.128.0/17", true },
		{ "10.1.126.0/23", "10.1.128.0/17", false },
		{ "127.0.0.1:5432", "localhost", true },
		{ "localhost:5432", "localhost", true },
		{ "localhost", "127.0.0.1", false },
		{ "localhost", "127.0.0.0/8", false }, /* it is ::1, too */
		{ "::ffff:10.0.0.5", "10.0.0.0/8", true },
		{ "2001:db8::1", "2001:db8::/32", true },
		{ "2001:db9::1", "2001:db8::/32", false },
		{ "0.0.0.0/0", "::/0", false },
		{ "::/0", "0.0.0.0/0", false },
		{ "any", "any", true },
		{ "any:443", "any", true },
		{ "any", "any:443", false },
		{ "any", "0.0.0.0/0", false },
		{ "10.0.0.5:443", "any:443", true },
		{ "dns", "dns", true },
		{ "dns", "any", true },
		{ "dns", "any:53", true },
		{ "dns", "any:54", false },
		{ "dns", "0.0.0.0/0", false },
		{ "dns", "localhost", false },
		{ "127.0.0.53:53", "dns", false },
		{ "none", "none", true },
		{ "none", "10.0.0.5", true },
		{ "any", "none", false },
		{ "dns", "none", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct egress_rules asked = rules_of(samples[i].asked),
				    given = rules_of(samples[i].given);

		cr_expect_eq(egress_is_within(&asked, &given), samples[i].within, "%s in %s",
			     samples[i].asked, samples[i].given);
	}
}

Test(egress, finds_each_entry_in_any_of_a_list)
{
	struct egress_rules given = rules_of("dns"), asked = rules_of("10.0.0.5:80");
	struct error err = { 0 };

	cr_assert_eq(egress_add_entry("2001:db8::/32", &given, &err), 0);
	cr_assert_eq(egress_add_entry("10.0.0.0/8:80", &given, &err), 0);
	cr_assert_eq(egress_add_entry("dns", &asked, &err), 0);
	cr_assert_eq(egress_add_entry("[2001:db8::1]:443", &asked, &err), 0);
	cr_expect(egress_is_within(&asked, &given));
	cr_assert_eq(egress_add_entry("10.0.0.5:81", &asked, &err), 0);
	cr_expect_not(egress_is_within(&asked, &given));
}

Test(egress, takes_name_servers_as_the_c_library_does)
{
	expect_nameservers("nameserver 10.0.0.2\n", "10.0.0.2/32:53");
	expect_nameservers("# hi\nsearch a.example\nnameserver\t10.0.0.2\r\n"
			   "options ndots:5\nnameserver  2001:db8::53 # second",
			   "10.0.0.2/32:53 2001:db8::53/128:53");
	expect_nameservers("nameserver fe80::1%eth0\nnameserver ::ffff:10.0.0.2\n",
			   "fe80::1/128:53 10.0.0.2/32:53");
	expect_nameservers("nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n"
			   "nameserver 10.0.0.4\n",
			   "10.0.0.1/32:53 10.0.0.2/32:53 10.0.0.3/32:53");
}

#define LONGER_THAN_ANY "nameserver 1111111111111111111111111111111111111111111111111111111111\n"

Test(egress, takes_the_local_host_where_no_name_server_is_named)
{
	static const char *const texts[] = {
		"",
		"\n\n",
		"#nameserver 10.0.0.2\n",
		"nameservers 10.0.0.2\n",
		" nameserver 10.0.0.2\n",
		"nameserver\n10.0.0.2\n",
		"nameserver dns.example\n",
		LONGER_THAN_ANY,
		"nameserver",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		expect_nameservers(texts[i], "127.0.0.1/32:53");
}
