/* SPDX-License-Identifier: MIT */
/*
 * /dev/kmsg, opened at the start (seek to its end) and read when an incident is written.
 */
#pragma once

#include "policy/error.h"
#include "policy/kernel_line.h"

#define KERNEL_LOG_WAITING 64 /* lines about others' kills that are kept until those ask */

struct kernel_log {
	int fd;			      /* -1: not readable here, go without */
	uint64_t sequence;	      /* of the newest record seen */
	struct kernel_line **waiting; /* oldest first; NULL until there is one */
	size_t waiting_count;
};

/* Reads only what comes from now on; or, after an earlier life of the daemon that had seen the
 * record of number `after`, what came after that. after 0: from now on. On failure ret->fd is -1,
 * and the log can be used all the same: it says nothing. */
int kernel_log_open(struct kernel_log *ret, uint64_t after, struct error *err);
void kernel_log_close(struct kernel_log *log);

/* Reads on without blocking, and gives away the OOM-kill lines whose task_memcg is `cgroup` (as in
 * /proc/PID/cgroup) or below, or whose pid is one that such a line named: once. Lines about other
 * cgroups wait for their own asker. EPIPE (overrun): goes on. Returns their number, the newest
 * `max` at the most, oldest first. */
size_t kernel_log_read_oom(struct kernel_log *log, const char *cgroup,
			   struct kernel_line *ret_lines, size_t max);
