/* SPDX-License-Identifier: MIT */
/*
 * What an app looks like at one moment, for its diagnosis (policy/diagnosis.h has the shape): its
 * memory, its largest processes, and where their Python code is.
 */
#pragma once

#include "supervisor/process_table.h"
#include "supervisor/tenant_tripwire.h"
#include "supervisor/watch.h"

#include <jansson.h>

#define SNAPSHOT_PROCESSES 8 /* the largest */
#define SNAPSHOT_TEXT_MAX  512

struct snapshot {
	const char *reason; /* "tripwire", "max", "stalled" ... */
	const struct watch_reading *reading;
	uint64_t limit; /* bytes; LIMIT_UNSET: none */
	const struct process_table *processes;
	struct tenant_trip tenant; /* limit 0: it has to do with no tenant */
	uint64_t frozen_usec;
	json_t *stacks; /* borrowed; NULL: none */
};

/* The largest by rss, SNAPSHOT_PROCESSES at most. Returns their number. */
size_t snapshot_largest(const struct process_table *table,
			const struct process *ret[static SNAPSHOT_PROCESSES]);

/* What of it can't be reclaimed. */
uint64_t snapshot_unreclaimable(const struct incident_memory *memory);

/* "memory 91 % of 256M (216M can't be reclaimed), full avg10 12.3". Returns text. */
const char *snapshot_reading_text(const struct watch_reading *reading, uint64_t limit, char *text,
				  size_t size);

/* Of now. NULL: no memory. */
json_t *snapshot_make(const struct snapshot *snapshot);
