/* SPDX-License-Identifier: MIT */
#include "supervisor/output.h"

#include "policy/log_tail.h"
#include "policy/own.h"
#include "supervisor/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

int output_open(struct output *output, int fd, struct error *err)
{
	char path[64];
	struct stat st;

	*output = (struct output){ .fd = fd, .own_fd = -1 };
	if (fstat(fd, &st) < 0) {
		output->closed = true;
		return 0;
	}
	output->is_socket = S_ISSOCK(st.st_mode);
	output->is_file = S_ISREG(st.st_mode);
	if (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		output->own_fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (output->own_fd >= 0)
			output->fd = output->own_fd;
		/* else: a terminal we may not open (another user's); poll() before each write
		 * is the second best */
	}
	output->buffer = malloc(OUTPUT_BUFFER_MAX);
	return output->buffer != NULL ? 0 : error_no_memory(err);
}

/* One write of at most `length` bytes; -EAGAIN if it would block. */
static ssize_t write_some(struct output *output, const char *data, size_t length)
{
	ssize_t n;

	if (output->is_socket) {
		n = send(output->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	} else {
		if (!output->is_file && output->own_fd < 0) {
			struct pollfd poller = { .fd = output->fd, .events = POLLOUT };

			if (poll(&poller, 1, 0) <= 0)
				return -EAGAIN;
			length = length < 512 ? length : 512;
		}
		n = write(output->fd, data, length);
	}
	return n < 0 ? -errno : n;
}

static bool is_gone(ssize_t error)
{
	return error == -EPIPE || error == -ECONNRESET || error == -EBADF || error == -ENXIO ||
	       error == -EIO; /* a terminal that hung up */
}

static void mark_closed(struct output *output)
{
	output->closed = true;
	output->length = 0;
	if (output->source != NULL)
		(void)sd_event_source_set_enabled(output->source, SD_EVENT_OFF);
}

/* Writes from the ring until it is empty (0), would block (-EAGAIN) or the end is closed (-EPIPE).
 */
static int drain(struct output *output)
{
	while (output->length > 0) {
		size_t run = OUTPUT_BUFFER_MAX - output->start;
		ssize_t n = write_some(output, output->buffer + output->start,
				       run < output->length ? run : output->length);

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			return -EAGAIN;
		if (n < 0 && is_gone(n)) {
			mark_closed(output);
			return -EPIPE;
		}
		if (n < 0) { /* a full disk may have room again later */
			output->dropped_bytes += output->length;
			output->dropped_lines++;
			output->length = 0;
			break;
		}
		output->start = (output->start + (size_t)n) % OUTPUT_BUFFER_MAX;
		output->length -= (size_t)n;
	}
	output->start = 0;
	return 0;
}

static int on_writable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct output *output = userdata;
	(void)source, (void)fd, (void)revents;

	if (drain(output) == 0 && output->source != NULL)
		(void)sd_event_source_set_enabled(output->source, SD_EVENT_OFF);
	return 0;
}

int output_attach(struct output *output, sd_event *event, struct error *err)
{
	int r;

	if (output->closed || output->is_file)
		return 0;
	r = sd_event_add_io(event, &output->source, output->fd, EPOLLOUT, on_writable, output);
	if (r == -EPERM) /* a device that never blocks, such as /dev/null */
		return 0;
	if (r >= 0)
		r = sd_event_source_set_enabled(output->source,
						output->length > 0 ? SD_EVENT_ON : SD_EVENT_OFF);
	if (r < 0)
		return error_set(err, ERROR_SYSTEM, -r, "watch output %d", output->fd);
	return 0;
}

static void enqueue(struct output *output, const char *data, size_t length)
{
	size_t at = (output->start + output->length) % OUTPUT_BUFFER_MAX;
	size_t run = OUTPUT_BUFFER_MAX - at;

	if (run > length)
		run = length;
	memcpy(output->buffer + at, data, run);
	memcpy(output->buffer, data + run, length - run);
	output->length += length;
}

static void take_or_drop(struct output *output, const char *data, size_t length, size_t capacity)
{
	if (output->closed)
		return;
	if (length + output->length > capacity) {
		output->dropped_bytes += length;
		output->dropped_lines += log_tail_count_lines(data, length);
		return;
	}
	if (length == 0)
		return;
	output->mid_line = data[length - 1] != '\n';
	enqueue(output, data, length);
	if (drain(output) == -EAGAIN && output->source != NULL)
		(void)sd_event_source_set_enabled(output->source, SD_EVENT_ON);
}

void output_write(struct output *output, const char *data, size_t length)
{
	take_or_drop(output, data, length, OUTPUT_BUFFER_MAX);
}

void output_pass(struct output *output, const char *data, size_t length)
{
	take_or_drop(output, data, length, OUTPUT_BUFFER_MAX - OUTPUT_RESERVE);
}

void output_flush(struct output *output, int timeout_msec)
{
	int64_t deadline = clock_monotonic_msec() + timeout_msec;

	while (!output->closed && drain(output) == -EAGAIN) {
		struct pollfd poller = { .fd = output->fd, .events = POLLOUT };
		int64_t left = deadline - clock_monotonic_msec();

		if (left <= 0 || poll(&poller, 1, (int)left) == 0)
			return;
	}
}

void output_close(struct output *output)
{
	output->source = sd_event_source_disable_unref(output->source);
	close_and_clear(&output->own_fd);
	free(output->buffer);
	output->buffer = NULL;
	output->closed = true;
}
