/* SPDX-License-Identifier: MIT */
/*
 * The sockets at which launchers and the anchor are found again: SOCK_SEQPACKET, bound by the
 * supervisor, accepted on by who is to outlive it. Their directory is root's alone (0700).
 */
#pragma once

#include "policy/error.h"

#define KEEPER_BACKLOG 4

/* Binds path, in place of a socket that lies there, with mode 0600, and listens. ERROR_INVALID if
 * the path is longer than a unix socket's may be. */
int keeper_socket_listen(const char *path, int *ret_fd, struct error *err);

/* Connects; the socket is non-blocking. ERROR_NOT_FOUND: nobody listens there any more;
 * ERROR_UNREACHABLE: somebody does, and does not take connections. */
int keeper_socket_connect(const char *path, int *ret_fd, struct error *err);
