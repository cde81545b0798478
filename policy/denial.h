/* SPDX-License-Identifier: MIT */
/*
 * A system call that a seccomp filter has refused, in words: what it was, and the rule that would
 * allow it. Pure: the call's name is an argument, since names are libseccomp's.
 *
 * The arguments that say what a call is about (the family of a socket, the request of an ioctl, the
 * flags of a clone) are decoded, and two calls that differ in them are two. Pointers are shown as
 * such: what they point to may change under our eyes.
 *
 * And the program that makes refusals known at all: a copy of the profile's in which they are
 * questions to a listener (seccomp_unotify(2)), who answers as the profile's own program would.
 */
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DENIAL_TEXT_MAX 384 /* bytes of a call or a rule, NUL included */

/* Makes each return of EPERM a question (SECCOMP_RET_USER_NOTIF); with `all`, of any errno
 * (but 0: a call that is not made and says that it was). */
void denial_ask(struct sock_filter *program, size_t count, bool all);

/* What the profile's own program (which bpf_check has taken) says to a call: the errno that it is
 * to fail with, positive; 0 if it is not refused in that way. */
int denial_errno(const struct sock_filter *program, const struct seccomp_data *call);

/* Of these every library is made to do without: clone3, whose flags a filter can't see, and its
 * like. A profile refuses them so that an older call is made, and it stays so where refusals are
 * only looked at. */
bool denial_is_expected(const struct seccomp_data *call);

/* The same call for a report: number, architecture and telling argument. */
bool denial_is_same(const struct seccomp_data *one, const struct seccomp_data *other);

/* The arguments that say what a call is about, as far as their masks go; returns their number. *ret
 * is constant. */
#define DENIAL_TELLERS 3
struct denial_teller {
	unsigned index;
	uint64_t mask; /* 0: none, nor any after it */
};
size_t denial_tellers(const struct seccomp_data *call, const struct denial_teller **ret);

/* "socket(AF_VSOCK, SOCK_STREAM, 0)"; "keyctl(...)" where nothing is known of the arguments.
 * name NULL: "system call 999". Returns buffer. */
const char *denial_describe(const char *name, const struct seccomp_data *call,
			    char buffer[DENIAL_TEXT_MAX]);

/* The element of a profile's "syscalls" that allows just this (of a call that is refused whatever
 * its arguments are, all of it), as one line of JSON. Returns buffer; "" if there is no such name.
 */
const char *denial_rule(const char *name, const struct seccomp_data *call,
			char buffer[DENIAL_TEXT_MAX]);
