/* SPDX-License-Identifier: MIT */
/*
 * The kernel's mount interface by file descriptors (open_tree, mount_setattr, move_mount, fsopen),
 * with errors that say what was tried. Every fd is close-on-exec. Linux 5.14 has all of it; an
 * ENOSYS says so.
 */
#pragma once

#include "policy/error.h"

#include <linux/mount.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Opens a path of the host (absolute) as O_PATH; no component may be a symbolic link. */
int mount_open_source(const char *path, int *ret_fd, struct error *err);

/* Opens what is at `path` (relative) below root, as seen by someone for whom root is "/"; no
 * symbolic links. -ENOENT, with err filled, if it does not exist. */
int mount_open_beneath(int root, const char *path, int *ret_fd, struct error *err);

/* A detached copy of the mount at source_fd; with everything mounted below it if recursive. All
 * `attributes` (MOUNT_ATTR_*) are set before anyone can see it, on the copies below it too; none is
 * propagated to or from elsewhere. */
int mount_clone(int source_fd, bool recursive, uint64_t attributes, int *ret_tree,
		struct error *err);

struct mount_option {
	const char *key;
	const char *value; /* NULL: a flag */
};

/* A new file system, mounted nowhere yet. */
int mount_create(const char *type, const struct mount_option *options, size_t count,
		 uint64_t attributes, int *ret_tree, struct error *err);

/* Puts a detached mount onto the file or directory target_fd. */
int mount_attach(int tree, int target_fd, struct error *err);

/* The same, onto `name` in directory parent; a symbolic link is not followed. */
int mount_attach_at(int tree, int parent, const char *name, struct error *err);

/* MOUNT_ATTR_RDONLY on this mount alone, without what is mounted below it. */
int mount_make_read_only(int tree, struct error *err);

/* The topmost mount at path goes, with all below it; who uses something of it keeps that. */
int mount_detach(const char *path, struct error *err);

/* Nothing mounted or unmounted here reaches the host, nor the other way. */
int mount_make_all_private(struct error *err);
