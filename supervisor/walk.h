/* SPDX-License-Identifier: MIT */
/*
 * From a path as someone wrote it to the file itself, remembering every symlink on the way: a
 * sandbox shows paths at their canonical place, and the links that lead there are made again in it
 * (/srv/current -> releases/7, venv/bin/python -> /opt/python/bin/python3).
 *
 * A link that the app itself may change must not decide what becomes visible at its next start: the
 * app would point it at another tenant's files, and root would follow. So a step that lies in a
 * --rw path may lead only to where the app sees anyway: below that path, into its directory, or
 * into /usr; and what becomes writable only below that path. Every other such step is refused. The
 * same holds for steps written in files: the "#!" line of a script, the "home" of a virtualenv.
 */
#pragma once

#include "policy/plan_build.h"

#define WALK_LINKS_MAX 40 /* symlinks in one path: the kernel's MAXSYMLINKS */

enum walk_purpose { WALK_TO_READ, WALK_TO_WRITE };

/* Canonical path of `path` (absolute), which exists. Links crossed are added to facts->links, once.
 * facts->directory (NULL if not known yet) and facts->writable are what the rule above looks at.
 * Fails with the kernel's error (-ENOENT, -ENOTDIR, -ELOOP, -EACCES; "PATH: ..."), or with
 * ERROR_INVALID and -EPERM for a step that is not trusted. */
int walk_resolve(struct host_facts *facts, const char *path, enum walk_purpose purpose,
		 char **ret_real, struct error *err);

/* The rule itself: `step` (canonical; a link or a file) leads to `real` (canonical). */
int walk_check_step(const struct host_facts *facts, const char *step, const char *real,
		    enum walk_purpose purpose, struct error *err);
