/* SPDX-License-Identifier: MIT */
/*
 * A system call that a seccomp filter has refused, in words: what it was, and the rule that would
 * allow it. Pure: the call's name is an argument, since names are libseccomp's.
 *
 * The arguments that say what a call is about (the family of a socket, the request of an ioctl, the
 * flags of a clone) are decoded, and two calls that differ in them are two. Pointers are shown as
 * such: what they point to may change under our eyes.
 */
#pragma once

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>

#define DENIAL_TEXT_MAX 256 /* bytes of a call or a rule, NUL included */

/* The same call for a report: number, architecture and telling argument. */
bool denial_is_same(const struct seccomp_data *one, const struct seccomp_data *other);

/* "socket(AF_VSOCK, SOCK_STREAM, 0)"; "keyctl(...)" where nothing is known of the arguments.
 * name NULL: "system call 999". Returns buffer. */
const char *denial_describe(const char *name, const struct seccomp_data *call,
			    char buffer[DENIAL_TEXT_MAX]);

/* The element of a profile's "syscalls" that allows just this, as one line of JSON. Returns buffer;
 * "" if there is no such name. */
const char *denial_rule(const char *name, const struct seccomp_data *call,
			char buffer[DENIAL_TEXT_MAX]);
