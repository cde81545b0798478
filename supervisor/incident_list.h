/* SPDX-License-Identifier: MIT */
/*
 * Which incidents there are, of those that supervisor/incident_store.h has written.
 *
 * The newest are found without looking at all of them: an app's directory changes with each
 * incident, so the apps are gone through by the time of that, and only until no other can hold a
 * newer one. An id begins with its time (UTC, seconds) and sorts by it.
 */
#pragma once

#include "policy/error.h"
#include "policy/incident.h"
#include "policy/spec.h"
#include "policy/strings.h"

struct incident_row {
	char id[INCIDENT_ID_MAX];
	char app[SPEC_NAME_MAX + 1];
};

/* The newest `max` (at least 1) of these apps, or of all if apps is NULL; newest first. Owned by
 * the caller. A directory that is missing has none. */
int incident_list_newest(const char *directory, const struct strings *apps, size_t max,
			 struct incident_row **ret, size_t *ret_count, struct error *err);

/* Whose incident this is; id may be anything. -ENOENT if it is not there. */
int incident_list_find(const char *directory, const char *id,
		       char ret_app[static SPEC_NAME_MAX + 1], struct error *err);
