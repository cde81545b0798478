/* SPDX-License-Identifier: MIT */
#include "supervisor/keeper_socket.h"

#include "policy/own.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int open_socket(const char *path, struct sockaddr_un *ret_address, int *ret_fd,
		       struct error *err)
{
	size_t length = strlen(path);
	int fd;

	if (length >= sizeof(ret_address->sun_path))
		return error_set(err, ERROR_INVALID, ENAMETOOLONG, "%s", path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "socket");
	*ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret_address->sun_path, path, length);
	*ret_fd = fd;
	return 0;
}

int keeper_socket_listen(const char *path, int *ret_fd, struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_un address;
	int r;

	r = open_socket(path, &address, &fd, err);
	if (r < 0)
		return r;
	if (unlink(path) < 0 && errno != ENOENT)
		return error_set(err, ERROR_SYSTEM, errno, "remove %s", path);
	/* before bind, so that it is never there with another mode */
	if (fchmod(fd, 0600) < 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "bind %s", path);
	if (listen(fd, KEEPER_BACKLOG) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "listen on %s", path);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static enum error_kind kind_of(int errnum)
{
	switch (errnum) {
	case ECONNREFUSED:
	case ENOENT:
		return ERROR_NOT_FOUND;
	case EAGAIN:
		return ERROR_UNREACHABLE;
	default:
		return ERROR_SYSTEM;
	}
}

int keeper_socket_connect(const char *path, int *ret_fd, struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_un address;
	int r;

	r = open_socket(path, &address, &fd, err);
	if (r < 0)
		return r;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set(err, kind_of(errno), errno, "connect to %s", path);
	*ret_fd = TAKE_FD(fd);
	return 0;
}
