/* SPDX-License-Identifier: MIT */
/*
 * A control socket in a temporary directory, with methods of a test, and clients that speak to it
 * over plain sockets: both ends live in one process, and the loop runs while a client waits.
 */
#pragma once

#include "policy/bytes.h"
#include "policy/own.h"
#include "supervisor/clock.h"
#include "supervisor/control.h"
#include "supervisor/events.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define BENCH_FD_MAX	1024
#define BENCH_KEPT_MAX	1024
#define BENCH_WAIT_USEC UINT64_C(5000000)

struct bench {
	sd_event *event;
	struct control *control;
	struct events *events;
	struct control_config config; /* a test may change it before bench_start */
	struct control_table tables[2];
	char directory[64], path[96];
	const char *tenant; /* what the next client is */
	uid_t uid;	    /* whom it is connected by */
	bool refuses;
	unsigned handled;
	struct call *kept[BENCH_KEPT_MAX]; /* of test.later */
	size_t kept_count;
	struct bytes heard[BENCH_FD_MAX];
};

static inline int bench_echo(struct call *call, const json_t *params, void *userdata,
			     struct error *err)
{
	struct bench *bench = userdata;
	(void)err;

	bench->handled++;
	call_reply(call, json_deep_copy(params));
	return 0;
}

static inline int bench_later(struct call *call, const json_t *params, void *userdata,
			      struct error *err)
{
	struct bench *bench = userdata;
	(void)params, (void)err;

	bench->handled++;
	cr_assert_lt(bench->kept_count, BENCH_KEPT_MAX);
	bench->kept[bench->kept_count++] = call;
	return 0;
}

static inline int bench_fail(struct call *call, const json_t *params, void *userdata,
			     struct error *err)
{
	(void)call, (void)params, (void)userdata;
	(void)error_set(err, ERROR_CONFLICT, 0, "web is running");
	error_set_path(err, "name");
	return -EBUSY;
}

static inline int bench_big(struct call *call, const json_t *params, void *userdata,
			    struct error *err)
{
	size_t size = (size_t)rpc_params_integer(params, "size", 0);
	_cleanup_free_ char *text = calloc(1, size + 1);
	(void)userdata, (void)err;

	cr_assert_not_null(text);
	memset(text, 'x', size);
	call_reply(call, json_pack("{s:s}", "text", text));
	return 0;
}

static const struct rpc_param bench_echo_params[] = {
	{ .name = "text", .type = RPC_STRING },
	{ .name = "n", .type = RPC_INTEGER },
	{ .name = "list", .type = RPC_ARRAY },
};

static const struct rpc_param bench_big_params[] = {
	{ .name = "size", .type = RPC_INTEGER, .required = true },
};

static const struct control_method bench_methods[] = {
	{ .name = "test.echo",
	  .summary = "s",
	  .result = "r",
	  .flags = METHOD_TENANT,
	  .params = bench_echo_params,
	  .param_count = ARRAY_SIZE(bench_echo_params),
	  .handle = bench_echo },
	{ .name = "test.later",
	  .summary = "s",
	  .result = "r",
	  .flags = METHOD_TENANT,
	  .handle = bench_later },
	{ .name = "test.fail",
	  .summary = "s",
	  .result = "r",
	  .flags = METHOD_TENANT,
	  .handle = bench_fail },
	{ .name = "test.admin",
	  .summary = "s",
	  .result = "r",
	  .flags = METHOD_ADMIN,
	  .params = bench_echo_params,
	  .param_count = ARRAY_SIZE(bench_echo_params),
	  .handle = bench_echo },
	{ .name = "test.big",
	  .summary = "s",
	  .result = "r",
	  .flags = METHOD_TENANT,
	  .params = bench_big_params,
	  .param_count = ARRAY_SIZE(bench_big_params),
	  .handle = bench_big },
};

static inline int bench_identify(const struct peer *peer, void *userdata, const char **ret_tenant,
				 struct error *err)
{
	struct bench *bench = userdata;

	cr_assert_eq(peer->uid, bench->uid);
	cr_assert_eq(peer->gid, getgid());
	cr_assert_eq(peer->pid, getpid());
	if (bench->refuses)
		return error_set(err, ERROR_DENIED, 0, "uid %u may not use this socket", peer->uid);
	*ret_tenant = bench->tenant;
	return 0;
}

static inline void bench_init(struct bench *bench)
{
	struct error err;

	memset(bench, 0, sizeof(*bench));
	snprintf(bench->directory, sizeof(bench->directory), "/tmp/pysbx-control-XXXXXX");
	cr_assert_not_null(mkdtemp(bench->directory));
	cr_assert_eq(chmod(bench->directory, 0755), 0);
	bench->uid = getuid();
	snprintf(bench->path, sizeof(bench->path), "%s/control.sock", bench->directory);
	cr_assert_geq(sd_event_new(&bench->event), 0);
	cr_assert_eq(events_new(&bench->events, 100, NULL, &err), 0);
	bench->tables[0] =
		(struct control_table){ bench_methods, ARRAY_SIZE(bench_methods), bench };
	bench->tables[1] =
		(struct control_table){ events_methods, EVENTS_METHOD_COUNT, bench->events };
	bench->config = (struct control_config){
		.listen_fd = -1,
		.path = bench->path,
		.tables = bench->tables,
		.table_count = 2,
		.identify = bench_identify,
		.userdata = bench,
		.clients_per_uid = 200,
	};
}

static inline void bench_start(struct bench *bench)
{
	struct error err = { 0 };

	cr_assert_eq(control_start(&bench->control, bench->event, &bench->config, &err), 0, "%s",
		     err.text);
}

static inline void bench_finish(struct bench *bench)
{
	control_stop(bench->control);
	for (size_t i = 0; i < bench->kept_count; i++)
		call_reply(bench->kept[i], json_object());
	events_free(bench->events);
	sd_event_unref(bench->event);
	for (int i = 0; i < BENCH_FD_MAX; i++)
		bytes_clear(&bench->heard[i]);
	cr_assert_eq(access(bench->path, F_OK), -1, "the socket is removed");
	cr_assert_eq(rmdir(bench->directory), 0);
}

static inline void bench_run(struct bench *bench)
{
	while (sd_event_run(bench->event, 0) > 0)
		continue;
}

static inline void bench_run_for(struct bench *bench, uint64_t usec)
{
	uint64_t end = clock_monotonic_usec() + usec, now;

	while ((now = clock_monotonic_usec()) < end)
		(void)sd_event_run(bench->event, end - now);
}

static inline struct sockaddr_un bench_address(const struct bench *bench)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", bench->path);
	return address;
}

static inline int bench_dial(struct bench *bench)
{
	const struct sockaddr_un address = bench_address(bench);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	cr_assert_geq(fd, 0);
	cr_assert_lt(fd, BENCH_FD_MAX);
	cr_assert_eq(seteuid(bench->uid), 0);
	cr_assert_eq(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(seteuid(getuid()), 0);
	bytes_clear(&bench->heard[fd]);
	bench_run(bench);
	return fd;
}

/* All of it, running the loop while the server doesn't take it. */
static inline void bench_say_bytes(struct bench *bench, int fd, const char *text, size_t length)
{
	uint64_t end = clock_monotonic_usec() + BENCH_WAIT_USEC;

	while (length > 0) {
		ssize_t n = send(fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0) {
			cr_assert_eq(errno, EAGAIN, "send: %s", strerror(errno));
			cr_assert_lt(clock_monotonic_usec(), end, "the server takes no more");
			(void)sd_event_run(bench->event, 1000);
			continue;
		}
		text += n;
		length -= (size_t)n;
	}
}

static inline void bench_say(struct bench *bench, int fd, const char *text)
{
	bench_say_bytes(bench, fd, text, strlen(text));
}

/* One step: reads what has come. 0 at the end of the connection. */
static inline ssize_t bench_listen(struct bench *bench, int fd)
{
	struct bytes *heard = &bench->heard[fd];
	struct error err;
	ssize_t n;

	cr_assert_eq(bytes_reserve(heard, 65536, &err), 0);
	n = recv(fd, bytes_end(heard), 65536, MSG_DONTWAIT);
	if (n < 0 && errno == ECONNRESET)
		return 0;
	if (n > 0)
		bytes_grow(heard, (size_t)n);
	return n;
}

/* The next line, NULL at the end of the connection. */
static inline json_t *bench_hear_any(struct bench *bench, int fd)
{
	uint64_t end = clock_monotonic_usec() + BENCH_WAIT_USEC;
	struct bytes *heard = &bench->heard[fd];

	for (;;) {
		char *newline =
			heard->length > 0 ? memchr(bytes_front(heard), '\n', heard->length) : NULL;
		ssize_t n;

		if (newline != NULL) {
			size_t length = (size_t)(newline - bytes_front(heard));
			json_t *line = json_loadb(bytes_front(heard), length, 0, NULL);

			cr_assert_not_null(line, "%.*s", (int)length, bytes_front(heard));
			bytes_take(heard, length + 1);
			return line;
		}
		n = bench_listen(bench, fd);
		if (n == 0)
			return NULL;
		if (n < 0) {
			cr_assert_lt(clock_monotonic_usec(), end, "no answer");
			(void)sd_event_run(bench->event, 1000);
		}
	}
}

static inline json_t *bench_hear(struct bench *bench, int fd)
{
	json_t *line = bench_hear_any(bench, fd);

	cr_assert_not_null(line, "the connection was closed");
	return line;
}

static inline bool bench_is_closed(struct bench *bench, int fd)
{
	json_t *line = bench_hear_any(bench, fd);

	json_decref(line);
	return line == NULL;
}

/* Nothing came, and nothing comes. */
static inline void bench_expect_silence(struct bench *bench, int fd)
{
	bench_run(bench);
	cr_assert_lt(bench_listen(bench, fd), 0);
	cr_assert_eq(bench->heard[fd].length, 0);
}

/* The next line is an error with this code and data.code; its id is null or an integer. */
static inline void bench_expect_error(struct bench *bench, int fd, int code, const char *name,
				      int id)
{
	json_t *line = bench_hear(bench, fd), *error = json_object_get(line, "error");

	cr_assert_not_null(error);
	cr_assert_eq(json_integer_value(json_object_get(error, "code")), code, "%lld",
		     json_integer_value(json_object_get(error, "code")));
	cr_assert_str_eq(json_string_value(json_object_get(json_object_get(error, "data"), "code")),
			 name);
	cr_assert_not_null(json_object_get(line, "id"));
	cr_assert_eq(json_integer_value(json_object_get(line, "id")), id);
	cr_assert_eq(json_is_null(json_object_get(line, "id")), id == 0);
	json_decref(line);
}

/* The next line is an answer to this id; its result is a new reference. */
static inline json_t *bench_expect_result(struct bench *bench, int fd, int id)
{
	json_t *line = bench_hear(bench, fd), *result = json_object_get(line, "result");

	cr_assert_not_null(result);
	cr_assert_eq(json_integer_value(json_object_get(line, "id")), id);
	json_incref(result);
	json_decref(line);
	return result;
}

static inline void bench_ask(struct bench *bench, int fd, int id, const char *method,
			     const char *params)
{
	char text[1024];

	snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\"%s%s}\n", id,
		 method, params != NULL ? ",\"params\":" : "", params != NULL ? params : "");
	bench_say(bench, fd, text);
}

static inline void bench_assert_echo(struct bench *bench, int fd, int id)
{
	json_t *result;

	bench_ask(bench, fd, id, "test.echo", "{\"n\":5}");
	result = bench_expect_result(bench, fd, id);
	cr_assert_eq(json_integer_value(json_object_get(result, "n")), 5);
	json_decref(result);
}
