/* SPDX-License-Identifier: MIT */
#include "supervisor/listen_path.h"

#include "policy/listen.h"
#include "policy/own.h"
#include "policy/path.h"
#include "supervisor/file.h"
#include "supervisor/foreign_socket.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* <linux/un.h> has it, which can't be had with <sys/un.h>. */
#define SIOCUNIXFILE (SIOCPROTOPRIVATE + 0)

static int is_roots_alone(int fd, const char *path, struct error *err)
{
	struct stat stat;

	if (fstat(fd, &stat) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "%s", path);
	if (stat.st_uid != 0 || (stat.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return error_set(err, ERROR_INVALID, 0,
				 "%s: others than root can change this directory: take one of "
				 "root's alone, as " LISTEN_DIRECTORY,
				 path);
	return 0;
}

/* From / on, each directory by the one before it. `path` is cut at each '/' for a moment, so that
 * errors name how far it went. */
static int check_directories(char *path, struct error *err)
{
	_cleanup_close_ int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? error_set(err, ERROR_SYSTEM, errno, "/") : is_roots_alone(fd, "/", err);
	char *part = path + 1;

	for (char *end = strchr(part, '/'); r == 0 && end != NULL; end = strchr(part, '/')) {
		int next;

		*end = '\0';
		next = openat(fd, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = next < 0 ? error_set(err, ERROR_SYSTEM, errno, "%s", path)
			     : is_roots_alone(next, path, err);
		close_and_clear(&fd);
		fd = next;
		*end = '/';
		part = end + 1;
	}
	return r;
}

socklen_t listen_path_address(const char *path, struct sockaddr_un *ret)
{
	const size_t length = strlen(path);

	static_assert(sizeof(ret->sun_path) == LISTEN_PATH_MAX + 1, "any path fits");
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret->sun_path, path, length);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
}

/* Whoever is there must be gone, not only slow: a full queue is an answer. */
static bool nobody_listens(const struct sockaddr_un *address)
{
	_cleanup_foreign_socket_ int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
	       errno == ECONNREFUSED;
}

static int clear_the_way(const struct sockaddr_un *address, struct error *err)
{
	const char *path = address->sun_path;
	struct stat stat;

	if (lstat(path, &stat) < 0)
		return errno == ENOENT ? 0 : error_set(err, ERROR_SYSTEM, errno, "%s", path);
	if (!S_ISSOCK(stat.st_mode))
		return error_set(err, ERROR_SYSTEM, EEXIST, "%s: is there, and no socket", path);
	if (!nobody_listens(address))
		return error_set(err, ERROR_SYSTEM, EADDRINUSE, "%s", path);
	return unlink(path) < 0 ? error_set(err, ERROR_SYSTEM, errno, "remove %s", path) : 0;
}

int listen_path_bind(int fd, const char *path, struct error *err)
{
	char cut[LISTEN_PATH_MAX + 1];
	struct sockaddr_un address;
	socklen_t length;
	mode_t before;
	int r = 0;

	length = listen_path_address(path, &address);
	memcpy(cut, address.sun_path, sizeof(cut));
	if (path_is_within(path, LISTEN_DIRECTORY))
		r = file_make_directory(LISTEN_DIRECTORY, 0755, 0755, err);
	if (r == 0)
		r = check_directories(cut, err);
	if (r == 0)
		r = clear_the_way(&address, err);
	if (r < 0)
		return r;
	/* before bind, so that it is never there with another mode */
	before = umask(0);
	if (fchmod(fd, 0666) < 0 || bind(fd, (const struct sockaddr *)&address, length) < 0)
		r = error_set(err, ERROR_SYSTEM, errno, "%s", path);
	(void)umask(before);
	return r;
}

bool listen_path_is_of(int fd, const char *path)
{
	_cleanup_close_ int file = -1;
	struct stat there, bound;

	if (lstat(path, &there) < 0 || !S_ISSOCK(there.st_mode))
		return false;
	/* takes CAP_NET_ADMIN */
	file = ioctl(fd, SIOCUNIXFILE);
	return file < 0 || fstat(file, &bound) < 0 ||
	       (there.st_dev == bound.st_dev && there.st_ino == bound.st_ino);
}

void listen_path_remove(int fd, const char *path)
{
	if (listen_path_is_of(fd, path))
		(void)unlink(path);
}
