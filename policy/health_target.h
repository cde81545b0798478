/* SPDX-License-Identifier: MIT */
/*
 * Where a health check asks, and what counts as an answer.
 *
 *   http://127.0.0.1:8000/healthz          IPv4 loopback; also http://localhost:8000/, which is
 * that http://[::1]:8000/healthz              IPv6 loopback http://unix:/run/app.sock:/healthz a
 * unix socket, spelt as in nginx's proxy_pass; its path is as the app itself sees it
 *
 * It is root that connects, at a tenant's word: so to no other machine, no name that would have to
 * be looked up, and not to this machine's other addresses, which firewalls take for others. That
 * the port is the app's own is found out at each probe (supervisor/probe.h).
 *
 * The answer is a status: 200 to 399 is well. Of all that is sent back only the beginning of the
 * first line is looked at.
 */
#pragma once

#include "policy/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEALTH_URL_MAX	       255 /* bytes */
#define HEALTH_URI_MAX	       HEALTH_URL_MAX
#define HEALTH_HOST_MAX	       253 /* bytes: a DNS name */
#define HEALTH_SOCKET_PATH_MAX 107 /* bytes: sun_path without its NUL */
#define HEALTH_REQUEST_MAX     (HEALTH_URI_MAX + HEALTH_HOST_MAX + 128)
#define HEALTH_STATUS_LENGTH   13 /* "HTTP/1.1 200 " */

struct health_target {
	bool is_unix;
	char path[HEALTH_SOCKET_PATH_MAX + 1]; /* is_unix: absolute, in normal form */
	bool ipv6;
	uint8_t address[16]; /* network order, IPv4 in the first 4 */
	uint16_t port;	     /* host order */
	char authority[64];  /* for the Host header: "127.0.0.1:8000", "localhost" */
	char uri[HEALTH_URI_MAX + 1];
};

/* ERROR_INVALID quotes the URL and says what to write, without naming the field. */
int health_target_parse(const char *url, struct health_target *ret, struct error *err);

/* What may stand in a Host header: a name or an address, and perhaps a port. */
int health_host_check(const char *host, struct error *err);

/* The request, ready to be sent; host: NULL for that of the target. Returns its length. */
size_t health_request(const struct health_target *target, const char *host,
		      char text[static HEALTH_REQUEST_MAX]);

/* The status in the first HEALTH_STATUS_LENGTH bytes (100 to 599). -EAGAIN: as far as it goes it is
 * one, and more is needed. -EPROTO: it is no answer in HTTP/1. */
int health_read_status(const char *bytes, size_t length, int *ret_status);

static inline bool health_status_is_well(int status)
{
	return status >= 200 && status <= 399;
}
