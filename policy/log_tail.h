/* SPDX-License-Identifier: MIT */
/*
 * The last lines of a worker's output, for the incident. Takes raw chunks of two streams (each has
 * its own unfinished line), keeps the last LOG_TAIL_LINES whole ones, bounded in bytes. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define LOG_TAIL_LINES	  50
#define LOG_TAIL_LINE_MAX 512 /* bytes kept of a line, its "..." included */

struct log_tail {
	char lines[LOG_TAIL_LINES][LOG_TAIL_LINE_MAX + 1];
	size_t next;	/* ring position */
	uint64_t total; /* whole lines seen */
	char partial[2][LOG_TAIL_LINE_MAX + 1];
	size_t partial_length[2];
};

void log_tail_feed(struct log_tail *tail, unsigned stream, const char *data, size_t length);
/* Unfinished lines become whole ones: at the end of a stream. */
void log_tail_finish(struct log_tail *tail);
/* Oldest first; lines point into tail. Returns their number. */
size_t log_tail_lines(const struct log_tail *tail, const char *ret_lines[static LOG_TAIL_LINES]);
