/* SPDX-License-Identifier: MIT */
/*
 * The anchor: a small process of its own (pysbx-anchor) that stays when its supervisor goes.
 *
 * It has three uses. It is the process that a systemd scope needs to exist (a scope without one is
 * removed, with all below it), also between two starts of an app. It hears when `systemctl stop`
 * ends the scope and tells the supervisor. And when the supervisor is killed, which shows as the
 * end of their socket, it waits for the sandboxes to end (their launchers hear it too), kills what
 * doesn't, and removes every cgroup of the run.
 *
 * The anchor of a daemon keeps instead (anchor_charge_keep): it outlives the daemon, removes
 * nothing, and takes the next daemon's connection on a listening socket, where the newest
 * connection is the one that counts. When it is told to stop, it tells the daemon, if there is one,
 * and ends when the last launcher has ended: then the scope ends as well.
 */
#pragma once

#include "policy/error.h"

#include <stdint.h>
#include <sys/types.h>

#define ANCHOR_PATH	   PYSBX_LIBEXECDIR "/pysbx-anchor"
#define ANCHOR_INIT_CGROUP "init"

/* The anchor's file descriptors: its socket, and the lock that says that this run is alive. */
enum { ANCHOR_FD_SOCKET = 3, ANCHOR_FD_LOCK = 4 };

/* supervisor -> anchor, once, with SCM_RIGHTS: the run's cgroup directory; a descriptor to hold
 * open until the end (the lock on the worker's uid); and the parent of the directory, if that is to
 * be removed as well. */
struct anchor_charge {
	uint32_t version;
	uint32_t keep; /* 1: the second fd is the listening socket, and there is no third */
	uint32_t patience_msec; /* how long the sandboxes may take to end by themselves */
	char own_leaf[64]; /* below the parent: where supervisor and anchor had to move to, or "" */
	char remove_name[256]; /* below the parent; "" = the run's directory is systemd's */
};
#define ANCHOR_VERSION 2

struct anchor {
	pid_t pid;  /* 0 if it was adopted */
	int pidfd;  /* -1 then */
	int socket; /* readable: the anchor was told to stop (or is gone) */
};

/* lock_fd: -1 if there is none. */
int anchor_spawn(const char *program, int lock_fd, struct anchor *ret, struct error *err);

/* run_fd: the run's cgroup directory; keep_fd: held open, -1 if there is none; parent_fd and name:
 * as in struct anchor_charge, -1 and NULL if none; own_leaf: "" if none. */
int anchor_charge(const struct anchor *anchor, int run_fd, int keep_fd, int parent_fd,
		  const char *name, const char *own_leaf, uint32_t patience_msec,
		  struct error *err);

/* Makes it the keeper of the scope whose cgroup directory is run_fd, and binds the socket where the
 * next daemon finds it, at path. */
int anchor_charge_keep(const struct anchor *anchor, int run_fd, const char *path,
		       struct error *err);

/* Connects to the anchor that an earlier daemon has left. ERROR_NOT_FOUND: there is none. */
int anchor_adopt(const char *path, struct anchor *ret, struct error *err);

/* Lets go of an anchor that keeps: it stays. */
void anchor_leave(struct anchor *anchor);

/* Its end without cleaning up; anchor_finish still waits for it. */
void anchor_kill(const struct anchor *anchor);

/* Closes the socket and waits for its end; kills it after timeout_msec. */
void anchor_finish(struct anchor *anchor, int timeout_msec);
