/* SPDX-License-Identifier: MIT */
#include "policy/event_ring.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(struct event_ring *ring, const char *app, const char *tenant, const char *text)
{
	struct error err;

	cr_assert_eq(event_ring_add(ring, app, tenant, text, strlen(text), &err), 0);
}

Test(event_ring, goes_on_counting_from_where_it_is_told)
{
	struct event_ring ring;

	event_ring_init(&ring, 41);
	cr_assert_null(event_ring_after(&ring, 41));
	cr_assert_null(event_ring_after(&ring, 0));
	cr_assert_eq(event_ring_missed(&ring, 40), 1);
	cr_assert_eq(event_ring_missed(&ring, 41), 0);
	cr_assert_eq(event_ring_next(&ring), 42);
	add(&ring, "web", "acme", "{}");
	cr_assert_eq(ring.last, 42);
	cr_assert_eq(event_ring_after(&ring, 41)->cursor, 42);
	cr_assert_eq(event_ring_after(&ring, 0)->cursor, 42);
	cr_assert_eq(event_ring_missed(&ring, 0), 41);
	cr_assert_null(event_ring_after(&ring, 42));
	cr_assert_null(event_ring_after(&ring, 1000000), "of the future");
	cr_assert_eq(event_ring_missed(&ring, 1000000), 0);
	event_ring_clear(&ring);
}

Test(event_ring, keeps_what_it_was_given)
{
	const struct event *event;
	struct event_ring ring;

	event_ring_init(&ring, 0);
	add(&ring, "web", "acme", "{\"a\":1}");
	add(&ring, NULL, NULL, "{}");
	event = event_ring_after(&ring, 0);
	cr_assert_str_eq(event->app, "web");
	cr_assert_str_eq(event->tenant, "acme");
	cr_assert_str_eq(event->text, "{\"a\":1}");
	cr_assert_eq(event->length, 7);
	event = event_ring_after(&ring, event->cursor);
	cr_assert_null(event->app);
	cr_assert_null(event->tenant);
	event_ring_clear(&ring);
}

Test(event_ring, holds_the_last_10000_and_tells_how_many_were_missed)
{
	struct event_ring ring;
	uint64_t cursor = 5, seen = 0;
	char text[32];

	event_ring_init(&ring, 0);
	for (int i = 1; i <= 25000; i++) {
		snprintf(text, sizeof(text), "{\"n\":%d}", i);
		add(&ring, "web", NULL, text);
	}
	cr_assert_eq(ring.count, EVENT_RING_EVENTS);
	cr_assert_eq(event_ring_missed(&ring, cursor), 15000 - 5);
	for (const struct event *event; (event = event_ring_after(&ring, cursor)) != NULL; seen++) {
		snprintf(text, sizeof(text), "{\"n\":%llu}", (unsigned long long)event->cursor);
		cr_assert_str_eq(event->text, text);
		cr_assert(cursor == 5 ? event->cursor == 15001 : event->cursor == cursor + 1);
		cursor = event->cursor;
	}
	cr_assert_eq(seen, EVENT_RING_EVENTS);
	cr_assert_eq(event_ring_missed(&ring, cursor), 0);
	event_ring_clear(&ring);
	cr_assert_eq(ring.bytes, 0);
	cr_assert_eq(ring.last, 25000);
}

Test(event_ring, is_bounded_in_bytes_as_well)
{
	static char text[100001];
	struct event_ring ring;

	event_ring_init(&ring, 0);
	memset(text, 'x', sizeof(text) - 1);
	for (int i = 0; i < 200; i++) {
		add(&ring, "web", "acme", text);
		cr_assert_leq(ring.bytes, EVENT_RING_BYTES);
	}
	cr_assert_gt(ring.count, 30);
	cr_assert_eq(event_ring_missed(&ring, 0) + ring.count, 200);
	event_ring_clear(&ring);
}

Test(event_ring, counts_what_it_could_not_keep_as_missed)
{
	char *text = calloc(1, EVENT_RING_BYTES + 1);
	struct event_ring ring;
	struct error err;

	event_ring_init(&ring, 0);
	add(&ring, NULL, NULL, "{}");
	cr_assert_lt(event_ring_add(&ring, NULL, NULL, text, EVENT_RING_BYTES, &err), 0);
	cr_assert_eq(err.kind, ERROR_TOO_MANY);
	cr_assert_lt(event_ring_skip(&ring, "no memory", &err), 0);
	add(&ring, NULL, NULL, "{}");
	cr_assert_eq(event_ring_missed(&ring, 0), 2);
	cr_assert_eq(event_ring_after(&ring, 1)->cursor, 4);
	event_ring_clear(&ring);
	free(text);
}

Test(event_ring, memory_grows_with_what_is_in_it)
{
	struct event_ring ring;

	event_ring_init(&ring, 0);
	cr_assert_null(ring.events);
	for (int i = 0; i < 100; i++)
		add(&ring, NULL, NULL, "{}");
	cr_assert_leq(ring.allocated, 256);
	event_ring_clear(&ring);
}
