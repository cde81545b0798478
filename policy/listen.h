/* SPDX-License-Identifier: MIT */
/*
 * The addresses of `listen`: stream sockets that pysbx opens and holds, and hands to the app by the
 * protocol of sd_listen_fds(3).
 *
 *   127.0.0.1:8000                     IPv4
 *   [::1]:8000                         IPv6; [::]:8000 is IPv6 alone
 *   unix:/run/pysbx/listen/blog.sock   a unix socket, in a directory that is root's alone
 */
#pragma once

#include "policy/error.h"
#include "policy/strings.h"

#include <stdbool.h>
#include <stdint.h>

#define LISTEN_MAX	  8
#define LISTEN_ENTRY_MAX  63   /* bytes of an address and a port */
#define LISTEN_PATH_MAX	  107  /* bytes of a path: sun_path without its NUL */
#define LISTEN_PRIVILEGED 1024 /* ports below are the administrator's to give */
#define LISTEN_FD_FIRST	  3    /* SD_LISTEN_FDS_START */

/* Made where it is missing; a tenant's app may have NAME.sock in it, and no other path. */
#define LISTEN_DIRECTORY "/run/pysbx/listen"

struct listen_address {
	char path[LISTEN_PATH_MAX + 1]; /* of a unix socket, and nothing else is set; "": TCP */
	bool ipv6;
	uint8_t address[16]; /* network order, IPv4 in the first 4 */
	uint16_t port;	     /* host order */
};

/* ERROR_INVALID quotes the entry and says what to write, without naming the field. */
int listen_parse(const char *entry, struct listen_address *ret, struct error *err);

/* A whole list that was validated, each entry read again; `ret` has room for LISTEN_MAX. */
void listen_read_list(const struct strings *list, struct listen_address *ret);

/* Both take the same connections. */
bool listen_is_same(const struct listen_address *a, const struct listen_address *b);

/* LISTEN_FDS, LISTEN_FDNAMES (the ports, and the names of unix sockets' files) and a LISTEN_PID to
 * be filled in by the process itself, with room for any pid. What the environment said about them
 * before is gone. */
int listen_set_environment(const struct strings *list, struct strings *environment,
			   struct error *err);
