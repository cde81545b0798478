/* SPDX-License-Identifier: MIT */
/*
 * What was gathered about a life before its end: by the tripwires, the ladders and the health
 * check. The instance owns it, an incident shows it, and it goes when the life does. All of it is
 * NULL until there is something, so an idle app has none.
 *
 * Most of it is the worker's own words (names of functions, files and threads), and so is how much
 * there is: everything is cut to a size when it comes in.
 *
 *   snapshot  {"time": ISO, "reason": "tripwire|max|hung|stalled|denied|asked",
 *              "memory": {"current", "limit", "anon", "file", "shmem", ...}, "frozen_usec": N,
 *              "tenant": {"current", "limit"}?, "stacks": STACKS?,
 *              "processes": [{"pid", "comm", "rss", "pss"?}, ...]}
 *
 *   step      {"time": ISO, "step": "notify|reclaim|recycle|restart|kill|tripwire|warn",
 *              "reading": "memory 91 % of 256M, full avg10 12.3", "result": "..."}
 *
 *   STACKS    as supervisor/stacks.h has it
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#define DIAGNOSIS_SNAPSHOTS_MAX 3
#define DIAGNOSIS_STEPS_MAX	16
/* As compact JSON, each: a snapshot, or stacks; a step, or what the health check says; the history.
 */
#define DIAGNOSIS_STACKS_BYTES	((size_t)64 * 1024)
#define DIAGNOSIS_STEP_BYTES	((size_t)4 * 1024)
#define DIAGNOSIS_HISTORY_BYTES ((size_t)384 * 1024)

struct diagnosis {	   /* each NULL, or owned */
	json_t *snapshots; /* array, the oldest first */
	json_t *steps;	   /* array, the oldest first */
	json_t *stacks;	   /* object */
	json_t *health;	   /* object */
	json_t *history;   /* policy/recording.h */
};

/* All take the value over, also when they drop it: NULL (memory ran out while making it), or what
 * is too large even without its stacks. */
void diagnosis_add_snapshot(struct diagnosis *diagnosis, json_t *snapshot);
void diagnosis_add_step(struct diagnosis *diagnosis, json_t *step);
void diagnosis_set_stacks(struct diagnosis *diagnosis, json_t *stacks);
void diagnosis_set_health(struct diagnosis *diagnosis, json_t *health);
void diagnosis_set_history(struct diagnosis *diagnosis, json_t *history);

void diagnosis_clear(struct diagnosis *diagnosis);

#define DIAGNOSIS_FRESH_SEC 120
/* Of STACKS the thread that tells most: one that allocates, else who holds the GIL, else the first
 * with a frame; of the process `pid` if that is there (as host pid) and has any, else of all. NULL
 * if there is none. Borrowed. ret_process: whose it is; may be NULL. */
const json_t *diagnosis_find_thread(const json_t *stacks, int pid, const json_t **ret_process);

/* That thread near the end (in seconds since the epoch): of the stacks that were taken by
 * themselves, else of the newest snapshot that has frames of the process `pid`, else of the newest
 * that has any; no snapshot is older than DIAGNOSIS_FRESH_SEC. NULL if there is none. Borrowed. */
const json_t *diagnosis_last_thread(const struct diagnosis *diagnosis, int pid, time_t end,
				    const json_t **ret_process);

/* "export.py:88 in load()": where a thread of those stacks was that allocates memory. False, and
 * "", if none did. */
bool diagnosis_locate(const struct diagnosis *diagnosis, time_t end, int pid, char *text,
		      size_t size);
/* The same of one frame, without its directories; the bytes are foreign. */
void diagnosis_write_frame(const json_t *frame, char *text, size_t size);

/* RFC 3339, as times are written here; 0 if it is none. */
time_t diagnosis_time(const json_t *time);
/* And written so: UTC, milliseconds. */
json_t *diagnosis_stamp(const struct timespec *time);
