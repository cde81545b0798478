/* SPDX-License-Identifier: MIT */
/*
 * The last events, each with a cursor that grows by one. Bounded in number and bytes: the oldest
 * make room. Memory grows with what is in it. Pure.
 *
 * A cursor names the last event that a reader has seen; 0 is before the first ever.
 */
#pragma once

#include "policy/error.h"

#include <stddef.h>
#include <stdint.h>

#define EVENT_RING_EVENTS 10000
#define EVENT_RING_BYTES  ((size_t)4 * 1024 * 1024) /* texts and names together */

struct event {
	uint64_t cursor;
	const char *app;    /* NULL: none */
	const char *tenant; /* NULL: of no tenant, for admins alone */
	const char *text;   /* `length` bytes and a NUL */
	size_t length;
};

struct event_ring {
	struct event **events; /* ring of `allocated` */
	size_t allocated, first, count;
	size_t bytes;
	uint64_t last; /* cursor of the newest event, also of one that could not be kept */
};

/* `last`: the cursor of the last event of an earlier life, whose events are not here; 0 if there
 * was none. Must be below INT64_MAX: JSON integers end there. */
void event_ring_init(struct event_ring *ring, uint64_t last);
void event_ring_clear(struct event_ring *ring);

/* app and tenant may be NULL. The next cursor is event_ring_next(): texts name it. On failure (no
 * memory, or a text larger than the ring) the cursor counts on all the same, so that readers can
 * tell that they missed one. */
int event_ring_add(struct event_ring *ring, const char *app, const char *tenant, const char *text,
		   size_t length, struct error *err);
/* Counts one that can't be kept, which is an error in any case: `why`. */
int event_ring_skip(struct event_ring *ring, const char *why, struct error *err);
static inline uint64_t event_ring_next(const struct event_ring *ring)
{
	return ring->last + 1;
}

/* The oldest event after `cursor` that is kept, NULL if there is none: a cursor of the future (of
 * a daemon that lost its state) has none. Valid until the next event_ring_add(). */
const struct event *event_ring_after(const struct event_ring *ring, uint64_t cursor);

/* How many events after `cursor` are no longer kept. */
uint64_t event_ring_missed(const struct event_ring *ring, uint64_t cursor);
