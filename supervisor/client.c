/* SPDX-License-Identifier: MIT */
/*
 * What is said to a client. Most of it leaves at once; the rest waits in its queue, which is
 * bounded. Whoever finds here that a client must go only marks it: it goes in its own turn.
 */
#include "supervisor/client.h"

#include "policy/own.h"
#include "supervisor/clock.h"
#include "supervisor/control_private.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

struct client *client_ref(struct client *client)
{
	client->refs++;
	return client;
}

void client_unref(struct client *client)
{
	assert(client->refs > 0);
	if (--client->refs > 0)
		return;
	free(client->tenant);
	free(client);
}

const char *client_tenant(const struct client *client)
{
	return client->tenant;
}

uid_t client_uid(const struct client *client)
{
	return client->uid;
}

pid_t client_pid(const struct client *client)
{
	return client->pid;
}

bool client_is_gone(const struct client *client)
{
	return client->fd < 0 || client->doomed;
}

bool client_is_ready(const struct client *client)
{
	return !client_is_gone(client) && client->output.length <= CLIENT_QUEUE_PAUSE;
}

void client_cut_off(struct client *client, const char *why)
{
	if (client_is_gone(client))
		return;
	if (client->control->config.log != NULL)
		log_event(client->control->config.log, LOG_EVENT_CLIENT_CUT_OFF, NULL,
			  "control: the client of uid %u (pid %d) is cut off: %s", client->uid,
			  (int)client->pid, why);
	client->doomed = true;
	control_schedule(client);
}

/* Nobody to blame: it has gone, or there is no memory to go on with it. */
static void give_up(struct client *client)
{
	client->doomed = true;
	control_schedule(client);
}

void client_flush(struct client *client)
{
	struct bytes *output = &client->output;

	while (output->length > 0 && !client->hung_up) {
		ssize_t n = send(client->fd, bytes_front(output), output->length,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			/* what it has sent is still carried out */
			client->hung_up = true;
			break;
		}
		bytes_take(output, (size_t)n);
		client->stall_since_usec = 0;
	}
	if (client->hung_up)
		bytes_clear(output);
	if (output->length == 0) {
		client->stall_since_usec = 0;
		bytes_shrink(output);
	} else if (client->stall_since_usec == 0) {
		client->stall_since_usec = clock_monotonic_usec();
	}
	if (client->was_full && output->length <= CLIENT_QUEUE_PAUSE) {
		client->was_full = false;
		client->has_room = true;
		control_schedule(client);
	}
}

void client_queued(struct client *client)
{
	bool waits = client->stall_since_usec != 0; /* the kernel's buffer is full: no use trying */

	if (client->output.length > CLIENT_QUEUE_PAUSE)
		client->was_full = true;
	if (client->output.length > CLIENT_QUEUE_MAX) {
		client_flush(client);
		if (client->output.length > CLIENT_QUEUE_MAX)
			client_cut_off(client, "it does not read what it asked for");
		return;
	}
	if (client->in_turn || waits)
		return;
	client_flush(client);
	if (client->output.length > 0 || client->hung_up)
		control_schedule(client); /* to wait for room, or to go */
}

int client_send_text(struct client *client, const char *text, size_t length)
{
	size_t before = client->output.length;
	struct error err;

	if (client_is_gone(client))
		return -EPIPE;
	if (bytes_append(&client->output, text, length, &err) < 0 ||
	    bytes_append(&client->output, "\n", 1, &err) < 0) {
		bytes_truncate(&client->output, before);
		give_up(client);
		return -EPIPE;
	}
	client_queued(client);
	return client_is_gone(client) ? -EPIPE : 0;
}

int client_notify(struct client *client, const char *method, json_t *params)
{
	_cleanup_bytes_ struct bytes text = { 0 };
	struct error err;
	int r;

	if (client_is_gone(client) || params == NULL) {
		json_decref(params);
		return -EPIPE;
	}
	r = rpc_write_notification(&text, method, params, &err);
	json_decref(params);
	if (r < 0) {
		client_cut_off(client, err.text);
		return -EPIPE;
	}
	return client_send_text(client, text.data, text.length);
}

/* --- subscriptions ----------------------------------------------------------------------------*/

int client_subscribe(struct client *client, struct subscription *subscription, struct error *err)
{
	if (client_is_gone(client))
		return error_set(err, ERROR_UNREACHABLE, 0, "the client has gone");
	if (client->subscription_count >= CLIENT_SUBSCRIPTIONS_MAX)
		return error_set(err, ERROR_TOO_MANY, 0,
				 "one connection has at most %d subscriptions: end one first",
				 CLIENT_SUBSCRIPTIONS_MAX);
	assert(subscription->ended != NULL);
	subscription->id = client->control->next_subscription++;
	subscription->client = client;
	subscription->previous = NULL;
	subscription->next = client->subscriptions;
	if (subscription->next != NULL)
		subscription->next->previous = subscription;
	client->subscriptions = subscription;
	client->subscription_count++;
	return 0;
}

void subscription_end(struct subscription *subscription)
{
	struct client *client = subscription->client;

	if (client == NULL)
		return;
	if (subscription->previous != NULL)
		subscription->previous->next = subscription->next;
	else
		client->subscriptions = subscription->next;
	if (subscription->next != NULL)
		subscription->next->previous = subscription->previous;
	subscription->client = NULL;
	subscription->previous = subscription->next = NULL;
	client->subscription_count--;
}

static void end_and_tell(struct subscription *subscription)
{
	subscription_end(subscription);
	subscription->ended(subscription);
}

int client_unsubscribe(struct client *client, uint64_t id, struct error *err)
{
	for (struct subscription *s = client->subscriptions; s != NULL; s = s->next)
		if (s->id == id) {
			end_and_tell(s);
			return 0;
		}
	return error_set(err, ERROR_NOT_FOUND, 0, "this connection has no subscription %llu",
			 (unsigned long long)id);
}

void client_end_subscriptions(struct client *client)
{
	while (client->subscriptions != NULL)
		end_and_tell(client->subscriptions);
}

/* One that is told may end itself. */
void client_tell_ready(struct client *client)
{
	struct subscription *next;

	client->has_room = false;
	for (struct subscription *s = client->subscriptions; s != NULL; s = next) {
		next = s->next;
		if (s->ready != NULL)
			s->ready(s);
	}
}

int subscription_notify(struct subscription *subscription, const char *method, json_t *params)
{
	if (params != NULL && json_object_set_new(params, "subscription",
						  json_integer((json_int_t)subscription->id)) < 0) {
		json_decref(params);
		params = NULL;
	}
	if (subscription->client == NULL) {
		json_decref(params);
		return -EPIPE;
	}
	return client_notify(subscription->client, method, params);
}
