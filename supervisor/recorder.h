/* SPDX-License-Identifier: MIT */
/*
 * The flight recorder: the one sampler of everything that is known of an app over time. Whoever
 * needs readings (the newest memory for a verdict, tripwires, stalls, the pressure ladder) hears
 * them from here. What is kept is policy/recording.h's.
 *
 * One timer for all apps of a daemon:
 *   near   ten times a second, busy  once a second, all at the same moment: a whole reading each,
 *          for RECORDER_OPEN_APPS at most from files that are kept open
 *   idle   in one batch of all, at most every 10 s, and not even that if the cgroup that all apps
 *          live in has used no processor time since the last one: who does not run does not
 *          allocate. Of each a batch reads cpu.stat; only who has moved is looked at further
 * Batches take RECORDER_BATCH_SHARE of the time at most, whatever they cost on that machine; as
 * long as they are cheaper they come more often, down to RECORDER_BATCH_USEC, so that who becomes
 * busy is soon seen. What the kernel tells (memory.events) is looked at at once: recorder_look().
 */
#pragma once

#include "policy/recording.h"
#include "policy/recording_processes.h"
#include "supervisor/accept_queue.h"
#include "supervisor/reader.h"
#include "supervisor/watch.h"

#include <systemd/sd-event.h>

/* Each has some twenty files open: a few kB of the kernel's memory a file. */
#define RECORDER_OPEN_APPS  64
#define RECORDER_OPEN_AFTER 5 /* busy looks in a row; of a start alone it isn't worth it */
/* Processor time below this is nothing. */
#define RECORDER_STILL_USEC  UINT64_C(1000)
#define RECORDER_BATCH_USEC  UINT64_C(2000000)
#define RECORDER_BATCH_SHARE 500 /* one part in so many: 0.2 % of a core */
/* An idle app that moves is read as a whole so often; its processor time and memory each time. */
#define RECORDER_WHOLE_USEC UINT64_C(60000000)
/* So often the processes of one that is not idle are looked at, so many of them. */
#define RECORDER_PROCESSES_USEC UINT64_C(2000000)
#define RECORDER_PROCESSES_MAX	128
#define RECORDER_SMALL		2048 /* bytes of a recording: not worth being looked at for old ones */

struct recorder;

/* What all recorders of a process share. */
struct recorders {
	sd_event *event;
	sd_event_source *timer;
	struct recorder *idle, *others; /* that are at work */
	struct recorder *next;		/* in the round that is on */
	bool alone;			/* `pysbx run`: its only one is never taken for idle */
	unsigned open;			/* apps whose files are kept open */
	uint64_t due_usec;		/* of the timer; 0: off */
	uint64_t batch_due_usec;
	struct accept_queue sockets;
	/* Asked for PSS alone, and started for the first: who holds it up keeps no name from a
	 * report. */
	struct reader reader;
	uint64_t used_usec; /* of all apps, at the last batch */
};

/* What the owner of a recorder adds and hears: the same of a thousand apps. */
struct recorder_owner {
	/* Adds to a whole sample what no cgroup tells. */
	void (*complete)(struct recording_sample *sample, void *userdata);
	/* Opens the cgroup that its processes are in. */
	int (*open_leaf)(int *ret_fd, void *userdata);
	/* Hears whole readings, before their sample is told. */
	void (*on_reading)(const struct watch_reading *reading, void *userdata);
	/* Hears each sample, over all lives, also one that is too close to the one before to be
	 * kept. May do whatever it likes but clear the recorder. */
	void (*on_sample)(const struct recording_sample *sample, void *userdata);
};

/* One app's. It outlives the lives of its worker. */
struct recorder {
	struct recorders *all; /* NULL: nothing is recorded */
	struct watch *watch;
	const struct recorder_owner *owner; /* borrowed */
	void *userdata;			    /* the owner's */
	struct recorder *following, *preceding;
	bool at_work;
	bool is_open; /* by us */
	enum recording_pace pace;
	unsigned looks;	     /* in a row that were not idle */
	uint64_t due_usec;   /* of one that is not idle */
	uint64_t paced_usec; /* when the pace was last decided */
	uint64_t whole_usec; /* when it was last read as a whole */
	uint64_t memory_max;
	uint64_t starts;
	struct recording recording;
	struct recording_processes processes;
	uint64_t processes_usec; /* when they were last looked at */
	uint64_t leaf_id;	 /* of the cgroup that they were in then */
};

void recorders_init(struct recorders *all, sd_event *event, bool alone);
void recorders_clear(struct recorders *all);

/* watch and owner are borrowed. With NULL `all` looks are told, and nothing is kept. */
void recorder_init(struct recorder *recorder, struct recorders *all, struct watch *watch,
		   const struct recorder_owner *owner, void *userdata);
void recorder_clear(struct recorder *recorder);

/* A life begins: the watch has started. */
void recorder_start(struct recorder *recorder);
/* It ends: before the watch is stopped. What is on record stays. */
void recorder_stop(struct recorder *recorder);

/* Looks now at all of it, keeps that and tells it. ret: may be NULL. */
void recorder_look(struct recorder *recorder, struct watch_reading *ret);

/* recording_to_json(), and in it "processes": recording_processes_to_json(). */
json_t *recorder_to_json(const struct recorder *recorder, uint64_t since_usec, size_t most);

/* From the next look on: LIMIT_MAX or LIMIT_UNSET if there is no limit. */
static inline void recorder_set_memory_max(struct recorder *recorder, uint64_t memory_max)
{
	recorder->memory_max = memory_max;
}
