/* SPDX-License-Identifier: MIT */
/*
 * A worker's stdout and stderr on their way to ours: read from the pipes, kept as the last lines
 * for the incident, passed on. A pipe is always drained, however slow our own output is: lines are
 * dropped and counted there, never waited for.
 */
#pragma once

#include "policy/log_tail.h"
#include "supervisor/output.h"

#include <systemd/sd-event.h>

struct relay {
	struct relay_stream {
		struct relay *relay;
		unsigned number; /* 0 stdout, 1 stderr */
		int fd;
		struct output *output;
		sd_event_source *source;
	} streams[2];
	struct log_tail tail;
	uint64_t dropped_before; /* of both outputs, when this relay started */
};

/* Takes the two read ends. The outputs are the caller's and outlive the relay. */
int relay_start(struct relay *relay, sd_event *event, int stdout_fd, int stderr_fd,
		struct output *out, struct output *err_out, struct error *err);

/* Reads what is left in the pipes (bounded), finishes the tail, closes. */
void relay_finish(struct relay *relay);

/* Lines of both outputs that were dropped since relay_start. */
uint64_t relay_dropped_lines(const struct relay *relay);
