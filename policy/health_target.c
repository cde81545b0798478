/* SPDX-License-Identifier: MIT */
#include "policy/health_target.h"

#include "policy/listen.h"
#include "policy/path.h"
#include "policy/quote.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SCHEME "http://"

static int refuse(const char *url, const char *why, struct error *err)
{
	char shown[QUOTE_TEXT_MAX];

	return error_set(err, ERROR_INVALID, 0,
			 "%s %s: write http://127.0.0.1:8000/healthz, or "
			 "http://unix:/run/app.sock:/healthz",
			 quote_text(url, shown), why);
}

/* What goes into a request as it is: no blanks, no line ends, nothing that is not ASCII. */
static bool is_plain(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

/* --- unix sockets ----------------------------------------------------------------------------- */

/* "/run/app.sock:/healthz" */
static int parse_unix(const char *url, const char *at, struct health_target *found,
		      struct error *err)
{
	size_t length = strcspn(at, ":");

	if (length > HEALTH_SOCKET_PATH_MAX)
		return refuse(url, "has a longer path than a unix socket can have (107 bytes)",
			      err);
	memcpy(found->path, at, length);
	if (!path_is_normal(found->path) || length == 1)
		return refuse(url, "names no absolute path of a socket", err);
	found->is_unix = true;
	(void)snprintf(found->authority, sizeof(found->authority), "localhost");
	(void)snprintf(found->uri, sizeof(found->uri), "%s",
		       at[length] == ':' ? at + length + 1 : "/");
	return 0;
}

/* --- loopback --------------------------------------------------------------------------------- */

static bool is_loopback(const struct listen_address *address)
{
	static const uint8_t ipv6_loopback[16] = { [15] = 1 };

	return address->ipv6 ? memcmp(address->address, ipv6_loopback, sizeof(ipv6_loopback)) == 0
			     : address->address[0] == 127;
}

/* "127.0.0.1:8000/healthz": the authority ends where the URI begins. */
static int parse_loopback(const char *url, const char *at, struct health_target *found,
			  struct error *err)
{
	static const char word[] = "localhost";
	struct listen_address address = { 0 };
	char entry[LISTEN_ENTRY_MAX + 1];
	const char *name = found->authority, *rest;
	size_t length = strcspn(at, "/?");
	struct error ignored;
	bool has_port;

	if (length == 0 || length >= sizeof(found->authority) - 8)
		return refuse(url, "names no address", err);
	memcpy(found->authority, at, length);
	rest = at + length;
	has_port = strrchr(name, ':') != NULL && (name[0] != '[' || strstr(name, "]:") != NULL);
	if (strncmp(name, word, strlen(word)) == 0 && strchr(":", name[strlen(word)]) != NULL)
		(void)snprintf(entry, sizeof(entry), "127.0.0.1%s%s", name + strlen(word),
			       has_port ? "" : ":80");
	else
		(void)snprintf(entry, sizeof(entry), "%s%s", name, has_port ? "" : ":80");
	if (listen_parse(entry, &address, &ignored) < 0)
		return refuse(url, "has no address and port that can be read", err);
	if (!is_loopback(&address))
		return refuse(url, "is not on this machine's loopback, where the app is asked",
			      err);
	found->ipv6 = address.ipv6;
	memcpy(found->address, address.address, sizeof(found->address));
	found->port = address.port;
	(void)snprintf(found->uri, sizeof(found->uri), "%s%s", *rest == '/' ? "" : "/", rest);
	return 0;
}

int health_target_parse(const char *url, struct health_target *ret, struct error *err)
{
	struct health_target found = { 0 };
	const char *at = url + strlen(SCHEME);
	int r;

	if (strlen(url) > HEALTH_URL_MAX)
		return refuse(url, "is too long", err);
	if (strncmp(url, "https://", strlen("https://")) == 0)
		return refuse(url, "asks for TLS, which is not spoken to a loopback", err);
	if (strncmp(url, SCHEME, strlen(SCHEME)) != 0)
		return refuse(url, "is no http:// URL", err);
	if (!is_plain(url) || strchr(url, '#') != NULL)
		return refuse(url, "holds what no URL may (blanks, '#' or other than ASCII)", err);
	if (strncmp(at, "unix:", strlen("unix:")) == 0)
		r = parse_unix(url, at + strlen("unix:"), &found, err);
	else
		r = parse_loopback(url, at, &found, err);
	if (r < 0)
		return r;
	if (found.uri[0] != '/')
		return refuse(url, "has a request path that does not begin with '/'", err);
	*ret = found;
	return 0;
}

int health_host_check(const char *host, struct error *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.-_:[]";
	char shown[QUOTE_TEXT_MAX];

	if (host[0] != '\0' && strlen(host) <= HEALTH_HOST_MAX &&
	    host[strspn(host, letters)] == '\0')
		return 0;
	return error_set(err, ERROR_INVALID, 0,
			 "%s is no host: write a name as in example.org, with a port if need be",
			 quote_text(host, shown));
}

/* --- request and answer ----------------------------------------------------------------------- */

size_t health_request(const struct health_target *target, const char *host,
		      char text[static HEALTH_REQUEST_MAX])
{
	int n = snprintf(text, HEALTH_REQUEST_MAX,
			 "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: pysbx-health\r\n"
			 "Accept: */*\r\nConnection: close\r\n\r\n",
			 target->uri, host != NULL ? host : target->authority);

	return (size_t)n; /* both are bounded, and their bounds fit */
}

/* '?' stands for a digit, '_' for what ends the number. */
static bool fits(char c, char pattern)
{
	if (pattern == '?')
		return c >= '0' && c <= '9';
	if (pattern == '_')
		return c == ' ' || c == '\r' || c == '\n';
	return c == pattern;
}

int health_read_status(const char *bytes, size_t length, int *ret_status)
{
	static const char pattern[HEALTH_STATUS_LENGTH + 1] = "HTTP/1.? ???_";
	int status;

	for (size_t i = 0; i < length && i < HEALTH_STATUS_LENGTH; i++)
		if (!fits(bytes[i], pattern[i]))
			return -EPROTO;
	if (length < HEALTH_STATUS_LENGTH)
		return -EAGAIN;
	status = (bytes[9] - '0') * 100 + (bytes[10] - '0') * 10 + (bytes[11] - '0');
	if (status < 100 || status > 599)
		return -EPROTO;
	*ret_status = status;
	return 0;
}
