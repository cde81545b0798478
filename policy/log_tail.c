/* SPDX-License-Identifier: MIT */
/*
 * A line that is not finished yet collects in partial[stream], which has room for one byte more
 * than a kept line: the "\r" of a line that is exactly LOG_TAIL_LINE_MAX long. partial_length goes
 * on counting beyond that room, and so tells a line that has lost its end.
 */
#include "policy/log_tail.h"

#include "policy/escape.h"
#include "policy/own.h"

#include <assert.h>
#include <string.h>

static const char ellipsis[] = "...";

#define STREAM_COUNT  ARRAY_SIZE(((struct log_tail *)NULL)->partial)
#define PARTIAL_ROOM  (LOG_TAIL_LINE_MAX + 1)
#define CUT_LINE_KEEP (LOG_TAIL_LINE_MAX - (sizeof(ellipsis) - 1))

static void add_to_partial(struct log_tail *tail, unsigned stream, const char *data, size_t length)
{
	size_t have = tail->partial_length[stream];

	if (have < PARTIAL_ROOM) {
		size_t room = PARTIAL_ROOM - have;

		memcpy(tail->partial[stream] + have, data, length < room ? length : room);
	}
	tail->partial_length[stream] = length > SIZE_MAX - have ? SIZE_MAX : have + length;
}

/* A line is a C string from here on: a NUL in it becomes a visible '?'. */
static void replace_nuls(char *line, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (line[i] == '\0')
			line[i] = '?';
}

static void finish_line(struct log_tail *tail, unsigned stream)
{
	char *line = tail->lines[tail->next];
	const char *partial = tail->partial[stream];
	size_t length = tail->partial_length[stream];

	if (length > 0 && length <= PARTIAL_ROOM && partial[length - 1] == '\r')
		length--;
	if (length <= LOG_TAIL_LINE_MAX) {
		memcpy(line, partial, length);
	} else {
		length = escape_whole_characters(partial, CUT_LINE_KEEP);
		memcpy(line, partial, length);
		memcpy(line + length, ellipsis, sizeof(ellipsis) - 1);
		length += sizeof(ellipsis) - 1;
	}
	line[length] = '\0';
	replace_nuls(line, length);

	tail->partial_length[stream] = 0;
	tail->next = (tail->next + 1) % LOG_TAIL_LINES;
	tail->total++;
}

void log_tail_feed(struct log_tail *tail, unsigned stream, const char *data, size_t length)
{
	assert(stream < STREAM_COUNT);

	while (length > 0) {
		const char *newline = memchr(data, '\n', length);
		size_t part = newline != NULL ? (size_t)(newline - data) : length;

		add_to_partial(tail, stream, data, part);
		if (newline == NULL)
			return;
		finish_line(tail, stream);
		data += part + 1;
		length -= part + 1;
	}
}

void log_tail_finish(struct log_tail *tail)
{
	for (unsigned stream = 0; stream < STREAM_COUNT; stream++)
		if (tail->partial_length[stream] > 0)
			finish_line(tail, stream);
}

size_t log_tail_lines(const struct log_tail *tail, const char *ret_lines[static LOG_TAIL_LINES])
{
	size_t count = tail->total < LOG_TAIL_LINES ? (size_t)tail->total : LOG_TAIL_LINES;
	size_t oldest = (tail->next + LOG_TAIL_LINES - count) % LOG_TAIL_LINES;

	for (size_t i = 0; i < count; i++)
		ret_lines[i] = tail->lines[(oldest + i) % LOG_TAIL_LINES];
	return count;
}
