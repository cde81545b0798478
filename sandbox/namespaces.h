/* SPDX-License-Identifier: MIT */
#pragma once

#include "sandbox/launcher.h"

/* Step, the first. The mount namespace that the supervisor made with clone3 is a copy of the
 * host's, and shares its mounts: from here on they propagate nowhere. */
int namespaces_make_private(struct launcher *launcher, struct error *err);

/* Step. Fits out the other namespaces: the host name, and loopback up where there is a network
 * namespace. */
int namespaces_set_up(struct launcher *launcher, struct error *err);
