/* SPDX-License-Identifier: MIT */
/* From a path to the whole disk that its file system is on, which is what io.max wants. */
#pragma once

#include "policy/error.h"
#include "policy/limits.h"

/* Follows st_dev (or, for btrfs and other virtual devices, the mount's source device) to
 * /sys/dev/block, and from a partition to its disk; device mapper and md devices are disks of their
 * own. A block device stands for itself. ERROR_INVALID for a path that does not exist and for a
 * file system without a disk (tmpfs, NFS, overlay), naming its type. The text begins with the path:
 * the caller knows the field. */
int disk_of_path(const char *path, struct disk *ret, struct error *err);

/* The parts of it, with the kernel's files as arguments. */

/* block_directory: /sys/dev/block but for tests. ERROR_INVALID if there is no such block device. */
int disk_of_device(const char *block_directory, struct disk device, struct disk *ret,
		   struct error *err);

#define MOUNT_TEXT_MAX 256
struct mount_line {
	char type[MOUNT_TEXT_MAX];   /* "ext4" */
	char source[MOUNT_TEXT_MAX]; /* "/dev/vda1", "server:/export", "overlay" */
};

/* Reads one line of /proc/PID/mountinfo. True if it is well-formed and of this mount id. */
bool disk_read_mount_line(const char *line, uint64_t mount_id, struct mount_line *ret);
