/* SPDX-License-Identifier: MIT */
/*
 * Each event is one allocation: the struct, its names, its text. Cursors of the kept events are not
 * always without gaps (one that there was no memory for leaves one), so a place is found by
 * bisection.
 */
#include "policy/event_ring.h"

#include "policy/own.h"

#include <assert.h>
#include <string.h>

#define RING_FIRST_SLOTS ((size_t)64)

void event_ring_init(struct event_ring *ring, uint64_t last)
{
	assert(last < INT64_MAX);
	*ring = (struct event_ring){ .last = last };
}

static struct event *event_at(const struct event_ring *ring, size_t index)
{
	assert(index < ring->count && ring->allocated > 0);
	return ring->events[(ring->first + index) % ring->allocated];
}

static size_t size_of(const char *text)
{
	return text != NULL ? strlen(text) + 1 : 0;
}

static size_t event_size(const struct event *event)
{
	return sizeof(*event) + size_of(event->app) + size_of(event->tenant) + event->length + 1;
}

static void drop_oldest(struct event_ring *ring)
{
	struct event *event = event_at(ring, 0);

	ring->bytes -= event_size(event);
	ring->first = (ring->first + 1) % ring->allocated;
	ring->count--;
	free(event);
}

void event_ring_clear(struct event_ring *ring)
{
	while (ring->count > 0)
		drop_oldest(ring);
	free(ring->events);
	*ring = (struct event_ring){ .last = ring->last };
}

static int make_slot(struct event_ring *ring, struct error *err)
{
	size_t wanted = ring->allocated > 0 ? ring->allocated * 2 : RING_FIRST_SLOTS;
	struct event **events;

	if (ring->count < ring->allocated)
		return 0;
	events = calloc(wanted, sizeof(struct event *));
	if (events == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < ring->count; i++)
		events[i] = event_at(ring, i);
	free(ring->events);
	ring->events = events;
	ring->allocated = wanted;
	ring->first = 0;
	return 0;
}

static const char *store(char **at, const char *text, size_t length)
{
	char *begin = *at;

	if (text == NULL)
		return NULL;
	memcpy(begin, text, length);
	begin[length] = '\0';
	*at += length + 1;
	return begin;
}

int event_ring_skip(struct event_ring *ring, const char *why, struct error *err)
{
	ring->last++;
	return error_set(err, ERROR_TOO_MANY, 0, "%s", why);
}

int event_ring_add(struct event_ring *ring, const char *app, const char *tenant, const char *text,
		   size_t length, struct error *err)
{
	size_t size = sizeof(struct event) + size_of(app) + size_of(tenant) + length + 1;
	_cleanup_free_ struct event *event = NULL;
	char *at;

	if (length > EVENT_RING_BYTES || size > EVENT_RING_BYTES)
		return event_ring_skip(ring, "it is larger than all events may be", err);
	ring->last++;
	while (ring->count > 0 &&
	       (ring->count >= EVENT_RING_EVENTS || ring->bytes + size > EVENT_RING_BYTES))
		drop_oldest(ring);
	event = malloc(size);
	if (event == NULL)
		return error_no_memory(err);
	at = (char *)(event + 1);
	*event = (struct event){ .cursor = ring->last, .length = length };
	event->app = store(&at, app, app != NULL ? strlen(app) : 0);
	event->tenant = store(&at, tenant, tenant != NULL ? strlen(tenant) : 0);
	event->text = store(&at, text, length);
	if (make_slot(ring, err) < 0)
		return -ENOMEM;
	assert(ring->allocated > ring->count);
	ring->events[(ring->first + ring->count) % ring->allocated] = TAKE_PTR(event);
	ring->count++;
	ring->bytes += size;
	return 0;
}

/* The number of kept events up to and with `cursor`. */
static size_t index_after(const struct event_ring *ring, uint64_t cursor)
{
	size_t low = 0, high = ring->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (event_at(ring, middle)->cursor <= cursor)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct event *event_ring_after(const struct event_ring *ring, uint64_t cursor)
{
	size_t index = index_after(ring, cursor);

	return index < ring->count ? event_at(ring, index) : NULL;
}

uint64_t event_ring_missed(const struct event_ring *ring, uint64_t cursor)
{
	size_t kept = ring->count - index_after(ring, cursor);

	return cursor < ring->last ? ring->last - cursor - kept : 0;
}
