/* SPDX-License-Identifier: MIT */
/*
 * What an app has used and waited for, read from its cgroups; and which of its threads runs. Two
 * readings make the facts that policy/health.h judges.
 */
#pragma once

#include "policy/health.h"

#include <sys/types.h>

#define HEALTH_THREADS_MAX 1024 /* that are looked at; an app may have more */

/* Of the cgroup whose cpu.max may hold the app back. */
struct health_quota {
	uint64_t milli; /* LIMIT_MAX: none, or unknown */
	uint64_t cpu_usec, throttled_usec;
};

struct health_reading {
	uint64_t usec; /* CLOCK_MONOTONIC */
	uint64_t cpu_usec, cpu_wait_usec, io_full_usec, memory_full_usec, io_bytes;
	struct health_quota app, tenant;
	struct io_disks app_io, tenant_io;
};

/* slice: directory of the app's; tenant: of its tenant's, -1 if it has none. What can't be read is
 * 0. */
void health_read(int slice, int tenant, struct health_reading *ret);

/* tenant: its name, if it has one. The close look is left as it is. */
void health_compare(const struct health_reading *then, const struct health_reading *now,
		    const char *tenant, struct health_facts *ret);

struct health_thread {
	pid_t id;
	uint64_t ran_nsec;
};

struct health_threads {		    /* zero-initialised: none */
	struct health_thread *list; /* owned */
	size_t count;
};

/* leaf: directory of the cgroup that they are in. */
void health_read_threads(int leaf, struct health_threads *ret);
void health_clear_threads(struct health_threads *threads);

/* What all of them and the busiest one did between the two. Returns that one's id, 0 if none ran.
 */
pid_t health_compare_threads(const struct health_threads *then, const struct health_threads *now,
			     struct health_facts *facts);
