/* SPDX-License-Identifier: MIT */
/*
 * An incident without what is the host's: what may be shown to the customer whose app it was. Left
 * out are pids and thread ids of the host, the kernel's lines, counters of cgroups above the app,
 * and paths of files that are not in the app's directory, but for their last two parts. What is
 * said in words loses the pids.
 */
#pragma once

#include <jansson.h>

/* Of schema 1 too. NULL without memory. */
json_t *incident_for_customer(const json_t *incident);
