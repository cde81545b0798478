/* SPDX-License-Identifier: MIT */
/*
 * A worker's stdout and stderr on their way to where they go: read from the pipes, kept as the last
 * lines for the incident, handed to a sink. A pipe is always drained, however slow the sink's own
 * way out is: lines are dropped and counted there, never waited for. But to be dropped is not for
 * nothing: where the sink says so, whoever floods it is read no faster than RELAY_CHUNK in a rest.
 */
#pragma once

#include "policy/log_tail.h"
#include "supervisor/output.h"

#include <stdbool.h>
#include <systemd/sd-event.h>

#define RELAY_CHUNK 16384 /* bytes of one read */

/* Takes all of what it is given, at once. stream: 0 stdout, 1 stderr. */
struct relay_sink {
	void (*take)(void *userdata, unsigned stream, const char *data, size_t length);
	/* No more comes of this worker: unfinished lines are whole ones now. May be NULL; may be
	 * called more than once. */
	void (*finish)(void *userdata);
	/* Lines dropped since the sink is there: only ever grows. */
	uint64_t (*dropped_lines)(void *userdata);
	void *userdata;
	/* How long a pipe is left alone after a read of which lines were dropped: the worker waits
	 * when it is full, and what it keeps us busy with has a bound, also where it writes no
	 * faster than we could read, line by line. 0: not at all. */
	uint64_t rest_usec;
};

struct relay {
	struct relay_stream {
		struct relay *relay;
		unsigned number; /* 0 stdout, 1 stderr */
		int fd;
		sd_event_source *source;
		sd_event_source *rest; /* the end of it; there from the first one on */
		bool resting;
	} streams[2];
	const struct relay_sink *sink; /* borrowed; NULL: never started */
	bool paused;
	struct log_tail tail;
	uint64_t dropped_before; /* of the sink, when this relay started */
};

/* Takes the two read ends, also when it fails; -1 for one that is not there any more. The sink is
 * the caller's and outlives the relay. */
int relay_start(struct relay *relay, sd_event *event, int stdout_fd, int stderr_fd,
		const struct relay_sink *sink, struct error *err);

/* Output of the worker that came by another way (kept by the launcher while nobody listened) goes
 * the same one from here on. Call it after relay_start and before the loop runs on, or the order is
 * lost. */
void relay_feed(struct relay *relay, unsigned stream, const char *data, size_t length);

/* Leaves the pipes alone for a while, and goes on. */
void relay_pause(struct relay *relay);
void relay_resume(struct relay *relay);

/* Reads what is left in the pipes (bounded), finishes tail and sink, closes. The tail stays. */
void relay_finish(struct relay *relay);

/* relay_finish, and the tail goes: as before relay_start. */
void relay_clear(struct relay *relay);

/* Lines that the sink has dropped since relay_start. */
uint64_t relay_dropped_lines(const struct relay *relay);

/* The sink of `pysbx run`: each stream to an output of its own. */
struct relay_outputs {
	struct output *outputs[2];
};
struct relay_sink relay_to_outputs(struct relay_outputs *outputs);
