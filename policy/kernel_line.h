/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own words about an OOM kill, from records of /dev/kmsg. Enrichment, never the
 * classifier: the lines are rate-limited, and absent in most containers. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KERNEL_LINE_MAX 512

struct kernel_line {
	uint64_t sequence;
	uint64_t time_usec;	    /* CLOCK_MONOTONIC-like boot time, as the kernel stamps it */
	char text[KERNEL_LINE_MAX]; /* first line of the record, control characters gone */
	bool is_oom_kill;     /* "oom-kill:constraint=..." or "Memory cgroup out of memory: Killed
				 process N (...)" */
	int pid;	      /* 0 if the line names none */
	char task_memcg[256]; /* "" if the line names none */
	char oom_memcg[256];  /* whose limit it was; "" = not named */
	char comm[64];
};

/* A whole record as read(2) from /dev/kmsg gives it ("prio,seq,usec,flags[,...];text\n
 * KEY=value..."). comm may hold commas, parentheses and "pid=": memcg, pid and uid are taken by
 * suffix. */
bool kernel_line_parse(const char *record, size_t length, struct kernel_line *ret);
