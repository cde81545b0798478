/* SPDX-License-Identifier: MIT */
/*
 * `isolation.egress` in force: programs (policy/egress_program.h) attached to the cgroup of an app.
 * They hold for all sockets that are made in it and below, in whatever network namespace, and stay
 * until the cgroup is removed: no process has to live for them.
 *
 * The kernel takes the cgroup of a socket from the process that made it. So a socket that somebody
 * else made and handed in is that one's, and a connection that stood before the list grew shorter
 * goes on.
 */
#pragma once

#include "policy/error.h"
#include "policy/strings.h"

/* Makes `list` (validated) what the cgroup of this directory fd may reach; an empty one lifts what
 * was there. Each kind of call and of packet changes in one step; on failure some may have changed,
 * never to less than one of both lists. Programs of others stay as they are. ERROR_UNSUPPORTED
 * where the kernel lacks it. */
int egress_apply(int cgroup_fd, const struct strings *list, struct error *err);

/* From now on nothing that is made in it connects or sends anywhere, but answers. field: what it is
 * for, in errors. */
int egress_close(int cgroup_fd, const char *field, struct error *err);
