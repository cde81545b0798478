/* SPDX-License-Identifier: MIT */
#include "policy/health_target.h"

#include "policy/own.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static struct health_target parse(const char *url)
{
	struct health_target target = { 0 };
	struct error err = { 0 };

	cr_assert_eq(health_target_parse(url, &target, &err), 0, "%s: %s", url, err.text);
	return target;
}

static void expect_loopback(const char *url, const char *address, uint16_t port,
			    const char *authority, const char *uri)
{
	struct health_target target = parse(url);
	char text[INET6_ADDRSTRLEN];

	cr_assert_not_null(
		inet_ntop(target.ipv6 ? AF_INET6 : AF_INET, target.address, text, sizeof(text)));
	cr_expect_not(target.is_unix);
	cr_expect_str_eq(text, address, "%s", url);
	cr_expect_eq(target.port, port, "%s", url);
	cr_expect_str_eq(target.authority, authority, "%s", url);
	cr_expect_str_eq(target.uri, uri, "%s", url);
}

Test(health_target, reads_addresses_of_the_loopback)
{
	expect_loopback("http://127.0.0.1:8000/healthz", "127.0.0.1", 8000, "127.0.0.1:8000",
			"/healthz");
	expect_loopback("http://127.1.2.3", "127.1.2.3", 80, "127.1.2.3", "/");
	expect_loopback("http://127.0.0.1:8000", "127.0.0.1", 8000, "127.0.0.1:8000", "/");
	expect_loopback("http://localhost:5000/a?b=c", "127.0.0.1", 5000, "localhost:5000",
			"/a?b=c");
	expect_loopback("http://localhost/", "127.0.0.1", 80, "localhost", "/");
	expect_loopback("http://[::1]:8000/", "::1", 8000, "[::1]:8000", "/");
	expect_loopback("http://[::1]", "::1", 80, "[::1]", "/");
	expect_loopback("http://127.0.0.1?x", "127.0.0.1", 80, "127.0.0.1", "/?x");
}

Test(health_target, reads_unix_sockets_as_nginx_spells_them)
{
	struct health_target target = parse("http://unix:/run/app.sock:/healthz?a:b");

	cr_expect(target.is_unix);
	cr_expect_str_eq(target.path, "/run/app.sock");
	cr_expect_str_eq(target.uri, "/healthz?a:b");
	cr_expect_str_eq(target.authority, "localhost");
	cr_expect_str_eq(parse("http://unix:/run/app.sock").uri, "/");
}

#define WRITE ": write http://127.0.0.1:8000/healthz, or http://unix:/run/app.sock:/healthz"

Test(health_target, refuses_what_root_must_not_be_sent_to_and_leaves_the_output_alone)
{
	static const struct {
		const char *url, *text;
	} samples[] = {
		{ "", "\"\" is no http:// URL" WRITE },
		{ "127.0.0.1:8000", "\"127.0.0.1:8000\" is no http:// URL" WRITE },
		{ "ftp://127.0.0.1/", "\"ftp://127.0.0.1/\" is no http:// URL" WRITE },
		{ "HTTP://127.0.0.1/", "\"HTTP://127.0.0.1/\" is no http:// URL" WRITE },
		{ "https://127.0.0.1/",
		  "\"https://127.0.0.1/\" asks for TLS, which is not spoken to a loopback" WRITE },
		{ "http://", "\"http://\" names no address" WRITE },
		{ "http:///healthz", "\"http:///healthz\" names no address" WRITE },
		{ "http://10.0.0.1/",
		  "\"http://10.0.0.1/\" is not on this machine's loopback, where the app is "
		  "asked" WRITE },
		{ "http://169.254.169.254/latest",
		  "\"http://169.254.169.254/latest\" is not on this machine's loopback, where the "
		  "app is asked" WRITE },
		{ "http://0.0.0.0:80/",
		  "\"http://0.0.0.0:80/\" is not on this machine's loopback, where the app is "
		  "asked" WRITE },
		{ "http://[::]:80/",
		  "\"http://[::]:80/\" is not on this machine's loopback, where the app is "
		  "asked" WRITE },
		{ "http://[::ffff:10.0.0.1]:80/",
		  "\"http://[::ffff:10.0.0.1]:80/\" is not on this machine's loopback, where the "
		  "app is asked" WRITE },
		{ "http://example.org/",
		  "\"http://example.org/\" has no address and port that can be read" WRITE },
		{ "http://localhost.example/",
		  "\"http://localhost.example/\" has no address and port that can be read" WRITE },
		{ "http://localhost5/",
		  "\"http://localhost5/\" has no address and port that can be read" WRITE },
		{ "http://127.0.0.1@10.0.0.1/",
		  "\"http://127.0.0.1@10.0.0.1/\" has no address and port that can be read" WRITE },
		{ "http://127.0.0.1:0/",
		  "\"http://127.0.0.1:0/\" has no address and port that can be read" WRITE },
		{ "http://127.0.0.1:65536/",
		  "\"http://127.0.0.1:65536/\" has no address and port that can be read" WRITE },
		{ "http://127.0.0.1:/",
		  "\"http://127.0.0.1:/\" has no address and port that can be read" WRITE },
		{ "http://2130706433/",
		  "\"http://2130706433/\" has no address and port that can be read" WRITE },
		{ "http://0x7f.1/",
		  "\"http://0x7f.1/\" has no address and port that can be read" WRITE },
		{ "http://127.0.0.1:80/a b",
		  "\"http://127.0.0.1:80/a b\" holds what no URL may (blanks, '#' or other than "
		  "ASCII)" WRITE },
		{ "http://127.0.0.1/\r\nX: y",
		  "\"http://127.0.0.1/\\r\\nX: y\" holds what no URL may (blanks, '#' or other "
		  "than ASCII)" WRITE },
		{ "http://127.0.0.1/#a",
		  "\"http://127.0.0.1/#a\" holds what no URL may (blanks, '#' or other than "
		  "ASCII)" WRITE },
		{ "http://unix:", "\"http://unix:\" names no absolute path of a socket" WRITE },
		{ "http://unix:/", "\"http://unix:/\" names no absolute path of a socket" WRITE },
		{ "http://unix:run/a.sock",
		  "\"http://unix:run/a.sock\" names no absolute path of a socket" WRITE },
		{ "http://unix:/run/../a.sock",
		  "\"http://unix:/run/../a.sock\" names no absolute path of a socket" WRITE },
		{ "http://unix:/run/a.sock:healthz",
		  "\"http://unix:/run/a.sock:healthz\" has a request path that does not begin with "
		  "'/'" WRITE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct health_target target, before;
		struct error err = { 0 };

		memset(&target, 0x5a, sizeof(target));
		before = target;
		cr_expect_eq(health_target_parse(samples[i].url, &target, &err), -EINVAL, "%s",
			     samples[i].url);
		cr_expect_eq(err.kind, ERROR_INVALID);
		cr_expect_str_eq(err.text, samples[i].text, "%s", err.text);
		cr_expect_eq(memcmp(&target, &before, sizeof(target)), 0, "%s", samples[i].url);
	}
}

Test(health_target, bounds_url_and_path)
{
	char url[HEALTH_URL_MAX + 2] = "http://127.0.0.1/";
	struct health_target target;
	struct error err = { 0 };

	memset(url + strlen(url), 'a', HEALTH_URL_MAX - strlen(url));
	url[HEALTH_URL_MAX] = '\0';
	cr_expect_eq(health_target_parse(url, &target, &err), 0, "%s", err.text);
	cr_expect_eq(strlen(target.uri), HEALTH_URL_MAX - strlen("http://127.0.0.1"));
	url[HEALTH_URL_MAX] = 'a';
	url[HEALTH_URL_MAX + 1] = '\0';
	cr_expect_eq(health_target_parse(url, &target, &err), -EINVAL);

	memset(url, 'a', 200);
	memcpy(url, "http://unix:/", strlen("http://unix:/"));
	url[strlen("http://unix:") + HEALTH_SOCKET_PATH_MAX] = '\0';
	cr_expect_eq(health_target_parse(url, &target, &err), 0, "%s", err.text);
	cr_expect_eq(strlen(target.path), HEALTH_SOCKET_PATH_MAX);
	url[strlen("http://unix:") + HEALTH_SOCKET_PATH_MAX] = 'a';
	url[strlen("http://unix:") + HEALTH_SOCKET_PATH_MAX + 1] = '\0';
	cr_expect_eq(health_target_parse(url, &target, &err), -EINVAL);
}

Test(health_target, knows_what_a_host_header_may_hold)
{
	static const char *const wrong[] = { "", "a b", "a\r\nX: y", "a/b", "a@b", "\xc3\xa4.org" };
	char text[HEALTH_HOST_MAX + 2];
	struct error err = { 0 };

	cr_expect_eq(health_host_check("example.org", &err), 0);
	cr_expect_eq(health_host_check("a_b.example:8080", &err), 0);
	cr_expect_eq(health_host_check("[::1]:80", &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		cr_expect_eq(health_host_check(wrong[i], &err), -EINVAL, "%s", wrong[i]);
	memset(text, 'a', sizeof(text));
	text[HEALTH_HOST_MAX] = '\0';
	cr_expect_eq(health_host_check(text, &err), 0);
	text[HEALTH_HOST_MAX] = 'a';
	text[HEALTH_HOST_MAX + 1] = '\0';
	cr_expect_eq(health_host_check(text, &err), -EINVAL);
}

Test(health_target, writes_a_request_that_ends_the_connection)
{
	struct health_target target = parse("http://127.0.0.1:8000/healthz");
	char text[HEALTH_REQUEST_MAX];
	size_t length = health_request(&target, NULL, text);

	cr_expect_eq(length, strlen(text));
	cr_expect_str_eq(text, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n"
			       "User-Agent: pysbx-health\r\nAccept: */*\r\n"
			       "Connection: close\r\n\r\n");
	(void)health_request(&target, "example.org", text);
	cr_expect_not_null(strstr(text, "\r\nHost: example.org\r\n"));
}

Test(health_target, writes_the_longest_request_whole)
{
	char url[HEALTH_URL_MAX + 1] = "http://127.0.0.1/", host[HEALTH_HOST_MAX + 1];
	char text[HEALTH_REQUEST_MAX];
	struct health_target target;

	memset(url + strlen(url), 'a', HEALTH_URL_MAX - strlen(url));
	url[HEALTH_URL_MAX] = '\0';
	memset(host, 'b', HEALTH_HOST_MAX);
	host[HEALTH_HOST_MAX] = '\0';
	target = parse(url);
	cr_expect_eq(health_request(&target, host, text), strlen(text));
	cr_expect_str_eq(text + strlen(text) - 4, "\r\n\r\n");
}

/* --- the answer ------------------------------------------------------------------------------- */

Test(health_target, reads_a_status)
{
	static const struct {
		const char *text;
		int status;
	} samples[] = {
		{ "HTTP/1.1 200 OK\r\n", 200 },
		{ "HTTP/1.0 204 No Content\r\n", 204 },
		{ "HTTP/1.1 503\r\n", 503 },
		{ "HTTP/1.1 301\n", 301 },
		{ "HTTP/1.9 599 \xff\xff garbage", 599 },
		{ "HTTP/1.1 100 Continue\r\n\r\n", 100 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		size_t length = strlen(samples[i].text);
		int status = -1;

		for (size_t part = 0; part < length; part++) {
			int r = health_read_status(samples[i].text, part, &status);

			cr_expect_eq(r, part < HEALTH_STATUS_LENGTH ? -EAGAIN : 0, "%s: %zu",
				     samples[i].text, part);
		}
		cr_expect_eq(health_read_status(samples[i].text, length, &status), 0);
		cr_expect_eq(status, samples[i].status);
	}
}

Test(health_target, takes_nothing_else_for_a_status)
{
	static const char *const samples[] = {
		"SSH-2.0-OpenSSH_9.2",	   "HTTP/2.0 200 OK\r\n",  "http/1.1 200 OK\r\n",
		"HTTP/1.1  200 OK\r\n",	   "HTTP/1.1 20x OK\r\n",  "HTTP/1.1 2000 OK\r\n",
		"HTTP/1.1 600 OK\r\n",	   "HTTP/1.1 099 OK\r\n",  "HTTP/1.1 200\tOK\r\n",
		"\r\nHTTP/1.1 200 OK\r\n", "HTTP/1.1\t200 OK\r\n", "HTTP/11 200 OK\r\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		int status = 4711;

		cr_expect_eq(health_read_status(samples[i], strlen(samples[i]), &status), -EPROTO,
			     "%s", samples[i]);
		cr_expect_eq(status, 4711);
	}
}

Test(health_target, is_well_from_200_to_399)
{
	cr_expect(health_status_is_well(200));
	cr_expect(health_status_is_well(399));
	cr_expect_not(health_status_is_well(199));
	cr_expect_not(health_status_is_well(400));
}
