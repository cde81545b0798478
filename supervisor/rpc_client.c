/* SPDX-License-Identifier: MIT */
/*
 * One loop does everything: it sends what is left to send, and reads all the while, since a daemon
 * whose notifications are not read does not read either.
 */
#include "supervisor/rpc_client.h"

#include "policy/own.h"
#include "policy/quantity.h"
#include "policy/rpc.h"
#include "supervisor/clock.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#define CONNECT_TIMEOUT_SEC 10
#define READ_BYTES	    ((size_t)64 * 1024)

struct rpc_client {
	int fd;
	bool at_eof;
	json_int_t last_id;
	json_int_t asked[RPC_CLIENT_CALLS_MAX]; /* and not yet waited for */
	size_t asked_count;
	json_t *early; /* answers to those that came before they were waited for */
	struct bytes input;
	size_t scanned; /* of input: no newline in these */
	json_t *kept;	/* notifications that came before an answer */
	json_t *error;
};

static int raise_gone(struct error *err, const char *what)
{
	return error_set(
		err, ERROR_UNREACHABLE, 0,
		"%s: see `systemctl status pysbxd`, start it with `systemctl start pysbxd`", what);
}

/* --- connecting -------------------------------------------------------------------------------*/

int rpc_client_open_fd(struct rpc_client **ret, int fd, struct error *err)
{
	struct rpc_client *client = malloc(sizeof(*client));

	if (client == NULL)
		return error_no_memory(err);
	*client = (struct rpc_client){ .fd = fd, .kept = json_array(), .early = json_array() };
	if (client->kept == NULL || client->early == NULL) {
		json_decref(client->kept);
		json_decref(client->early);
		free(client);
		return error_no_memory(err);
	}
	*ret = client;
	return 0;
}

static int raise_connect(struct error *err, const char *path, int error)
{
	char what[ERROR_TEXT_MAX / 2];

	if (error == EACCES)
		return error_set(err, ERROR_DENIED, error, "%s", path);
	(void)snprintf(what, sizeof(what), "pysbxd does not answer at %s (%s)", path,
		       strerror(error));
	return raise_gone(err, what);
}

int rpc_client_open(struct rpc_client **ret, const char *path, struct error *err)
{
	/* a full queue of a stopped daemon must not hold us up for ever */
	const struct timeval patience = { .tv_sec = CONNECT_TIMEOUT_SEC };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	int r;

	if (path == NULL)
		path = RPC_CLIENT_PATH;
	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(err, ERROR_USAGE, 0, "%s: a socket's path has at most %zu bytes",
				 path, sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "socket");
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return raise_connect(err, path, errno);
	r = rpc_client_open_fd(ret, fd, err);
	if (r >= 0)
		(void)TAKE_FD(fd);
	return r;
}

void rpc_client_close(struct rpc_client *client)
{
	if (client == NULL)
		return;
	close_and_clear(&client->fd);
	bytes_clear(&client->input);
	json_decref(client->kept);
	json_decref(client->early);
	json_decref(client->error);
	free(client);
}

int rpc_client_fd(const struct rpc_client *client)
{
	return client->fd;
}

const json_t *rpc_client_error(const struct rpc_client *client)
{
	return client->error;
}

/* --- bytes ------------------------------------------------------------------------------------*/

static uint64_t deadline_after(uint64_t timeout_usec)
{
	uint64_t now = clock_monotonic_usec();

	return timeout_usec > UINT64_MAX - now ? UINT64_MAX : now + timeout_usec;
}

static int poll_timeout(uint64_t deadline)
{
	uint64_t now = clock_monotonic_usec(), msec;

	if (deadline == UINT64_MAX)
		return -1;
	if (deadline <= now)
		return 0;
	msec = (deadline - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC;
	return msec > INT_MAX ? INT_MAX : (int)msec;
}

static int receive(struct rpc_client *client, struct error *err)
{
	struct bytes *input = &client->input;
	int r = bytes_reserve(input, READ_BYTES, err);
	ssize_t n;

	if (r < 0)
		return r;
	n = recv(client->fd, bytes_end(input), bytes_room(input), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	/* refused with a last word: it was read before the reset is reported */
	if (n == 0 || (n < 0 && errno == ECONNRESET)) {
		client->at_eof = true;
		return 0;
	}
	if (n < 0)
		return error_set(err, ERROR_UNREACHABLE, errno, "read from pysbxd");
	bytes_grow(input, (size_t)n);
	return 0;
}

/* A daemon that doesn't take it may have said why. */
static int transmit(struct rpc_client *client, struct bytes *out, struct error *err)
{
	ssize_t n = send(client->fd, bytes_front(out), out->length, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) {
		bytes_clear(out);
		return 0;
	}
	if (n < 0)
		return error_set(err, ERROR_UNREACHABLE, errno, "write to pysbxd");
	bytes_take(out, (size_t)n);
	return 0;
}

/* Moves some bytes either way. 1; 0: the time is over. out may be NULL. */
static int move_bytes(struct rpc_client *client, struct bytes *out, uint64_t deadline,
		      struct error *err)
{
	bool sending = out != NULL && out->length > 0;
	struct pollfd poller = { .fd = client->fd,
				 .events = (short)(POLLIN | (sending ? POLLOUT : 0)) };
	int r = poll(&poller, 1, poll_timeout(deadline));

	if (r < 0)
		return errno == EINTR ? 1 : error_set(err, ERROR_SYSTEM, errno, "poll");
	if (r == 0)
		return 0;
	if (sending && (poller.revents & (POLLOUT | POLLERR | POLLHUP)) != 0)
		r = transmit(client, out, err);
	if (r >= 0 && (poller.revents & (POLLIN | POLLERR | POLLHUP)) != 0)
		r = receive(client, err);
	return r < 0 ? r : 1;
}

/* --- messages ---------------------------------------------------------------------------------*/

/* 1 with the next whole line as an object; 0: there is none yet. */
static int take_message(struct rpc_client *client, json_t **ret, struct error *err)
{
	struct bytes *input = &client->input;
	const char *newline = NULL;
	json_error_t where;
	json_t *message;
	size_t length;

	if (input->length > client->scanned)
		newline = memchr(bytes_front(input) + client->scanned, '\n',
				 input->length - client->scanned);
	client->scanned = input->length;
	if (newline == NULL && input->length > RPC_CLIENT_LINE_MAX)
		return error_set(err, ERROR_TOO_MANY, 0,
				 "pysbxd sent a line of more than %zu bytes", RPC_CLIENT_LINE_MAX);
	if (newline == NULL)
		return 0;
	length = (size_t)(newline - bytes_front(input));
	message = json_loadb(bytes_front(input), length, JSON_REJECT_DUPLICATES, &where);
	bytes_take(input, length + 1);
	client->scanned = 0;
	if (!json_is_object(message)) {
		json_decref(message);
		return error_set(err, ERROR_INTERNAL, 0, "pysbxd sent a line that is no answer");
	}
	*ret = message;
	return 1;
}

/* 1, 0 when the time is over, or an error. */
static int next_message(struct rpc_client *client, uint64_t deadline, json_t **ret,
			struct error *err)
{
	for (;;) {
		int r = take_message(client, ret, err);

		if (r != 0)
			return r;
		if (client->at_eof)
			return raise_gone(err, "pysbxd has closed the connection");
		r = move_bytes(client, NULL, deadline, err);
		if (r <= 0)
			return r;
	}
}

static bool is_notification(const json_t *message)
{
	return json_is_string(json_object_get(message, "method"));
}

static int keep(struct rpc_client *client, json_t *notification, struct error *err)
{
	if (json_array_size(client->kept) >= RPC_CLIENT_KEPT_MAX)
		return error_set(err, ERROR_TOO_MANY, 0,
				 "more than %d notifications came before the answer",
				 RPC_CLIENT_KEPT_MAX);
	return json_array_append(client->kept, notification) == 0 ? 0 : error_no_memory(err);
}

static int take_error(struct rpc_client *client, json_t *error, struct error *err)
{
	json_decref(client->error);
	client->error = json_incref(error);
	return rpc_error_decode(error, err);
}

static bool is_asked(const struct rpc_client *client, json_int_t id)
{
	for (size_t i = 0; i < client->asked_count; i++)
		if (client->asked[i] == id)
			return true;
	return false;
}

static void forget(struct rpc_client *client, json_int_t id)
{
	size_t left = 0;

	for (size_t i = 0; i < client->asked_count; i++)
		if (client->asked[i] != id)
			client->asked[left++] = client->asked[i];
	client->asked_count = left;
}

/* 1: it was the answer to that call; 0: something else. An error without an id is about the
 * connection. */
static int take_answer(struct rpc_client *client, json_int_t awaited, json_t *message,
		       json_t **ret_result, struct error *err)
{
	json_t *id = json_object_get(message, "id");
	json_t *error = json_object_get(message, "error");
	json_t *result = json_object_get(message, "result");
	bool ours = json_is_integer(id) && json_integer_value(id) == awaited;

	if (error != NULL && (ours || json_is_null(id)))
		return take_error(client, error, err);
	if (!ours && json_is_integer(id) && is_asked(client, json_integer_value(id)))
		return json_array_append(client->early, message) == 0 ? 0 : error_no_memory(err);
	if (!ours) /* of a call that was given up */
		return 0;
	if (result == NULL)
		return error_set(err, ERROR_INTERNAL, 0, "pysbxd sent a line that is no answer");
	if (ret_result != NULL)
		*ret_result = json_incref(result);
	return 1;
}

/* The answer to that call, if it is there already; NULL: not yet. Owned by the caller. */
static json_t *take_early(struct rpc_client *client, json_int_t id)
{
	json_t *message;
	size_t i;

	json_array_foreach(client->early, i, message)
	{
		if (json_integer_value(json_object_get(message, "id")) != id)
			continue;
		json_incref(message);
		(void)json_array_remove(client->early, i);
		return message;
	}
	return NULL;
}

/* --- calls ------------------------------------------------------------------------------------*/

static int raise_late(struct error *err)
{
	return error_set(err, ERROR_UNREACHABLE, ETIMEDOUT, "pysbxd has not answered in time");
}

static int send_all(struct rpc_client *client, struct bytes *out, uint64_t deadline,
		    struct error *err)
{
	while (out->length > 0) {
		int r = move_bytes(client, out, deadline, err);

		if (r == 0) {
			client->at_eof = true; /* after half a line no other can be sent */
			return raise_late(err);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int wait_for_answer(struct rpc_client *client, json_int_t id, uint64_t deadline,
			   json_t **ret_result, struct error *err)
{
	json_t *message = take_early(client, id);
	int r = message != NULL ? 1 : 0;

	for (;;) {
		if (message == NULL)
			r = next_message(client, deadline, &message, err);
		if (r == 0)
			return raise_late(err);
		if (r > 0)
			r = is_notification(message)
				    ? keep(client, message, err)
				    : take_answer(client, id, message, ret_result, err);
		json_decref(message);
		message = NULL;
		if (r != 0)
			return r < 0 ? r : 0;
	}
}

static int ask(struct rpc_client *client, const char *method, const json_t *params,
	       uint64_t deadline, json_int_t *ret_id, struct error *err)
{
	_cleanup_bytes_ struct bytes out = { 0 };
	int r;

	assert(client->asked_count < RPC_CLIENT_CALLS_MAX);
	r = rpc_write_request(&out, ++client->last_id, method, params, err);
	if (r >= 0)
		r = bytes_append(&out, "\n", 1, err);
	if (r < 0)
		return r;
	if (out.length > RPC_LINE_MAX + 1)
		return error_set(err, ERROR_TOO_MANY, 0, "a request has %zu bytes at the most",
				 RPC_LINE_MAX);
	r = send_all(client, &out, deadline, err);
	if (r < 0)
		return r;
	*ret_id = client->asked[client->asked_count++] = client->last_id;
	return 0;
}

static int wait_until(struct rpc_client *client, json_int_t id, uint64_t deadline,
		      json_t **ret_result, struct error *err)
{
	json_decref(client->error);
	client->error = NULL;
	forget(client, id);
	return wait_for_answer(client, id, deadline, ret_result, err);
}

int rpc_client_ask(struct rpc_client *client, const char *method, const json_t *params,
		   uint64_t timeout_usec, json_int_t *ret_id, struct error *err)
{
	return ask(client, method, params, deadline_after(timeout_usec), ret_id, err);
}

int rpc_client_wait(struct rpc_client *client, json_int_t id, uint64_t timeout_usec,
		    json_t **ret_result, struct error *err)
{
	return wait_until(client, id, deadline_after(timeout_usec), ret_result, err);
}

int rpc_client_call(struct rpc_client *client, const char *method, const json_t *params,
		    uint64_t timeout_usec, json_t **ret_result, struct error *err)
{
	uint64_t deadline = deadline_after(timeout_usec);
	json_int_t id = 0;
	int r = ask(client, method, params, deadline, &id, err);

	return r < 0 ? r : wait_until(client, id, deadline, ret_result, err);
}

int rpc_client_next(struct rpc_client *client, uint64_t timeout_usec, json_t **ret_notification,
		    struct error *err)
{
	uint64_t deadline = deadline_after(timeout_usec);

	if (json_array_size(client->kept) > 0) {
		*ret_notification = json_incref(json_array_get(client->kept, 0));
		(void)json_array_remove(client->kept, 0);
		return 1;
	}
	for (;;) {
		json_t *message = NULL;
		int r = next_message(client, deadline, &message, err);

		if (r > 0 && is_notification(message)) {
			*ret_notification = message;
			return 1;
		}
		if (r > 0 && json_is_null(json_object_get(message, "id")) &&
		    json_object_get(message, "error") != NULL)
			r = take_error(client, json_object_get(message, "error"), err);
		json_decref(message);
		if (r <= 0)
			return r;
	}
}
