/* SPDX-License-Identifier: MIT */
/*
 * /dev/kmsg, opened at the start (seek to its end) and read when an incident is written.
 */
#pragma once

#include "policy/error.h"
#include "policy/kernel_line.h"

/* An fd that reads only what comes from now on, or an error (not readable here: go without). */
int kernel_log_open(int *ret_fd, struct error *err);

/* Reads on without blocking; keeps the OOM-kill lines whose task_memcg is `cgroup` (as in
 * /proc/PID/cgroup) or below, or whose pid is one that such a line named. EPIPE (overrun): goes on.
 * Returns their number, the newest `max` at the most, oldest first. */
size_t kernel_log_read_oom(int fd, const char *cgroup, struct kernel_line *ret_lines, size_t max);
