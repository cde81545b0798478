/* SPDX-License-Identifier: MIT */
/*
 * The cgroup that all apps of the daemon live in, and that outlives it:
 *
 *   pysbx.slice/pysbx-apps.scope/      delegated by systemd; or DIR/pysbx-apps with --cgroup-root
 *       init/                          launchers, and the anchor that keeps the scope
 *       [TENANT.tenant/]APP.slice/     supervisor/app_cgroup.h
 *
 * A directory of --cgroup-root may be on a hierarchy without controllers, which are then bound to
 * cgroup v1: apps without limits run there. In a scope of systemd's they are required.
 *
 * Below an unsuspecting systemd the anchor hears of `systemctl stop`, and of the host's shutdown.
 */
#pragma once

#include "policy/error.h"
#include "supervisor/anchor.h"
#include "supervisor/cgroup.h"

#include <stdbool.h>

#define APPS_SCOPE_UNIT	   "pysbx-apps.scope"
#define APPS_SCOPE_SERVICE "pysbxd.service" /* at shutdown the scope goes first, and is heard */
#define APPS_SCOPE_ANCHOR  "anchor.sock"    /* in the keepers' directory */
/* What apps have for their ends when the host shuts down. */
#define APPS_SCOPE_STOP_USEC UINT64_C(300000000)

struct apps_scope {
	int fd, init_fd; /* -1: not there */
	char path[CGROUP_PATH_MAX];
	unsigned missing;     /* CONTROLLER_MEMORY, CONTROLLER_PIDS: only with --cgroup-root */
	struct anchor anchor; /* socket -1: none is needed, with --cgroup-root */
};

/* Finds what an earlier daemon has left: true, or false if there is nothing (*ret is closed). */
bool apps_scope_find(const char *cgroup_root, const char *keeper_directory, struct apps_scope *ret);

/* Finds or makes it. Waits for systemd, which in turn waits until the service is ready: not before
 * READY=1. */
int apps_scope_open(const char *cgroup_root, const char *keeper_directory, struct apps_scope *ret,
		    struct error *err);

/* Another anchor for one whose anchor was killed; fails if there is no such cgroup any more. */
int apps_scope_renew_anchor(struct apps_scope *scope, const char *keeper_directory,
			    struct error *err);

/* Lets go of it; all in it stays. */
void apps_scope_close(struct apps_scope *scope);
