/* SPDX-License-Identifier: MIT */
/*
 * Asking a server's largest worker to end, gracefully, for its master to replace (policy/server.h).
 * A chore: the command line lies in the worker's memory, and reading it may take long.
 *
 * The app is hostile: what it calls itself decides no more than which signal its own children get.
 * A signal goes only to a process in the app's leaf whose parent is the main process, which catches
 * that signal, and which is held by a pidfd from before that was read.
 */
#pragma once

#include "supervisor/chore.h"

#include <stdint.h>
#include <sys/types.h>

#define RECYCLE_PATIENCE_USEC UINT64_C(5000000)
#define RECYCLE_PROCESSES_MAX 2048 /* of a leaf that are looked at */
#define RECYCLE_ARGUMENTS_MAX 64   /* of the main process's command line */
#define RECYCLE_COMMAND_BYTES 4096

struct recycle {
	pid_t main;	      /* the app's main process */
	uint64_t worth_bytes; /* one that holds less memory of its own is left alone */
};

/* argument: a struct recycle; leaf: the directory of its cgroup. result says who was asked, or why
 * nobody was. */
chore_function recycle_largest;
