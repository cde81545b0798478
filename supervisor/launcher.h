/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's end of a pysbx-launch: starting one, hearing from it, telling it.
 *
 * The program is copied into a sealed memfd once (launcher_image): what runs as pid 1 of a sandbox
 * has no file that a worker could reach and overwrite. It is started with clone3 into its cgroup
 * and its namespaces, so no time passes in which it is elsewhere.
 */
#pragma once

#include "policy/launch_message.h"
#include "policy/plan.h"

#include <sys/types.h>

#define LAUNCHER_PATH	   PYSBX_LIBEXECDIR "/pysbx-launch"
#define LAUNCHER_REAP_MSEC 2000
#define LAUNCHER_IMAGE_MAX (16U << 20)

/* Reads the program at path into a sealed, executable memfd. */
int launcher_image(const char *path, int *ret_fd, struct error *err);

struct launcher {
	pid_t pid; /* as we see it; pid 1 inside */
	int pidfd;
	int socket; /* SOCK_SEQPACKET, non-blocking */
};

struct launcher_start {
	const struct plan *plan;
	int image_fd;
	int filter_fd;
	int init_cgroup_fd; /* where the launcher itself lives, outside the app's limits */
	int leaf_cgroup_fd; /* where it starts the worker */
};

int launcher_spawn(const struct launcher_start *start, struct launcher *ret, struct error *err);
void launcher_close(struct launcher *launcher);

/* A received record; fds that came with it are the caller's, -1 where there is none. */
struct launcher_event {
	struct launch_message message;
	int fds[2];
};
#define LAUNCHER_HANGUP 1

/* 0: one event; LAUNCHER_HANGUP: the other end is closed; -EAGAIN: nothing there (err untouched).
 */
int launcher_receive(const struct launcher *launcher, struct launcher_event *ret,
		     struct error *err);

/* type with `signal` (LAUNCH_SIGNAL) or 0. A launcher that is gone is no error. */
int launcher_send(const struct launcher *launcher, enum launch_message_type type, int signal,
		  struct error *err);

/* Kills it, and so all in its PID namespace, and reaps it, if that takes no longer than
 * LAUNCHER_REAP_MSEC: it cannot end before a process of its own that is in uninterruptible sleep.
 */
void launcher_kill(struct launcher *launcher);

/* Reaps it if it has ended. True: *ret_status is its wait status. */
bool launcher_reap(struct launcher *launcher, int *ret_status);
