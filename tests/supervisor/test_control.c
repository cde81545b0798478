/* SPDX-License-Identifier: MIT */
#include "control_bench.h"

static struct bench bench;

static void start(void)
{
	bench_init(&bench);
	bench_start(&bench);
}

static void finish(void)
{
	bench_finish(&bench);
}

static void assert_echo(int fd, int id)
{
	bench_assert_echo(&bench, fd, id);
}

Test(control, answers_a_call, .init = start, .fini = finish, .timeout = 20)
{
	int fd = bench_dial(&bench);

	assert_echo(fd, 1);
	cr_assert_eq(control_client_count(bench.control), 1);
	close(fd);
	bench_run(&bench);
	cr_assert_eq(control_client_count(bench.control), 0);
}

Test(control, params_may_be_absent_and_ids_strings_or_null, .init = start, .fini = finish,
     .timeout = 20)
{
	int fd = bench_dial(&bench);
	json_t *line;

	bench_say(&bench, fd, "{\"jsonrpc\":\"2.0\",\"id\":\"a b\",\"method\":\"test.echo\"}\r\n");
	line = bench_hear(&bench, fd);
	cr_assert_str_eq(json_string_value(json_object_get(line, "id")), "a b");
	cr_assert_eq(json_object_size(json_object_get(line, "result")), 0);
	json_decref(line);
	bench_say(&bench, fd, "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"test.echo\"}\n");
	line = bench_hear(&bench, fd);
	cr_assert(json_is_null(json_object_get(line, "id")));
	json_decref(line);
	close(fd);
}

Test(control, each_refusal_has_its_code_and_the_connection_lives_on, .init = start, .fini = finish,
     .timeout = 20)
{
	static const struct {
		const char *line, *name;
		int code, id;
	} rows[] = {
		{ "nonsense\n", "parse-error", -32700, 0 },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"test.echo\",\"id\":1\n", "parse-error", -32700,
		  0 },
		{ "{\"id\":NaN}\n", "parse-error", -32700, 0 },
		{ "{\"id\":1,\"id\":2}\n", "parse-error", -32700, 0 },
		{ "{\"id\":\"\xff\"}\n", "parse-error", -32700, 0 },
		{ "[]\n", "invalid-request", -32600, 0 },
		{ "7\n", "invalid-request", -32600, 0 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":3}\n", "invalid-request", -32600, 3 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"test.ehco\"}\n", "no-such-method",
		  -32601, 4 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"test.echo\",\"params\":[1]}\n",
		  "invalid", -32602, 5 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"test.echo\","
		  "\"params\":{\"txet\":\"x\"}}\n",
		  "invalid", -32602, 6 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"test.fail\"}\n", "conflict", -32011,
		  7 },
	};
	int fd = bench_dial(&bench);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bench_say(&bench, fd, rows[i].line);
		bench_expect_error(&bench, fd, rows[i].code, rows[i].name, rows[i].id);
	}
	bench_say_bytes(&bench, fd, "{\"id\":\0 1}\n", 11);
	bench_expect_error(&bench, fd, -32700, "parse-error", 0);
	bench_say(&bench, fd, "\n \r\n\n");
	bench_expect_silence(&bench, fd);
	assert_echo(fd, 20);
	close(fd);
}

Test(control, an_error_names_the_path_and_what_was_meant, .init = start, .fini = finish,
     .timeout = 20)
{
	int fd = bench_dial(&bench);
	json_t *line, *error;

	bench_ask(&bench, fd, 1, "test.echo", "{\"txet\":1}");
	line = bench_hear(&bench, fd);
	error = json_object_get(line, "error");
	cr_assert_str_eq(json_string_value(json_object_get(json_object_get(error, "data"), "path")),
			 "params.txet");
	cr_assert_not_null(strstr(json_string_value(json_object_get(error, "message")),
				  "did you mean \"text\"?"));
	json_decref(line);
	bench_ask(&bench, fd, 1, "test.ehco", NULL);
	line = bench_hear(&bench, fd);
	error = json_object_get(line, "error");
	cr_assert_not_null(strstr(json_string_value(json_object_get(error, "message")),
				  "did you mean \"test.echo\"?"));
	json_decref(line);
	close(fd);
}

Test(control, a_tenant_is_denied_what_is_for_admins, .init = start, .fini = finish, .timeout = 20)
{
	int admin = bench_dial(&bench), fd;
	json_t *result;

	bench.tenant = "acme";
	fd = bench_dial(&bench);
	bench_ask(&bench, fd, 1, "test.admin", "{\"wrong\":1}");
	bench_expect_error(&bench, fd, -32005, "denied", 1);
	cr_assert_eq(bench.handled, 0);
	assert_echo(fd, 2);
	bench_ask(&bench, admin, 3, "test.admin", NULL);
	json_decref(bench_expect_result(&bench, admin, 3));
	bench_ask(&bench, admin, 4, "rpc.discover", NULL);
	result = bench_expect_result(&bench, admin, 4);
	cr_assert_eq(json_array_size(json_object_get(result, "methods")), 8);
	json_decref(result);
	bench_ask(&bench, fd, 5, "rpc.discover", NULL);
	result = bench_expect_result(&bench, fd, 5);
	cr_assert_eq(json_array_size(json_object_get(result, "methods")), 7);
	json_decref(result);
	close(fd);
	close(admin);
}

Test(control, one_who_may_not_come_in_gets_one_line_and_is_closed, .init = start, .fini = finish,
     .timeout = 20)
{
	int fd;

	bench.refuses = true;
	fd = bench_dial(&bench);
	bench_expect_error(&bench, fd, -32005, "denied", 0);
	cr_assert(bench_is_closed(&bench, fd));
	close(fd);
}

Test(control, clients_of_a_tenant_that_has_gone_are_closed, .init = start, .fini = finish,
     .timeout = 20)
{
	int admin = bench_dial(&bench), fd;

	bench.tenant = "acme";
	fd = bench_dial(&bench);
	control_drop_tenant(bench.control, "acme");
	cr_assert(bench_is_closed(&bench, fd));
	assert_echo(admin, 1);
	close(fd);
	close(admin);
}

Test(control, notifications_are_carried_out_and_not_answered, .init = start, .fini = finish,
     .timeout = 20)
{
	int fd = bench_dial(&bench);

	bench_say(&bench, fd,
		  "{\"jsonrpc\":\"2.0\",\"method\":\"test.echo\"}\n"
		  "{\"jsonrpc\":\"2.0\",\"method\":\"test.fail\"}\n"
		  "{\"jsonrpc\":\"2.0\",\"method\":\"no.such\"}\n"
		  "{\"jsonrpc\":\"2.0\",\"method\":\"test.echo\",\"params\":[]}\n"
		  "{\"jsonrpc\":\"2.0\",\"method\":\"test.big\",\"params\":{}}\n");
	bench_expect_silence(&bench, fd);
	cr_assert_eq(bench.handled, 1);
	assert_echo(fd, 1);
	close(fd);
}

/* --- batches ----------------------------------------------------------------------------------*/

Test(control, a_batch_is_answered_as_one_when_all_of_it_is_done, .init = start, .fini = finish,
     .timeout = 20)
{
	int fd = bench_dial(&bench);
	json_t *line;

	bench_say(&bench, fd,
		  "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.later\"},"
		  "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"test.echo\"},"
		  "{\"jsonrpc\":\"2.0\",\"method\":\"test.echo\"},"
		  "17,"
		  "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"test.fail\"}]\n");
	bench_expect_silence(&bench, fd);
	cr_assert_eq(bench.kept_count, 1);
	call_reply(bench.kept[--bench.kept_count], json_object());
	line = bench_hear(&bench, fd);
	cr_assert_eq(json_array_size(line), 4);
	cr_assert_eq(json_integer_value(json_object_get(json_array_get(line, 0), "id")), 2);
	cr_assert_eq(json_integer_value(json_object_get(json_array_get(line, 3), "id")), 1);
	json_decref(line);
	close(fd);
}

Test(control, a_batch_of_notifications_has_no_answer, .init = start, .fini = finish, .timeout = 20)
{
	int fd = bench_dial(&bench);

	bench_say(&bench, fd,
		  "[{\"jsonrpc\":\"2.0\",\"method\":\"test.echo\"},"
		  "{\"jsonrpc\":\"2.0\",\"method\":\"test.echo\"}]\n");
	bench_expect_silence(&bench, fd);
	cr_assert_eq(bench.handled, 2);
	assert_echo(fd, 1);
	close(fd);
}

Test(control, the_answers_of_a_batch_are_bounded_together, .init = start, .fini = finish,
     .timeout = 20)
{
	_cleanup_bytes_ struct bytes text = { 0 };
	int fd = bench_dial(&bench);
	size_t i, refused = 0;
	struct error err;
	json_t *line, *one;

	for (i = 0; i < RPC_BATCH_MAX; i++)
		cr_assert_eq(bytes_append_text(&text,
					       i == 0 ? "[{\"jsonrpc\":\"2.0\",\"id\":1,"
							"\"method\":\"test.big\","
							"\"params\":{\"size\":200000}}"
						      : ",{\"jsonrpc\":\"2.0\",\"id\":1,"
							"\"method\":\"test.big\","
							"\"params\":{\"size\":200000}}",
					       &err),
			     0);
	cr_assert_eq(bytes_append_text(&text, "]\n", &err), 0);
	bench_say_bytes(&bench, fd, bytes_front(&text), text.length);
	line = bench_hear(&bench, fd);
	cr_assert_eq(json_array_size(line), RPC_BATCH_MAX);
	json_array_foreach(line, i, one) refused += json_object_get(one, "error") != NULL;
	cr_assert_eq(refused, RPC_BATCH_MAX - CLIENT_ANSWER_MAX / 200050);
	json_decref(line);
	close(fd);
}

/* --- order, pipelines, pending calls ----------------------------------------------------------*/

Test(control, pipelined_requests_are_all_answered_in_order, .init = start, .fini = finish,
     .timeout = 60)
{
	_cleanup_bytes_ struct bytes text = { 0 };
	int fd = bench_dial(&bench);
	char line[128];
	struct error err;

	for (int i = 1; i <= 5000; i++) {
		snprintf(line, sizeof(line),
			 "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"test.echo\"}\n", i);
		cr_assert_eq(bytes_append_text(&text, line, &err), 0);
	}
	/* cut at odd places */
	for (size_t at = 0; at < text.length;) {
		size_t part = text.length - at < 997 ? text.length - at : 997;

		bench_say_bytes(&bench, fd, bytes_front(&text) + at, part);
		at += part;
		(void)bench_listen(&bench, fd);
	}
	for (int i = 1; i <= 5000; i++)
		json_decref(bench_expect_result(&bench, fd, i));
	bench_expect_silence(&bench, fd);
	close(fd);
}

Test(control, reading_pauses_while_64_calls_are_pending, .init = start, .fini = finish,
     .timeout = 20)
{
	int fd = bench_dial(&bench), other = bench_dial(&bench);

	for (int i = 1; i <= 200; i++)
		bench_ask(&bench, fd, i, "test.later", NULL);
	bench_run(&bench);
	cr_assert_eq(bench.kept_count, CONTROL_PENDING_MAX);
	assert_echo(other, 1);
	for (int i = 0; i < 200; i++) {
		cr_assert_gt(bench.kept_count, 0);
		call_reply(bench.kept[0], json_object());
		bench.kept_count--;
		for (size_t j = 0; j < bench.kept_count; j++)
			bench.kept[j] = bench.kept[j + 1];
		json_decref(bench_expect_result(&bench, fd, i + 1));
		bench_run(&bench);
	}
	cr_assert_eq(bench.handled, 201);
	close(fd);
	close(other);
}

Test(control, a_call_whose_client_has_gone_can_still_be_answered, .init = start, .fini = finish,
     .timeout = 20)
{
	int fd = bench_dial(&bench);
	struct error error;

	bench_ask(&bench, fd, 1, "test.later", NULL);
	bench_ask(&bench, fd, 2, "test.later", NULL);
	bench_say(&bench, fd, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.later\"}]\n");
	bench_run(&bench);
	cr_assert_eq(bench.kept_count, 3);
	close(fd);
	bench_run(&bench);
	cr_assert_eq(control_client_count(bench.control), 0);
	cr_assert(client_is_gone(call_client(bench.kept[0])));
	cr_assert_str_eq(call_method(bench.kept[0]), "test.later");
	cr_assert_null(call_tenant(bench.kept[0]));
	cr_assert_eq(call_uid(bench.kept[0]), getuid());
	cr_assert_eq(client_notify(call_client(bench.kept[0]), "x", json_object()), -EPIPE);
	call_reply(bench.kept[0], json_object());
	error_set(&error, ERROR_FAILED, 0, "it failed");
	call_fail(bench.kept[1], &error);
	call_reply(bench.kept[2], NULL);
	bench.kept_count = 0;
}

Test(control, who_closes_its_sending_side_still_gets_its_answers, .init = start, .fini = finish,
     .timeout = 20)
{
	int fd = bench_dial(&bench);

	bench_ask(&bench, fd, 1, "test.later", NULL);
	bench_say(&bench, fd, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"test.echo\"}");
	cr_assert_eq(shutdown(fd, SHUT_WR), 0);
	json_decref(bench_expect_result(&bench, fd, 2)); /* the end ends a line as well */
	call_reply(bench.kept[--bench.kept_count], json_object());
	json_decref(bench_expect_result(&bench, fd, 1));
	cr_assert(bench_is_closed(&bench, fd));
	close(fd);
}

Test(control, what_was_sent_before_hanging_up_is_carried_out, .init = start, .fini = finish,
     .timeout = 20)
{
	int fd = bench_dial(&bench);

	for (int i = 0; i < 1000; i++)
		bench_ask(&bench, fd, i, "test.echo", NULL);
	close(fd);
	bench_run(&bench);
	cr_assert_eq(bench.handled, 1000);
	cr_assert_eq(control_client_count(bench.control), 0);
}

Test(control, one_that_shuts_down_both_ways_is_not_watched_for_ever, .init = start, .fini = finish,
     .timeout = 20)
{
	int fd = bench_dial(&bench);

	bench_ask(&bench, fd, 1, "test.later", NULL);
	bench_run(&bench);
	cr_assert_eq(shutdown(fd, SHUT_RD), 0);
	call_reply(bench.kept[--bench.kept_count], json_object());
	bench_run(&bench);
	cr_assert_eq(control_client_count(bench.control), 0);
	close(fd);
}
