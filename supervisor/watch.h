/* SPDX-License-Identifier: MIT */
/*
 * The eyes on one running instance. It reads; what a reading means is policy's, and how often one
 * is taken the recorder's (supervisor/recorder.h). Two ways to hear that something has happened:
 *
 *   full   memory.events, pids.events and cgroup.events by POLLPRI, PSI triggers on memory, cpu and
 *          io.pressure, all kept open: for `pysbx run`, which has one instance
 *   lean   by a notifier that all share, and files that are opened to be read, or kept open while
 *          that app is busy: for the daemon, whose thousand apps are idle most of the time
 *
 * The kernel notifies a file at most 100 times a second (kernfs), and counters can move without a
 * notification seen in time: a reading is a whole, compared with the one before.
 *
 *   watch.c        hearing
 *   watch_read.c   reading
 *   watch_files.c  the files that are read
 */
#pragma once

#include "policy/incident.h"
#include "policy/keyed.h"
#include "policy/recording.h"
#include "supervisor/watch_notifier.h"

#include <stdbool.h>
#include <systemd/sd-event.h>

/* Stalled for 50 ms within 500 ms. Without CAP_SYS_RESOURCE only windows of 2 s and its multiples.
 */
#define WATCH_PSI_TRIGGER	       "some 50000 500000"
#define WATCH_PSI_TRIGGER_UNPRIVILEGED "some 200000 2000000"
/* Triggers are armed so long after the start. To close one the kernel waits until no processor can
 * have seen it any more (psi_trigger_destroy, an RCU grace period: 5 to 40 ms), three times for
 * each end; what has ended before never had one. */
#define WATCH_TRIGGER_DELAY_USEC UINT64_C(1000000)
#define WATCH_NOTIFIED		 3 /* files of a lean watch that the notifier has */

enum watch_event { WATCH_MEMORY_EVENTS, WATCH_PIDS_EVENTS, WATCH_POPULATED, WATCH_PRESSURE };

struct watch_reading {
	struct event_deltas counters; /* absolute values here: subtract two readings */
	struct incident_memory memory;
	uint64_t refaults;     /* of page cache (workingset_refault_file), in the app's life */
	uint64_t leaf_current; /* bytes */
	struct pressure memory_pressure, cpu_pressure, io_pressure;
	bool pressure_valid;
	struct recording_sample sample; /* the same and more, for the recorder; time_usec: 0 */
};

struct watch_files;

struct watch {
	struct watch_files *files; /* owned: those that are kept open; NULL: none are */
	/* lean: */
	struct watch_notifier *notifier;
	int notified[WATCH_NOTIFIED];
	int root;	  /* borrowed: where the paths begin */
	const char *app;  /* borrowed: "acme.tenant/web.slice" */
	const char *leaf; /* borrowed: "0", below app */
	void (*on_event)(enum watch_event event, void *userdata); /* NULL: not started */
	void *userdata;
};

/* Full. app and leaf are cgroup directory fds (not kept). Ancestors up to the mount's root are read
 * along where they can be. */
int watch_start(struct watch *watch, sd_event *event, int app, int leaf,
		void (*on_event)(enum watch_event event, void *userdata), void *userdata,
		struct error *err);

/* Of a controller that isn't there nothing is told. root, app and leaf are borrowed and must stay
 * as long as the watch. */
int watch_start_lean(struct watch *watch, struct watch_notifier *notifier, int root,
		     const char *app, const char *leaf,
		     void (*on_event)(enum watch_event event, void *userdata), void *userdata,
		     struct error *err);
void watch_stop(struct watch *watch);

/* Of a lean watch: its files are kept open from now on, or no longer. Without memory or descriptors
 * they are not: the next reading opens them. Of a full one: nothing. */
void watch_keep_open(struct watch *watch, bool keep);

/* One whole reading. Files that are missing leave zeros and valid = false. */
void watch_read(const struct watch *watch, struct watch_reading *ret);

/* The counters of one alone: what has to be known before a worker runs. */
void watch_read_counters(const struct watch *watch, struct event_deltas *ret);

/* Of the app alone, into *sample, whose other members stay: what costs least. False: cpu.stat could
 * not be read. */
bool watch_read_cpu(const struct watch *watch, struct recording_sample *sample);
void watch_read_memory_current(const struct watch *watch, struct recording_sample *sample);

/* now - then, each counter; never below zero. */
void watch_subtract(const struct event_deltas *now, const struct event_deltas *then,
		    struct event_deltas *ret);
