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
 *              "stacks": STACKS, "processes": [{"pid", "comm", "rss", "pss"?}, ...]}
 *   step      {"time": ISO, "step": "notify|reclaim|recycle|restart|kill|tripwire|warn",
 *              "reading": "memory 91 % of 256M, full avg10 12.3", "result": "..."}
 *   STACKS    {"processes": [{"pid", "pid_inside"?, "python", "error"?, "threads": [{"tid",
 * "name"?, "gil", "state", "minor_faults", "allocating"?, "frames": [{"function", "file", "line"},
 * ... innermost first], "truncated"?}]}]}
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define DIAGNOSIS_SNAPSHOTS_MAX 3
#define DIAGNOSIS_STEPS_MAX	16
/* As compact JSON, each: a snapshot, or stacks; a step, or what the health check says; the history.
 */
#define DIAGNOSIS_STACKS_BYTES	((size_t)64 * 1024)
#define DIAGNOSIS_STEP_BYTES	((size_t)4 * 1024)
#define DIAGNOSIS_HISTORY_BYTES ((size_t)192 * 1024)

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

/* The stacks nearest to the end: those that were taken by themselves, else the newest snapshot's.
 * NULL if there are none. Borrowed. */
const json_t *diagnosis_last_stacks(const struct diagnosis *diagnosis);

/* Of STACKS the thread that tells most: one that allocates, else who holds the GIL, else the first
 * with a frame; of the process `pid` if that is there (as host pid) and has any, else of all. NULL
 * if there is none. Borrowed. ret_process: whose it is; may be NULL. */
const json_t *diagnosis_find_thread(const json_t *stacks, int pid, const json_t **ret_process);
