/* SPDX-License-Identifier: MIT */
/*
 * The error contract of the whole tree.
 *
 * A fallible function returns 0 (or a count, or an fd) on success and a negative errno on failure;
 * on failure it fills `struct error *err`, its last parameter, and leaves its ret_ parameters
 * untouched. `err` is never NULL. The text reads outermost first, so each level that knows the
 * object prefixes it: "app web: cgroup: write memory.max: Invalid argument".
 *
 * A struct error is a plain value: no allocation, no pointer, small enough for one atomic pipe
 * write (PIPE_BUF, 4096 bytes).
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* Maps one to one to a JSON error name and to an exit code of the command line. */
enum error_kind {
	ERROR_NONE,
	ERROR_USAGE,   /* the command line itself is wrong */
	ERROR_INVALID, /* a value in a spec, profile or file is wrong; the text names its JSON path
			*/
	ERROR_NOT_FOUND,      /* the command to run does not exist */
	ERROR_NOT_EXECUTABLE, /* the command exists and cannot be executed */
	ERROR_DENIED,	      /* the caller may not do this */
	ERROR_UNSUPPORTED,    /* the kernel or the system lacks something that is required */
	ERROR_UNREACHABLE,    /* a service that is needed does not answer */
	ERROR_SYSTEM,	      /* a system call failed for a reason of its own */
	ERROR_NO_MEMORY,
	ERROR_INTERNAL, /* our own bug */
	ERROR_CONFLICT, /* not possible in the state that things are in */
	ERROR_TOO_MANY, /* a bound on numbers, sizes or rates is reached */
	ERROR_FAILED,	/* what was asked for was tried, and the app itself failed at it */
	ERROR_KIND_COUNT,
};

#define ERROR_TEXT_MAX 1000
#define ERROR_PATH_MAX 160

struct error {
	enum error_kind kind;
	int errnum; /* positive errno, 0 if there is none to name */
	char text[ERROR_TEXT_MAX];
	char path[ERROR_PATH_MAX]; /* of the JSON value that is wrong: "limits.io", "" if none is */
};

/* Sets kind, errno and text; when errnum is not 0, ": strerror" is appended.
 * Returns -errnum, or -EINVAL when errnum is 0, so that a raise is one line. */
int error_set(struct error *err, enum error_kind kind, int errnum, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Takes off what error_set appended, for whoever says in the words of his own libc what errnum
 * means. Not there, be it for a text that was cut, it takes off nothing. */
void error_drop_errno(struct error *err);

/* Names the JSON value that is wrong, for programs; the text, for people, has it already. Too long
 * a path is cut. */
void error_set_path(struct error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Says to compiler and analyzer what the contract says: a raise is never a success. */
static inline int error_raised(int negative)
{
	if (negative >= 0)
		__builtin_unreachable();
	return negative;
}
#define error_set(...) error_raised((error_set)(__VA_ARGS__))

/* Puts "FORMATTED: " before the text that is there. Too long a text is cut at its end. */
void error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ERROR_NO_MEMORY with ENOMEM: returns -ENOMEM. */
int error_no_memory(struct error *err);
#define error_no_memory(err) error_raised((error_no_memory)(err))

/* Stable lower-case name of a kind, as in JSON: "invalid", "not-found". Never NULL. */
const char *error_kind_name(enum error_kind kind);

/* 125, 126 (not executable) or 127 (not found): see pysbx(1). 0 for ERROR_NONE. */
int error_exit_code(enum error_kind kind);
