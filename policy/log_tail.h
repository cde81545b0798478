/* SPDX-License-Identifier: MIT */
/*
 * The last lines of a worker's output, for the incident. Takes raw chunks of two streams (each has
 * its own unfinished line), keeps the last LOG_TAIL_LINES whole ones, bounded in bytes. Pure.
 *
 * Only what was said takes memory, since most of a thousand apps say nothing for hours: 26 kB at
 * the most. A line that there is no memory for reads "...".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_TAIL_LINES	  50
#define LOG_TAIL_LINE_MAX 512 /* bytes kept of a line, its "..." included */

/* Zero-initialised = empty. */
struct log_tail {
	char **lines;	      /* NULL, or a ring of LOG_TAIL_LINES: each NULL or owned */
	uint64_t from_stderr; /* one bit a place in the ring */
	uint64_t total;	      /* whole lines seen */
	char *partial[2];     /* NULL, or the line that is not finished yet */
	size_t partial_length[2];
	uint32_t next; /* ring position */
};

/* The lines that end in data. */
size_t log_tail_count_lines(const char *data, size_t length);

void log_tail_feed(struct log_tail *tail, unsigned stream, const char *data, size_t length);
/* A whole line, without its end, that comes between the others: an unfinished one goes on after it.
 */
void log_tail_note(struct log_tail *tail, unsigned stream, const char *line);
/* Unfinished lines become whole ones: at the end of a stream. */
void log_tail_finish(struct log_tail *tail);
/* Oldest first; lines point into tail. Returns their number. */
size_t log_tail_lines(const struct log_tail *tail, const char *ret_lines[static LOG_TAIL_LINES]);
/* Which stream the line is of that log_tail_lines gives at `index`: 0 stdout, 1 stderr. */
unsigned log_tail_stream(const struct log_tail *tail, size_t index);
/* Frees all; empty afterwards. */
void log_tail_clear(struct log_tail *tail);

#define _cleanup_log_tail_ __attribute__((cleanup(log_tail_clear)))
