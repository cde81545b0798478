/* SPDX-License-Identifier: MIT */
/*
 * One loop over four things: signals (SIGCHLD, and SIGTERM, which means stop), the supervisor, the
 * worker's output while nobody else reads it (both are keeper.c), and time.
 *
 *   running  -> main process ends            -> ending
 *   running  -> STOP, SIGTERM, or the supervisor is gone with which it is to end
 *                                            -> running, with a deadline after which all is killed
 *   ending   -> everything killed and reaped -> ended: LAUNCH_ENDED is sent
 *   ended    -> return
 *
 * With `keep`, somebody will come if nobody is there: the end is kept until it is COLLECTED, for as
 * long as it takes, unless SIGTERM came. Then the whole scope is to end, and all of us with it.
 *
 * What the worker does costs the loop a bounded amount of work a turn: REAP_BATCH children (and of
 * orphans, who are ours to bury and cost the worker little, ORPHANS_PER_SECOND),
 * OUTPUT_DRAIN_BYTES of each pipe, one message, one signal, one refused system call (denials.h), a
 * batch of those who watch the memory (pressure.h).
 */
#include "sandbox/init.h"

#include "policy/own.h"
#include "policy/rate.h"
#include "sandbox/channel.h"
#include "sandbox/denials.h"
#include "sandbox/fds.h"
#include "sandbox/keeper.h"
#include "sandbox/memory.h"
#include "sandbox/pressure.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define REAP_BATCH 64
/* Beyond that they are buried in pieces, and until then count for the worker's pids limit. */
#define ORPHANS_PER_SECOND 1000
#define ORPHANS_AT_ONCE	   256
#define REAP_REST_NSEC	   (10 * NSEC_PER_MSEC)
#define NSEC_PER_MSEC	   UINT64_C(1000000)
#define NSEC_PER_USEC	   UINT64_C(1000)
#define USEC_PER_SECOND	   UINT64_C(1000000)
#define KILL_INTERVAL_MSEC 100 /* between two rounds of SIGKILL to what does not end */
/* A process in an uninterruptible sleep may outlast any SIGKILL: the status is told without it. */
#define ENDING_LIMIT_NSEC (5000 * NSEC_PER_MSEC)
#define NEVER		  KEEPER_NEVER

enum {
	WATCH_SIGNALS = KEEPER_WATCH_COUNT,
	WATCH_DENIALS,
	WATCH_PRESSURE,
	WATCH_WORKER,
	WATCH_COUNT,
};

struct init {
	struct launcher *launcher;
	int stop_signal;
	uint64_t stop_grace_nsec;
	bool end_with_supervisor;
	int signals;
	struct keeper keeper;
	struct denials denials;
	struct pressure pressure;
	bool stopping;
	bool terminated; /* by SIGTERM: nobody will come */
	bool main_ended;
	bool all_ended; /* no child is left */
	bool more_to_reap;
	struct rate orphans;
	uint64_t reap_after; /* nsec; not 0: no orphan is buried before, and no SIGCHLD is heard */
	bool told;	     /* the end was sent, or there was nobody to send it to */
	bool done;
	uint64_t now;		   /* nsec, read once a turn */
	uint64_t kill_at;	   /* end of the grace */
	uint64_t tell_at;	   /* end of the patience with what does not end */
	struct launch_message end; /* its type is 0 until it is told */
};

static uint64_t monotonic_nsec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void init_block_signals(void)
{
	/* A child that is stopped and continued in a loop shall not keep us awake. This comes
	 * before there is a child: setting SIG_DFL discards a SIGCHLD that is pending. */
	const struct sigaction ends_only = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP };
	sigset_t all;

	sigaction(SIGCHLD, &ends_only, NULL); /* can't fail but for a bad argument */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

/* Everything in the PID namespace but its init, which is us. */
static void kill_all(void)
{
	kill(-1, SIGKILL);
}

static void send_signal(const struct init *init, int number)
{
	if (!init->main_ended)
		syscall(SYS_pidfd_send_signal, init->launcher->worker_pidfd, number, NULL, 0);
}

static void stop(struct init *init)
{
	if (init->stopping || init->main_ended)
		return;
	init->stopping = true;
	init->kill_at = init->now + init->stop_grace_nsec;
	send_signal(init, init->stop_signal);
}

/* --- the supervisor ---------------------------------------------------------------------------*/

/* The supervisor reads no more: from now on the output is drained here, or the worker would block
 * on a full pipe. An end that was told may not have been heard, so with `keep` it waits for the
 * next one. */
static void look_for_supervisor(struct init *init)
{
	bool expected = init->launcher->keep && !init->terminated;

	if (init->keeper.connected)
		return;
	if (init->told && !expected)
		init->done = true;
	else if (init->end_with_supervisor)
		stop(init);
}

static void tell_pressure(struct init *init)
{
	const struct launch_message message = {
		.told = (uint32_t)pressure_tell(&init->pressure),
	};

	keeper_send(&init->keeper, LAUNCH_TOLD, &message, NULL, 0);
}

static void handle_socket(struct init *init)
{
	struct launch_message message;
	int r = channel_receive(&message);

	if (r < 0) {
		keeper_hang_up(&init->keeper);
		return;
	}
	if (r == 0)
		return;
	switch (message.type) {
	case LAUNCH_SIGNAL:
		send_signal(init, message.signal);
		break;
	case LAUNCH_STOP:
		stop(init);
		break;
	case LAUNCH_COLLECTED:
		init->done = init->told;
		break;
	case LAUNCH_TAKE:
		keeper_take(&init->keeper, init->now);
		break;
	case LAUNCH_TAKEN:
		spool_taken(&init->keeper.spool);
		break;
	case LAUNCH_HEARD:
		denials_heard(&init->denials);
		break;
	case LAUNCH_PERMIT:
		denials_permit(&init->denials, init->now);
		break;
	case LAUNCH_PRESSURE:
		tell_pressure(init);
		break;
	default:
		break;
	}
}

static void tell_end(struct init *init, enum launch_message_type type)
{
	init->told = true;
	init->end.type = type;
	init->end.signal = init->terminated ? SIGTERM : 0;
	/* what has been sent is read, after our end too */
	if (keeper_send(&init->keeper, type, &init->end, NULL, 0) && !init->launcher->keep)
		init->done = true;
}

/* --- signals and children ---------------------------------------------------------------------*/

/* One a turn: they may come faster than they are read. SIGTERM, the lower number, is read first. */
static void handle_signals(struct init *init)
{
	struct signalfd_siginfo info;

	if (read(init->signals, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == SIGTERM) {
		init->terminated = true;
		stop(init);
	}
}

static uint64_t usec_of(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * USEC_PER_SECOND + (uint64_t)time->tv_usec;
}

static void main_process_ended(struct init *init, int status, const struct rusage *usage)
{
	init->main_ended = true;
	init->tell_at = init->now + ENDING_LIMIT_NSEC;
	init->end.wait_status = status;
	init->end.user_usec = usec_of(&usage->ru_utime);
	init->end.system_usec = usec_of(&usage->ru_stime);
	init->end.maxrss_bytes = (uint64_t)usage->ru_maxrss * 1024;
	init->end.started_nsec = init->launcher->started_nsec;
	init->end.ended_nsec = monotonic_nsec();
}

/* Which signals wake us. */
static int hear(int fd, bool children)
{
	sigset_t heard;

	sigemptyset(&heard);
	sigaddset(&heard, SIGTERM);
	if (children)
		sigaddset(&heard, SIGCHLD);
	return signalfd(fd, &heard, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void rest_from_reaping(struct init *init)
{
	if (hear(init->signals, false) >= 0) /* else each wakes us, as without a rest */
		init->reap_after = init->now + REAP_REST_NSEC;
}

static void end_rest(struct init *init)
{
	init->reap_after = 0;
	(void)hear(init->signals, true); /* can't fail: the descriptor is a signalfd */
}

/* The worker itself, or all that have ended, in any order. Returns the pid, 0 or less for none. */
static pid_t reap_one(struct init *init, pid_t which)
{
	struct rusage usage;
	int status;
	pid_t pid = wait4(which, &status, WNOHANG | __WALL, &usage);

	if (pid < 0 && which < 0 && errno == ECHILD)
		init->all_ended = true;
	if (pid > 0 && pid == init->launcher->worker)
		main_process_ended(init, status, &usage);
	return pid;
}

/* Once the worker has ended there is no other one to come, and all of it is to go. */
static bool may_bury(struct init *init)
{
	return init->main_ended || rate_take(&init->orphans, init->now / NSEC_PER_USEC, 1);
}

static void reap(struct init *init)
{
	init->more_to_reap = false;
	for (int i = 0; i < REAP_BATCH; i++) {
		if (reap_one(init, -1) <= 0)
			return;
		if (!may_bury(init)) {
			rest_from_reaping(init);
			return;
		}
	}
	init->more_to_reap = true;
}

/* signalled: there was a SIGCHLD, perhaps; worker: its pidfd says that it has ended, which is told
 * at once. */
static void handle_children(struct init *init, bool signalled, bool worker)
{
	/* all children tell of their end by SIGCHLD (worker.c says so of the worker): most turns
	 * are about other things */
	if (!signalled && !init->more_to_reap && !init->main_ended && init->reap_after == 0)
		return;
	if (init->reap_after != 0 && worker)
		(void)reap_one(init, init->launcher->worker);
	if (init->reap_after != 0 && !init->main_ended && init->now < init->reap_after)
		return;
	if (init->reap_after != 0)
		end_rest(init);
	reap(init);
}

/* --- the loop ---------------------------------------------------------------------------------*/

static uint64_t earlier(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
}

static int timeout_msec(const struct init *init)
{
	uint64_t until = earlier(keeper_deadline(&init->keeper),
				 denials_deadline(&init->denials, init->now));

	until = earlier(until, pressure_deadline(&init->pressure, init->now));
	if (init->more_to_reap)
		return 0;
	if (init->reap_after != 0)
		until = earlier(until, init->reap_after);
	if (init->main_ended ? !init->all_ended : init->now >= init->kill_at)
		until = earlier(until, init->now + KILL_INTERVAL_MSEC * NSEC_PER_MSEC);
	else if (!init->main_ended)
		until = earlier(until, init->kill_at);
	if (until == NEVER)
		return -1;
	until = until > init->now ? (until - init->now) / NSEC_PER_MSEC + 1 : 0;
	return until > INT32_MAX ? INT32_MAX : (int)until;
}

static void handle_time(struct init *init)
{
	if (!init->main_ended && init->now >= init->kill_at)
		kill_all();
	if (!init->main_ended || init->told)
		return;
	if (!init->all_ended)
		kill_all();
	if (init->all_ended || init->now >= init->tell_at)
		tell_end(init, LAUNCH_ENDED);
}

/* Its end is a SIGCHLD as well, which is not heard in a rest. */
static struct pollfd watch_worker(const struct init *init)
{
	bool needed = init->reap_after != 0 && !init->main_ended;

	return (struct pollfd){ .fd = needed ? init->launcher->worker_pidfd : -1,
				.events = POLLIN };
}

static void turn(struct init *init)
{
	struct pollfd watched[WATCH_COUNT];

	keeper_watch(&init->keeper, watched);
	watched[WATCH_SIGNALS] = (struct pollfd){ .fd = init->signals, .events = POLLIN };
	watched[WATCH_DENIALS] = denials_watch(&init->denials, init->now);
	watched[WATCH_PRESSURE] = pressure_watch(&init->pressure, init->now);
	watched[WATCH_WORKER] = watch_worker(init);
	if (poll(watched, WATCH_COUNT, timeout_msec(init)) < 0)
		return; /* EINTR, or ENOMEM: the next turn tries again */
	init->now = monotonic_nsec();
	if (watched[WATCH_SIGNALS].revents != 0)
		handle_signals(init);
	if (watched[KEEPER_WATCH_SOCKET].revents != 0)
		handle_socket(init);
	keeper_handle(&init->keeper, watched, init->now, &init->end);
	denials_handle(&init->denials, watched[WATCH_DENIALS].revents, init->now);
	pressure_handle(&init->pressure, watched[WATCH_PRESSURE].revents, init->now);
	handle_children(init, watched[WATCH_SIGNALS].revents != 0,
			watched[WATCH_WORKER].revents != 0);
	handle_time(init);
	look_for_supervisor(init);
}

static int open_signals(int *ret_fd, struct error *err)
{
	*ret_fd = hear(-1, true);
	if (*ret_fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "signalfd");
	return 0;
}

/* Plan and filter have done their work: this process may live for months. */
static void forget_plan(struct launcher *launcher)
{
	plan_free(TAKE_PTR(launcher->plan));
	if (launcher->listener < 0)
		free(TAKE_PTR(launcher->filter.filter));
	/* of those that keep there may be a thousand */
	if (launcher->keep)
		memory_give_back();
}

static void run(struct init *init)
{
	init->now = monotonic_nsec();
	while (!init->done)
		turn(init);
}

/* SCHED_BATCH: whoever wakes us goes on first. A supervisor that says COLLECTED has the next life
 * to start, and an end takes a quarter of a millisecond of namespaces. */
static void take_no_turn(void)
{
	const struct sched_param none = { 0 };

	/* not by sched_setscheduler(3), which in musl is none */
	(void)syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &none);
}

int init_run(struct launcher *launcher, struct error *err)
{
	_cleanup_close_ int signals = -1;
	struct init init = {
		.launcher = launcher,
		.stop_signal = launcher->plan->stop_signal,
		.stop_grace_nsec = launcher->plan->stop_grace_usec * NSEC_PER_USEC,
		.end_with_supervisor = launcher->plan->end_with_supervisor,
		.kill_at = NEVER,
	};
	int r;

	keeper_init(&init.keeper, launcher);
	denials_init(&init.denials, &init.keeper);
	pressure_init(&init.pressure, launcher->pressure, monotonic_nsec());
	rate_init(&init.orphans, ORPHANS_PER_SECOND, ORPHANS_AT_ONCE,
		  monotonic_nsec() / NSEC_PER_USEC);
	r = open_signals(&signals, err);
	if (r == 0)
		r = keeper_open(&init.keeper, err);
	if (r < 0)
		return r;
	/* the supervisor's own stdin, stdout and stderr: nobody shall wait for their end on us */
	fds_close_range(STDIN_FILENO, STDERR_FILENO, 0);
	take_no_turn();
	if (!keeper_tell_start(&init.keeper) && !launcher->keep)
		return error_set(err, ERROR_UNREACHABLE, 0, "the supervisor is gone");
	forget_plan(launcher);
	init.signals = signals;
	run(&init);
	return 0;
}

void init_keep_failure(struct launcher *launcher, const struct launch_message *failure)
{
	_cleanup_close_ int signals = -1;
	struct error ignored;
	struct init init = {
		.launcher = launcher,
		.main_ended = true,
		.kill_at = NEVER,
		.end = *failure,
	};

	if (open_signals(&signals, &ignored) < 0)
		return;
	keeper_init(&init.keeper, launcher);
	close_and_clear(&launcher->listener);
	denials_init(&init.denials, &init.keeper);
	pressure_init(&init.pressure, -1, 0);
	init.signals = signals;
	init.end.ended_nsec = monotonic_nsec();
	launcher->worker = 0; /* what is left of it is nobody's */
	forget_plan(launcher);
	kill_all();
	tell_end(&init, LAUNCH_FAILED);
	run(&init);
}
