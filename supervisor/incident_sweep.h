/* SPDX-License-Identifier: MIT */
/*
 * Incidents get too old without anything happening: from time to time all apps' are gone through, a
 * few at a time, so that nothing waits for it.
 */
#pragma once

#include "policy/error.h"
#include "policy/settings.h"

#include <systemd/sd-event.h>

#define INCIDENT_SWEEP_FIRST_USEC    (UINT64_C(600) * 1000000)	 /* after the start */
#define INCIDENT_SWEEP_INTERVAL_USEC (UINT64_C(21600) * 1000000) /* 6 h */
#define INCIDENT_SWEEP_STEP_USEC     (UINT64_C(1) * 1000000)
#define INCIDENT_SWEEP_APPS	     8 /* a step */

struct incident_sweep;

/* directory is borrowed; *keep too, and looked at anew for each step: it may change. */
int incident_sweep_start(sd_event *event, const char *directory,
			 const struct settings_incidents *const *keep, uint64_t first_usec,
			 struct incident_sweep **ret, struct error *err);
void incident_sweep_stop(struct incident_sweep *sweep);
