/* SPDX-License-Identifier: MIT */
/*
 * The program gets its pids as arguments and answers on a pipe. The answer is whole when the pipe
 * has ended and the program has; whoever is late is killed, and reaped when the kernel lets it go:
 * it may be waiting for a lock of the process that it looks at. Until then it counts as a reading
 * of the app's, so that an app whose locks are never let go has two such, and no more.
 */
#include "supervisor/stacks.h"

#include "policy/bytes.h"
#include "policy/document.h"
#include "policy/own.h"
#include "supervisor/clock.h"
#include "supervisor/clone_run.h"
#include "supervisor/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child descriptors are kept from here on, until they are where the program looks for them.
 */
#define FREE_FD	      (STACKS_CGROUP_FD + 1)
#define READ_AT_ONCE  65536
#define PID_TEXT_SIZE 12

struct stacks_request {
	struct stacks_readers *readers;
	struct budget_place place;
	stacks_done_fn done; /* NULL: nobody waits any more */
	void *userdata;
	int pidfd, output; /* output -1: it has ended */
	bool too_much;
	struct bytes text;
	sd_event_source *on_output, *on_end, *timer;
};

static void free_request(struct stacks_request *request)
{
	sd_event_source_disable_unref(request->on_output);
	sd_event_source_disable_unref(request->on_end);
	sd_event_source_disable_unref(request->timer);
	close_and_clear(&request->output);
	close_and_clear(&request->pidfd);
	bytes_clear(&request->text);
	free(request);
}

static uint64_t usec_of(struct timeval time)
{
	return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

/* Waits for its end, which is near. libc's waitid has no rusage. */
static siginfo_t reap(struct stacks_request *request)
{
	siginfo_t info = { 0 };
	struct rusage usage = { 0 };

	(void)syscall(SYS_waitid, P_PIDFD, request->pidfd, &info, WEXITED, &usage);
	budget_give_back(&request->readers->budget, &request->place,
			 usec_of(usage.ru_utime) + usec_of(usage.ru_stime), clock_monotonic_usec());
	return info;
}

static void kill_program(const struct stacks_request *request)
{
	pidfd_kill(request->pidfd);
}

/* --- the answer ----------------------------------------------------------------------------- */

static int judge_end(const struct stacks_request *request, const siginfo_t *info, struct error *err)
{
	if (request->too_much)
		return error_set(err, ERROR_TOO_MANY, 0, "stacks: an answer of more than %zu bytes",
				 STACKS_OUTPUT_MAX);
	if (info->si_code == CLD_KILLED && info->si_status == SIGALRM)
		return error_set(err, ERROR_SYSTEM, ETIMEDOUT, "stacks: not read in time");
	if (info->si_code != CLD_EXITED)
		return error_set(err, ERROR_SYSTEM, 0, "stacks: pysbx-stacks died of signal %d",
				 info->si_status);
	if (info->si_status == 127 || info->si_status == 126)
		return error_set(err, ERROR_UNSUPPORTED, 0,
				 "stacks: pysbx is not installed completely: pysbx-stacks");
	if (info->si_status != 0)
		return error_set(err, ERROR_SYSTEM, 0, "stacks: pysbx-stacks failed with status %d",
				 info->si_status);
	return 0;
}

static int parse(struct stacks_request *request, json_t **ret, struct error *err)
{
	int r = document_parse(bytes_front(&request->text), request->text.length, STACKS_OUTPUT_MAX,
			       ret, err);

	if (r < 0)
		error_prefix(err, "stacks: the answer of pysbx-stacks");
	return r;
}

/* The program is gone, and so is the request after it. */
static void finish(struct stacks_request *request)
{
	_cleanup_json_ json_t *result = NULL;
	stacks_done_fn done = request->done;
	void *userdata = request->userdata;
	siginfo_t info = reap(request);
	struct error err = { .kind = ERROR_NONE };
	int r;

	r = judge_end(request, &info, &err);
	if (r >= 0)
		r = parse(request, &result, &err);
	free_request(request);
	if (done != NULL)
		done(r >= 0 ? result : NULL, &err, userdata);
}

/* --- while it runs -------------------------------------------------------------------------- */

/* Takes what is there. */
static void read_output(struct stacks_request *request)
{
	struct error ignored;

	while (request->output >= 0) {
		ssize_t n;

		if (request->text.length > STACKS_OUTPUT_MAX ||
		    bytes_reserve(&request->text, READ_AT_ONCE, &ignored) < 0) {
			request->too_much = true;
			kill_program(request);
			n = 0;
		} else {
			n = read(request->output, bytes_end(&request->text), READ_AT_ONCE);
		}
		if (n > 0) {
			bytes_grow(&request->text, (size_t)n);
			continue;
		}
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		request->on_output = sd_event_source_disable_unref(request->on_output);
		close_and_clear(&request->output);
	}
}

static int on_output(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source, (void)fd, (void)events;
	read_output(userdata);
	return 0;
}

/* What it has written is in the pipe now: nobody else could. */
static int on_end(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source, (void)fd, (void)events;
	read_output(userdata);
	finish(userdata);
	return 0;
}

/* Whoever asked hears of it now: the program's end may be far. Or it has ended, and it is us who
 * are late: on a busy machine that is what the time goes for. */
static int on_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct stacks_request *request = userdata;
	stacks_done_fn done = request->done;
	struct error err;
	(void)source, (void)usec;

	if (pidfd_has_ended(request->pidfd)) {
		read_output(request);
		finish(request);
		return 0;
	}
	(void)error_set(&err, ERROR_SYSTEM, ETIMEDOUT, "stacks: not read in time");
	stacks_cancel(request);
	done(NULL, &err, request->userdata);
	return 0;
}

/* The request lives on until the program is reaped. */
void stacks_cancel(struct stacks_request *request)
{
	if (request == NULL)
		return;
	request->done = NULL;
	request->timer = sd_event_source_disable_unref(request->timer);
	kill_program(request);
}

/* --- the start ------------------------------------------------------------------------------ */

struct start {
	const char *program;
	char *const *argv;
	int output, leaf; /* leaf: -1: none */
};

/* In the child: async-signal-safe calls only, in memory that is its parent's (clone_run.h). */
__attribute__((no_sanitize("address"))) static void become_program(const void *argument)
{
	const struct start *start = argument;
	char *const environment[] = { NULL };
	int null_fd, output = fcntl(start->output, F_DUPFD, FREE_FD);
	int leaf = start->leaf >= 0 ? fcntl(start->leaf, F_DUPFD, FREE_FD) : -1;
	sigset_t none;

	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (output < 0 || null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 ||
	    dup2(output, STDOUT_FILENO) < 0 || dup2(null_fd, STDERR_FILENO) < 0 ||
	    (start->leaf >= 0 && (leaf < 0 || dup2(leaf, STACKS_CGROUP_FD) < 0)))
		_exit(125);
	(void)syscall(SYS_close_range, leaf >= 0 ? FREE_FD : STACKS_CGROUP_FD, ~0U,
		      CLOSE_RANGE_CLOEXEC);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	execve(start->program, start->argv, environment);
	_exit(errno == ENOENT ? 127 : 126);
}

static int spawn(struct stacks_request *request, int leaf, char *const *argv, struct error *err)
{
	_cleanup_close_ int theirs = -1;
	struct clone_args args = { .flags = CLONE_PIDFD,
				   .pidfd = (uint64_t)(uintptr_t)&request->pidfd,
				   .exit_signal = SIGCHLD };
	struct start start = { .program = request->readers->program, .argv = argv, .leaf = leaf };
	int pipe_fds[2];
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "stacks: pipe");
	request->output = pipe_fds[0];
	theirs = pipe_fds[1];
	start.output = theirs;
	if (fcntl(request->output, F_SETFL, O_NONBLOCK) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "stacks: O_NONBLOCK");
	pid = clone_run(&args, become_program, &start);
	if (pid < 0)
		return error_set(err, ERROR_SYSTEM, -pid, "stacks: clone3");
	return 0;
}

static int watch(struct stacks_request *request, sd_event *event, struct error *err)
{
	int r = sd_event_add_io(event, &request->on_output, request->output, EPOLLIN, on_output,
				request);

	if (r >= 0)
		r = sd_event_add_io(event, &request->on_end, request->pidfd, EPOLLIN, on_end,
				    request);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &request->timer, CLOCK_MONOTONIC,
					       STACKS_PATIENCE_USEC, 1000, on_late, request);
	return r < 0 ? error_set(err, ERROR_SYSTEM, -r, "stacks: watch pysbx-stacks") : 0;
}

static int start(struct stacks_request *request, const struct stacks_question *question,
		 char *const *argv, struct error *err)
{
	struct stacks_readers *readers = request->readers;
	int r = budget_take(&readers->budget, question->app, question->tenant,
			    clock_monotonic_usec(), &request->place, err);

	if (r < 0) {
		error_prefix(err, "readings of stacks");
		return r;
	}
	r = spawn(request, question->leaf, argv, err);
	if (r < 0) {
		budget_give_back(&readers->budget, &request->place, 0, clock_monotonic_usec());
		return r;
	}
	r = watch(request, readers->event, err);
	if (r < 0) {
		kill_program(request);
		(void)reap(request);
	}
	return r;
}

void stacks_readers_init(struct stacks_readers *readers, sd_event *event)
{
	*readers = (struct stacks_readers){ .event = event, .program = STACKS_PATH };
}

void stacks_readers_clear(struct stacks_readers *readers)
{
	budget_clear(&readers->budget);
}

int stacks_read(struct stacks_readers *readers, const struct stacks_question *question,
		stacks_done_fn done, void *userdata, struct stacks_request **ret, struct error *err)
{
	char texts[STACKS_PIDS_MAX][PID_TEXT_SIZE];
	char *argv[STACKS_PIDS_MAX + 3] = { (char *)"pysbx-stacks" };
	size_t used = 1;
	struct stacks_request *request;
	int r;

	if (readers == NULL)
		return error_set(err, ERROR_UNSUPPORTED, 0, "stacks: nobody reads them here");
	if (question->count == 0)
		return error_set(err, ERROR_NOT_FOUND, 0, "stacks: there is no process");
	if (question->leaf >= 0)
		argv[used++] = (char *)STACKS_CGROUP_OPTION;
	for (size_t i = 0; i < question->count && i < STACKS_PIDS_MAX; i++) {
		snprintf(texts[i], sizeof(texts[i]), "%d", (int)question->pids[i]);
		argv[used++] = texts[i];
	}
	request = malloc(sizeof(*request));
	if (request == NULL)
		return error_no_memory(err);
	*request = (struct stacks_request){
		.readers = readers, .done = done, .userdata = userdata, .pidfd = -1, .output = -1
	};
	r = start(request, question, argv, err);
	if (r < 0) {
		free_request(request);
		return r;
	}
	*ret = request;
	return 0;
}
