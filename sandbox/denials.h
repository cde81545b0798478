/* SPDX-License-Identifier: MIT */
/*
 * What the filter refuses, told (seccomp_unotify(2)). The worker has loaded a program in which
 * refusals are questions (policy/denial.h), and has handed us the listener. Each question is
 * answered with what the profile's own program says, so that nothing is decided here. A call that
 * has not been told yet is told first (LAUNCH_DENIED), and its caller waits until the supervisor
 * has looked at it, or LAUNCH_DENIAL_USEC. Nobody waits for a supervisor that is not there.
 *
 * The worker is hostile, and we are outside its limits: so many questions a second are taken (the
 * next caller waits, at its own expense), so many are told in a window of time, and so many
 * different ones are remembered.
 */
#pragma once

#include "policy/rate.h"
#include "sandbox/keeper.h"

#include <linux/seccomp.h>

#define DENIALS_PER_SECOND 500
/* And no more than what takes so much of our own processor time a second: 500 are 8 ms where an
 * answer takes 17 us, and a quarter of an emulated processor. Who tries a thousand descriptors, as
 * some do at their start, must not wait for long. */
#define DENIALS_BUDGET_NSEC    UINT64_C(50000000)
#define DENIALS_PER_SECOND_MIN 100
#define DENIALS_MEASURED       32 /* answers, after each of which it is looked how long they took */
/* Where they are permitted, which is an administrator's word, a busy app makes many: what it makes
 * all the time is to be slowed little, and the answers must not take more than half a core. */
#define DENIALS_PERMITTED_PER_SECOND 20000
/* How often the refusals of what was told already are counted for the supervisor. */
#define DENIALS_COUNT_NSEC  UINT64_C(1000000000)
#define DENIALS_WINDOW_NSEC UINT64_C(60000000000)
/* Told in a window, and remembered in all: what is refused is a sign that something is wrong, and
 * some lines show it; where refusals are permitted, a whole profile may be learnt from them. */
#define DENIALS_TOLD_MAX  8
#define DENIALS_KNOWN_MAX 64

struct denials {
	struct keeper *keeper;
	int listener; /* -1: none, or nobody is left to ask */
	bool permit, all;
	struct rate rate;
	uint64_t rest_until; /* nsec: no question is taken before */
	unsigned measured;   /* answers since ... */
	uint64_t used_nsec;  /* ... this much processor time had been used */
	struct seccomp_data *known;
	size_t known_count, oldest;
	uint64_t window_end; /* nsec */
	unsigned told;	     /* in this window */
	uint64_t untold;
	uint64_t repeated;    /* refusals of what was told, not counted yet */
	uint64_t count_after; /* nsec: they are not counted sooner */
	/* the one that waits to be looked at; held_until is 0 if none does */
	uint64_t held_until, held_id;
	int held_errnum;
};

/* The program for the worker in place of launcher->filter, if refusals are to be told and can be:
 * a profile that lets nobody send the listener is loaded as it is. Where calls are to be permitted,
 * now or later, that is an error: nothing could be. *ret->filter is the caller's, or NULL. */
int denials_program(const struct launcher *launcher, struct sock_fprog *ret, struct error *err);

/* In the worker's place: loads `program` and sends the listener through `status`. A negative errno;
 * -EBUSY: there is a listener already, around us. */
int denials_load(const struct sock_fprog *program, int status);

/* How many a second, if DENIALS_MEASURED of them took so much processor time. */
uint64_t denials_rate(uint64_t nsec);

void denials_init(struct denials *denials, struct keeper *keeper);

/* What to poll for, and when to come back at the latest (nsec, KEEPER_NEVER). */
struct pollfd denials_watch(const struct denials *denials, uint64_t now);
uint64_t denials_deadline(const struct denials *denials, uint64_t now);
void denials_handle(struct denials *denials, short revents, uint64_t now);

/* LAUNCH_HEARD, LAUNCH_PERMIT */
void denials_heard(struct denials *denials);
void denials_permit(struct denials *denials, uint64_t now);
