/* SPDX-License-Identifier: MIT */
/*
 * The sockets of `listen`, held for an app: connections wait in their queues while its worker is
 * started again. Its launcher holds them too, so that they outlive this process
 * (policy/launch_message.h).
 */
#pragma once

#include "policy/listen.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct listeners { /* zero-initialised: none */
	int fds[LISTEN_MAX];
	size_t count;
};

/* Makes them those of `list` (validated): what is held already stays, with whoever waits in it;
 * what is held and isn't named any more ends. They accept, and can't be made to connect. What takes
 * no connections any more is made anew: a unix socket whose file has gone, and one that a worker
 * has shut down, which ret_shut tells for each entry. root_fd: a cgroup that may get one below it.
 * ERROR_SYSTEM and ERROR_INVALID name the entry or its path, ERROR_UNSUPPORTED is that of
 * egress_close(); of what is held already, that which would have stayed stays then. */
int listeners_hold(struct listeners *listeners, const struct strings *list, int root_fd,
		   bool ret_shut[static LISTEN_MAX], struct error *err);

/* Takes over fds, up to the first that is -1; what was held is closed. */
void listeners_take(struct listeners *listeners, int fds[static LISTEN_MAX]);

/* Lets go of them: whoever else holds them goes on. */
void listeners_close(struct listeners *listeners);
/* The same where nobody shall: files of unix sockets are removed. */
void listeners_end(struct listeners *listeners);

/* Does one of them take connections to this address? The kernel is asked, not a declaration: what
 * is held stays what it was until the app's next start. */
bool listeners_serve(const struct listeners *listeners, const struct listen_address *address);

/* Connections that wait to be accepted, and for how many there is room, of those held on TCP: the
 * kernel tells it of no other kind by a descriptor. */
void listeners_count_waiting(const struct listeners *listeners, uint64_t *ret_waiting,
			     uint64_t *ret_room);
