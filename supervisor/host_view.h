/* SPDX-License-Identifier: MIT */
/*
 * The mount namespace that launchers start in: an empty directory that cannot be written to, and
 * below it, at PLAN_HOST_DIRECTORY, the host's tree as it is seen here. A launcher enters it,
 * copies it, puts its new root on the empty directory, and lets the host's tree go.
 *
 * It could as well copy the namespace that it was cloned in, and does so where there is no view:
 * but then the host's tree is the root, and only pivot_root(2) takes it away, which looks at every
 * process of the machine for one that stands in it. With a thousand apps that was a quarter of a
 * start.
 *
 * What is mounted or unmounted on the host reaches the view as far as mounts propagate; and when
 * anything has changed here, the view is made anew before it is used again. Needs CAP_SYS_CHROOT
 * beside CAP_SYS_ADMIN.
 */
#pragma once

#include "policy/error.h"

struct host_view {
	int namespace_fd; /* of setns(2), CLONE_NEWNS; -1: there is none */
	int mounts_fd;	  /* /proc/self/mountinfo, which tells by poll(2) of changes */
};

#define HOST_VIEW_NONE ((struct host_view){ .namespace_fd = -1, .mounts_fd = -1 })

int host_view_open(struct host_view *ret, struct error *err);

/* 1: namespace_fd shows what is mounted now; it is the view's own, until the next call. 0: there is
 * none, as was said. Negative: it could not be made anew, and is tried again after the next change.
 */
int host_view_refresh(struct host_view *view, struct error *err);

void host_view_close(struct host_view *view);
