/* SPDX-License-Identifier: MIT */
/*
 * Events: what happens to apps, told to everyone who has subscribed, and kept for those who come
 * back with a cursor.
 *
 * Nothing is queued per subscriber. Each has its place in the ring and is sent what comes after it
 * as long as its connection has room; who is overtaken by the ring's end is cut off.
 */
#pragma once

#include "policy/error.h"
#include "supervisor/control.h"
#include "supervisor/log.h"

#include <jansson.h>
#include <stdint.h>

/* A longer event is not told: it counts as missed. */
#define EVENT_TEXT_MAX ((size_t)64 * 1024)

struct events;

/* last_cursor: of the last event of an earlier life, 0 if there was none. log may be NULL. */
int events_new(struct events **ret, uint64_t last_cursor, struct log *log, struct error *err);
/* After control_stop. NULL is fine. */
void events_free(struct events *events);

/* The cursor of the last event: to be saved, and given to events_new in the next life. */
uint64_t events_cursor(const struct events *events);

/* {cursor, time, type, app?, tenant?, ...data}. app, tenant and data (an object, stolen) may be
 * NULL. Events of no tenant are for admins alone. Never fails: an event that there is no memory for
 * is logged and counts as missed. */
void events_publish(struct events *events, const char *type, const char *app, const char *tenant,
		    json_t *data);

/* A subscription's answer comes before its first event, but for a batch, whose answers come last.
 *
 * events.subscribe and events.unsubscribe (of any subscription, also of others' making), for a
 * control_table whose userdata is the struct events. */
#define EVENTS_METHOD_COUNT 2
extern const struct control_method events_methods[EVENTS_METHOD_COUNT];
