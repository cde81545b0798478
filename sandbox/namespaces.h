/* SPDX-License-Identifier: MIT */
#pragma once

#include "sandbox/launcher.h"

/* Step. Fits out the namespaces that the supervisor made with clone3: the host name, mounts that
 * propagate nowhere, loopback up where there is a network namespace. */
int namespaces_set_up(struct launcher *launcher, struct error *err);
