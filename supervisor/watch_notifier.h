/* SPDX-License-Identifier: MIT */
/*
 * One inotify descriptor for the cgroup files of a thousand apps. The kernel tells of a change in
 * memory.events and pids.events by inotify as well as by POLLPRI (kernfs_notify() does both), and
 * so an idle app costs the daemon no descriptor and no wake-up.
 *
 * When the kernel's queue overflows, everyone is told of everything.
 */
#pragma once

#include "policy/error.h"

#include <systemd/sd-event.h>

struct watch_notifier {
	int fd;
	sd_event_source *source;
	void *entries; /* of tsearch(3), by watch descriptor */
};

typedef void watch_notifier_callback(unsigned which, void *userdata);

int watch_notifier_open(struct watch_notifier *ret, sd_event *event, struct error *err);
void watch_notifier_close(struct watch_notifier *notifier);

/* Calls back with `which` when dir/file changes. Returns the watch descriptor. */
int watch_notifier_add(struct watch_notifier *notifier, int dir, const char *file, unsigned which,
		       watch_notifier_callback *callback, void *userdata, struct error *err);
/* wd: -1 is fine. Not from within the callback of another one's watch. */
void watch_notifier_remove(struct watch_notifier *notifier, int wd);
