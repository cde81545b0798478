/* SPDX-License-Identifier: MIT */
/*
 * Tripwires of the tenants of a daemon: several apps can fill what is theirs together, each far
 * below its own limit. Policy is that of an app (policy/tripwire.h); what is looked at is the
 * largest app.
 *
 * There is no cgroup between the tenant's and its apps', so the rungs are on memory.high of the
 * tenant's, and only where its declaration leaves that open. They are marked (tripwire_mark), so
 * that whoever cleans up can tell one from a limit.
 */
#pragma once

#include "policy/tenant.h"
#include "policy/tripwire.h"
#include "supervisor/watch_notifier.h"

struct tenant_tripwire;

/* Of one moment. Borrowed. */
struct tenant_trip {
	const char *tenant;
	uint64_t current, limit;
	bool begins; /* an episode */
};

struct tenant_tripwires {
	sd_event *event; /* borrowed, as the notifier is */
	struct watch_notifier *notifier;
	int root; /* the cgroup of all apps, borrowed */
	/* Its largest app is to be looked at; memory.high is raised when this has returned. */
	void (*look)(const struct tenant_trip *trip, void *userdata);
	void *userdata;
	struct tenant_tripwire *first;
};

/* Its cgroup may be new, its limits may have just been written, which takes the rung away, or its
 * declaration may have another one. A tenant without a cgroup has none. */
void tenant_tripwires_renew(struct tenant_tripwires *all, const struct tenant *tenant);

/* Disarms and forgets those of tenants that are gone: of which is_there says no. */
void tenant_tripwires_forget(struct tenant_tripwires *all,
			     bool (*is_there)(const char *tenant, void *userdata), void *userdata);

/* Disarms and forgets all. */
void tenant_tripwires_clear(struct tenant_tripwires *all);
