/* SPDX-License-Identifier: MIT */
/*
 * The piece of the cgroup tree that one `pysbx run` has to itself, wherever it comes from:
 *
 *   systemd is PID 1     a transient scope, asked for over the bus (supervisor/scope.h)
 *   --cgroup-root DIR    a directory below DIR
 *   neither              a directory below our own cgroup
 *
 *   ROOT/init/           launchers (and, in a scope, the anchor): outside every app's limits
 *   ROOT/NAME.slice/     the app: made by its user (supervisor/instance.c)
 */
#pragma once

#include "policy/quantity.h"
#include "supervisor/anchor.h"
#include "supervisor/cgroup.h"
#include "supervisor/runs.h"
#include "supervisor/scope.h"

#define DELEGATION_NONE                        \
	((struct delegation){ .fd = -1,        \
			      .init_fd = -1,   \
			      .parent_fd = -1, \
			      .lock_fd = -1,   \
			      .anchor = { .pidfd = -1, .socket = -1 } })

struct delegation {
	char id[RUN_ID_MAX];
	char app[RUN_ID_MAX];
	char path[CGROUP_PATH_MAX]; /* absolute path of ROOT, for messages */
	char own_leaf[64]; /* name of the leaf that we moved to below our own cgroup, or "" */
	int fd;		   /* ROOT */
	int init_fd;
	int parent_fd; /* of ROOT, -1 in a scope: systemd removes that */
	int lock_fd;
	unsigned controllers;	   /* that are enabled in ROOT */
	struct scope_start *scope; /* systemd has been asked for it, and not yet heard */
	struct anchor anchor;
};

struct delegation_request {
	const char *app;
	const char *cgroup_root; /* NULL if not given */
	unsigned required;	 /* CONTROLLER_* that must be there */
	unsigned watched;	 /* so must these, but below a cgroup_root that has none */
	sd_bus *bus;		 /* of scope_connect, or NULL; stays the caller's */
	uint64_t grace_usec;
	int keep_fd;	 /* held open by the anchor as long as it lives, -1 if there is none */
	uint32_t random; /* makes the id unique */
};

/* Asks for it, and waits for nobody: delegation_open, with the same request, does. After a failure
 * of either delegation_close has nothing to do. */
int delegation_begin(const struct delegation_request *request, struct delegation *ret,
		     struct error *err);
int delegation_open(const struct delegation_request *request, struct delegation *delegation,
		    struct error *err);

/* Removes all of it: what is left in it is killed. Waits until it is gone. */
int delegation_close(struct delegation *delegation, struct error *err);
