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

struct reclaim {
	int pidfd;
	sd_event_source *child, *timer;
	reclaim_callback *callback;
	void *userdata;
};

static int on_done(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct reclaim *reclaim = userdata;
	siginfo_t ignored;
	(void)source, (void)revents;

	(void)waitid(P_PIDFD, (id_t)fd, &ignored, WEXITED);
	sd_event_source_disable_unref(reclaim->child);
	sd_event_source_disable_unref(reclaim->timer);
	close_and_clear(&reclaim->pidfd);
	reclaim->callback(reclaim->userdata);
	free(reclaim);
	return 0;
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	const struct reclaim *reclaim = userdata;
	(void)source, (void)usec;

	/* its end calls back */
	(void)syscall(SYS_pidfd_send_signal, reclaim->pidfd, SIGKILL, NULL, 0);
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
	/* sd_event_add_child would ask for a blocked SIGCHLD, which every child would inherit */
	int r = sd_event_add_io(event, &reclaim->child, reclaim->pidfd, EPOLLIN, on_done, reclaim);

	if (r >= 0)
		r = sd_event_add_time_relative(event, &reclaim->timer, CLOCK_MONOTONIC,
					       RECLAIM_PATIENCE_USEC, 0, on_late, reclaim);
	return r;
}

int reclaim_start(sd_event *event, int root, const char *path, uint64_t bytes,
		  reclaim_callback *callback, void *userdata, struct error *err)
{
	struct reclaim *reclaim = malloc(sizeof(*reclaim));
	pid_t pid;
	int r;

	if (reclaim == NULL)
		return error_no_memory(err);
	*reclaim = (struct reclaim){ .pidfd = -1, .callback = callback, .userdata = userdata };
	pid = fork();
	if (pid == 0)
		write_it(root, path, bytes);
	r = pid < 0 ? -errno : 0;
	if (r >= 0) {
		reclaim->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		r = reclaim->pidfd < 0 ? -errno : watch(reclaim, event);
	}
	if (r < 0) {
		sd_event_source_disable_unref(reclaim->child);
		close_and_clear(&reclaim->pidfd);
		free(reclaim);
		return error_set(err, ERROR_SYSTEM, -r, "a process for memory.reclaim");
	}
	return 0;
}
