/* SPDX-License-Identifier: MIT */
/* Any text as the URL of a health check, and any bytes as an answer to it. */
#include "policy/health_target.h"
#include "policy/own.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* Whatever the URL: one request line, to the loopback or a plain path. */
static void check_url(const char *url)
{
	struct health_target target;
	char request[HEALTH_REQUEST_MAX];
	struct error err = { 0 };

	memset(&target, 0x5a, sizeof(target));
	if (health_target_parse(url, &target, &err) < 0) {
		require(err.kind == ERROR_INVALID && target.port == 0x5a5a);
		return;
	}
	require(target.is_unix ? target.path[0] == '/' && strstr(target.path, "/../") == NULL
		: target.ipv6  ? target.address[15] == 1 && target.address[0] == 0
			       : target.address[0] == 127);
	require(health_request(&target, NULL, request) == strlen(request));
	require(strncmp(request, "GET /", 5) == 0);
	require(strncmp(strchr(request, '\r'), "\r\nHost: ", 8) == 0);
	require(strcspn(request + 4, " ") == strlen(target.uri));
}

/* A decision stays what it is, whatever comes later. */
static void check_answer(const char *bytes, size_t size)
{
	int whole = 0, r = health_read_status(bytes, size, &whole);

	require(r == 0 ? whole >= 100 && whole <= 599 : whole == 0);
	require(size >= HEALTH_STATUS_LENGTH ? r != -EAGAIN : r != 0);
	for (size_t part = 0; part < size && part < (size_t)2 * HEALTH_STATUS_LENGTH; part++) {
		int status = 0, early = health_read_status(bytes, part, &status);

		require(early == -EAGAIN || (early == r && status == whole) ||
			(early == -EPROTO && r == -EPROTO));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);

	require(text != NULL);
	check_url(text);
	check_answer((const char *)data, size);
	free(text);
	return 0;
}
