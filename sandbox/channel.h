/* SPDX-License-Identifier: MIT */
/* The launcher's end of the socket to the supervisor, LAUNCH_FD_SOCKET. */
#pragma once

#include "policy/launch_message.h"
#include "policy/listen.h"

#include <stddef.h>

#define CHANNEL_FDS_MAX LISTEN_MAX

/* Fills version and type in *message and sends it with `count` fds, without waiting: the few
 * records of one connection always find room. ERROR_UNREACHABLE if the supervisor is gone. */
int channel_send(enum launch_message_type type, struct launch_message *message, const int *fds,
		 size_t count, struct error *err);

/* One record, without waiting. 1 with *ret filled; 0 if there is none now, or it made no sense (it
 * is dropped); -ECONNRESET when the supervisor has hung up. */
int channel_receive(struct launch_message *ret);
