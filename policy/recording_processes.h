/* SPDX-License-Identifier: MIT */
/*
 * Beside an app's recording: its largest processes, each with how its memory went. Pure. Nothing is
 * allocated before the first look.
 *
 * PSS comes seldom, of few, and later than the rest: to find it out the kernel walks all page
 * tables under the process's own lock, so that somebody else has to ask.
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
#define RECORDING_SHARES_MAX	    3 /* processes whose PSS is asked for at once ... */
#define RECORDING_SHARE_USEC	    UINT64_C(60000000) /* ... and how seldom that of each */
#define RECORDING_SHARE_AFTER_USEC  UINT64_C(4000000)  /* of its life: not of what comes and goes */

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
	bool asked;	     /* for its PSS, of which no answer has come yet */
	uint64_t asked_usec; /* 0: never */
	uint64_t pss_bytes;  /* 0: not known */
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

/* Of the largest that were seen at now_usec, those whose PSS is to be asked for. Returns how many.
 */
size_t recording_processes_ask(struct recording_processes *processes, uint64_t now_usec,
			       int ret_pids[static RECORDING_SHARES_MAX]);
/* The answer; 0: it could not be found out. False: it was not asked here. */
bool recording_processes_tell(struct recording_processes *processes, int pid, uint64_t pss_bytes);

/* [{"pid","comm","alive","rss","pss"?,"cpu_usec","seen_usec","rss_series":[...]}], the largest
 * first, the series' newest last and RECORDING_PROCESS_STEP_USEC apart. NULL without memory, or if
 * there is none. */
json_t *recording_processes_to_json(const struct recording_processes *processes, uint64_t page_size,
				    uint64_t ticks_per_second);
