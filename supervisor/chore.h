/* SPDX-License-Identifier: MIT */
/*
 * A child of ours for one thing that can take long: a write in which the kernel reclaims, a read
 * that a worker can hold up. The loop goes on meanwhile, hears of the child's end, and what it says
 * of it in a line. One that takes too long is killed, and says nothing.
 */
#pragma once

#include "policy/error.h"

#include <systemd/sd-event.h>

#define CHORE_RESULT_MAX 256

struct chore;

/* In the child. dir: the directory that it is about; no other descriptor is open but
 * stdin, stdout and stderr. result is "" at first, and what is put there is handed over. */
typedef void chore_function(int dir, const void *argument, char result[static CHORE_RESULT_MAX]);
/* result: "" if it has nothing to say, or was killed. The chore is gone by then. */
typedef void chore_callback(const char *result, void *userdata);

/* argument is copied with the child, and needs to live no longer than this call. ret may be NULL;
 * else *ret is for chore_cancel(), until the callback is called. */
int chore_start(sd_event *event, int dir, chore_function *function, const void *argument,
		uint64_t patience_usec, chore_callback *callback, void *userdata,
		struct chore **ret, struct error *err);

/* Kills it; nothing is called back. NULL is fine. */
void chore_cancel(struct chore *chore);
