/* SPDX-License-Identifier: MIT */
/*
 * Ownership by scope. A local that owns something carries one of the _cleanup_ attributes; TAKE_PTR
 * and TAKE_FD mark the place where ownership leaves it. No function here fails or sets errno.
 */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define TAKE_PTR(pointer)                               \
	({                                              \
		__typeof__(pointer) taken_ = (pointer); \
		(pointer) = NULL;                       \
		taken_;                                 \
	})

#define TAKE_FD(fd)                   \
	({                            \
		int taken_fd_ = (fd); \
		(fd) = -1;            \
		taken_fd_;            \
	})

static inline void cleanup_free_pointer(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close_fd(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void cleanup_fclose(FILE **file)
{
	if (*file != NULL)
		fclose(*file);
}

#define _cleanup_free_	 __attribute__((cleanup(cleanup_free_pointer)))
#define _cleanup_close_	 __attribute__((cleanup(cleanup_close_fd)))
#define _cleanup_fclose_ __attribute__((cleanup(cleanup_fclose)))

/* Closes *fd if it is open and marks it closed. */
static inline void close_and_clear(int *fd)
{
	cleanup_close_fd(fd);
	*fd = -1;
}
