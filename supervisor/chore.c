/* SPDX-License-Identifier: MIT */
#include "supervisor/chore.h"

#include "policy/own.h"
#include "supervisor/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CANCEL_PATIENCE_MSEC 20

/* The end is seen on the pidfd. (sd_event_add_child_pidfd wants SIGCHLD blocked, and every child of
 * ours would inherit that.) */
struct chore {
	int pidfd;
	int result; /* pipe, non-blocking: what it says fits in without being read */
	sd_event_source *end, *timer;
	chore_callback *callback; /* NULL: nobody waits any more */
	void *userdata;
};

static void kill_it(const struct chore *chore)
{
	pidfd_kill(chore->pidfd);
}

/* Waits for its end, which has been seen, or is near. */
static void finish(struct chore *chore)
{
	siginfo_t info;

	sd_event_source_disable_unref(chore->end);
	sd_event_source_disable_unref(chore->timer);
	if (chore->pidfd >= 0)
		(void)waitid((idtype_t)P_PIDFD, (id_t)chore->pidfd, &info, WEXITED);
	close_and_clear(&chore->pidfd);
	close_and_clear(&chore->result);
	free(chore);
}

static int on_end(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct chore *chore = userdata;
	chore_callback *callback = chore->callback;
	void *of_caller = chore->userdata;
	char result[CHORE_RESULT_MAX];
	ssize_t n = read(chore->result, result, sizeof(result) - 1);
	(void)source, (void)fd, (void)events;

	result[n > 0 ? n : 0] = '\0';
	finish(chore);
	if (callback != NULL)
		callback(result, of_caller);
	return 0;
}

/* Killed, it ends at once, unless it waits for a disk: then the loop will see its end. */
static bool ends_soon(const struct chore *chore)
{
	struct pollfd end = { .fd = chore->pidfd, .events = POLLIN };

	return chore->end == NULL || poll(&end, 1, CANCEL_PATIENCE_MSEC) > 0;
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source, (void)usec;
	kill_it(userdata); /* its end calls back */
	return 0;
}

/* --- the child ------------------------------------------------------------------------------ */

/* Clients and locks of the supervisor are none of its own: they close when the supervisor closes
 * them. dir becomes the first descriptor after the standard ones, result the next. */
#define CHILD_DIR    (STDERR_FILENO + 1)
#define CHILD_RESULT (STDERR_FILENO + 2)

static void __attribute__((noreturn))
do_chore(int dir, int result_fd, chore_function *function, const void *argument)
{
	char result[CHORE_RESULT_MAX] = "";
	int kept_dir = fcntl(dir, F_DUPFD_CLOEXEC, CHILD_RESULT + 1);
	int kept_result = fcntl(result_fd, F_DUPFD_CLOEXEC, CHILD_RESULT + 1);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGTERM, SIG_DFL);
	if (kept_dir < 0 || kept_result < 0 || dup3(kept_dir, CHILD_DIR, O_CLOEXEC) < 0 ||
	    dup3(kept_result, CHILD_RESULT, O_CLOEXEC) < 0)
		_exit(1);
	(void)close_range(CHILD_RESULT + 1, ~0U, 0);
	function(CHILD_DIR, argument, result);
	_exit(write(CHILD_RESULT, result, strlen(result)) < 0 ? 1 : 0);
}

/* -------------------------------------------------------------------------------------------- */

static int start(struct chore *chore, int dir, chore_function *function, const void *argument,
		 struct error *err)
{
	_cleanup_close_ int ours = -1, theirs = -1;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "pipe");
	ours = ends[0];
	theirs = ends[1];
	pid = fork();
	if (pid < 0)
		return error_set(err, ERROR_SYSTEM, errno, "fork");
	if (pid == 0)
		do_chore(dir, theirs, function, argument);
	chore->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (chore->pidfd < 0) {
		(void)error_set(err, ERROR_SYSTEM, errno, "pidfd_open");
		(void)kill(pid, SIGKILL); /* not waited for yet: it is no other one */
		(void)waitpid(pid, NULL, 0);
		return -err->errnum;
	}
	chore->result = TAKE_FD(ours);
	return 0;
}

static int watch(struct chore *chore, sd_event *event, uint64_t patience_usec, struct error *err)
{
	int r = sd_event_add_io(event, &chore->end, chore->pidfd, EPOLLIN, on_end, chore);

	if (r >= 0)
		r = sd_event_add_time_relative(event, &chore->timer, CLOCK_MONOTONIC, patience_usec,
					       0, on_late, chore);
	return r < 0 ? error_set(err, ERROR_SYSTEM, -r, "watch it") : 0;
}

int chore_start(sd_event *event, int dir, chore_function *function, const void *argument,
		uint64_t patience_usec, chore_callback *callback, void *userdata,
		struct chore **ret, struct error *err)
{
	struct chore *chore = malloc(sizeof(*chore));
	int r;

	if (chore == NULL)
		return error_no_memory(err);
	*chore = (struct chore){
		.pidfd = -1, .result = -1, .callback = callback, .userdata = userdata
	};
	r = start(chore, dir, function, argument, err);
	if (r >= 0)
		r = watch(chore, event, patience_usec, err);
	if (r < 0) {
		chore_cancel(chore);
		return r;
	}
	if (ret != NULL)
		*ret = chore;
	return 0;
}

void chore_cancel(struct chore *chore)
{
	if (chore == NULL)
		return;
	chore->callback = NULL;
	chore->timer = sd_event_source_disable_unref(chore->timer);
	if (chore->pidfd >= 0)
		kill_it(chore);
	if (chore->pidfd < 0 || ends_soon(chore))
		finish(chore);
}
