/* SPDX-License-Identifier: MIT */
/*
 * How a probe gets its socket. For supervisor/probe.c and its tests alone.
 */
#pragma once

#include "supervisor/probe.h"

/* A TCP socket of our own network, or a unix socket that is held, connecting to the target.
 * HEALTH_WELL, with *ret_fd; else what the probe has found already. */
enum health_outcome probe_socket_connect(const struct health_target *target,
					 const struct probe_place *place, int *ret_fd);

/* Connects fd, which may be of another network namespace, without waiting. */
enum health_outcome probe_socket_begin(int fd, const struct health_target *target);

/* A process that gets the socket where only the worker's user may go. It is another one, because a
 * path can lead to a file system that does not answer. */
int probe_door_open(const struct health_target *target, const struct probe_place *place,
		    struct probe_door *ret, struct error *err);
/* What it has found, once `socket` is readable: as probe_socket_connect(), connecting or connected.
 */
enum health_outcome probe_door_receive(struct probe_door *door, int *ret_fd);
/* Ends it. False: it has not gone yet, and is to be asked for again. */
bool probe_door_close(struct probe_door *door);
/* The same, and whoever has not gone is waited for by the loop. */
void probe_door_leave(struct probe_door *door, sd_event *event);
