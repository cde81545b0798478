/* SPDX-License-Identifier: MIT */
#include "supervisor/relay.h"

#include "policy/own.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Chunks taken from one pipe in one turn of the loop: a worker that floods its log must not starve
 * the events of others, and a chunk of short lines is thousands of messages. At the end all is read
 * that a pipe can hold (1 MiB), and more that may be written meanwhile. */
#define RELAY_CHUNKS_PER_TURN 1
#define RELAY_CHUNKS_AT_END   256

void relay_feed(struct relay *relay, unsigned stream, const char *data, size_t length)
{
	assert(stream < ARRAY_SIZE(relay->streams));
	log_tail_feed(&relay->tail, stream, data, length);
	relay->sink->take(relay->sink->userdata, stream, data, length);
}

/* Reads at most max_chunks. Returns false at the stream's end. */
static bool pump(struct relay_stream *stream, unsigned max_chunks)
{
	char chunk[RELAY_CHUNK];

	for (unsigned i = 0; i < max_chunks; i++) {
		ssize_t n = read(stream->fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		if (n == 0)
			return false;
		relay_feed(stream->relay, stream->number, chunk, (size_t)n);
	}
	return true;
}

static void enable(struct relay_stream *stream)
{
	int enabled = stream->relay->paused || stream->resting ? SD_EVENT_OFF : SD_EVENT_ON;

	if (stream->source != NULL)
		(void)sd_event_source_set_enabled(stream->source, enabled);
}

static int on_rested(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct relay_stream *stream = userdata;
	(void)source, (void)usec;

	stream->resting = false;
	enable(stream);
	return 0;
}

/* One at a time: a flood of stdout must not keep stderr waiting. Without memory for the timer
 * nobody rests. */
static void rest(struct relay_stream *stream)
{
	uint64_t usec = stream->relay->sink->rest_usec;
	int r;

	if (stream->rest == NULL) {
		r = sd_event_add_time_relative(sd_event_source_get_event(stream->source),
					       &stream->rest, CLOCK_MONOTONIC, usec, usec / 4,
					       on_rested, stream);
	} else {
		r = sd_event_source_set_time_relative(stream->rest, usec);
		if (r >= 0)
			r = sd_event_source_set_enabled(stream->rest, SD_EVENT_ONESHOT);
	}
	stream->resting = r >= 0;
	enable(stream);
}

static void close_stream(struct relay_stream *stream)
{
	stream->source = sd_event_source_disable_unref(stream->source);
	stream->rest = sd_event_source_disable_unref(stream->rest);
	close_and_clear(&stream->fd);
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct relay_stream *stream = userdata;
	const struct relay_sink *sink = stream->relay->sink;
	uint64_t dropped = sink->dropped_lines(sink->userdata);
	(void)source, (void)fd, (void)revents;

	if (!pump(stream, RELAY_CHUNKS_PER_TURN))
		close_stream(stream);
	else if (sink->rest_usec > 0 && sink->dropped_lines(sink->userdata) > dropped)
		rest(stream);
	return 0;
}

static int watch_stream(struct relay_stream *stream, sd_event *event)
{
	int flags;

	if (stream->fd < 0)
		return 0;
	flags = fcntl(stream->fd, F_GETFL);
	if (flags < 0 || fcntl(stream->fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return sd_event_add_io(event, &stream->source, stream->fd, EPOLLIN, on_readable, stream);
}

int relay_start(struct relay *relay, sd_event *event, int stdout_fd, int stderr_fd,
		const struct relay_sink *sink, struct error *err)
{
	const int fds[2] = { stdout_fd, stderr_fd };
	int r = 0;

	*relay = (struct relay){ .sink = sink };
	relay->dropped_before = sink->dropped_lines(sink->userdata);
	for (unsigned i = 0; i < 2; i++)
		relay->streams[i] =
			(struct relay_stream){ .relay = relay, .number = i, .fd = fds[i] };
	for (unsigned i = 0; i < 2 && r >= 0; i++)
		r = watch_stream(&relay->streams[i], event);
	if (r < 0) {
		close_stream(&relay->streams[0]);
		close_stream(&relay->streams[1]);
		return error_set(err, ERROR_SYSTEM, -r, "watch the worker's output");
	}
	return 0;
}

void relay_pause(struct relay *relay)
{
	relay->paused = true;
	for (unsigned i = 0; i < 2; i++)
		enable(&relay->streams[i]);
}

void relay_resume(struct relay *relay)
{
	relay->paused = false;
	for (unsigned i = 0; i < 2; i++)
		enable(&relay->streams[i]);
}

void relay_finish(struct relay *relay)
{
	if (relay->sink == NULL) /* never started */
		return;
	for (unsigned i = 0; i < 2; i++) {
		if (relay->streams[i].fd >= 0)
			(void)pump(&relay->streams[i], RELAY_CHUNKS_AT_END);
		close_stream(&relay->streams[i]);
	}
	log_tail_finish(&relay->tail);
	if (relay->sink->finish != NULL)
		relay->sink->finish(relay->sink->userdata);
}

void relay_clear(struct relay *relay)
{
	relay_finish(relay);
	log_tail_clear(&relay->tail);
	*relay = (struct relay){ 0 };
}

uint64_t relay_dropped_lines(const struct relay *relay)
{
	const struct relay_sink *sink = relay->sink;

	return sink != NULL ? sink->dropped_lines(sink->userdata) - relay->dropped_before : 0;
}

static void take_to_output(void *userdata, unsigned stream, const char *data, size_t length)
{
	const struct relay_outputs *outputs = userdata;

	output_pass(outputs->outputs[stream], data, length);
}

static uint64_t dropped_by_outputs(void *userdata)
{
	const struct relay_outputs *outputs = userdata;

	return outputs->outputs[0]->dropped_lines + outputs->outputs[1]->dropped_lines;
}

struct relay_sink relay_to_outputs(struct relay_outputs *outputs)
{
	return (struct relay_sink){ .take = take_to_output,
				    .dropped_lines = dropped_by_outputs,
				    .userdata = outputs };
}
