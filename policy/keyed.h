/* SPDX-License-Identifier: MIT */
/*
 * Reading the kernel's text files: flat keyed ("low 0\nhigh 3\n", memory.events, memory.stat,
 * cpu.stat, pids.events, cgroup.events), PSI ("some avg10=0.00 avg60=... total=123") and io.stat.
 * Pure: text in, values out. Unknown keys are passed over (newer kernels add some).
 */
#pragma once

#include "policy/error.h"

#include <stdint.h>

struct keyed_field {
	const char *key;
	uint64_t *value; /* set to the number that follows key; untouched when the key is absent */
};

/* Fills each field whose key is in text. Malformed lines are passed over. Returns how many were
 * found. */
size_t keyed_read(const char *text, const struct keyed_field *fields, size_t field_count);

/* memory.events or memory.events.local */
struct memory_events {
	uint64_t low, high, max, oom, oom_kill, oom_group_kill;
};
void keyed_memory_events(const char *text, struct memory_events *ret);

struct pressure { /* one PSI file: averages in percent x 100, totals in microseconds */
	uint32_t some_avg10, some_avg60, full_avg10, full_avg60;
	uint64_t some_total_usec, full_total_usec;
};
/* 0, or ERROR_INVALID if there is no "some" line. A file without a "full" line leaves 0 there. */
int keyed_pressure(const char *text, struct pressure *ret, struct error *err);

struct io_totals {
	uint64_t read_bytes, write_bytes, reads, writes;
};
/* io.stat ("8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0"): all disks together. Words that
 * are none of these are passed over. */
void keyed_io(const char *text, struct io_totals *ret);
