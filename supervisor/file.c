/* SPDX-License-Identifier: MIT */
#include "supervisor/file.h"

#include "policy/own.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Since Linux 6.3; harmless to define for older headers, and tried first. */
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

int file_read_fd(int fd, char *buffer, size_t size, struct error *err)
{
	size_t length = 0;

	while (length < size) {
		ssize_t n = pread(fd, buffer + length, size - length, (off_t)length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(err, ERROR_SYSTEM, errno, "read");
		if (n == 0) {
			buffer[length] = '\0';
			return (int)length;
		}
		length += (size_t)n;
	}
	return error_set(err, ERROR_SYSTEM, EFBIG, "read: more than %zu bytes", size - 1);
}

int file_read_at(int dirfd, const char *name, char *buffer, size_t size, struct error *err)
{
	_cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "open %s", name);
	r = file_read_fd(fd, buffer, size, err);
	if (r < 0)
		error_prefix(err, "%s", name);
	return r;
}

size_t file_read_proc(pid_t pid, const char *name, char *buffer, size_t size)
{
	char path[64];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, buffer, size - 1) : -1;
	buffer[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

int file_read_whole(const char *path, size_t max, char **ret_text, size_t *ret_length,
		    struct error *err)
{
	/* looked at before it is opened: opening a FIFO waits, opening a device may do anything */
	_cleanup_close_ int place = open(path, O_PATH | O_CLOEXEC), fd = -1;
	_cleanup_free_ char *text = NULL;
	char link[64];
	struct stat st;
	int length;

	if (place < 0 || fstat(place, &st) < 0)
		return error_set(err, ERROR_INVALID, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_INVALID, 0, "%s: is not a regular file", path);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", place);
	/* not waiting for whoever owns it to give back a lease (fcntl(2)) */
	fd = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return error_set(err, ERROR_INVALID, errno, "%s", path);
	if ((uint64_t)st.st_size > max)
		return error_set(err, ERROR_INVALID, EFBIG, "%s: has %lld bytes, more than %zu",
				 path, (long long)st.st_size, max);
	text = malloc((size_t)st.st_size + 2);
	if (text == NULL)
		return error_no_memory(err);
	length = file_read_fd(fd, text, (size_t)st.st_size + 2, err);
	if (length < 0) {
		error_prefix(err, "%s", path);
		return length;
	}
	*ret_text = TAKE_PTR(text);
	*ret_length = (size_t)length;
	return 0;
}

int file_write_at(int dirfd, const char *name, const char *text, struct error *err)
{
	_cleanup_close_ int fd = openat(dirfd, name, O_WRONLY | O_CLOEXEC);
	size_t length = strlen(text);
	ssize_t n;

	if (fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "open %s", name);
	do {
		n = write(fd, text, length);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_set(err, ERROR_SYSTEM, errno, "write \"%s\" to %s", text, name);
	if ((size_t)n != length)
		return error_set(err, ERROR_SYSTEM, EIO, "write \"%s\" to %s: cut short", text,
				 name);
	return 0;
}

static int memfd_open(const char *name, bool executable)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = -1;

	if (executable)
		fd = memfd_create(name, flags | MFD_EXEC);
	if (fd < 0) /* not asked for, or a kernel before 6.3, where every memfd may be executed */
		fd = memfd_create(name, flags);
	return fd;
}

static int make_one_directory(const char *path, mode_t mode, struct error *err)
{
	if (mkdir(path, 0700) < 0)
		return errno == EEXIST
			       ? 0
			       : error_set(err, ERROR_SYSTEM, errno, "make directory %s", path);
	/* the umask may have taken from it */
	return chmod(path, mode) < 0 ? error_set(err, ERROR_SYSTEM, errno, "chmod %s", path) : 0;
}

int file_make_directory(const char *path, mode_t mode, mode_t mode_of_parents, struct error *err)
{
	char partial[PATH_MAX];
	size_t length = strlen(path);
	int r = 0;

	if (length == 0 || length >= sizeof(partial))
		return error_set(err, ERROR_INVALID, ENAMETOOLONG, "\"%.64s\" is no directory path",
				 path);
	memcpy(partial, path, length + 1);
	for (char *slash = partial + 1; r >= 0 && (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		r = make_one_directory(partial, mode_of_parents, err);
		*slash = '/';
	}
	return r < 0 ? r : make_one_directory(partial, mode, err);
}

int file_sealed_memfd(const char *name, const void *data, size_t length, bool executable,
		      int *ret_fd, struct error *err)
{
	_cleanup_close_ int fd = memfd_open(name, executable);
	size_t done = 0;

	if (fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "memfd_create %s", name);
	while (done < length) {
		ssize_t n = write(fd, (const char *)data + done, length - done);

		if (n < 0 && errno != EINTR)
			return error_set(err, ERROR_SYSTEM, errno, "write memfd %s", name);
		if (n > 0)
			done += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "seal memfd %s", name);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "rewind memfd %s", name);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int file_write_whole(int fd, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, data, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		data += written;
		length -= (size_t)written;
	}
	return 0;
}
