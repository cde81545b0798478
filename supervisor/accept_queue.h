/* SPDX-License-Identifier: MIT */
/*
 * Connections that wait to be accepted, of all TCP sockets that listen in this network namespace,
 * by the cgroup that made them: sock_diag(7). One question for all apps; the answer is kept for a
 * while.
 *
 * Apps with a network of their own are not seen here: what reaches them comes by the sockets that
 * are held for them (listeners_count_waiting()).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACCEPT_QUEUE_MAX      1024 /* sockets; more are not looked at */
#define ACCEPT_QUEUE_AGE_USEC UINT64_C(900000)

struct accept_queue_entry {
	uint64_t cgroup; /* its id: the inode of its directory */
	uint32_t waiting, room;
};

struct accept_queue { /* zero-initialised: nothing is open */
	bool is_open;
	bool refused;			    /* the kernel has no sock_diag: it is not asked again */
	int fd;				    /* if it is open */
	uint64_t read_usec;		    /* CLOCK_MONOTONIC; 0: not yet */
	struct accept_queue_entry *entries; /* owned */
	size_t count, allocated;
};

void accept_queue_clear(struct accept_queue *queue);

/* Adds up those of this cgroup, asking the kernel if the last answer is too old. */
void accept_queue_count(struct accept_queue *queue, uint64_t cgroup, uint64_t now_usec,
			uint64_t *ret_waiting, uint64_t *ret_room);
