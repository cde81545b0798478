/* SPDX-License-Identifier: MIT */
/*
 * A line that arrives whole is kept straight from the chunk. One that is not finished yet collects
 * in partial[stream], which has room for one byte more than a kept line: the "\r" of a line that is
 * exactly LOG_TAIL_LINE_MAX long. partial_length goes on counting beyond that room, and so tells a
 * line that has lost its end.
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

static_assert(LOG_TAIL_LINES <= 64, "from_stderr has a bit for each line");

static void add_to_partial(struct log_tail *tail, unsigned stream, const char *data, size_t length)
{
	size_t have = tail->partial_length[stream];

	if (length == 0)
		return;
	if (have == 0)
		tail->partial[stream] = malloc(PARTIAL_ROOM);
	if (have < PARTIAL_ROOM && tail->partial[stream] != NULL) {
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

/* Only the first PARTIAL_ROOM bytes are looked at, however long the line was. NULL: no memory. */
static char *make_line(const char *data, size_t length)
{
	bool cut;
	char *line;

	if (length > 0 && length <= PARTIAL_ROOM && data[length - 1] == '\r')
		length--;
	cut = length > LOG_TAIL_LINE_MAX;
	if (cut)
		length = escape_whole_characters(data, CUT_LINE_KEEP);
	line = malloc(length + sizeof(ellipsis));
	if (line == NULL)
		return NULL;
	if (length > 0)
		memcpy(line, data, length);
	replace_nuls(line, length);
	memcpy(line + length, cut ? ellipsis : "", cut ? sizeof(ellipsis) : 1);
	return line;
}

/* data: NULL if there was no memory to collect it. */
static void keep_line(struct log_tail *tail, unsigned stream, const char *data, size_t length)
{
	uint64_t place = UINT64_C(1) << tail->next;

	if (tail->lines == NULL)
		tail->lines = calloc(LOG_TAIL_LINES, sizeof(*tail->lines));
	if (tail->lines != NULL) {
		free(tail->lines[tail->next]);
		tail->lines[tail->next] = data != NULL ? make_line(data, length) : NULL;
	}
	tail->from_stderr = stream == 0 ? tail->from_stderr & ~place : tail->from_stderr | place;
	tail->next = (tail->next + 1) % LOG_TAIL_LINES;
	tail->total++;
}

static void finish_partial(struct log_tail *tail, unsigned stream)
{
	keep_line(tail, stream, tail->partial[stream], tail->partial_length[stream]);
	free(tail->partial[stream]);
	tail->partial[stream] = NULL;
	tail->partial_length[stream] = 0;
}

size_t log_tail_count_lines(const char *data, size_t length)
{
	size_t lines = 0;

	for (const char *at = memchr(data, '\n', length); at != NULL; lines++) {
		at++;
		at = memchr(at, '\n', length - (size_t)(at - data));
	}
	return lines;
}

/* Where the last LOG_TAIL_LINES lines of a chunk begin; 0: it has no more. */
static size_t find_last_lines(const char *data, size_t length)
{
	for (size_t i = 0; i <= LOG_TAIL_LINES; i++) {
		const char *newline = memrchr(data, '\n', length);

		if (newline == NULL)
			return 0;
		length = (size_t)(newline - data);
	}
	return length + 1;
}

/* What the rest of a chunk pushes out anyway is counted, and not copied first: of a flood that is
 * most of it. Returns its length. */
static size_t pass_over(struct log_tail *tail, unsigned stream, const char *data, size_t length)
{
	size_t passed = find_last_lines(data, length);

	if (passed == 0)
		return 0;
	free(tail->partial[stream]);
	tail->partial[stream] = NULL;
	tail->partial_length[stream] = 0;
	tail->total += log_tail_count_lines(data, passed);
	return passed;
}

void log_tail_feed(struct log_tail *tail, unsigned stream, const char *data, size_t length)
{
	size_t passed = pass_over(tail, stream, data, length);

	assert(stream < STREAM_COUNT);
	data += passed;
	length -= passed;
	while (length > 0) {
		const char *newline = memchr(data, '\n', length);
		size_t part = newline != NULL ? (size_t)(newline - data) : length;

		if (newline != NULL && tail->partial_length[stream] == 0) {
			keep_line(tail, stream, data, part);
		} else {
			add_to_partial(tail, stream, data, part);
			if (newline == NULL)
				return;
			finish_partial(tail, stream);
		}
		data += part + 1;
		length -= part + 1;
	}
}

void log_tail_note(struct log_tail *tail, unsigned stream, const char *line)
{
	assert(stream < STREAM_COUNT);
	keep_line(tail, stream, line, strlen(line));
}

void log_tail_finish(struct log_tail *tail)
{
	for (unsigned stream = 0; stream < STREAM_COUNT; stream++)
		if (tail->partial_length[stream] > 0)
			finish_partial(tail, stream);
}

static size_t count_kept(const struct log_tail *tail)
{
	return tail->total < LOG_TAIL_LINES ? (size_t)tail->total : LOG_TAIL_LINES;
}

static size_t place_of(const struct log_tail *tail, size_t index)
{
	return (tail->next + LOG_TAIL_LINES - count_kept(tail) + index) % LOG_TAIL_LINES;
}

size_t log_tail_lines(const struct log_tail *tail, const char *ret_lines[static LOG_TAIL_LINES])
{
	size_t count = count_kept(tail);

	for (size_t i = 0; i < count; i++) {
		const char *line = tail->lines != NULL ? tail->lines[place_of(tail, i)] : NULL;

		ret_lines[i] = line != NULL ? line : ellipsis;
	}
	return count;
}

unsigned log_tail_stream(const struct log_tail *tail, size_t index)
{
	assert(index < count_kept(tail));
	return tail->from_stderr >> place_of(tail, index) & 1;
}

void log_tail_clear(struct log_tail *tail)
{
	for (size_t i = 0; tail->lines != NULL && i < LOG_TAIL_LINES; i++)
		free(tail->lines[i]);
	free(tail->lines);
	for (unsigned stream = 0; stream < STREAM_COUNT; stream++)
		free(tail->partial[stream]);
	*tail = (struct log_tail){ 0 };
}
