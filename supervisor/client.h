/* SPDX-License-Identifier: MIT */
/*
 * One who speaks to the control socket, as handlers see it: who it is, what is said to it, and what
 * it has subscribed to.
 *
 * A client goes only in a turn of the event loop that is its own, never inside a function called
 * here: a loop over subscriptions may notify each of them without one vanishing under its feet.
 */
#pragma once

#include "policy/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What may wait for a client that doesn't read; beyond it, it is cut off. */
#define CLIENT_QUEUE_MAX ((size_t)4 * 1024 * 1024)
/* Nobody hears more of it, and no further request is read, while more than this waits. */
#define CLIENT_QUEUE_PAUSE ((size_t)64 * 1024)
/* A larger answer is replaced by an error: it must fit beside what waits already. */
#define CLIENT_ANSWER_MAX	 ((size_t)3 * 1024 * 1024)
#define CLIENT_SUBSCRIPTIONS_MAX 16

struct client;

/* Reference-counted: calls hold one each. Handlers that keep a client beyond their call take one
 * as well, or, better, hold a subscription. */
struct client *client_ref(struct client *client);
void client_unref(struct client *client);

/* NULL: an admin. */
const char *client_tenant(const struct client *client);
uid_t client_uid(const struct client *client);
pid_t client_pid(const struct client *client); /* for logs only: it may be another's by now */
bool client_is_gone(const struct client *client);

/* Has room for more without waiting: fewer than CLIENT_QUEUE_PAUSE bytes are queued. */
bool client_is_ready(const struct client *client);

/* Sends a notification. params is stolen. -EPIPE if the client is gone or was cut off now; nobody
 * has to look. */
int client_notify(struct client *client, const char *method, json_t *params);
/* The same for a text that is JSON already: one line without its newline. */
int client_send_text(struct client *client, const char *text, size_t length);

/* Ends the connection in its next turn, without a further word. `why` is logged. */
void client_cut_off(struct client *client, const char *why);

/*
 * A subscription: embedded in what its owner keeps for it, and tied to the client. It ends in one
 * of two ways: the owner calls subscription_end(), or `ended` is called, once, because the client
 * has gone or has unsubscribed; by then it is unlinked, and may be freed.
 */
struct subscription {
	uint64_t id; /* unique as long as the daemon lives */
	struct client *client;
	void *userdata;
	void (*ended)(struct subscription *subscription);
	/* May be NULL. The client has room again after it had none; may end this subscription, and
	 * no other. */
	void (*ready)(struct subscription *subscription);
	struct subscription *previous, *next;
};

/* The caller has set ended, ready and userdata; client and id are set here. ERROR_TOO_MANY beyond
 * CLIENT_SUBSCRIPTIONS_MAX. */
int client_subscribe(struct client *client, struct subscription *subscription, struct error *err);
/* Calls its `ended`. ERROR_NOT_FOUND if this client has no such subscription. */
int client_unsubscribe(struct client *client, uint64_t id, struct error *err);
void subscription_end(struct subscription *subscription);
/* client_notify with "subscription": id in params (stolen). */
int subscription_notify(struct subscription *subscription, const char *method, json_t *params);
