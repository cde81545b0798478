/* SPDX-License-Identifier: MIT */
/* The mounted cgroup v2, with controllers or without, for tests that need no limits. */
#pragma once

#include "policy/own.h"
#include "supervisor/cgroup.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Its root directory, which stays open. False: there is none, or we are not root. */
static inline bool cgroup_fixture_open(int *root)
{
	static const char *const mounts[] = { CGROUP_MOUNT, CGROUP_MOUNT "/unified" };
	struct statfs fs;
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(mounts) && *root < 0; i++)
		if (statfs(mounts[i], &fs) == 0 && (unsigned long)fs.f_type == CGROUP2_SUPER_MAGIC)
			(void)cgroup_open(AT_FDCWD, mounts[i], root, &err);
	return *root >= 0 && geteuid() == 0;
}
