/* SPDX-License-Identifier: MIT */
#include "supervisor/filter_store.h"

#include "policy/filter_entry.h"
#include "policy/own.h"
#include "policy/profile.h"
#include "supervisor/file.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define MAKER_MAX 512
#define ENTRY_MAX (PROFILE_SIZE_MAX + BPF_MAXINSNS * sizeof(struct sock_filter) + 1024)
#define NAME_SIZE 128 /* of a file: a profile's name, a suffix, a pid */

/* All that can make another program of the same profile. */
static int name_maker(char maker[MAKER_MAX], struct error *err)
{
	const struct scmp_version *library = seccomp_version();
	struct utsname kernel;
	struct stat program;

	if (stat("/proc/self/exe", &program) < 0 || uname(&kernel) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "kept filter: /proc/self/exe");
	snprintf(maker, MAKER_MAX,
		 "pysbx " PYSBX_VERSION " %lld %lld.%09ld libseccomp %u.%u.%u %s %s\n",
		 (long long)program.st_size, (long long)program.st_mtim.tv_sec,
		 program.st_mtim.tv_nsec, library->major, library->minor, library->micro,
		 kernel.machine, kernel.release);
	return 0;
}

/* Nobody but us may have written there. */
static int check_ours(int fd, mode_t type, struct error *err)
{
	struct stat file;

	if (fstat(fd, &file) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "kept filter: fstat");
	if ((file.st_mode & S_IFMT) != type || file.st_uid != geteuid() ||
	    (file.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return error_set(err, ERROR_INVALID, 0,
				 "kept filter: others than uid %u can write to it", geteuid());
	return 0;
}

static int open_directory(const char *directory, int *ret_fd, struct error *err)
{
	_cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "kept filter: %s", directory);
	r = check_ours(fd, S_IFDIR, err);
	if (r >= 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

static int read_entry(int directory, const char *file_name, char **ret_bytes, size_t *ret_size,
		      struct error *err)
{
	_cleanup_close_ int fd =
		openat(directory, file_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	_cleanup_free_ char *bytes = NULL;
	struct stat file;
	size_t size;
	int r;

	if (fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "kept filter: %s", file_name);
	r = check_ours(fd, S_IFREG, err);
	if (r < 0)
		return r;
	if (fstat(fd, &file) < 0 || file.st_size <= 0 || (size_t)file.st_size > ENTRY_MAX)
		return error_set(err, ERROR_INVALID, 0, "kept filter: %s: its size", file_name);
	size = (size_t)file.st_size;
	bytes = malloc(size);
	if (bytes == NULL)
		return error_no_memory(err);
	if (pread(fd, bytes, size, 0) != (ssize_t)size)
		return error_set(err, ERROR_SYSTEM, EIO, "kept filter: read %s", file_name);
	*ret_bytes = TAKE_PTR(bytes);
	*ret_size = size;
	return 0;
}

int filter_store_get(const char *directory, const char *name, const char *text, size_t length,
		     struct sock_filter **ret_program, size_t *ret_count, struct error *err)
{
	_cleanup_close_ int directory_fd = -1;
	_cleanup_free_ char *bytes = NULL;
	char maker[MAKER_MAX], file_name[NAME_SIZE];
	const struct filter_entry_key key = { maker, text, length };
	size_t size = 0;
	int r;

	snprintf(file_name, sizeof(file_name), "%s.filter", name);
	r = name_maker(maker, err);
	if (r >= 0)
		r = open_directory(directory, &directory_fd, err);
	if (r >= 0)
		r = read_entry(directory_fd, file_name, &bytes, &size, err);
	return r < 0 ? r : filter_entry_decode(&key, bytes, size, ret_program, ret_count, err);
}

/* Two that write at once have files of their own; the last one's stays. */
static int write_entry(int directory, const char *file_name, const char *bytes, size_t size,
		       struct error *err)
{
	char temporary[NAME_SIZE + 16];
	_cleanup_close_ int fd = -1;
	int r;

	snprintf(temporary, sizeof(temporary), ".%s.%d", file_name, (int)getpid());
	fd = openat(directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "keep the filter: %s", temporary);
	r = file_write_whole(fd, bytes, size);
	if (r >= 0 && renameat(directory, temporary, directory, file_name) < 0)
		r = -errno;
	if (r >= 0)
		return 0;
	(void)unlinkat(directory, temporary, 0);
	return error_set(err, ERROR_SYSTEM, -r, "keep the filter: %s", file_name);
}

int filter_store_put(const char *directory, const char *name, const char *text, size_t length,
		     const struct sock_filter *program, size_t count, struct error *err)
{
	_cleanup_close_ int directory_fd = -1;
	_cleanup_free_ char *bytes = NULL;
	char maker[MAKER_MAX], file_name[NAME_SIZE];
	const struct filter_entry_key key = { maker, text, length };
	size_t size = 0;
	int r;

	snprintf(file_name, sizeof(file_name), "%s.filter", name);
	r = name_maker(maker, err);
	if (r >= 0)
		r = file_make_directory(directory, 0700, 0755, err);
	if (r >= 0)
		r = open_directory(directory, &directory_fd, err);
	if (r >= 0)
		r = filter_entry_encode(&key, program, count, &bytes, &size, err);
	return r < 0 ? r : write_entry(directory_fd, file_name, bytes, size, err);
}
