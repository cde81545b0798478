/* SPDX-License-Identifier: MIT */
/*
 * A watcher is a subscription and its place in the ring: all events up to `cursor` are sent, or not
 * meant for it. It goes on whenever there is a new event, or its connection has room again. A gap
 * before the next event means that the ring has overtaken it, and then the connection is cut off:
 * when the client comes back with its cursor, it is told how many it missed.
 */
#include "supervisor/events.h"

#include "policy/event_ring.h"
#include "policy/own.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

struct events {
	struct event_ring ring;
	struct log *log;
	struct watcher *watchers;
};

struct watcher {
	struct subscription subscription;
	struct events *events;
	struct watcher *previous, *next;
	uint64_t cursor;
	char *app; /* NULL: all */
};

int events_new(struct events **ret, uint64_t last_cursor, struct log *log, struct error *err)
{
	struct events *events = malloc(sizeof(*events));

	if (events == NULL)
		return error_no_memory(err);
	*events = (struct events){ .log = log };
	event_ring_init(&events->ring, last_cursor);
	*ret = events;
	return 0;
}

static void watcher_free(struct watcher *watcher)
{
	subscription_end(&watcher->subscription);
	if (watcher->previous != NULL)
		watcher->previous->next = watcher->next;
	else if (watcher->events->watchers == watcher)
		watcher->events->watchers = watcher->next;
	if (watcher->next != NULL)
		watcher->next->previous = watcher->previous;
	free(watcher->app);
	free(watcher);
}

void events_free(struct events *events)
{
	if (events == NULL)
		return;
	while (events->watchers != NULL)
		watcher_free(events->watchers);
	event_ring_clear(&events->ring);
	free(events);
}

uint64_t events_cursor(const struct events *events)
{
	return events->ring.last;
}

/* --- telling ----------------------------------------------------------------------------------*/

/* A tenant hears of its own apps alone. */
static bool is_for(const struct event *event, const struct watcher *watcher)
{
	const char *tenant = client_tenant(watcher->subscription.client);

	if (tenant != NULL && (event->tenant == NULL || strcmp(event->tenant, tenant) != 0))
		return false;
	return watcher->app == NULL ||
	       (event->app != NULL && strcmp(event->app, watcher->app) == 0);
}

/* The text of an event is an object: the subscription's number becomes its first member. */
static void tell(const struct event *event, struct watcher *watcher)
{
	_cleanup_bytes_ struct bytes line = { 0 };
	char begin[128];
	struct error err;

	(void)snprintf(begin, sizeof(begin),
		       "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":"
		       "{\"subscription\":%" PRIu64 ",",
		       watcher->subscription.id);
	if (bytes_reserve(&line, strlen(begin) + event->length + 1, &err) < 0 ||
	    bytes_append_text(&line, begin, &err) < 0 ||
	    bytes_append(&line, event->text + 1, event->length - 1, &err) < 0 ||
	    bytes_append_text(&line, "}", &err) < 0) {
		client_cut_off(watcher->subscription.client, err.text);
		return;
	}
	(void)client_send_text(watcher->subscription.client, bytes_front(&line), line.length);
}

static void go_on(struct watcher *watcher)
{
	struct client *client = watcher->subscription.client;
	const struct event *event;

	while (!client_is_gone(client)) {
		event = event_ring_after(&watcher->events->ring, watcher->cursor);
		if (event == NULL)
			return;
		if (event->cursor != watcher->cursor + 1) {
			client_cut_off(client, "it reads events more slowly than they happen");
			return;
		}
		if (!client_is_ready(client))
			return;
		watcher->cursor = event->cursor;
		if (is_for(event, watcher))
			tell(event, watcher);
	}
}

static void on_ready(struct subscription *subscription)
{
	go_on(subscription->userdata);
}

static void on_ended(struct subscription *subscription)
{
	watcher_free(subscription->userdata);
}

/* --- what happens -----------------------------------------------------------------------------*/

/* RFC 3339, UTC, milliseconds. */
static json_t *json_now(void)
{
	struct timespec now;
	char text[64];
	struct tm utc;

	clock_gettime(CLOCK_REALTIME, &now);
	if (gmtime_r(&now.tv_sec, &utc) == NULL)
		return json_null();
	(void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ",
		       utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
		       utc.tm_sec, now.tv_nsec / 1000000);
	return json_string(text);
}

static char *event_text(uint64_t cursor, const char *type, const char *app, const char *tenant,
			json_t *data)
{
	json_t *object = json_pack("{s:I, s:o, s:s, s:s*, s:s*}", "cursor", (json_int_t)cursor,
				   "time", json_now(), "type", type, "app", app, "tenant", tenant);
	char *text = NULL;

	if (object != NULL && (data == NULL || json_object_update_missing(object, data) == 0))
		text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	return text;
}

static void record(struct events *events, const char *type, const char *app, const char *tenant,
		   json_t *data)
{
	_cleanup_free_ char *text =
		event_text(event_ring_next(&events->ring), type, app, tenant, data);
	size_t length = text != NULL ? strlen(text) : 0;
	struct error err;
	int r;

	if (text == NULL) /* no memory, or text that is no UTF-8 */
		r = event_ring_skip(&events->ring, "it can't be written as JSON", &err);
	else if (length > EVENT_TEXT_MAX)
		r = event_ring_skip(&events->ring, "it is too long", &err);
	else
		r = event_ring_add(&events->ring, app, tenant, text, length, &err);
	if (r < 0 && events->log != NULL)
		log_message(events->log, LOG_LEVEL_WARNING, app, "an event %s is not told: %s",
			    type, err.text);
}

void events_publish(struct events *events, const char *type, const char *app, const char *tenant,
		    json_t *data)
{
	record(events, type, app, tenant, data);
	json_decref(data);
	for (struct watcher *watcher = events->watchers; watcher != NULL; watcher = watcher->next)
		go_on(watcher);
}

/* --- methods ----------------------------------------------------------------------------------*/

static int watcher_new(struct events *events, struct client *client, const char *app,
		       struct watcher **ret, struct error *err)
{
	struct watcher *watcher = calloc(1, sizeof(*watcher));
	int r;

	if (watcher == NULL)
		return error_no_memory(err);
	watcher->events = events;
	watcher->cursor = events->ring.last;
	watcher->subscription.ended = on_ended;
	watcher->subscription.ready = on_ready;
	watcher->subscription.userdata = watcher;
	if (app != NULL)
		watcher->app = strdup(app);
	r = app != NULL && watcher->app == NULL
		    ? error_no_memory(err)
		    : client_subscribe(client, &watcher->subscription, err);
	if (r < 0) {
		free(watcher->app);
		free(watcher);
		return r;
	}
	watcher->next = events->watchers;
	if (watcher->next != NULL)
		watcher->next->previous = watcher;
	events->watchers = watcher;
	*ret = watcher;
	return 0;
}

/* To the place after the events that were seen. Returns how many of those since then are lost. A
 * cursor that is yet to come is of a daemon that has lost its state: all that is here is new to
 * this client, and what it missed nobody knows. */
static uint64_t rewind_to(struct watcher *watcher, uint64_t cursor)
{
	const struct event_ring *ring = &watcher->events->ring;
	bool unknown = cursor > ring->last;
	const struct event *oldest;
	uint64_t missed;

	if (unknown)
		cursor = 0;
	missed = event_ring_missed(ring, cursor);
	oldest = event_ring_after(ring, cursor);
	watcher->cursor = oldest != NULL ? oldest->cursor - 1 : ring->last;
	return unknown && missed == 0 ? 1 : missed;
}

static int handle_subscribe(struct call *call, const json_t *params, void *userdata,
			    struct error *err)
{
	int64_t cursor = rpc_params_integer(params, "cursor", -1);
	struct watcher *watcher;
	uint64_t missed = 0;
	json_t *result;
	int r = watcher_new(userdata, call_client(call), rpc_params_string(params, "app", NULL),
			    &watcher, err);

	if (r < 0)
		return r;
	if (cursor >= 0)
		missed = rewind_to(watcher, (uint64_t)cursor);
	/* how much happens to others is not a tenant's business */
	if (missed > 1 && call_tenant(call) != NULL)
		missed = 1;
	result =
		json_pack("{s:I, s:I, s:I}", "cursor", (json_int_t)watcher->cursor, "missed",
			  (json_int_t)missed, "subscription", (json_int_t)watcher->subscription.id);
	if (result == NULL) {
		watcher_free(watcher);
		return error_no_memory(err);
	}
	call_reply(call, result);
	go_on(watcher);
	return 0;
}

static int handle_unsubscribe(struct call *call, const json_t *params, void *userdata,
			      struct error *err)
{
	int64_t id = rpc_params_integer(params, "subscription", 0);
	int r = client_unsubscribe(call_client(call), (uint64_t)id, err);
	(void)userdata;

	if (r < 0)
		return r;
	call_reply(call, json_object());
	return 0;
}

static const struct rpc_param subscribe_params[] = {
	{ .name = "cursor",
	  .type = RPC_INTEGER,
	  .max = INT64_MAX,
	  .help = "The last event that was seen: those after it are sent first" },
	{ .name = "app", .type = RPC_STRING, .help = "Only events of this app" },
};

static const struct rpc_param unsubscribe_params[] = {
	{ .name = "subscription",
	  .type = RPC_INTEGER,
	  .required = true,
	  .min = 1,
	  .max = INT64_MAX,
	  .help = "The number that the subscription was answered with" },
};

const struct control_method events_methods[EVENTS_METHOD_COUNT] = {
	{ .name = "events.subscribe",
	  .summary = "Sends notifications of the method event from now on, or from a cursor on",
	  .result = "cursor: where the events begin; missed: how many since the cursor that was "
		    "given are lost (to a tenant, 1 if any may be); subscription",
	  .flags = METHOD_TENANT,
	  .params = subscribe_params,
	  .param_count = ARRAY_SIZE(subscribe_params),
	  .handle = handle_subscribe },
	{ .name = "events.unsubscribe",
	  .summary = "Ends a subscription of this connection, to events or to a log",
	  .result = "An empty object",
	  .flags = METHOD_TENANT,
	  .params = unsubscribe_params,
	  .param_count = ARRAY_SIZE(unsubscribe_params),
	  .handle = handle_unsubscribe },
};
