/* SPDX-License-Identifier: MIT */
/*
 * A thread of a sandbox, found by the number that it has inside: for what seccomp's notifications
 * and a worker's own words count by.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#define THREAD_SEARCH_MAX 256 /* threads of a leaf that are looked at: 5 ms or so */
#define THREAD_PATH_MAX	  256

struct thread {
	pid_t id, process;		  /* as we number them */
	char name[64];			  /* comm: the thread's own, as it likes to be called */
	char executable[THREAD_PATH_MAX]; /* as it is called inside; "" if unknown */
};

/* inside: as the namespace of the launcher numbers it. leaf: directory of the cgroup that it is in.
 * False if there is none (any more). Reads nothing that takes a lock of the worker's. */
bool thread_find(int leaf, pid_t inside, struct thread *ret);
