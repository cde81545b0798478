/* SPDX-License-Identifier: MIT */
/*
 * Our own stdout or stderr, written without ever blocking. A terminal that is stopped, a pipe that
 * nobody reads or a closed one must not hold up the loop, much less the worker.
 *
 * O_NONBLOCK on an inherited descriptor would change it for the user's shell as well. So terminals
 * and pipes are opened anew through /proc/self/fd, sockets are sent to with MSG_DONTWAIT, and
 * regular files, which don't block, are written as they are. What cannot be written is buffered up
 * to OUTPUT_BUFFER_MAX; beyond that whole writes are dropped and counted.
 */
#pragma once

#include "policy/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#define OUTPUT_BUFFER_MAX ((size_t)1024 * 1024)
#define OUTPUT_RESERVE	  ((size_t)768 * 1024) /* an incident as JSON, as large as can be */

struct output {
	int fd;
	int own_fd; /* -1, or the descriptor opened anew */
	bool is_socket;
	bool is_file;
	bool mid_line; /* the last byte taken was no newline */
	bool closed;   /* EPIPE and the like: everything is dropped from then on */
	char *buffer;
	size_t start, length; /* ring */
	uint64_t dropped_bytes, dropped_lines;
	sd_event_source *source;
};

/* fd: 1 or 2; stays the caller's. event may be NULL (no loop yet): output_attach later. */
int output_open(struct output *output, int fd, struct error *err);
int output_attach(struct output *output, sd_event *event, struct error *err);

/* Takes all of it or drops all of it; never blocks, never fails. */
void output_write(struct output *output, const char *data, size_t length);

/* The same for a worker's words, which leave OUTPUT_RESERVE of the buffer to ours: a flood must not
 * drown the report of how it ended. */
void output_pass(struct output *output, const char *data, size_t length);

/* What is still buffered gets at most timeout_msec to leave. */
void output_flush(struct output *output, int timeout_msec);
void output_close(struct output *output);
