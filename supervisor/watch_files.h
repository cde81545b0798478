/* SPDX-License-Identifier: MIT */
/* The files that a watch reads: which there are, and where. Between the files of that module alone.
 */
#pragma once

#include "supervisor/watch.h"

#define WATCH_ANCESTORS_MAX 8

enum watch_file {
	WATCH_APP_MEMORY_EVENTS,
	WATCH_APP_MEMORY_EVENTS_LOCAL,
	WATCH_APP_MEMORY_STAT,
	WATCH_APP_MEMORY_CURRENT,
	WATCH_APP_MEMORY_PEAK,
	WATCH_APP_SWAP_CURRENT,
	WATCH_APP_PIDS_EVENTS,
	WATCH_APP_MEMORY_PRESSURE,
	WATCH_APP_CPU_PRESSURE,
	WATCH_APP_IO_PRESSURE,
	WATCH_APP_CPU_STAT,
	WATCH_APP_IO_STAT,
	WATCH_APP_PIDS_CURRENT,
	WATCH_LEAF_MEMORY_CURRENT,
	WATCH_LEAF_MEMORY_EVENTS_LOCAL,
	WATCH_LEAF_PIDS_EVENTS,
	WATCH_LEAF_CGROUP_EVENTS,
	WATCH_FILE_COUNT,
};

enum watch_place { WATCH_APP, WATCH_LEAF };

extern const struct watch_row {
	enum watch_place place;
	const char *name;
	bool required;
	bool polled;  /* by POLLPRI; of those without a trigger a lean watch is notified */
	bool trigger; /* PSI: a trigger is written when it is opened */
	enum watch_event event;
} watch_rows[WATCH_FILE_COUNT];

/* What is kept open: by a full watch for all its life, by a lean one without sources. */
struct watch_files {
	struct watch *watch;
	int fds[WATCH_FILE_COUNT]; /* -1: not there on this kernel */
	sd_event_source *sources[WATCH_FILE_COUNT];
	sd_event_source *arming;	    /* of the triggers */
	int ancestors[WATCH_ANCESTORS_MAX]; /* memory.events.local above the app's slice */
	size_t ancestor_count;
};

/* Where the files of a lean watch are; both -1 for a full one. */
struct watch_places {
	int dirs[2]; /* by enum watch_place */
};

struct watch_places watch_places_open(const struct watch *watch);
void watch_places_close(struct watch_places *places);
#define _cleanup_watch_places_ __attribute__((cleanup(watch_places_close)))

/* Up from the app's slice to the mount's root, whose own memory.events does not exist. Returns how
 * many there are. */
size_t watch_open_ancestors(int app, int fds[static WATCH_ANCESTORS_MAX]);
