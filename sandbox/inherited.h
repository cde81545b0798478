/* SPDX-License-Identifier: MIT */
/*
 * The sockets that the worker is to listen on (sd_listen_fds(3)). They are the supervisor's, come
 * with the first record on the socket, and stay open here as well: a supervisor that comes later is
 * given them, and what waits in their queues is not lost.
 */
#pragma once

#include "sandbox/launcher.h"

/* Step, after the plan is read: as many as it says. */
int inherited_take(struct launcher *launcher, struct error *err);

/* In the worker, where all its other fds are above LAUNCH_FD_HIGH: onto 3 and up, with its own pid
 * in LISTEN_PID. Returns the first number that is free, or a negative errno. */
int inherited_pass(const struct launcher *launcher);
