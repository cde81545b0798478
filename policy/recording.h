/* SPDX-License-Identifier: MIT */
/*
 * The flight recorder's memory: what an app used in the last five minutes. Pure: samples and times
 * are arguments.
 *
 * Two tracks: one sample a second at most for RECORDING_SPAN_USEC (but for the first two, which may
 * be nearer to each other), and what was taken in between (ten a second near a limit) for
 * RECORDING_FINE_SPAN_USEC. A track holds its newest sample as it is, and all of them as steps from
 * the one before, the oldest as a step from nothing: a bit for each field that moved, and a number
 * of variable length for how much. So a second in which nothing moves takes four bytes, a busy one
 * about forty. Memory is allocated when there is something to be held, grows by doubling up to
 * RECORDING_TRACK_MAX, and is given back when old samples have gone.
 *
 * Times are CLOCK_MONOTONIC microseconds. Counters count since the app's cgroup was made, so only
 * their differences mean anything.
 */
#pragma once

#include "policy/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORDING_SPAN_USEC	 UINT64_C(300000000)
#define RECORDING_FINE_SPAN_USEC UINT64_C(30000000)
#define RECORDING_FINE_BELOW_USEC                                                             \
	UINT64_C(900000)		       /* closer to the one before: of the fine track \
						*/
#define RECORDING_CLOSEST_USEC UINT64_C(50000) /* what comes closer is not kept */
#define RECORDING_TRACK_MAX    30720	       /* bytes of one track: a busy app stays < 64 KiB */

/* One look at an app's cgroup. What this kernel or hierarchy does not have is 0. Bytes, usec,
 * counts; avg10 in percent x 100. Nothing but uint64_t here: the fields are walked as an array. */
struct recording_sample {
	uint64_t time_usec;
	uint64_t cpu_usage_usec, cpu_user_usec, cpu_system_usec;
	uint64_t memory_current, memory_anon, memory_file, memory_shmem;
	uint64_t memory_slab_reclaimable, memory_slab_unreclaimable, memory_kernel_stack,
		memory_pagetables, memory_sock, memory_swap;
	uint64_t memory_major_faults, memory_refaults; /* so far */
	uint64_t memory_some_avg10, memory_full_avg10, memory_some_usec, memory_full_usec;
	uint64_t cpu_some_avg10, cpu_some_usec;
	uint64_t io_some_avg10, io_full_avg10, io_some_usec, io_full_usec;
	uint64_t io_read_bytes, io_write_bytes, io_reads, io_writes; /* of all disks */
	uint64_t pids;
	uint64_t events_high, events_max, events_oom_kill; /* of the app and below */
	uint64_t cpu_periods, cpu_throttled, cpu_throttled_usec;
	uint64_t listen_queue, listen_backlog; /* connections that wait in its listeners; for how
						  many there is room */
	uint64_t starts;		       /* lives so far */
};

#define RECORDING_FIELDS (sizeof(struct recording_sample) / sizeof(uint64_t))

/* By which field: offsetof(struct recording_sample, memory_anon). */
typedef size_t recording_field;

struct recording_track {
	uint8_t *bytes; /* owned; begin to end are the steps to the oldest and on to the newest */
	uint32_t begin, end, allocated;
	uint32_t count;			 /* samples, and steps */
	struct recording_sample *newest; /* owned; NULL: empty */
};

struct recording { /* zero-initialised: empty, nothing is allocated */
	struct recording_track coarse, fine;
};

/* Keeps it, as its time says: not if it is nearer than RECORDING_CLOSEST_USEC to the newest, or
 * older. Without memory it is not kept (-ENOMEM), and all that was stays. */
int recording_add(struct recording *recording, const struct recording_sample *sample);

/* Forgets what is older than it has to be, and gives its memory back. */
void recording_expire(struct recording *recording, uint64_t now_usec);
void recording_clear(struct recording *recording);

/* All that is allocated for it. */
size_t recording_bytes(const struct recording *recording);
size_t recording_count(const struct recording *recording);

/* NULL: nothing is recorded. Borrowed until the next recording_add(). */
const struct recording_sample *recording_newest(const struct recording *recording);

/* From the oldest to the newest, over both tracks. */
struct recording_cursor {
	const struct recording *recording;
	struct {
		struct recording_sample sample;
		uint32_t at, left; /* left counts this one */
	} tracks[2];
};
void recording_begin(const struct recording *recording, struct recording_cursor *ret);
/* False: there are no more. */
bool recording_next(struct recording_cursor *cursor, struct recording_sample *ret);

/* --- figures: recording_figures.c ------------------------------------------------------------ */

/* How a field moved in the last window_usec before the newest sample; if there is no other one
 * within it, since the one before. */
struct recording_change {
	int64_t by;    /* newest - then */
	uint64_t usec; /* from then to the newest */
	int64_t per_second;
};
/* False: there are no two samples. */
bool recording_change(const struct recording *recording, recording_field field,
		      uint64_t window_usec, struct recording_change *ret);

/* What the kernel cannot take from it without swap: all but the page cache and what of the slabs
 * can go. This, not memory.current, says how near a kill is. */
uint64_t recording_unreclaimable(const struct recording_sample *sample);

/* part of whole in percent x 100; 0 where whole is none or unlimited. */
uint32_t recording_share(uint64_t part, uint64_t whole);

/* What it uses now: over the last window_usec before now_usec. Of one that has not been looked at
 * for RECORDING_STALE_USEC, since nothing of it has moved, all rates are 0. */
struct recording_rates {
	uint32_t cpu_percent_x100;	 /* of one core */
	uint32_t throttled_percent_x100; /* of the periods of cpu.max */
	int64_t memory_per_second;	 /* growth of what is unreclaimable, bytes */
	uint64_t io_per_second;		 /* bytes read and written */
};
#define RECORDING_STALE_USEC UINT64_C(30000000)
void recording_rates(const struct recording *recording, uint64_t window_usec, uint64_t now_usec,
		     struct recording_rates *ret);

/* A field at `count` points in time, the last of them now_usec and each step_usec after the one
 * before; between two samples in proportion. RECORDING_UNKNOWN before the first sample. Returns how
 * many are known. */
#define RECORDING_UNKNOWN UINT64_MAX
size_t recording_series(const struct recording *recording, recording_field field,
			uint64_t step_usec, uint64_t now_usec, uint64_t *values, size_t count);

/* How often an app is looked at. */
enum recording_pace {
	RECORDING_IDLE, /* every 10 s, together with all others that are idle */
	RECORDING_BUSY, /* every second */
	RECORDING_NEAR, /* ten times a second: the memory limit may be reached soon */
	RECORDING_PACE_COUNT,
};
#define RECORDING_IDLE_USEC UINT64_C(10000000)
#define RECORDING_BUSY_USEC UINT64_C(1000000)
#define RECORDING_NEAR_USEC UINT64_C(100000)

/* Busy: so much of a core, over RECORDING_QUIET_USEC. */
#define RECORDING_BUSY_PERCENT_X100 UINT64_C(200)
#define RECORDING_QUIET_USEC	    UINT64_C(10000000)
#define RECORDING_FRESH_USEC	    UINT64_C(3000000) /* known for less: busy */
/* Near: unreclaimable memory from here on, in percent x 100 of the limit, while it moves; */
#define RECORDING_NEAR_PERCENT_X100  UINT64_C(8500)
#define RECORDING_MOVED_PERCENT_X100 UINT64_C(50) /* by so much of the limit in QUIET_USEC; */
/* or it would get there so soon if it grew on as in the last two seconds; */
#define RECORDING_NEAR_AHEAD_USEC UINT64_C(10000000)
/* or so much of the time all of its tasks stand still for memory. */
#define RECORDING_NEAR_FULL_AVG10 UINT64_C(1000)

/* memory_max: bytes, LIMIT_MAX or LIMIT_UNSET if there is no limit. */
enum recording_pace recording_pace(const struct recording *recording, uint64_t memory_max);
uint64_t recording_interval(enum recording_pace pace);
const char *recording_pace_name(enum recording_pace pace);

/* --- JSON: recording_json.c ------------------------------------------------------------------ */

#define RECORDING_JSON_SAMPLES	   700 /* more than both tracks hold at their pace */
#define RECORDING_INCIDENT_SAMPLES 120

/* What is on record from since_usec (CLOCK_MONOTONIC; 0: all) on, a series a field, all of the
 * length of "time_msec":
 *   {"time_msec":[REALTIME, ...],"memory_current":[...],"memory_full_avg10":[1.25, ...], ...}
 * A series that is 0 throughout is left out. Of more than `most` samples the newest half of that is
 * there, and of those before them each second, third ... one. now_usec and realtime_usec: the same
 * moment by CLOCK_MONOTONIC and CLOCK_REALTIME. NULL without memory. */
json_t *recording_to_json(const struct recording *recording, uint64_t since_usec, size_t most,
			  uint64_t now_usec, uint64_t realtime_usec);
