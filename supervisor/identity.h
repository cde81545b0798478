/* SPDX-License-Identifier: MIT */
/*
 * Who the worker runs as. A named user or id is looked up; without one a dynamic uid is picked from
 * IDENTITY_DYNAMIC_FIRST.., the same for the same app name while it is free, and held by a lock
 * file (flock on /run/pysbx/uid/N): two runs never share one, and the lock goes with its holder.
 * The range is one that systemd's UIDS-GIDS.md leaves unused.
 *
 * Lock files stay when their holder is gone: a file that is removed while another process opens it
 * would let two hold "the" lock. They are empty, on tmpfs, and at most one for each app name seen.
 */
#pragma once

#include "policy/error.h"
#include "policy/plan.h"

#include <stdbool.h>
#include <sys/types.h>

#define IDENTITY_DYNAMIC_FIRST 1879048192U /* 0x70000000 */
#define IDENTITY_DYNAMIC_COUNT 65536U
/* Behind them those of the daemon's apps, which needs no locks: it is alone, and keeps a list of
 * them (supervisor/uids.h). */
#define IDENTITY_DAEMON_FIRST (IDENTITY_DYNAMIC_FIRST + IDENTITY_DYNAMIC_COUNT)
/* And behind those the one that is told of incidents (supervisor/incident_hook.h). */
#define IDENTITY_HOOK_UID (IDENTITY_DAEMON_FIRST + IDENTITY_DYNAMIC_COUNT)

struct identity {
	uid_t uid;
	gid_t gid;
	gid_t groups[PLAN_GROUPS_MAX]; /* supplementary */
	size_t group_count;
	char *user_name; /* "pysbx-web" for a dynamic one */
	char *group_name;
	int lock_fd; /* -1 for a named user; keep it open as long as the app may run */
};

/* user: NULL, "name", "uid" or "uid:gid". A uid that the system knows brings its primary group, one
 * that it doesn't know has a group of the same number. Of the user's other groups none comes by
 * itself: one of them may be as good as root (docker, disk). uid 0, gid 0 and the dynamic range are
 * refused (ERROR_INVALID, "user: ...").
 * lock_directory is "/run/pysbx/uid" but for tests; it and its parent are made if they are missing.
 */
int identity_resolve(const char *user, const char *app, const char *lock_directory,
		     struct identity *ret, struct error *err);
/* The same for an app of the daemon: without a user it gets `own` (supervisor/uids.h), and no lock.
 */
int identity_resolve_app(const char *user, const char *app, uid_t own, struct identity *ret,
			 struct error *err);
/* Adds supplementary groups by their names, each once; the same ids are refused ("groups: ..."). */
int identity_add_groups(const struct strings *names, struct identity *identity, struct error *err);
/* Where in a range an app's uid is looked for first. */
uint32_t identity_hash_name(const char *app);
void identity_clear(struct identity *identity);

enum { IDENTITY_EXECUTE = 1, IDENTITY_WRITE = 2, IDENTITY_READ = 4 }; /* bits as in a mode */

/* True if the mode bits of path (symlinks followed) clearly deny one of the wanted accesses. False
 * where it cannot be told from them: an ACL, or a file that cannot be looked at. */
bool identity_is_denied(const struct identity *identity, const char *path, unsigned wanted);
