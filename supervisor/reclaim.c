/* SPDX-License-Identifier: MIT */
#include "supervisor/reclaim.h"

#include "policy/own.h"
#include "supervisor/file.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
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

static void write_it(int root, const char *path, uint64_t bytes)
{
	char file[512], text[32];
	struct error ignored;

	snprintf(file, sizeof(file), "%s/memory.reclaim", path);
	snprintf(text, sizeof(text), "%" PRIu64, bytes);
	(void)file_write_at(root, file, text, &ignored);
	_exit(0);
}

static int watch(struct reclaim *reclaim, sd_event *event)
{
	int r = sd_event_add_io(event, &reclaim->end, reclaim->pidfd, EPOLLIN, on_end, reclaim);

	if (r >= 0)
		r = sd_event_add_time_relative(event, &reclaim->timer, CLOCK_MONOTONIC,
					       RECLAIM_PATIENCE_USEC, 0, on_late, reclaim);
	return r;
}

static int start(struct reclaim *reclaim, int root, const char *path, uint64_t bytes,
		 struct error *err)
{
	pid_t pid = fork();

	if (pid < 0)
		return error_set(err, ERROR_SYSTEM, errno, "a process for memory.reclaim");
	if (pid == 0)
		write_it(root, path, bytes);
	reclaim->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (reclaim->pidfd >= 0)
		return 0;
	(void)error_set(err, ERROR_SYSTEM, errno, "pidfd_open");
	(void)kill(pid, SIGKILL); /* not waited for yet: it is no other one */
	(void)waitpid(pid, NULL, 0);
	return -err->errnum;
}

int reclaim_start(sd_event *event, int root, const char *path, uint64_t bytes,
		  reclaim_callback *callback, void *userdata, struct error *err)
{
	struct reclaim *reclaim = malloc(sizeof(*reclaim));
	int r;

	if (reclaim == NULL)
		return error_no_memory(err);
	*reclaim = (struct reclaim){ .pidfd = -1, .callback = callback, .userdata = userdata };
	r = start(reclaim, root, path, bytes, err);
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
