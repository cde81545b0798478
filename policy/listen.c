/* SPDX-License-Identifier: MIT */
#include "policy/listen.h"

#include "policy/own.h"
#include "policy/path.h"
#include "policy/quantity.h"
#include "policy/quote.h"

#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char unix_prefix[] = "unix:";

/* "ADDRESS:PORT" or "[ADDRESS]:PORT", cut apart in text. */
static bool cut(char *text, char **ret_host, char **ret_port)
{
	char *colon = strrchr(text, ':');

	if (colon == NULL || colon == text)
		return false;
	*colon = '\0';
	*ret_port = colon + 1;
	*ret_host = text;
	if (text[0] != '[')
		return true;
	if (colon[-1] != ']')
		return false;
	colon[-1] = '\0';
	*ret_host = text + 1;
	return true;
}

static int refuse(const char *entry, struct error *err)
{
	char shown[QUOTE_TEXT_MAX];

	return error_set(err, ERROR_INVALID, 0,
			 "%s is not an address and a port, for example 127.0.0.1:8000 or "
			 "[::1]:8000, nor unix: and a path, for example "
			 "unix:" LISTEN_DIRECTORY "/blog.sock",
			 quote_text(entry, shown));
}

/* Its last part is a name of LISTEN_FDNAMES, which ':' separates; and nginx ends a path with one.
 */
static bool is_plain(const char *path)
{
	for (; *path != '\0'; path++)
		if (*path <= ' ' || *path > '~' || *path == ':')
			return false;
	return true;
}

static int parse_path(const char *entry, const char *path, struct listen_address *ret,
		      struct error *err)
{
	char shown[QUOTE_TEXT_MAX];

	if (strlen(path) > LISTEN_PATH_MAX)
		return error_set(err, ERROR_INVALID, 0,
				 "%s is longer than the path of a unix socket can be: at most %d "
				 "bytes",
				 quote_text(path, shown), LISTEN_PATH_MAX);
	if (!path_is_normal(path) || path[1] == '\0')
		return refuse(entry, err);
	if (!is_plain(path))
		return error_set(err, ERROR_INVALID, 0,
				 "%s holds what the path of a listener can't: blanks, ':' or other "
				 "than ASCII",
				 quote_text(path, shown));
	*ret = (struct listen_address){ 0 };
	memcpy(ret->path, path, strlen(path));
	return 0;
}

int listen_parse(const char *entry, struct listen_address *ret, struct error *err)
{
	struct listen_address found = { 0 };
	char text[LISTEN_ENTRY_MAX + 1];
	char *host = NULL, *port_text = NULL;
	uint64_t port = 0;
	int r;

	if (strncmp(entry, unix_prefix, strlen(unix_prefix)) == 0)
		return parse_path(entry, entry + strlen(unix_prefix), ret, err);
	if (strlen(entry) > LISTEN_ENTRY_MAX)
		return refuse(entry, err);
	memcpy(text, entry, strlen(entry) + 1);
	if (!cut(text, &host, &port_text))
		return refuse(entry, err);
	found.ipv6 = host != text;
	if (inet_pton(found.ipv6 ? AF_INET6 : AF_INET, host, found.address) != 1)
		return refuse(entry, err);
	r = quantity_parse_count(port_text, 1, UINT16_MAX, false, &port, err);
	if (r < 0) {
		error_prefix(err, "port");
		return r;
	}
	found.port = (uint16_t)port;
	*ret = found;
	return 0;
}

void listen_read_list(const struct strings *list, struct listen_address *ret)
{
	assert(list->count <= LISTEN_MAX);
	for (size_t i = 0; i < list->count; i++) {
		struct error err;
		int r = listen_parse(list->items[i], &ret[i], &err);

		assert(r == 0);
		(void)r;
	}
}

bool listen_is_same(const struct listen_address *a, const struct listen_address *b)
{
	return strcmp(a->path, b->path) == 0 && a->ipv6 == b->ipv6 && a->port == b->port &&
	       memcmp(a->address, b->address, sizeof(a->address)) == 0;
}

static void join_names(const struct strings *list, char *text, size_t size)
{
	struct listen_address addresses[LISTEN_MAX] = { 0 };
	size_t used = 0;

	listen_read_list(list, addresses);
	for (size_t i = 0; i < list->count; i++) {
		const struct listen_address *address = &addresses[i];
		const char *before = i > 0 ? ":" : "";

		if (address->path[0] != '\0')
			used += (size_t)snprintf(text + used, size - used, "%s%s", before,
						 path_base_name(address->path));
		else
			used += (size_t)snprintf(text + used, size - used, "%s%" PRIu16, before,
						 address->port);
	}
}

int listen_set_environment(const struct strings *list, struct strings *environment,
			   struct error *err)
{
	char names[LISTEN_MAX * (LISTEN_PATH_MAX + 1)] = "", count[8];
	int r;

	if (list->count == 0)
		return 0;
	join_names(list, names, sizeof(names));
	snprintf(count, sizeof(count), "%zu", list->count);
	r = strings_env_set(environment, "LISTEN_FDS", count, err);
	if (r == 0)
		r = strings_env_set(environment, "LISTEN_FDNAMES", names, err);
	return r < 0 ? r : strings_env_set(environment, "LISTEN_PID", "0000000000", err);
}
