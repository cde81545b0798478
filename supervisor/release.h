/* SPDX-License-Identifier: MIT */
/*
 * What a supervisor that is gone may have left in the way of its apps: one frozen for a look, and
 * tripwires that nobody raises now (supervisor/instance_tripwire.c). Whoever outlives it lets them
 * go: the anchor, and systemd after the daemon. What a user wants stays: memory.high of an app's
 * slice, that of a tenant unless it is marked as ours, and the leaf of a suspended app, which is
 * frozen by itself.
 */
#pragma once

/* Of all apps below root, the cgroup of a run or of all apps, also those of tenants. Best effort:
 * they come and go meanwhile. */
void release_apps(int root);
