/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's end of a pysbx-launch: starting one, hearing from it, telling it.
 *
 * What runs as pid 1 of a sandbox has no file that a worker could reach and overwrite
 * (CVE-2019-5736): a daemon copies the program into a sealed memfd, once (launcher_image), and who
 * starts one only keeps its file open (launcher_file) and clones that for each start as a read-only
 * mount of its own (launcher_mount). It is started with clone3 into its cgroup and its namespaces,
 * so no time passes in which it is elsewhere.
 *
 * A launcher whose plan says `keep` outlives its supervisor (policy/launch_message.h). It listens
 * on a socket that is bound here, at keeper_path; the next supervisor calls launcher_adopt with the
 * same path and hears from the launcher all that it must know. Such a launcher is no child of ours:
 * its pidfd comes with LAUNCH_RUNNING, and tells its end but not its status. The socket's name is
 * the caller's to remove when the launcher has ended.
 */
#pragma once

#include "policy/launch_message.h"
#include "policy/plan.h"
#include "supervisor/listeners.h"

#include <stdbool.h>
#include <sys/types.h>

#define LAUNCHER_PATH	   PYSBX_LIBEXECDIR "/pysbx-launch"
#define LAUNCHER_REAP_MSEC 2000
#define LAUNCHER_IMAGE_MAX (16U << 20)
#define LAUNCHER_FDS_MAX   LISTEN_MAX /* that come with one record */

/* Reads the program at path into a sealed, executable memfd. */
int launcher_image(const char *path, int *ret_fd, struct error *err);

/* The program at path as it is now, whatever will be installed there. */
int launcher_file(const char *path, int *ret_fd, struct error *err);

/* Without a copy, which takes 1.5 ms. The mount is in no namespace, and stays read-only for whoever
 * gets at it by /proc/PID/exe, root too. Where it can't be had, it is a memfd after all. */
int launcher_mount(int file_fd, int *ret_fd, struct error *err);

struct launcher {
	pid_t pid;  /* as we see it; pid 1 inside; 0 until an adopted one has sent its pidfd */
	int pidfd;  /* -1 until then, and while it rests */
	int socket; /* SOCK_SEQPACKET, non-blocking */
	bool is_child;
};

/* A daemon has thousands of descriptors, and to copy and close them all for each start takes longer
 * than the rest of it. What a launcher takes along is put into a few low ones that are kept for
 * that, and only those up to `end` are copied. */
#define LAUNCHER_SLOTS 6
struct launcher_slots {
	int null_fd, fds[LAUNCHER_SLOTS];
	unsigned end;
};

#define LAUNCHER_SLOTS_NONE \
	((struct launcher_slots){ .null_fd = -1, .fds = { -1, -1, -1, -1, -1, -1 } })

/* To be opened while few are open. */
int launcher_slots_open(struct launcher_slots *ret, struct error *err);
void launcher_slots_close(struct launcher_slots *slots);

struct launcher_start {
	const struct plan *plan;
	int image_fd; /* of launcher_image; -1: file_fd is mounted */
	int file_fd;  /* of launcher_file */
	int filter_fd;
	int init_cgroup_fd; /* where the launcher itself lives, outside the app's limits */
	int leaf_cgroup_fd; /* where it starts the worker */
	int view_fd; /* of a host view (supervisor/host_view.h), for plan->host_view; else -1 */
	const struct launcher_slots *slots; /* NULL: all descriptors are copied */
	const char *keeper_path;	    /* of the listening socket if plan->keep, else NULL */
	const struct listeners *listeners;  /* as many as plan->listeners; NULL: none */
};

/* A received record; fds that came with it are the caller's, -1 where there is none. */
struct launcher_event {
	struct launch_message message;
	int fds[LAUNCHER_FDS_MAX];
};
#define LAUNCHER_HANGUP 1

/* Closes the fds that nobody has taken. */
void launcher_event_clear(struct launcher_event *event);

int launcher_spawn(const struct launcher_start *start, struct launcher *ret, struct error *err);

/* Connects to a launcher that an earlier supervisor has left at keeper_path; its older connection,
 * if there is one, ends. ERROR_NOT_FOUND: nobody listens there, the launcher is dead. What it has
 * to say comes by launcher_receive. */
int launcher_adopt(const char *keeper_path, struct launcher *ret, struct error *err);

/* LAUNCH_RUNNING of an adopted launcher: takes event->fds[1] as launcher->pidfd and sets pid. One
 * that has its pidfd already leaves the event as it is. */
void launcher_take_pidfd(struct launcher *launcher, struct launcher_event *event);

/* LAUNCH_SPOOL: what was kept of one stream (0 or 1), in its order; "" if nothing was. The text is
 * the caller's, NUL-terminated after `length` bytes; at most LAUNCH_RING_BYTES. */
int launcher_read_spool(const struct launcher_event *event, size_t stream, char **ret_text,
			size_t *ret_length, struct error *err);

void launcher_close(struct launcher *launcher);

/* A thousand pidfds for launchers of which none will end soon are too many. Of one that is our
 * child the pid is as good: it stays its own until it is reaped, so the pidfd is closed, and
 * launcher_wake opens it again. Others keep theirs. */
void launcher_rest(struct launcher *launcher);
int launcher_wake(struct launcher *launcher, struct error *err);

/* 0: one event; LAUNCHER_HANGUP: the other end is closed; -EAGAIN: nothing there (err untouched).
 */
int launcher_receive(const struct launcher *launcher, struct launcher_event *ret,
		     struct error *err);

/* type with `signal` (LAUNCH_SIGNAL) or 0. A launcher that is gone is no error. */
int launcher_send(const struct launcher *launcher, enum launch_message_type type, int signal,
		  struct error *err);

/* Kills it, and so all in its PID namespace, and reaps it, if that takes no longer than
 * LAUNCHER_REAP_MSEC: it cannot end before a process of its own that is in uninterruptible sleep.
 */
void launcher_kill(struct launcher *launcher);

/* Reaps it if it has ended. True: *ret_status is its wait status, or 0 if it is not our child. */
bool launcher_reap(struct launcher *launcher, int *ret_status);
