/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a worker's output, in chunks on two streams that the input itself chooses, against a
 * slow model that is plainly right: a line at a time in memory without bounds.
 */
#include "policy/log_tail.h"
#include "policy/own.h"

#include <stdbool.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

#define MODEL_MAX 65536

/* One stream's unfinished line, and the last line that it finished. */
struct model {
	char line[MODEL_MAX];
	size_t length;
};

/* Is `kept` what becomes of a line of these bytes? */
static void require_kept(const char *kept, const char *line, size_t length)
{
	size_t kept_length = strlen(kept);

	require(kept_length <= LOG_TAIL_LINE_MAX);
	if (length > 0 && length <= LOG_TAIL_LINE_MAX + 1 && line[length - 1] == '\r')
		length--;
	if (length <= LOG_TAIL_LINE_MAX) {
		require(kept_length == length);
	} else {
		require(kept_length >= LOG_TAIL_LINE_MAX - 3);
		require(strcmp(kept + kept_length - 3, "...") == 0);
		kept_length -= 3;
	}
	for (size_t i = 0; i < kept_length; i++)
		require(kept[i] == (line[i] != '\0' ? line[i] : '?'));
}

static void feed_byte(struct model *model, char byte, uint64_t total_before,
		      const struct log_tail *after)
{
	const char *lines[LOG_TAIL_LINES];
	size_t count;

	if (byte != '\n') {
		require(model->length < MODEL_MAX);
		model->line[model->length++] = byte;
		require(after->total == total_before);
		return;
	}
	require(after->total == total_before + 1);
	count = log_tail_lines(after, lines);
	require(count == (after->total < LOG_TAIL_LINES ? after->total : LOG_TAIL_LINES));
	require_kept(lines[count - 1], model->line, model->length);
	model->length = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct model models[2];
	static struct log_tail slow, fast;
	const char *slow_lines[LOG_TAIL_LINES], *fast_lines[LOG_TAIL_LINES];
	size_t count;

	if (size > 4096)
		return 0;
	models[0].length = models[1].length = 0;
	log_tail_clear(&slow);
	log_tail_clear(&fast);

	/* one control byte (stream and length), then that many bytes of output */
	while (size > 1) {
		unsigned stream = data[0] & 1;
		size_t length = data[0] >> 1;

		data++, size--;
		length = length < size ? length : size;
		log_tail_feed(&fast, stream, (const char *)data, length);
		for (size_t i = 0; i < length; i++) {
			uint64_t total = slow.total;
			char byte = (char)data[i];

			log_tail_feed(&slow, stream, &byte, 1);
			feed_byte(&models[stream], byte, total, &slow);
		}
		data += length, size -= length;
	}
	log_tail_finish(&slow);
	log_tail_finish(&fast);
	require(slow.total == fast.total);
	count = log_tail_lines(&slow, slow_lines);
	require(log_tail_lines(&fast, fast_lines) == count);
	for (size_t i = 0; i < count; i++)
		require(strcmp(slow_lines[i], fast_lines[i]) == 0);
	return 0;
}
