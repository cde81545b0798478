/* SPDX-License-Identifier: MIT */
/*
 * One client's turn: read some, work off some, send what came of it, and say what the loop is to
 * watch for.
 *
 * What a client may do next is always derived anew from what is there (settle), never remembered:
 * bytes, lines, pending calls, room in its queue. Reading stops while a line is at hand, so at most
 * one line and a chunk are held per client.
 *
 * A client that has hung up is not watched any more, since epoll would report that without end: it
 * takes its turns by itself until its last line is worked off.
 */
#include "policy/own.h"
#include "policy/quantity.h"
#include "supervisor/clock.h"
#include "supervisor/control_private.h"
#include "supervisor/foreign_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* --- lines ------------------------------------------------------------------------------------*/

/* Length of the first line in the input, its newline not counted. The end of the stream ends a line
 * as well. */
static bool find_line(struct client *client, size_t *ret_length)
{
	struct bytes *input = &client->input;
	const char *newline = NULL;

	if (input->length > client->scanned)
		newline = memchr(bytes_front(input) + client->scanned, '\n',
				 input->length - client->scanned);
	if (newline != NULL) {
		client->scanned = (size_t)(newline - bytes_front(input));
		*ret_length = client->scanned;
		return true;
	}
	client->scanned = input->length;
	*ret_length = input->length;
	return client->at_eof && input->length > 0;
}

static bool has_work(struct client *client)
{
	size_t length;

	return client->message.root != NULL || find_line(client, &length);
}

static bool is_blank(const char *line, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
			return false;
	return true;
}

/* Takes the next line apart. False if it is no message: blank, or refused. */
static bool start_line(struct client *client)
{
	struct bytes *input = &client->input;
	enum rpc_code code = RPC_OK;
	struct error err;
	size_t length;
	bool blank;

	if (!find_line(client, &length))
		return false;
	blank = is_blank(bytes_front(input), length);
	if (!blank)
		code = rpc_parse(bytes_front(input), length, &client->message, &err);
	bytes_take(input, length < input->length ? length + 1 : length);
	client->scanned = 0;
	client->line_since_usec = 0;
	client->message_next = 0;
	if (code != RPC_OK)
		control_refuse_line(client, code, &err);
	if (blank || code != RPC_OK)
		return false;
	if (client->message.batch) {
		client->batch = control_batch_new(client);
		if (client->batch == NULL)
			client_cut_off(client, "no memory");
	}
	return true;
}

static void run_next(struct client *client)
{
	control_run_request(client, client->message_next++);
	if (client->message_next < client->message.count)
		return;
	rpc_message_clear(&client->message);
	control_batch_unref(TAKE_PTR(client->batch));
}

/* --- its share --------------------------------------------------------------------------------*/

/* It has to wait: for answers, for its reader, or for its rate. */
static bool is_paused(const struct client *client)
{
	return client->throttled || client->pending >= CONTROL_PENDING_MAX ||
	       client->output.length > CLIENT_QUEUE_PAUSE;
}

/* A request of a batch that is under way counts as one, a line by its length. */
static uint64_t cost_of_next(struct client *client)
{
	size_t length = 0;

	if (client->message.root == NULL)
		(void)find_line(client, &length);
	return 1 + length / CONTROL_RATE_BYTES;
}

static bool within_rate(struct client *client, uint64_t now)
{
	if (client->tenant == NULL || rate_take(&client->of_uid->rate, now, cost_of_next(client)))
		return true;
	client->throttled = true;
	control_wake_at(client->control, now + RATE_PAUSE_USEC);
	return false;
}

static void work(struct client *client)
{
	uint64_t start = clock_monotonic_usec(), now = start;

	for (unsigned i = 0; i < TURN_REQUESTS && now - start < TURN_USEC; i++) {
		if (client->doomed || client->closing || is_paused(client) || !has_work(client) ||
		    !within_rate(client, now))
			return;
		if (client->message.root != NULL || start_line(client))
			run_next(client);
		now = clock_monotonic_usec();
	}
}

static bool may_read(struct client *client)
{
	return !client->at_eof && !client->closing && !client->doomed && !is_paused(client) &&
	       !has_work(client);
}

static void refuse_long_line(struct client *client)
{
	struct error err;

	(void)error_set(&err, ERROR_TOO_MANY, 0, "a line has %zu bytes at the most", RPC_LINE_MAX);
	control_refuse_line(client, RPC_PARSE_ERROR, &err);
	client->closing = true;
}

/* A line and its newline fit exactly: one byte more without a newline is too much. */
static void read_some(struct client *client)
{
	struct bytes *input = &client->input;
	size_t room = RPC_LINE_MAX + 1 - input->length, length;
	struct error err;
	ssize_t n;

	if (room > TURN_READ_BYTES)
		room = TURN_READ_BYTES;
	if (bytes_reserve(input, room, &err) < 0) {
		client_cut_off(client, err.text);
		return;
	}
	n = foreign_socket_read(client->fd, bytes_end(input), room);
	/* one that doesn't hear us any more could still say something, but is not waited for */
	if (n < 0 && (errno == EAGAIN || errno == EINTR) && !client->hung_up)
		return;
	if (n < 0)
		client->hung_up = true;
	if (n <= 0) {
		client->at_eof = true;
		return;
	}
	bytes_grow(input, (size_t)n);
	if (!find_line(client, &length) && input->length > RPC_LINE_MAX)
		refuse_long_line(client);
}

/* --- what comes next --------------------------------------------------------------------------*/

static bool is_finished(struct client *client)
{
	bool sent = client->output.length == 0;

	if (client->doomed || (client->closing && (sent || client->hung_up)))
		return true;
	if (!client->at_eof || has_work(client))
		return false;
	return client->hung_up || (sent && client->pending == 0 && client->subscription_count == 0);
}

static void watch(struct client *client)
{
	uint32_t interest = 0;
	int r = 0;

	if (client->hung_up) {
		(void)sd_event_source_set_enabled(client->source, SD_EVENT_OFF);
		if (may_read(client))
			control_schedule(client);
		return;
	}
	if (may_read(client))
		interest |= EPOLLIN;
	if (client->output.length > 0)
		interest |= EPOLLOUT;
	if (interest != client->interest)
		r = sd_event_source_set_io_events(client->source, interest);
	client->interest = interest;
	if (r < 0)
		client_cut_off(client, "the loop can't watch it");
}

static void set_deadlines(struct client *client)
{
	const struct control_config *config = &client->control->config;

	if (client->input.length == 0 || !may_read(client))
		client->line_since_usec = 0;
	else if (client->line_since_usec == 0)
		client->line_since_usec = clock_monotonic_usec();
	if (client->line_since_usec != 0)
		control_wake_at(client->control,
				client->line_since_usec + config->line_timeout_usec);
	if (client->stall_since_usec != 0)
		control_wake_at(client->control, client->stall_since_usec + config->stall_usec);
}

static void settle(struct client *client)
{
	if (is_finished(client)) {
		control_close_client(client);
		return;
	}
	if (has_work(client) && !is_paused(client) && !client->closing)
		control_schedule(client);
	watch(client);
	set_deadlines(client);
	bytes_shrink(&client->input);
}

void control_turn(struct client *client, bool readable, bool writable)
{
	client->scheduled = false;
	client->in_turn = true;
	if (writable)
		client_flush(client);
	if ((readable || client->hung_up) && may_read(client))
		read_some(client);
	work(client);
	if (client->has_room && !client->doomed)
		client_tell_ready(client);
	if (client->stall_since_usec == 0 && !client->doomed)
		client_flush(client);
	client->in_turn = false;
	settle(client);
}
