/* SPDX-License-Identifier: MIT */
/*
 * The flight recorder: the one sampler of everything that is known of an app over time. Whoever
 * needs readings (the newest memory for a verdict, tripwires, stalls, the pressure ladder) hears
 * them from here. What is kept is policy/recording.h's.
 *
 * One timer for all apps of a daemon:
 *   near   ten times a second, busy  once a second: a whole reading each, from files that are kept
 *          open for RECORDER_OPEN_APPS at most
 *   idle   every 10 s in one batch, and not even that if the cgroup that all apps live in has used
 *          no processor time beyond what the busy ones have: who runs not, allocates not. Of each a
 *          batch reads cpu.stat; only who has moved is looked at further.
 * A batch is at most RECORDER_BATCH_SHARE of the time, whatever it costs on that machine. What the
 * kernel tells (memory.events) is looked at at once: recorder_look().
 */
#pragma once

#include "policy/recording.h"
#include "supervisor/watch.h"

#include <systemd/sd-event.h>

#define RECORDER_LISTENERS_MAX 6
/* Each has some twenty files open, a few kB of the kernel's memory a file. */
#define RECORDER_OPEN_APPS 64
/* Of an idle app processor time below this is nothing. */
#define RECORDER_STILL_USEC  UINT64_C(1000)
#define RECORDER_BATCH_SHARE 500 /* one part in so many: 0.2 % of a core */
/* An idle app that moves is read as a whole so often; its processor time and memory each time. */
#define RECORDER_WHOLE_USEC UINT64_C(60000000)

struct recorder;

/* What all recorders of a process share. */
struct recorders {
	sd_event *event;
	sd_event_source *timer;
	struct recorder *first[2]; /* that are at work: idle ones, others */
	bool alone;		   /* `pysbx run`: its only one is never taken for idle */
	unsigned open;		   /* apps whose files are kept open */
	uint64_t due_usec;	   /* of the timer; UINT64_MAX: off */
	uint64_t batch_due_usec;
	uint64_t used_usec, busy_used_usec; /* of all apps, and of those that are not idle, at the
					       last batch */
};

typedef void recorder_listener(const struct recording_sample *sample, void *userdata);

/* One app's. It outlives the lives of its worker. */
struct recorder {
	struct recorders *all; /* NULL: nothing is recorded */
	const struct watch *watch;
	uint64_t memory_max;
	struct recorder *next, *previous;
	bool at_work, is_open;
	enum recording_pace pace;
	uint64_t due_usec;
	uint64_t whole_usec; /* when it was last read as a whole */
	uint64_t starts;
	struct recording recording;
	struct {
		recorder_listener *callback;
		void *userdata;
	} listeners[RECORDER_LISTENERS_MAX];
	/* Its owner's: hears whole readings, before the listeners. */
	void (*on_reading)(const struct watch_reading *reading, void *userdata);
	void *userdata;
};

void recorders_init(struct recorders *all, sd_event *event, bool alone);
void recorders_clear(struct recorders *all);

/* watch is borrowed; NULL `all`: the rest does nothing. */
void recorder_init(struct recorder *recorder, struct recorders *all, struct watch *watch,
		   void (*on_reading)(const struct watch_reading *reading, void *userdata),
		   void *userdata);
void recorder_clear(struct recorder *recorder);

/* Each sample is told from now on, in all lives: also those that are too close to the one before to
 * be kept. A listener may change anything but the recorder itself. -ENOSPC beyond
 * RECORDER_LISTENERS_MAX. */
int recorder_on_sample(struct recorder *recorder, recorder_listener *callback, void *userdata);

/* A life begins: the watch has started. */
void recorder_start(struct recorder *recorder);
/* It ends: before the watch is stopped. What is on record stays. */
void recorder_stop(struct recorder *recorder);

/* Looks now, as a whole, keeps it and tells it. *ret (NULL: not wanted) is the reading. */
void recorder_look(struct recorder *recorder, struct watch_reading *ret);

/* The limit has changed: LIMIT_MAX or LIMIT_UNSET if there is none. */
void recorder_set_memory_max(struct recorder *recorder, uint64_t memory_max);
