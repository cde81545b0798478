/* SPDX-License-Identifier: MIT */
#include "policy/listen.h"

#include "policy/own.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static void expect_address(const char *entry, const char *host, uint16_t port)
{
	struct listen_address address = { 0 };
	struct error err = { 0 };
	char text[INET6_ADDRSTRLEN];

	cr_expect_eq(listen_parse(entry, &address, &err), 0, "%s: %s", entry, err.text);
	cr_assert_not_null(
		inet_ntop(address.ipv6 ? AF_INET6 : AF_INET, address.address, text, sizeof(text)));
	cr_expect_str_eq(text, host);
	cr_expect_eq(address.port, port);
}

Test(listen, reads_an_address_and_a_port)
{
	expect_address("127.0.0.1:8000", "127.0.0.1", 8000);
	expect_address("0.0.0.0:1", "0.0.0.0", 1);
	expect_address("[::1]:8000", "::1", 8000);
	expect_address("[::]:65535", "::", 65535);
	expect_address("[2001:DB8::1]:443", "2001:db8::1", 443);
}

#define NO_ADDRESS                                                                            \
	" is not an address and a port, for example 127.0.0.1:8000 or [::1]:8000, nor unix: " \
	"and a path, for example unix:/run/pysbx/listen/blog.sock"
#define TEN	  "0123456789"
#define FIFTY	  TEN TEN TEN TEN TEN
#define LONG_PATH "/" FIFTY FIFTY "012345" /* LISTEN_PATH_MAX */

Test(listen, reads_the_path_of_a_unix_socket)
{
	static const char *const paths[] = { "/run/x.sock", "/a", LONG_PATH };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		static const struct listen_address nothing;
		struct listen_address address;
		struct error err = { 0 };
		char entry[256];

		snprintf(entry, sizeof(entry), "unix:%s", paths[i]);
		memset(&address, 0x5a, sizeof(address));
		cr_expect_eq(listen_parse(entry, &address, &err), 0, "%s: %s", entry, err.text);
		cr_expect_str_eq(address.path, paths[i]);
		cr_expect_eq(address.port, 0);
		cr_expect_not(address.ipv6);
		cr_expect_eq(memcmp(address.address, nothing.address, sizeof(nothing.address)), 0);
	}
}

Test(listen, knows_what_is_the_same)
{
	static const struct {
		const char *a, *b;
		bool same;
	} samples[] = {
		{ "127.0.0.1:80", "127.0.0.1:80", true }, { "127.0.0.1:80", "127.0.0.1:81", false },
		{ "0.0.0.0:80", "[::]:80", false },	  { "unix:/run/a", "unix:/run/a", true },
		{ "unix:/run/a", "unix:/run/b", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct listen_address a, b;
		struct error err;

		cr_assert_eq(listen_parse(samples[i].a, &a, &err), 0);
		cr_assert_eq(listen_parse(samples[i].b, &b, &err), 0);
		cr_expect_eq(listen_is_same(&a, &b), samples[i].same, "%s, %s", samples[i].a,
			     samples[i].b);
	}
}

Test(listen, refuses_what_is_none_and_leaves_the_output_alone)
{
	static const struct {
		const char *entry, *text;
	} samples[] = {
		{ "", "\"\"" NO_ADDRESS },
		{ "8000", "\"8000\"" NO_ADDRESS },
		{ ":8000", "\":8000\"" NO_ADDRESS },
		{ "127.0.0.1", "\"127.0.0.1\"" NO_ADDRESS },
		{ "localhost:8000", "\"localhost:8000\"" NO_ADDRESS },
		{ "*:8000", "\"*:8000\"" NO_ADDRESS },
		{ "::1:8000", "\"::1:8000\"" NO_ADDRESS },
		{ "[127.0.0.1]:8000", "\"[127.0.0.1]:8000\"" NO_ADDRESS },
		{ "[::1:8000", "\"[::1:8000\"" NO_ADDRESS },
		{ "[]:8000", "\"[]:8000\"" NO_ADDRESS },
		{ "[:8000", "\"[:8000\"" NO_ADDRESS },
		{ "]:8000", "\"]:8000\"" NO_ADDRESS },
		{ "[::1%lo]:8000", "\"[::1%lo]:8000\"" NO_ADDRESS },
		{ "127.0.0.1 :8000", "\"127.0.0.1 :8000\"" NO_ADDRESS },
		{ "/run/x.sock", "\"/run/x.sock\"" NO_ADDRESS },
		{ "unix:", "\"unix:\"" NO_ADDRESS },
		{ "unix:/", "\"unix:/\"" NO_ADDRESS },
		{ "unix:x.sock", "\"unix:x.sock\"" NO_ADDRESS },
		{ "unix:@x", "\"unix:@x\"" NO_ADDRESS },
		{ "unix:/run/../x.sock", "\"unix:/run/../x.sock\"" NO_ADDRESS },
		{ "unix:/run//x.sock", "\"unix:/run//x.sock\"" NO_ADDRESS },
		{ "unix:/run/x/", "\"unix:/run/x/\"" NO_ADDRESS },
		{ "unix:/run/a:b", "\"/run/a:b\" holds what the path of a listener can't: blanks, "
				   "':' or other than ASCII" },
		{ "unix:" LONG_PATH "6",
		  "\"/" FIFTY TEN TEN TEN "012345678\"... is longer than the path of "
		  "a unix socket can be: at most 107 bytes" },
		{ "unix:/run/a b", "\"/run/a b\" holds what the path of a listener can't: blanks, "
				   "':' or other than ASCII" },
		{ "127.0.0.1:", "port: \"\" is not a whole number from 1 to 65535" },
		{ "127.0.0.1:0", "port: \"0\" is not a whole number from 1 to 65535" },
		{ "127.0.0.1:65536", "port: \"65536\" is not a whole number from 1 to 65535" },
		{ "[::1]:-1", "port: \"-1\" is not a whole number from 1 to 65535" },
		{ "127.0.0.1:1111111111111111111111111111111111111111111111111111111111111111",
		  "\"127.0.0.1:1111111111111111111111111111111111111111111111111111111111111111"
		  "\"" NO_ADDRESS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct listen_address address = { .port = 77 };
		struct error err = { 0 };

		cr_expect_eq(listen_parse(samples[i].entry, &address, &err), -EINVAL, "%s",
			     samples[i].entry);
		cr_expect_eq(err.kind, ERROR_INVALID);
		cr_expect_str_eq(err.text, samples[i].text, "%s: %s", samples[i].entry, err.text);
		cr_expect_eq(address.port, 77);
	}
}

Test(listen, tells_the_app_by_its_environment)
{
	char *items[] = { (char *)"127.0.0.1:8000", (char *)"[::]:443",
			  (char *)"unix:/run/web/blog.sock", NULL };
	const struct strings list = { items, 3 }, nothing = { 0 };
	_cleanup_strings_ struct strings environment = { 0 };
	struct error err;

	cr_assert_eq(listen_set_environment(&nothing, &environment, &err), 0);
	cr_expect_eq(environment.count, 0);
	cr_assert_eq(strings_append(&environment, "LISTEN_FDS=7", &err), 0);
	cr_assert_eq(listen_set_environment(&list, &environment, &err), 0);
	cr_expect_str_eq(strings_env_get(&environment, "LISTEN_FDS"), "3");
	cr_expect_str_eq(strings_env_get(&environment, "LISTEN_FDNAMES"), "8000:443:blog.sock");
	cr_expect_str_eq(strings_env_get(&environment, "LISTEN_PID"), "0000000000");
	cr_expect_eq(environment.count, 3);
}

Test(listen, has_room_for_the_longest_names)
{
	char entry[] = "unix:" LONG_PATH;
	char *items[LISTEN_MAX + 1] = { 0 };
	const struct strings list = { items, LISTEN_MAX };
	_cleanup_strings_ struct strings environment = { 0 };
	struct error err;

	for (size_t i = 0; i < LISTEN_MAX; i++)
		items[i] = entry;
	cr_assert_eq(listen_set_environment(&list, &environment, &err), 0);
	cr_expect_eq(strlen(strings_env_get(&environment, "LISTEN_FDNAMES")),
		     LISTEN_MAX * strlen(LONG_PATH) - 1);
}
