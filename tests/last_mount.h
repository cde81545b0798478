/* SPDX-License-Identifier: MIT */
/* Whether anybody holds a file system that is unmounted here: of tests of all rooms. */
#pragma once

#include "policy/own.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/mount.h>

/* Unmounts what is at place. The kernel says IN_UNMOUNT when a file system's last mount goes, in
 * whichever namespace: false if it has not said so after msec. */
static inline bool last_mount_goes(const char *place, int msec)
{
	_cleanup_close_ int watch = inotify_init1(IN_CLOEXEC);
	struct pollfd poller = { .fd = watch, .events = POLLIN };

	cr_assert_geq(inotify_add_watch(watch, place, IN_DELETE_SELF), 0);
	cr_assert_eq(umount2(place, 0), 0);
	return poll(&poller, 1, msec) == 1;
}
