/* SPDX-License-Identifier: MIT */
/*
 * cgroup v2, by directory fds. Wherever the root comes from (a scope that systemd delegated, our
 * own cgroup, --cgroup-root), all below it goes through here. Errors name the file and what was
 * written.
 */
#pragma once

#include "policy/error.h"
#include "policy/limits.h"

#include <stdbool.h>
#include <sys/types.h>

#define CGROUP_MOUNT	 "/sys/fs/cgroup"
#define CGROUP_DEPTH_MAX 8
#define CGROUP_PATH_MAX	 1024

/* Is /sys/fs/cgroup a cgroup2 file system? ERROR_UNSUPPORTED says why not and what to do. */
int cgroup_check_mount(struct error *err);

/* The path of a process's cgroup below the mount, as in /proc/PID/cgroup ("/pysbx.slice/...");
 * pid 0 is the caller. */
int cgroup_of_process(pid_t pid, char *ret_path, size_t size, struct error *err);

/* The same of an absolute path below the mount, as the kernel's log names it; "" for one that is
 * not below it. Borrowed from path. */
const char *cgroup_path_of_kernel(const char *path);

/* mkdir and open (O_DIRECTORY, close-on-exec). */
int cgroup_make(int parent, const char *name, int *ret_fd, struct error *err);
int cgroup_open(int parent, const char *name, int *ret_fd, struct error *err);

/* Those of CONTROLLER_* that children of dir can be given. */
int cgroup_controllers(int dir, unsigned *ret_controllers, struct error *err);

/* Enables controllers (CONTROLLER_*) for the children of dir. One that is not available there is
 * ERROR_UNSUPPORTED and named; `where` is the path for the message. */
int cgroup_enable(int dir, unsigned controllers, const char *where, struct error *err);

/* As many of the four as there are; what can't be is left. */
void cgroup_enable_available(int dir);

/* Writes each limit and reads it back; another value than asked for is an error. */
int cgroup_apply(int dir, const struct limit_write *writes, size_t count, struct error *err);

int cgroup_move(int dir, pid_t pid, struct error *err);
int cgroup_populated(int dir, bool *ret_populated, struct error *err);

/* Frozen, by itself or with what it lies in: what starts there stands still at once. */
bool cgroup_is_frozen(int dir);

/* SIGKILL to all in dir and below (cgroup.kill, Linux 5.14); thaws nothing: a frozen cgroup dies
 * too. */
int cgroup_kill(int dir, struct error *err);

/* Waits at most timeout_msec until nothing lives in dir; ETIMEDOUT otherwise. */
int cgroup_wait_empty(int dir, int timeout_msec, struct error *err);

/* Kills all in parent/name, waits (timeout_msec), removes it and everything below. Absent is fine.
 */
int cgroup_destroy(int parent, const char *name, int timeout_msec, struct error *err);

/* The caller moves up from parent/leaf to parent, whose controllers are given back first, and
 * removes the leaf. Best effort: others may have come to live there. */
void cgroup_leave_leaf(int parent, const char *leaf);

/* Calls visit for each pid in dir's own cgroup.procs (not below). Stops when visit returns false.
 */
int cgroup_each_process(int dir, bool (*visit)(pid_t pid, void *userdata), void *userdata,
			struct error *err);

/* Does it live in dir (not below)? Of one that a pidfd is held of, and that has not ended
 * afterwards, that was its own number. */
bool cgroup_has_process(int dir, pid_t pid);
