/* SPDX-License-Identifier: MIT */
#include "supervisor/log_file.h"

#include "policy/own.h"
#include "supervisor/file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A spec's name, ".log." and a number. */
#define NAME_ROOM (SPEC_NAME_MAX + 32)

static void name_file(char *buffer, const char *name, uint64_t number)
{
	if (number == 0)
		snprintf(buffer, NAME_ROOM, "%s.log", name);
	else
		snprintf(buffer, NAME_ROOM, "%s.log.%llu", name, (unsigned long long)number);
}

int log_file_open_directory(const char *path, struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (path[0] != '/')
		return error_set(err, ERROR_INVALID, 0, "%s: not an absolute path", path);
	r = file_make_directory(path, LOG_FILE_DIRECTORY_MODE, 0755, err);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "open %s", path);
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return error_set(err, ERROR_DENIED, EPERM,
				 "%s: others may write there; chown root and chmod 0750 it", path);
	return TAKE_FD(fd);
}

/* A FIFO or device in place of the file would block the loop, or worse. */
static int open_file(struct log_file *file, int directory, const char *name, struct stat *st,
		     struct error *err)
{
	char path[NAME_ROOM];

	name_file(path, name, 0);
	if (directory < 0)
		return error_set(err, ERROR_SYSTEM, EBADF, "log file %s: no directory for it",
				 path);
	file->fd = openat(directory, path,
			  O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
				  O_CLOEXEC,
			  LOG_FILE_MODE);
	if (file->fd < 0 || fstat(file->fd, st) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "log file %s", path);
	if (!S_ISREG(st->st_mode)) {
		log_file_close(file);
		return error_set(err, ERROR_INVALID, EINVAL, "log file %s: not a regular file",
				 path);
	}
	/* A new one gets its mode whatever our umask is; one that has lines keeps its owner's
	 * choice. */
	if (st->st_size == 0 && fchmod(file->fd, LOG_FILE_MODE) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "log file %s: chmod", path);
	return 0;
}

/* NAME.log.1 to .2 and so on, the oldest first, NAME.log at last. What is not there is skipped; a
 * number that is missing only leaves a gap. keep is bounded by SPEC_LOG_KEEP_LIMIT. */
static int rotate(struct log_file *file, int directory, const char *name, uint64_t keep,
		  struct error *err)
{
	char from[NAME_ROOM], to[NAME_ROOM];

	log_file_close(file);
	file->torn = false;
	if (keep == 0) {
		name_file(from, name, 0);
		if (unlinkat(directory, from, 0) < 0 && errno != ENOENT)
			return error_set(err, ERROR_SYSTEM, errno, "log file %s: remove", from);
		return 0;
	}
	for (uint64_t number = keep; number > 0; number--) {
		name_file(from, name, number - 1);
		name_file(to, name, number);
		if (renameat(directory, from, directory, to) < 0 && errno != ENOENT)
			return error_set(err, ERROR_SYSTEM, errno, "log file %s: rename to %s",
					 from, to);
	}
	return 0;
}

/* Is NAME.log still the file that is open? */
static bool is_still_there(int directory, const char *name, const struct stat *open)
{
	char path[NAME_ROOM];
	struct stat st;

	name_file(path, name, 0);
	return fstatat(directory, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_ino == open->st_ino && st.st_dev == open->st_dev;
}

/* Leaves a file open that has room for `length`. */
static int prepare(struct log_file *file, int directory, const char *name,
		   const struct log_policy *policy, size_t length, struct error *err)
{
	struct stat st = { 0 };
	int r;

	if (file->fd >= 0 && (fstat(file->fd, &st) < 0 || !is_still_there(directory, name, &st)))
		log_file_close(file);
	if (file->fd < 0) {
		r = open_file(file, directory, name, &st, err);
		if (r < 0)
			return r;
	}
	if (st.st_size == 0 || (uint64_t)st.st_size + length <= policy->max_size)
		return 0;
	r = rotate(file, directory, name, policy->keep, err);
	return r < 0 ? r : open_file(file, directory, name, &st, err);
}

static ssize_t append(struct log_file *file, const char *data, size_t length)
{
	ssize_t n;

	do
		n = write(file->fd, data, length);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t log_file_write(struct log_file *file, int directory, const char *name,
		       const struct log_policy *policy, const char *data, size_t length,
		       struct error *err)
{
	ssize_t n = prepare(file, directory, name, policy, length, err);

	if (n < 0)
		return n;
	if (file->torn) {
		n = append(file, "\n", 1);
		file->torn = n != 1;
	}
	if (n >= 0)
		n = append(file, data, length);
	if (n < 0)
		return error_set(err, ERROR_SYSTEM, (int)-n, "log file %s.log", name);
	if (n > 0)
		file->torn = data[n - 1] != '\n';
	return n;
}

void log_file_close(struct log_file *file)
{
	close_and_clear(&file->fd);
}
