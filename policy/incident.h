/* SPDX-License-Identifier: MIT */
/*
 * The incident: one death (or one killed child), explained. A plain record is filled by the
 * supervisor from what it read and from policy/verdict.h, and rendered here: as JSON (schema 2),
 * and as text for a terminal or a log. Both renderings escape control characters: process names and
 * log lines are the worker's own words.
 */
#pragma once

#include "policy/diagnosis.h"
#include "policy/error.h"
#include "policy/keyed.h"
#include "policy/mask.h"
#include "policy/strings.h"
#include "policy/verdict.h"

#include <stdint.h>
#include <time.h>

#define INCIDENT_SCHEMA	      2
#define INCIDENT_ID_MAX	      64
#define INCIDENT_HEAD_MAX     16384 /* bytes before "log" in the pretty JSON */
#define INCIDENT_ID_APP_MAX   26    /* bytes of the app's name that an id holds */
#define INCIDENT_LOG_LINES    50
#define INCIDENT_LOG_LINE_MAX 512 /* bytes kept of a line; longer ones end in "..." */
#define INCIDENT_KERNEL_LINES 8
#define INCIDENT_TEXT_LOG     10 /* lines of the log that the text shows; the JSON holds all */
#define INCIDENT_TEXT_FRAMES  8	 /* of the stack at the fault */
#define INCIDENT_TEXT_COLUMNS 100

struct incident_memory { /* one reading of a cgroup; bytes; valid says whether it was read at all */
	bool valid;
	uint64_t current, peak, swap;
	uint64_t anon, file, shmem, slab_reclaimable, slab_unreclaimable, kernel_stack, pagetables,
		sock;
};

struct incident_pressure { /* avg10 of a PSI file in percent x 100, some and full; UINT32_MAX =
			      unknown */
	uint32_t some_avg10, full_avg10;
};

struct incident_process {
	int pid;	/* as the host sees it; 0 = unknown */
	int pid_inside; /* as the app itself and its log count; 0 = unknown */
	bool is_main;	/* the command itself, not one of its children */
	char comm[64];
	char *command_line; /* owned, NULL if unknown; arguments with "\n" between them */
	uint64_t rss_bytes; /* last seen, 0 if unknown */
};

struct incident {
	char id[INCIDENT_ID_MAX];
	const char *app;
	const char *tenant;    /* of the app at that time; NULL: none */
	const char *directory; /* of the app; NULL: unknown */
	unsigned instance;
	struct timespec time;	/* CLOCK_REALTIME */
	struct verdict verdict; /* cause, sentence, level, decision, advice: see verdict.h */
	struct incident_process victim;
	bool has_wait_status; /* false for a child whose status only its own parent knows */
	int wait_status;
	uint64_t uptime_usec;
	uint64_t user_usec, system_usec, maxrss_bytes; /* of the ended worker, 0 if not ended */
	uint64_t memory_max, memory_high, pids_max;    /* limits in force, LIMIT_MAX if none */
	struct incident_memory before, after;
	struct event_deltas events; /* since the worker's start (verdict.h) */
	struct incident_pressure memory_pressure, cpu_pressure, io_pressure;
	const char *const *log_lines;
	size_t log_line_count;
	uint64_t log_lines_dropped;
	const char *const *kernel_lines;
	size_t kernel_line_count;
	unsigned restarts;		   /* in a row so far */
	const struct diagnosis *diagnosis; /* borrowed; NULL: none */
	const struct mask *mask; /* borrowed: of command line and log; NULL: nothing is hidden */
};

/* "20261123T174103Z-web-0-8c3f2a90": sorts by time, is a file name; `random` makes it unique. An
 * app name that is too long is cut. */
void incident_make_id(const char *app, unsigned instance, const struct timespec *time,
		      uint32_t random, char ret_id[static INCIDENT_ID_MAX]);

/* The app's name as id holds it: where in id, and its length. 0 if id is none. At the length
 * INCIDENT_ID_APP_MAX the app itself may have a longer one. */
size_t incident_id_app(const char *id, const char **ret_app);

/* What the memory was made of and what grew, in words: "shmem 180M of 256M: files in /dev/shm and
 * /tmp, and shared memory", "anon grew 41M in 20s, in thread 3, at export.py:88 in load()". Nothing
 * where memory had no part in the end. `ret` is added to; the bytes are foreign. */
int incident_memory_words(const struct incident *incident, struct strings *ret, struct error *err);

/* {"current", "swap", "anon", ...}, bytes, but for `peak` and `valid`. NULL: no memory. */
json_t *incident_memory_to_json(const struct incident_memory *memory);
/* One JSON object; one line if !pretty. Owned by the caller. */
int incident_to_json(const struct incident *incident, bool pretty, char **ret_text,
		     struct error *err);

/* For a person at 3 a.m.: a headline, the sentence, what was decided and what to do, then what
 * proves it, then the last lines of the log. Lines of at most 100 columns, each ended by "\n", no
 * colour. Owned by the caller. */
int incident_to_text(const struct incident *incident, char **ret_text, struct error *err);
