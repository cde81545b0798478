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
 *
 * Nor does root lend its eyes to the owner of a link. On a shared host a tenant may point
 * /home/a/app at /home/b/app, which is closed to him and not to root. So what a link of a uid other
 * than 0 leads to must be that uid's own, or root's and open to everybody (the interpreter of a
 * virtualenv in /usr or /opt), and each directory on the way passable for that uid; what becomes
 * writable must be its own. Links of root are root's word. Again the same holds for steps written
 * in files, whose owner counts.
 */
#pragma once

#include "policy/plan_build.h"

#define WALK_LINKS_MAX 40 /* symlinks in one path: the kernel's MAXSYMLINKS */

enum walk_purpose { WALK_TO_READ, WALK_TO_WRITE };

/* Canonical path of `path` (absolute), which exists. Links crossed are added to facts->links, once.
 * facts->directory (NULL if not known yet) and facts->writable are what the rule above looks at.
 * Fails with the kernel's error (-ENOENT, -ENOTDIR, -ELOOP, -EACCES; "PATH: ..."), or with
 * ERROR_INVALID for a step that is not trusted: -EPERM ("isolation.writable: ...") where the app
 * could change it, -EACCES ("LINK is a symlink of uid ...") where its owner may not say so. */
int walk_resolve(struct host_facts *facts, const char *path, enum walk_purpose purpose,
		 char **ret_real, struct error *err);

/* As walk_resolve, for a path that the file `from` (canonical; NULL: no file) names in its text. */
int walk_resolve_from(struct host_facts *facts, const char *from, const char *path,
		      enum walk_purpose purpose, char **ret_real, struct error *err);

/* The rule about what the app can change: `step` (canonical; a link or a file) leads to `real`
 * (canonical). */
int walk_check_step(const struct host_facts *facts, const char *step, const char *real,
		    enum walk_purpose purpose, struct error *err);

/* Opens a regular file for reading, at its canonical path: a symlink anywhere in it, come since the
 * walk, is not followed. What is no regular file is never opened. ERROR_INVALID, "PATH: ...". */
int walk_open(const char *real, int *ret_fd, struct error *err);

/* Its text, of at most max bytes, NUL-terminated and the caller's. */
int walk_read(const char *real, size_t max, char **ret_text, size_t *ret_length, struct error *err);
