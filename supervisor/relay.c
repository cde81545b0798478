/* SPDX-License-Identifier: MIT */
#include "supervisor/relay.h"

#include "policy/own.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define RELAY_CHUNK 65536 /* a pipe's default capacity */
/* Chunks taken from one pipe in one turn of the loop: a worker that floods its log must not starve
 * the events of others. At the end 16 turns' worth is read at the most: a pipe holds 1 MiB at most.
 */
#define RELAY_CHUNKS_PER_TURN 4
#define RELAY_CHUNKS_AT_END   64

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
		log_tail_feed(&stream->relay->tail, stream->number, chunk, (size_t)n);
		output_pass(stream->output, chunk, (size_t)n);
	}
	return true;
}

static void close_stream(struct relay_stream *stream)
{
	stream->source = sd_event_source_disable_unref(stream->source);
	close_and_clear(&stream->fd);
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct relay_stream *stream = userdata;
	(void)source, (void)fd, (void)revents;

	if (!pump(stream, RELAY_CHUNKS_PER_TURN))
		close_stream(stream);
	return 0;
}

static uint64_t dropped(const struct relay *relay)
{
	return relay->streams[0].output->dropped_lines + relay->streams[1].output->dropped_lines;
}

int relay_start(struct relay *relay, sd_event *event, int stdout_fd, int stderr_fd,
		struct output *out, struct output *err_out, struct error *err)
{
	const int fds[2] = { stdout_fd, stderr_fd };
	struct output *const outputs[2] = { out, err_out };

	*relay = (struct relay){ 0 };
	for (unsigned i = 0; i < 2; i++)
		relay->streams[i] = (struct relay_stream){
			.relay = relay, .number = i, .fd = fds[i], .output = outputs[i]
		};
	relay->dropped_before = dropped(relay);
	for (unsigned i = 0; i < 2; i++) {
		int flags = fcntl(fds[i], F_GETFL);
		int r = fcntl(fds[i], F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;

		if (r >= 0)
			r = sd_event_add_io(event, &relay->streams[i].source, fds[i], EPOLLIN,
					    on_readable, &relay->streams[i]);
		if (r < 0) {
			close_stream(&relay->streams[0]);
			close_stream(&relay->streams[1]);
			return error_set(err, ERROR_SYSTEM, -r, "watch the worker's output");
		}
	}
	return 0;
}

void relay_finish(struct relay *relay)
{
	for (unsigned i = 0; i < 2; i++) {
		if (relay->streams[i].output == NULL) /* never started */
			return;
		if (relay->streams[i].fd >= 0)
			(void)pump(&relay->streams[i], RELAY_CHUNKS_AT_END);
		close_stream(&relay->streams[i]);
	}
	log_tail_finish(&relay->tail);
}

uint64_t relay_dropped_lines(const struct relay *relay)
{
	return relay->streams[0].output != NULL ? dropped(relay) - relay->dropped_before : 0;
}
