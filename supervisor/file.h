/* SPDX-License-Identifier: MIT */
/*
 * Small files, whole: the kernel's (cgroup, proc) and our own. Relative to a directory fd where
 * there is one. Text is NUL-terminated; what does not fit is an error, never cut.
 */
#pragma once

#include "policy/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define FILE_KERNEL_MAX 16384 /* larger than memory.stat or a cgroup.procs of 2,000 pids */

/* Reads dirfd/name (or name alone with AT_FDCWD) into buffer. Returns the length. */
int file_read_at(int dirfd, const char *name, char *buffer, size_t size, struct error *err);

/* /proc/PID/name, at most size - 1 bytes of it: a worker may make its arguments as long as it
 * likes. NUL-terminated. Returns the length, 0 if it cannot be read. */
size_t file_read_proc(pid_t pid, const char *name, char *buffer, size_t size);

/* As file_read_at, from the start of a kept-open fd with pread: this also re-arms POLLPRI. */
int file_read_fd(int fd, char *buffer, size_t size, struct error *err);

/* Reads a regular file of at most max bytes. *ret_text is NUL-terminated and the caller's. */
int file_read_whole(const char *path, size_t max, char **ret_text, size_t *ret_length,
		    struct error *err);

/* One write(2) of the whole text: what cgroup files want. */
int file_write_at(int dirfd, const char *name, const char *text, struct error *err);

/* All of it, however many writes that takes. 0 or a negative errno. */
int file_write_whole(int fd, const char *data, size_t length);

/* Makes a directory and its parents where they are missing, with these modes whatever the umask is;
 * what is there stays as it is. */
int file_make_directory(const char *path, mode_t mode, mode_t mode_of_parents, struct error *err);

/* A memfd with these bytes, sealed against every change, close-on-exec, offset 0. executable: may
 * be given to execveat(2). */
int file_sealed_memfd(const char *name, const void *data, size_t length, bool executable,
		      int *ret_fd, struct error *err);
