/* SPDX-License-Identifier: MIT */
/*
 * A child by clone3(2) that executes another program, without a copy of our memory: as vfork(2),
 * but into a cgroup and namespaces, which no libc function offers. The daemon's page tables cost
 * more than the rest of a start.
 *
 * The child has our memory, and we stand still until it executes or ends: it makes system calls,
 * and changes nothing that we read afterwards (but errno).
 */
#pragma once

#include <linux/sched.h>
#include <sys/types.h>

/* Runs child(argument) in it, which must not return. Returns the pid, or a negative errno. On
 * processors that we have no few lines of assembly for it is a copy, as by fork(2). */
pid_t clone_run(const struct clone_args *args, void (*child)(const void *argument),
		const void *argument);
