/* SPDX-License-Identifier: MIT */
/* What the launcher is given: are the fds what they should be, and what do plan and filter say? */
#pragma once

#include "sandbox/launcher.h"

/* Step. Checks LAUNCH_FD_* and closes all fds above them. */
int plan_read_fds(struct launcher *launcher, struct error *err);

/* Steps. Read and check the sealed memfds, and close them. */
int plan_read(struct launcher *launcher, struct error *err);
int plan_read_filter(struct launcher *launcher, struct error *err);
