/* SPDX-License-Identifier: MIT */
/*
 * One question of a health check: connect, send, read a status. Nothing of it blocks, and all of it
 * is over when the timeout is. What our own loop is late by then is given back, once: on a machine
 * that is busy enough the answer has come, or the request was not even sent, and nobody is to be
 * taken for hung who was not asked.
 *
 * Who answers is not to be trusted with anything: HEALTH_STATUS_LENGTH bytes are read and judged.
 * What comes after them is thrown away, PROBE_DRAIN_MAX bytes of it, so that a server isn't reset
 * in the middle of an ordinary page.
 *
 * Root asks, and a tenant says where. So that nobody else is asked in root's name:
 *
 * - a port of the host: only if its listening socket is one that pysbx holds for the app, or was
 *   made in the app's own cgroup: the kernel is asked (sock_diag(7));
 * - a port of its network: the socket is made in the network namespace of the worker, where nobody
 *   else listens;
 * - a unix socket that pysbx holds: at its path, where root alone can put another;
 * - any other unix socket: connected by a process with the app's user, below the worker's own root.
 *   What it may not reach it is not asked at, and no symbolic link leads further. The other end
 *   sees that user, not root.
 */
#pragma once

#include "policy/health.h"
#include "policy/health_target.h"

#include <sys/types.h>
#include <systemd/sd-event.h>

#define PROBE_DRAIN_MAX 65536
#define PROBE_LATE_USEC UINT64_C(50000) /* our loop is late, and not just on its way */

struct probe_place {
	bool own_network; /* the worker has a network namespace of its own */
	bool held;	  /* target is a socket that pysbx holds, in our own network or file
			     system */
	int leaf;	  /* directory of the worker's cgroup; used in probe_ask() alone */
	pid_t worker;
};

typedef void probe_done(const struct health_result *result, void *userdata);

struct probe_question {
	const struct health_target *target; /* borrowed until done */
	const char *host;		    /* see health_request(); borrowed until done */
	uint64_t timeout_usec;
	struct probe_place place;
};

/* See supervisor/probe_socket.h. */
struct probe_door {
	int pidfd;  /* -1: none */
	int socket; /* where its answer comes; -1: none */
};

/* One that asks again and again, but one question at a time. */
struct probe {
	sd_event *event; /* borrowed */
	struct probe_question question;
	probe_done *done; /* NULL: nothing is asked now */
	void *userdata;
	struct probe_door door;
	int fd;
	sd_event_source *io, *timer;
	uint64_t begun_usec; /* CLOCK_MONOTONIC */
	struct health_result result;
	bool settled;	 /* result is what it will be */
	bool given_back; /* the time that we were late */
	unsigned head_length;
	char head[HEALTH_STATUS_LENGTH];
	size_t drained;
};

void probe_init(struct probe *probe, sd_event *event);
static inline bool probe_is_busy(const struct probe *probe)
{
	return probe->done != NULL;
}
/* done is called once, from the loop. Not while it is busy. */
int probe_ask(struct probe *probe, const struct probe_question *question, probe_done *done,
	      void *userdata, struct error *err);
/* done is not called any more. Whatever it holds is let go. */
void probe_stop(struct probe *probe);
