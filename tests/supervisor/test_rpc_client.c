/* SPDX-License-Identifier: MIT */
/*
 * The blocking client against a peer that is a script: what it is to hear lies in its socket before
 * it asks. One test goes over a real control socket, in a process of its own.
 */
#include "supervisor/rpc_client.h"

#include "control_bench.h"

#include <signal.h>
#include <sys/wait.h>

struct stage {
	struct rpc_client *client;
	int peer;
};

static void set_up(struct stage *stage, const char *lines)
{
	struct error err;
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	cr_assert_eq(rpc_client_open_fd(&stage->client, fds[0], &err), 0);
	stage->peer = fds[1];
	cr_assert_eq(write(stage->peer, lines, strlen(lines)), (ssize_t)strlen(lines));
}

static void clean_up(struct stage *stage)
{
	rpc_client_close(stage->client);
	close(stage->peer);
}

static int call(struct stage *stage, json_t **ret, struct error *err)
{
	return rpc_client_call(stage->client, "app.get", NULL, 200000, ret, err);
}

Test(rpc_client, gets_its_answer_and_keeps_notifications_for_later, .timeout = 10)
{
	json_t *result = NULL, *params = json_pack("{s:s}", "name", "web");
	struct stage stage;
	struct error err;
	char asked[256] = "";

	set_up(&stage, "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"n\":1}}\n"
		       "{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":{}}\n"
		       "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"name\":\"web\"}}\n"
		       "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"n\":2}}\n");
	cr_assert_eq(rpc_client_call(stage.client, "app.get", params, 5000000, &result, &err), 0);
	cr_assert_str_eq(json_string_value(json_object_get(result, "name")), "web");
	json_decref(result);
	json_decref(params);
	cr_assert_gt(read(stage.peer, asked, sizeof(asked) - 1), 0);
	cr_assert_str_eq(asked, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"app.get\","
				"\"params\":{\"name\":\"web\"}}\n");
	for (int i = 1; i <= 2; i++) {
		json_t *line = NULL;

		cr_assert_eq(rpc_client_next(stage.client, 1000000, &line, &err), 1);
		cr_assert_eq(
			json_integer_value(json_object_get(json_object_get(line, "params"), "n")),
			i);
		json_decref(line);
	}
	cr_assert_eq(rpc_client_next(stage.client, 0, &result, &err), 0);
	cr_assert_eq(rpc_client_next(stage.client, 20000, &result, &err), 0);
	clean_up(&stage);
}

Test(rpc_client, calls_that_are_under_way_together_are_answered_in_any_order, .timeout = 10)
{
	static const char *const names[] = { "first", "second", "third" };
	json_int_t ids[ARRAY_SIZE(names)];
	struct stage stage;
	struct error err;
	char asked[512] = "";
	json_t *result;

	set_up(&stage,
	       "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"name\":\"third\"}}\n"
	       "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32003,\"message\":\"no\","
	       "\"data\":{\"code\":\"not-found\"}}}\n"
	       "{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":{}}\n"
	       "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"name\":\"first\"}}\n");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		cr_assert_eq(rpc_client_ask(stage.client, "app.stop", NULL, 1000000, &ids[i], &err),
			     0);
	cr_assert_gt(read(stage.peer, asked, sizeof(asked) - 1), 0);
	cr_expect_not_null(strstr(asked, "\"id\":3"), "all are sent before one is answered");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int r = rpc_client_wait(stage.client, ids[i], 1000000, &result, &err);

		if (i == 1) {
			cr_expect_lt(r, 0);
			cr_expect_eq(err.kind, ERROR_NOT_FOUND);
			cr_expect_not_null(rpc_client_error(stage.client));
			continue;
		}
		cr_assert_eq(r, 0);
		cr_expect_null(rpc_client_error(stage.client));
		cr_expect_str_eq(json_string_value(json_object_get(result, "name")), names[i]);
		json_decref(result);
	}
	clean_up(&stage);
}

Test(rpc_client, an_error_answer_comes_as_its_kind, .timeout = 10)
{
	json_t *result = NULL;
	struct stage stage;
	struct error err;

	set_up(&stage, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32003,"
		       "\"message\":\"there is no app \\\"web\\\"\","
		       "\"data\":{\"code\":\"not-found\",\"path\":\"name\"}}}\n"
		       "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":null}\n");
	cr_assert_lt(call(&stage, &result, &err), 0);
	cr_assert_eq(err.kind, ERROR_NOT_FOUND);
	cr_assert_str_eq(err.text, "there is no app \"web\"");
	cr_assert_str_eq(err.path, "name");
	cr_assert_null(result);
	cr_assert_eq(json_integer_value(json_object_get(rpc_client_error(stage.client), "code")),
		     -32003);
	cr_assert_eq(call(&stage, NULL, &err), 0);
	cr_assert_null(rpc_client_error(stage.client));
	clean_up(&stage);
}

Test(rpc_client, an_error_about_the_connection_is_the_answer, .timeout = 10)
{
	struct stage stage;
	struct error err;
	json_t *line;

	set_up(&stage, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32005,\"message\":\"no\","
		       "\"data\":{\"code\":\"denied\"}},\"id\":null}\n");
	close(stage.peer);
	cr_assert_lt(call(&stage, NULL, &err), 0);
	cr_assert_eq(err.kind, ERROR_DENIED);
	cr_assert_lt(rpc_client_next(stage.client, 100000, &line, &err), 0);
	cr_assert_eq(err.kind, ERROR_UNREACHABLE);
	rpc_client_close(stage.client);
}

Test(rpc_client, strange_peers_are_errors, .timeout = 20)
{
	static const struct {
		const char *lines;
		enum error_kind kind;
	} rows[] = {
		{ "", ERROR_UNREACHABLE },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"resu", ERROR_UNREACHABLE },
		{ "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n", ERROR_UNREACHABLE },
		{ "nonsense\n", ERROR_INTERNAL },
		{ "[]\n", ERROR_INTERNAL },
		{ "\n", ERROR_INTERNAL },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1}\n", ERROR_INTERNAL },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{}}\n", ERROR_FAILED },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":7}\n", ERROR_FAILED },
	};

	for (size_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		json_t *result = NULL;
		struct stage stage;
		struct error err;

		set_up(&stage, rows[i / 2].lines);
		if (i % 2 == 1)
			close_and_clear(&stage.peer);
		cr_assert_lt(call(&stage, &result, &err), 0, "%s", rows[i / 2].lines);
		cr_assert_eq(err.kind, rows[i / 2].kind, "%s: %s", rows[i / 2].lines, err.text);
		cr_assert_null(result);
		clean_up(&stage);
	}
}

Test(rpc_client, without_a_daemon_it_says_how_to_start_one, .timeout = 10)
{
	struct rpc_client *client = NULL;
	struct error err;

	cr_assert_lt(rpc_client_open(&client, "/no/such/control.sock", &err), 0);
	cr_assert_eq(err.kind, ERROR_UNREACHABLE);
	cr_assert_not_null(strstr(err.text, "systemctl start pysbxd"), "%s", err.text);
	cr_assert_not_null(strstr(err.text, "/no/such/control.sock"));
	cr_assert_null(client);
}

static int admit_all(const struct peer *peer, void *userdata, const char **ret_tenant,
		     struct error *err)
{
	(void)peer, (void)userdata, (void)ret_tenant, (void)err;
	return 0;
}

/* Serves until it is killed. */
static int serve(struct bench *bench)
{
	struct error err;

	/* the loop of before the fork is the parent's */
	bench->config.identify = admit_all;
	if (sd_event_new(&bench->event) < 0 ||
	    control_start(&bench->control, bench->event, &bench->config, &err) < 0)
		return 1;
	return sd_event_loop(bench->event) < 0;
}

Test(rpc_client, speaks_with_a_real_control_socket, .timeout = 30)
{
	_cleanup_rpc_client_ struct rpc_client *client = NULL;
	static char text[RPC_STRING_MAX + 1];
	static struct bench bench;
	json_t *params, *result;
	struct error err;
	pid_t server;

	bench_init(&bench);
	bench.config.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	{
		const struct sockaddr_un address = bench_address(&bench);

		cr_assert_eq(bind(bench.config.listen_fd, (const struct sockaddr *)&address,
				  sizeof(address)),
			     0);
		cr_assert_eq(listen(bench.config.listen_fd, 10), 0);
	}
	cr_assert_eq(rpc_client_open(&client, bench.path, &err), 0);
	server = fork();
	cr_assert_geq(server, 0);
	if (server == 0)
		_exit(serve(&bench));
	memset(text, 'x', RPC_STRING_MAX);
	params = json_pack("{s:s}", "text", text);
	for (int i = 0; i < 200; i++) {
		cr_assert_eq(rpc_client_call(client, "test.echo", params, 5000000, &result, &err),
			     0, "%s", err.text);
		cr_assert(json_equal(result, params));
		json_decref(result);
	}
	json_decref(params);
	cr_assert_eq(rpc_client_call(client, "test.big",
				     params = json_pack("{s:i}", "size", 2000000), 5000000, &result,
				     &err),
		     0);
	cr_assert_eq(json_string_length(json_object_get(result, "text")), 2000000);
	json_decref(params);
	json_decref(result);
	cr_assert_lt(rpc_client_call(client, "test.ehco", NULL, 5000000, &result, &err), 0);
	cr_assert_eq(err.kind, ERROR_USAGE);
	cr_assert_eq(kill(server, SIGKILL), 0);
	cr_assert_eq(waitpid(server, NULL, 0), server);
	cr_assert_lt(rpc_client_call(client, "test.echo", NULL, 5000000, &result, &err), 0);
	cr_assert_eq(err.kind, ERROR_UNREACHABLE);
	cr_assert_eq(unlink(bench.path), 0);
	close(bench.config.listen_fd);
	bench_finish(&bench);
}
