/* SPDX-License-Identifier: MIT */
/*
 * Unix sockets whose other end is a tenant's, in a process that must not wait for it.
 *
 * Who sends a descriptor along with its bytes leaves the last close of it to the reader, also to
 * one that takes no descriptors, and to whoever closes a socket that has not been read to its end.
 * The last close of a TCP socket with SO_LINGER waits until what was sent has arrived, for hours if
 * its sender likes, whether it is non-blocking or not. A signal ends that wait, and only the wait:
 * so one comes where either of these takes long. It is SIGALRM, by ITIMER_REAL; no more of both is
 * left than a handler that does nothing.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* recv(2) without blocking. */
ssize_t foreign_socket_read(int fd, void *bytes, size_t size);

/* Like close_and_clear(). */
void foreign_socket_close(int *fd);

#define _cleanup_foreign_socket_ __attribute__((cleanup(foreign_socket_close)))
