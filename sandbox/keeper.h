/* SPDX-License-Identifier: MIT */
/*
 * Who is at the other end of LAUNCH_FD_SOCKET, and who reads the pipes.
 *
 * With `keep`, a supervisor may go and another one may come, on LAUNCH_FD_LISTEN. Its connection
 * takes the place of the older one, under the same fd number, and it is told all that the older one
 * was. While nobody is connected, or somebody is who does not read, the pipes are drained into the
 * spool.
 *
 * Whether a supervisor reads is looked at without waking up for every line of the worker, and never
 * for a worker that writes nothing: an edge-triggered epoll says that something was written, then
 * the pipes' fill is looked at, then nothing is heard for KEEPER_QUIET_NSEC. A pipe that is half
 * full, and again after LAUNCH_STALL_USEC, may belong to a supervisor that hangs or to a worker
 * that writes faster than anybody reads: so it is asked, and has LAUNCH_STALL_USEC to answer.
 */
#pragma once

#include "sandbox/launcher.h"
#include "sandbox/spool.h"

#include <poll.h>

#define KEEPER_QUIET_NSEC UINT64_C(1000000000)
#define KEEPER_NEVER	  UINT64_MAX

enum {
	KEEPER_WATCH_SOCKET,
	KEEPER_WATCH_LISTEN,
	KEEPER_WATCH_EDGES,
	KEEPER_WATCH_OUTPUT,
	KEEPER_WATCH_COUNT = KEEPER_WATCH_OUTPUT + OUTPUT_COUNT,
};

struct keeper {
	struct launcher *launcher;
	bool connected;
	bool stalled; /* connected, but reads nothing */
	bool output_ended[OUTPUT_COUNT];
	int own_pidfd;	     /* of this launcher */
	int edges;	     /* epoll: something was written; -1 if no stall is looked for */
	uint64_t look_at;    /* nsec: at the pipes' fill; KEEPER_NEVER: at the next edge */
	uint64_t full_since; /* 0: no pipe is filling */
	uint64_t asked_at;   /* 0: LAUNCH_STALLED has not been sent */
	struct spool spool;
};

/* Connected to the supervisor that started us. */
void keeper_init(struct keeper *keeper, struct launcher *launcher);

/* For a worker that runs: what to tell of us, and how to see a stall if there is anything to be
 * kept. Its fds live as long as the launcher. */
int keeper_open(struct keeper *keeper, struct error *err);

/* What to poll for, and when to come back at the latest (nsec, KEEPER_NEVER). */
void keeper_watch(const struct keeper *keeper, struct pollfd watched[static KEEPER_WATCH_COUNT]);
uint64_t keeper_deadline(const struct keeper *keeper);

/* After poll: takes a new connection, drains pipes, looks for a stall. `end` is what to tell a new
 * supervisor besides that the worker runs: LAUNCH_ENDED or LAUNCH_FAILED; its type is 0 as long as
 * there is no end. */
void keeper_handle(struct keeper *keeper, const struct pollfd watched[static KEEPER_WATCH_COUNT],
		   uint64_t now, const struct launch_message *end);

/* Sends, and hangs up if that fails. */
bool keeper_send(struct keeper *keeper, enum launch_message_type type,
		 const struct launch_message *message, const int *fds, size_t count);

/* LAUNCH_PIPES and LAUNCH_RUNNING with their fds, one after the other: each wakes the supervisor,
 * which would take the processor while the sandbox is built. False: nobody is there to be told. */
bool keeper_tell_start(struct keeper *keeper);

/* LAUNCH_TAKE: the supervisor reads again. */
void keeper_take(struct keeper *keeper, uint64_t now);

void keeper_hang_up(struct keeper *keeper);
