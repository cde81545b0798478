/* SPDX-License-Identifier: MIT */
#include "supervisor/reclaim.h"

#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* The end is seen on the pidfd. (sd_event_add_child_pidfd wants SIGCHLD blocked, and every child of
 * ours would inherit that.) */
struct reclaim {
	int pidfd;
	sd_event_source *end, *timer;
	reclaim_callback *callback;
	void *userdata;
};

static void kill_it(const struct reclaim *reclaim)
{
	(void)syscall(SYS_pidfd_send_signal, reclaim->pidfd, SIGKILL, NULL, 0);
}

/* Waits for its end, which is near. */
static void finish(struct reclaim *reclaim)
{
	siginfo_t info;

	sd_event_source_disable_unref(reclaim->end);
	sd_event_source_disable_unref(reclaim->timer);
	(void)waitid((idtype_t)P_PIDFD, (id_t)reclaim->pidfd, &info, WEXITED);
	close_and_clear(&reclaim->pidfd);
	free(reclaim);
}

static int on_end(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct reclaim *reclaim = userdata;
	reclaim_callback *callback = reclaim->callback;
	void *of_caller = reclaim->userdata;
	(void)source, (void)fd, (void)events;

	finish(reclaim);
	callback(of_caller);
	return 0;
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source, (void)usec;
	kill_it(userdata); /* its end calls back */
	return 0;
}

/* --- the process ---------------------------------------------------------------------------- */

/* Clients and locks of the daemon are none of its own: they close when the daemon closes them. */
static int keep_only(int dir)
{
	int kept = fcntl(dir, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (kept > STDERR_FILENO + 1)
		(void)close_range(STDERR_FILENO + 1, (unsigned)kept - 1, 0);
	(void)close_range((unsigned)kept + 1, ~0U, 0);
	return kept;
}

/* False: more than that is in use, and can't be given back. */
static bool make_room(int dir, uint64_t limit)
{
	for (unsigned tries = 0; tries < 2; tries++) {
		char text[64];
		struct error ignored;
		uint64_t current;

		if (file_read_at(dir, "memory.current", text, sizeof(text), &ignored) < 0)
			return false;
		current = strtoull(text, NULL, 10);
		if (current <= limit)
			return true;
		snprintf(text, sizeof(text), "%" PRIu64, current - limit);
		if (tries == 0)
			(void)file_write_at(dir, "memory.reclaim", text, &ignored);
	}
	return false;
}

static void lower(int dir, const struct limits *limits, bool force)
{
	struct limits memory = spec_no_limits;
	struct limit_write writes[LIMIT_WRITES_MAX];
	struct error ignored;
	size_t count;

	memory.memory_max = limits->memory_max;
	memory.memory_high = limits->memory_high;
	if (memory.memory_max < LIMIT_UNSET && !force && !make_room(dir, memory.memory_max))
		return;
	count = limits_writes(&memory, NULL, (uint64_t)sysconf(_SC_PAGESIZE), writes);
	for (size_t i = 0; i < count; i++)
		(void)file_write_at(dir, writes[i].file, writes[i].text, &ignored);
}

/* -------------------------------------------------------------------------------------------- */

static int watch(struct reclaim *reclaim, sd_event *event)
{
	int r = sd_event_add_io(event, &reclaim->end, reclaim->pidfd, EPOLLIN, on_end, reclaim);

	if (r >= 0)
		r = sd_event_add_time_relative(event, &reclaim->timer, CLOCK_MONOTONIC,
					       RECLAIM_PATIENCE_USEC, 0, on_late, reclaim);
	return r;
}

static int start(struct reclaim *reclaim, int dir, const struct limits *limits, bool force,
		 struct error *err)
{
	pid_t pid = fork();

	if (pid < 0)
		return error_set(err, ERROR_SYSTEM, errno, "a process for memory.reclaim");
	if (pid == 0) {
		lower(keep_only(dir), limits, force);
		_exit(0);
	}
	reclaim->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (reclaim->pidfd >= 0)
		return 0;
	(void)error_set(err, ERROR_SYSTEM, errno, "pidfd_open");
	(void)kill(pid, SIGKILL); /* not waited for yet: it is no other one */
	(void)waitpid(pid, NULL, 0);
	return -err->errnum;
}

int reclaim_start(sd_event *event, int root, const char *path, const struct limits *limits,
		  bool force, reclaim_callback *callback, void *userdata, struct error *err)
{
	_cleanup_close_ int dir = -1;
	struct reclaim *reclaim;
	int r;

	/* opened here: one of the same name that is made later is not meant */
	r = cgroup_open(root, path, &dir, err);
	if (r < 0)
		return r;
	reclaim = malloc(sizeof(*reclaim));
	if (reclaim == NULL)
		return error_no_memory(err);
	*reclaim = (struct reclaim){ .pidfd = -1, .callback = callback, .userdata = userdata };
	r = start(reclaim, dir, limits, force, err);
	if (r < 0) {
		free(reclaim);
		return r;
	}
	r = watch(reclaim, event);
	if (r < 0) {
		kill_it(reclaim);
		finish(reclaim);
		return error_set(err, ERROR_SYSTEM, -r, "watch a process for memory.reclaim");
	}
	return 0;
}
