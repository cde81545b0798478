/* SPDX-License-Identifier: MIT */
/*
 * Beside an app's recording: its largest processes, each with how its memory went. Pure. Nothing is
 * allocated before the first look.
 *
 * PSS is not among it: to find it out the kernel walks all page tables under the process's own
 * lock, which is for snapshots.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORDING_PROCESSES_MAX	    12
#define RECORDING_PROCESS_POINTS    30
#define RECORDING_PROCESS_STEP_USEC UINT64_C(10000000) /* between two points */
#define RECORDING_PROCESS_COMM	    16		       /* the kernel's own bound */

/* One process now, from /proc/PID/stat. */
struct process_seen {
	int pid;
	uint64_t started_ticks; /* since boot: with the number it is the process's identity */
	char comm[RECORDING_PROCESS_COMM];
	uint64_t cpu_ticks; /* so far, of all its threads */
	uint64_t rss_pages;
};

/* text: /proc/PID/stat, of which the name is the worker's own words. False: it is none. */
bool process_stat_read(const char *text, struct process_seen *ret);

struct recording_process {
	struct process_seen seen;
	uint64_t first_usec, last_usec;		      /* when it was seen */
	uint64_t point_usec;			      /* when the newest point was made */
	uint32_t point_kib[RECORDING_PROCESS_POINTS]; /* a ring */
	uint8_t next, points;
};

struct recording_processes {
	struct recording_process *items; /* owned; NULL: none */
	size_t count, allocated;
};

/* A look at all that live. Those that are gone stay, until their place is wanted or what is on
 * record of them is too old. Without memory nothing is kept. */
void recording_processes_note(struct recording_processes *processes,
			      const struct process_seen *seen, size_t count, uint64_t now_usec,
			      uint64_t page_size);
void recording_processes_expire(struct recording_processes *processes, uint64_t now_usec);
void recording_processes_clear(struct recording_processes *processes);

/* [{"pid","comm","alive","rss","cpu_usec","seen_usec","rss_series":[...]}], the largest first, the
 * series' newest last and RECORDING_PROCESS_STEP_USEC apart. NULL without memory, or if there is
 * none. */
json_t *recording_processes_to_json(const struct recording_processes *processes, uint64_t page_size,
				    uint64_t ticks_per_second);
