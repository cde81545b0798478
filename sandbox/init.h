/* SPDX-License-Identifier: MIT */
/*
 * The launcher once the worker runs: init of the PID namespace, and keeper of the worker's status.
 */
#pragma once

#include "sandbox/launcher.h"

/* Blocks the signals that the init will read, so that none is lost before it runs: the kernel drops
 * an unblocked signal to a pid 1 that has no handler for it. From here on a child that is stopped
 * or continued sends no SIGCHLD. */
void init_block_signals(void);

/* Says LAUNCH_RUNNING, and returns when the worker has ended and its end has been collected, or
 * nobody is left to collect it, and nobody is expected either. */
int init_run(struct launcher *launcher, struct error *err);

/* With `keep`: says LAUNCH_FAILED, now and to every supervisor that comes, and returns when it has
 * been collected. */
void init_keep_failure(struct launcher *launcher, const struct launch_message *failure);
