/* SPDX-License-Identifier: MIT */
/*
 * Attempts to get out of a sandbox, or to reach what is none of a worker's business: one table that
 * is used three times. The tests run it as the worker and expect that each attempt is refused; they
 * run it as root and without a sandbox to see that the attempts can succeed at all; and
 * tests/bench/doors runs it in the sandboxes of others.
 *
 * An attempt is carried out in a process of its own and says what the kernel answered. It leaves
 * nothing behind but what it was made to leave behind.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#define ATTEMPT_ARGUMENTS_MAX 6

/* What an attempt answers with: 0, it succeeded; a negative errno, it was refused; or this: what it
 * is made on is not there (ATTEMPT_... in the environment), so it was not carried out. */
#define NOT_TRIED 1

/* Refusals. What a call with bad arguments answers otherwise (EINVAL, EFAULT, EBADF ...) says that
 * the kernel was reached, and judged them. */
#define REFUSED	  "EPERM ENOSYS"
#define NOT_THERE "ENOENT"
#define NO_FAMILY "EPERM EACCES EAFNOSUPPORT EPROTONOSUPPORT"

struct attempt {
	const char *name;
	const char *about;    /* the escape or class it belongs to; NULL: what its group is about */
	const char *expected; /* errnos, or signals, that are a refusal; NULL: REFUSED */
	bool control;	      /* succeeds for root without a sandbox */
	bool door;	      /* a way into the kernel, counted by tests/bench/doors */

	/* a function, or else a system call as it stands */
	int (*act)(void);
	long number;
	long arguments[ATTEMPT_ARGUMENTS_MAX];
};

/* Strings and buffers as arguments of a call. */
#define P(pointer)	   ((long)(pointer))
#define CALL(number_, ...) .number = (number_), .arguments = { __VA_ARGS__ }

struct attempt_group {
	const char *name;
	const char *about;
	const struct attempt *attempts;
	size_t count;
};

extern const struct attempt_group group_mounts, group_namespaces, group_processes, group_identity,
	group_kernel, group_abi, group_sockets, group_ioctls, group_files, group_proc,
	group_devices, group_neighbours, group_open;

/* --- for attempts ----------------------------------------------------------------------------- */

/* What a call returned, as an attempt answers. */
static inline int answer(long result)
{
	return result < 0 ? -errno : 0;
}

/* open(2) and close: the file could be opened. Flags as there. */
int try_open(const char *path, int flags);
/* The file could be opened and written to. */
int try_write(const char *path, const char *text);
/* The file could be opened, and has a byte in it. */
int try_read(const char *path);

/* A path below the directory that a variable names, in a static buffer; NULL: no such variable. */
const char *bait_path(const char *variable, const char *name);
/* The number in a variable; 0: none. */
long bait_number(const char *variable);

/* The attempt of the child of a fork: what it answers. */
int in_child(int (*act)(void *argument), void *argument);
