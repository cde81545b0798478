/* SPDX-License-Identifier: MIT */
/*
 * Telling the app that memory is short: the socket that MEMORY_PRESSURE_WATCH names. Every process
 * of the app may connect, and each connection is sent a byte when the supervisor says
 * LAUNCH_PRESSURE. It is the launcher that listens, so a connection outlives the daemon.
 *
 * The worker is hostile, and we are outside its limits: so many connect, so many a second, and what
 * they do is looked at in small batches. Nobody is waited for: one that does not read has what it
 * was told before still before it. Nothing is read: there is nothing to be said to us.
 */
#pragma once

#include "policy/error.h"
#include "policy/rate.h"

#include <poll.h>
#include <stddef.h>

#define PRESSURE_WATCHERS_MAX 256
#define PRESSURE_PER_SECOND   64 /* connections that are taken */
#define PRESSURE_BACKLOG      128

struct pressure {
	int epoll; /* -1: nothing to do */
	int listener;
	struct rate rate;
	uint64_t rest_until; /* nsec */
	size_t count;
	int watchers[PRESSURE_WATCHERS_MAX];
};

/* A socket that listens at `name` in a directory that is ours. */
int pressure_listen(int directory, const char *name, int *ret_fd, struct error *err);

/* Takes over listener; -1: the plan has none. What fails leaves an app that can't be told. */
void pressure_init(struct pressure *pressure, int listener, uint64_t now);

/* What to poll for, and when to come back at the latest (nsec, KEEPER_NEVER). */
struct pollfd pressure_watch(const struct pressure *pressure, uint64_t now);
uint64_t pressure_deadline(const struct pressure *pressure, uint64_t now);
void pressure_handle(struct pressure *pressure, short revents, uint64_t now);

/* Tells all who are connected; returns how many they are. */
size_t pressure_tell(const struct pressure *pressure);
