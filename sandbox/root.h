/* SPDX-License-Identifier: MIT */
/* The worker's root file system, built from the plan's mount steps. */
#pragma once

#include "sandbox/launcher.h"

/* Step. Afterwards "/" is the new root, read-only, and nothing of the host's tree is reachable. */
int root_build(struct launcher *launcher, struct error *err);
