/* SPDX-License-Identifier: MIT */
/*
 * Who a process is and what it may become. Two halves: identity_seal() closes, for the launcher and
 * all it will start, every way to gain a privilege; the other functions give up what is held.
 */
#pragma once

#include "sandbox/launcher.h"

/* Step. Empty bounding and ambient sets, locked securebits, no_new_privs. What is permitted now
 * stays so, for the work that is left. */
int identity_seal(struct launcher *launcher, struct error *err);

/* Step, once the worker runs. uid 0 stays, of the capabilities CAP_KILL alone. */
int identity_keep_kill(struct launcher *launcher, struct error *err);

/* In the worker: no allocation, 0 or a negative errno. */
int identity_become(const struct plan *plan);
int identity_drop_all(void);
