/* SPDX-License-Identifier: MIT */
/*
 * Unix sockets of `listen`, in the file system. Root makes and removes them, so nobody else may
 * have a hand in where: each directory of the path has to be root's, writable for nobody else, and
 * no symbolic link. Then no tenant can exchange one of them between the look and the call, and the
 * path can be used as it stands.
 *
 * The socket is root's, with mode 0666, as those of systemd are: whoever may enter its directory
 * connects, as to a port of the loopback. Who that is, is said by the directory's own mode.
 */
#pragma once

#include "policy/error.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

/* path: at most LISTEN_PATH_MAX. Returns the address's length. */
socklen_t listen_path_address(const char *path, struct sockaddr_un *ret);

/* Binds fd, an unbound unix socket, to path (absolute, in normal form, LISTEN_PATH_MAX); of
 * LISTEN_DIRECTORY what is missing is made. A socket that nobody listens on any more gives way.
 * ERROR_INVALID where a directory is not root's alone; ERROR_SYSTEM. "PATH: TEXT". */
int listen_path_bind(int fd, const char *path, struct error *err);

/* Is what stands at path the file of fd, which was bound there? It may have been removed, and there
 * may be another's by now. Where the kernel does not say, any socket is taken for it. */
bool listen_path_is_of(int fd, const char *path);

/* Away with it, if it is the file of fd. Its directory stays. */
void listen_path_remove(int fd, const char *path);
