/* SPDX-License-Identifier: MIT */
#include "sandbox/keeper.h"

#include "policy/own.h"
#include "sandbox/channel.h"
#include "sandbox/output.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define STALL_NSEC (LAUNCH_STALL_USEC * 1000)

void keeper_init(struct keeper *keeper, struct launcher *launcher)
{
	*keeper = (struct keeper){
		.launcher = launcher,
		.connected = true,
		.own_pidfd = -1,
		.edges = -1,
		.look_at = KEEPER_NEVER,
	};
	spool_init(&keeper->spool);
}

static int watch_edges(struct keeper *keeper, struct error *err)
{
	struct epoll_event edge = { .events = EPOLLIN | EPOLLET };

	keeper->edges = epoll_create1(EPOLL_CLOEXEC);
	if (keeper->edges < 0)
		return error_set(err, ERROR_SYSTEM, errno, "epoll_create1");
	for (unsigned i = 0; i < OUTPUT_COUNT; i++)
		if (epoll_ctl(keeper->edges, EPOLL_CTL_ADD, keeper->launcher->output_read[i],
			      &edge) < 0)
			return error_set(err, ERROR_SYSTEM, errno, "epoll_ctl");
	return 0;
}

int keeper_open(struct keeper *keeper, struct error *err)
{
	keeper->own_pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (keeper->own_pidfd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "pidfd_open");
	return keeper->launcher->keep ? watch_edges(keeper, err) : 0;
}

/* --- the connection ---------------------------------------------------------------------------*/

/* The fd stays, shut down, so that its number stays ours. */
void keeper_hang_up(struct keeper *keeper)
{
	keeper->connected = keeper->stalled = false;
	shutdown(LAUNCH_FD_SOCKET, SHUT_RDWR);
}

bool keeper_send(struct keeper *keeper, enum launch_message_type type,
		 const struct launch_message *message, const int *fds, size_t count)
{
	struct launch_message copy = *message;
	struct error ignored;

	if (!keeper->connected)
		return false;
	if (channel_send(type, &copy, fds, count, &ignored) == 0)
		return true;
	keeper_hang_up(keeper);
	return false;
}

static void expect_reader(struct keeper *keeper, uint64_t now)
{
	keeper->stalled = false;
	keeper->full_since = keeper->asked_at = 0;
	keeper->look_at = keeper->edges >= 0 ? now + KEEPER_QUIET_NSEC : KEEPER_NEVER;
}

static void tell_spool(struct keeper *keeper)
{
	struct launch_message message = { 0 };
	int fds[OUTPUT_COUNT];
	size_t count = spool_tell(&keeper->spool, &message, fds);

	keeper_send(keeper, LAUNCH_SPOOL, &message, fds, count);
}

void keeper_take(struct keeper *keeper, uint64_t now)
{
	expect_reader(keeper, now);
	tell_spool(keeper);
}

static bool tell_pipes(struct keeper *keeper)
{
	static const struct launch_message nothing;

	return keeper_send(keeper, LAUNCH_PIPES, &nothing, keeper->launcher->output_read,
			   OUTPUT_COUNT);
}

static bool tell_running(struct keeper *keeper)
{
	const struct launch_message running = {
		.started_nsec = keeper->launcher->started_nsec,
		.landlock_abi = keeper->launcher->landlock_abi,
		.landlock_errnum = keeper->launcher->landlock_errnum,
	};
	const int fds[] = { keeper->launcher->worker_pidfd, keeper->own_pidfd };

	return keeper_send(keeper, LAUNCH_RUNNING, &running, fds, ARRAY_SIZE(fds));
}

bool keeper_tell_start(struct keeper *keeper)
{
	return tell_pipes(keeper) && tell_running(keeper);
}

static void greet(struct keeper *keeper, const struct launch_message *end)
{
	static const struct launch_message nothing;

	if (end->type == LAUNCH_FAILED) {
		keeper_send(keeper, LAUNCH_FAILED, end, NULL, 0);
		return;
	}
	tell_pipes(keeper);
	if (keeper->launcher->listener_count > 0)
		keeper_send(keeper, LAUNCH_LISTENERS, &nothing, keeper->launcher->listeners,
			    keeper->launcher->listener_count);
	if (!spool_is_empty(&keeper->spool))
		tell_spool(keeper);
	tell_running(keeper);
	if (end->type != 0)
		keeper_send(keeper, LAUNCH_ENDED, end, NULL, 0);
}

/* Nobody but root can reach the socket, and nobody but root is let in. */
static bool is_root(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == 0;
}

static void accept_supervisor(struct keeper *keeper, uint64_t now, const struct launch_message *end)
{
	_cleanup_close_ int fd = accept4(LAUNCH_FD_LISTEN, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0 || !is_root(fd) || dup3(fd, LAUNCH_FD_SOCKET, O_CLOEXEC) < 0)
		return;
	keeper->connected = true;
	expect_reader(keeper, now);
	greet(keeper, end);
}

/* --- is anybody reading? ----------------------------------------------------------------------*/

static void look(struct keeper *keeper, uint64_t now, bool written)
{
	static const struct launch_message nothing;

	if (keeper->asked_at != 0) {
		keeper->stalled = true;
		keeper->look_at = KEEPER_NEVER;
	} else if (!output_is_filling(keeper->launcher)) {
		keeper->full_since = 0;
		keeper->look_at = written ? now + KEEPER_QUIET_NSEC : KEEPER_NEVER;
	} else if (keeper->full_since == 0) {
		keeper->full_since = now;
		keeper->look_at = now + STALL_NSEC;
	} else {
		keeper->asked_at = now;
		keeper->look_at = now + STALL_NSEC;
		keeper_send(keeper, LAUNCH_STALLED, &nothing, NULL, 0);
	}
}

static void forget_edges(const struct keeper *keeper)
{
	struct epoll_event edges[OUTPUT_COUNT];

	(void)epoll_wait(keeper->edges, edges, OUTPUT_COUNT, 0);
}

/* --- for the loop -----------------------------------------------------------------------------*/

static bool drains(const struct keeper *keeper)
{
	return !keeper->connected || keeper->stalled;
}

uint64_t keeper_deadline(const struct keeper *keeper)
{
	return drains(keeper) ? KEEPER_NEVER : keeper->look_at;
}

void keeper_watch(const struct keeper *keeper, struct pollfd watched[static KEEPER_WATCH_COUNT])
{
	bool at_edge = !drains(keeper) && keeper->look_at == KEEPER_NEVER;

	watched[KEEPER_WATCH_SOCKET].fd = keeper->connected ? LAUNCH_FD_SOCKET : -1;
	watched[KEEPER_WATCH_LISTEN].fd = keeper->launcher->keep ? LAUNCH_FD_LISTEN : -1;
	watched[KEEPER_WATCH_EDGES].fd = at_edge ? keeper->edges : -1;
	for (unsigned i = 0; i < OUTPUT_COUNT; i++)
		watched[KEEPER_WATCH_OUTPUT + i].fd = drains(keeper) && !keeper->output_ended[i]
							      ? keeper->launcher->output_read[i]
							      : -1;
	for (unsigned i = 0; i < KEEPER_WATCH_COUNT; i++)
		watched[i].events = POLLIN;
}

void keeper_handle(struct keeper *keeper, const struct pollfd watched[static KEEPER_WATCH_COUNT],
		   uint64_t now, const struct launch_message *end)
{
	struct spool *spool = keeper->launcher->keep ? &keeper->spool : NULL;

	for (unsigned i = 0; i < OUTPUT_COUNT; i++)
		if (watched[KEEPER_WATCH_OUTPUT + i].revents != 0 && drains(keeper))
			keeper->output_ended[i] = !output_drain(keeper->launcher, i, spool);
	if (watched[KEEPER_WATCH_EDGES].revents != 0) {
		forget_edges(keeper);
		look(keeper, now, true);
	} else if (now >= keeper_deadline(keeper)) {
		look(keeper, now, false);
	}
	if (watched[KEEPER_WATCH_LISTEN].revents != 0)
		accept_supervisor(keeper, now, end);
}
