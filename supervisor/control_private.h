/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the control socket share: control.c (life, timer, turns of all), its sisters
 * control_accept.c (who comes in), control_turn.c (one client's turn: bytes to calls),
 * control_call.c (a call's way to its answer), and client.c (what is said to a client).
 *
 * A client lives in these stages: served; `closing` (not read any more, goes when its queue is
 * empty); `doomed` (goes in the next turn); gone (closed, out of the list, kept by references).
 */
#pragma once

#include "policy/bytes.h"
#include "policy/rate.h"
#include "supervisor/control.h"

/* One client's share of a turn of the loop: this many requests or this long, whatever is first. */
#define TURN_REQUESTS	  64
#define TURN_USEC	  UINT64_C(2000)
#define TURN_READ_BYTES	  ((size_t)32 * 1024)
#define TURN_ACCEPTS	  32
#define ACCEPT_PAUSE_USEC UINT64_C(500000) /* after EMFILE and the like */
#define RATE_PAUSE_USEC	  UINT64_C(10000)  /* until one who asks too much is looked at again */

/* One per uid that has clients, or had some and still owes for its requests. */
struct control_uid {
	struct control_uid *next;
	uid_t uid;
	unsigned clients;
	struct rate rate;
};

/* A batch collects its answers: one reference of the line that is being worked off, one a call. */
struct control_batch {
	unsigned refs;
	struct client *client;
	struct bytes answers; /* with commas between them */
};

struct client {
	unsigned refs;
	struct control *control;
	struct client *previous, *next;
	int fd; /* -1: gone */
	sd_event_source *source;
	uint32_t interest; /* of the source, as set last */

	pid_t pid;
	uid_t uid;
	char *tenant; /* NULL: admin */
	struct control_uid *of_uid;

	struct bytes input;
	size_t scanned;		    /* of input: no newline in these */
	struct rpc_message message; /* the line that is being worked off */
	size_t message_next;
	struct control_batch *batch; /* of that line */
	unsigned pending;	     /* calls without an answer */

	struct bytes output;
	uint64_t line_since_usec;  /* when the unfinished line began, 0: there is none */
	uint64_t stall_since_usec; /* since when none of the output leaves, 0: it does */

	struct subscription *subscriptions;
	unsigned subscription_count;

	bool in_turn;	/* answers are sent at its end, together */
	bool scheduled; /* has something to do in the next turn */
	bool throttled; /* waits for the timer: asked too much */
	bool was_full;	/* more than CLIENT_QUEUE_PAUSE were queued */
	bool has_room;	/* and now no more: subscriptions are to be told */
	bool at_eof;	/* nothing more will come */
	bool hung_up;	/* nobody reads either */
	bool closing, doomed;
};

struct control_entry {
	const struct control_method *method;
	void *userdata;
};

struct control {
	sd_event *event;
	struct control_config config; /* with the defaults filled in; tables unused */
	char *bound_path;
	int listen_fd;
	sd_event_source *listen_source;
	bool accept_paused;
	uint64_t accept_again_usec;

	struct control_entry *entries; /* sorted by name */
	const char **names;	       /* of the same, for "did you mean" */
	size_t entry_count;
	json_t *no_params;

	struct client *clients;
	size_t client_count;
	struct control_uid *uids;
	uint64_t next_subscription;

	sd_event_source *turns; /* on while a client is scheduled */
	sd_event_source *timer;
	uint64_t timer_usec; /* when it fires, 0: it is off */
};

/* control.c */
void control_schedule(struct client *client);
void control_wake_at(struct control *control, uint64_t usec);
void control_close_client(struct client *client);

/* control_accept.c */
int control_listen(struct control *control, const struct control_config *config, struct error *err);
void control_accept_again(struct control *control, uint64_t now);
void control_leave_uid(struct client *client);

/* control_turn.c */
void control_turn(struct client *client, bool readable, bool writable);

/* control_call.c */
void control_run_request(struct client *client, size_t index);
void control_refuse_line(struct client *client, enum rpc_code code, const struct error *error);
struct control_batch *control_batch_new(struct client *client);
void control_batch_unref(struct control_batch *batch); /* the last one sends it */

/* client.c */
void client_queued(struct client *client); /* after something was appended to output */
void client_flush(struct client *client);
void client_tell_ready(struct client *client);
void client_end_subscriptions(struct client *client);
