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
	json_t *result;

	bench_ask(&bench, fd, id, "test.echo", "{\"n\":5}");
	result = bench_expect_result(&bench, fd, id);
	cr_assert_eq(json_integer_value(json_object_get(result, "n")), 5);
	json_decref(result);
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

/* --- lines that are long, or never end --------------------------------------------------------*/

/* A request of exactly `length` bytes. */
static char *long_line(size_t length)
{
	static const char begin[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.echo\","
				    "\"params\":{\"list\":[\"";
	static const char end[] = "\"]}}\n";
	char *text = malloc(length + 2);

	cr_assert_not_null(text);
	memset(text, 'x', length);
	memcpy(text, begin, sizeof(begin) - 1);
	memcpy(text + length - (sizeof(end) - 2), end, sizeof(end));
	return text;
}

Test(control, takes_a_line_of_1_mib_and_refuses_one_byte_more, .init = start, .fini = finish,
     .timeout = 30)
{
	int fd = bench_dial(&bench);
	char *line = long_line(RPC_LINE_MAX);

	bench_say_bytes(&bench, fd, line, RPC_LINE_MAX + 1);
	json_decref(bench_expect_result(&bench, fd, 1));
	free(line);
	line = long_line(RPC_LINE_MAX + 1);
	bench_say_bytes(&bench, fd, line, RPC_LINE_MAX + 1);
	bench_expect_error(&bench, fd, -32700, "parse-error", 0);
	cr_assert(bench_is_closed(&bench, fd));
	free(line);
	close(fd);
}

Test(control, half_a_line_and_then_silence_is_cut_off, .timeout = 20)
{
	int fd, other;

	bench_init(&bench);
	bench.config.line_timeout_usec = 200000;
	bench_start(&bench);
	fd = bench_dial(&bench);
	other = bench_dial(&bench);
	bench_say(&bench, fd, "{\"jsonrpc\":");
	for (int i = 0; i < 8; i++) { /* dribbling on does not help */
		bench_run_for(&bench, 20000);
		bench_say(&bench, fd, " ");
		assert_echo(other, 1);
	}
	bench_expect_error(&bench, fd, -32700, "parse-error", 0);
	cr_assert(bench_is_closed(&bench, fd));
	bench_run_for(&bench, 300000);
	assert_echo(other, 2); /* an idle one stays */
	close(fd);
	close(other);
	finish();
}

/* --- slow readers -----------------------------------------------------------------------------*/

Test(control, an_answer_that_is_too_large_becomes_an_error, .init = start, .fini = finish,
     .timeout = 30)
{
	int fd = bench_dial(&bench);

	bench_ask(&bench, fd, 1, "test.big", "{\"size\":3000000}");
	json_decref(bench_expect_result(&bench, fd, 1));
	bench_ask(&bench, fd, 2, "test.big", "{\"size\":4000000}");
	bench_expect_error(&bench, fd, -32012, "too-many", 2);
	close(fd);
}

Test(control, who_does_not_read_its_answers_is_not_read_from_either, .init = start, .fini = finish,
     .timeout = 30)
{
	int fd = bench_dial(&bench), other = bench_dial(&bench);

	for (int i = 1; i <= 50; i++)
		bench_ask(&bench, fd, i, "test.big", "{\"size\":1000000}");
	for (int i = 0; i < 100; i++)
		assert_echo(other, 1);
	for (int i = 1; i <= 50; i++)
		json_decref(bench_expect_result(&bench, fd, i));
	close(fd);
	close(other);
}

Test(control, who_reads_nothing_for_too_long_is_cut_off_while_another_is_served, .timeout = 30)
{
	int fd, other;

	bench_init(&bench);
	bench.config.stall_usec = 300000;
	bench_start(&bench);
	fd = bench_dial(&bench);
	other = bench_dial(&bench);
	bench_ask(&bench, fd, 1, "test.big", "{\"size\":2000000}");
	while (control_client_count(bench.control) == 2) {
		assert_echo(other, 1);
		bench_run_for(&bench, 10000);
	}
	assert_echo(other, 2);
	close(fd);
	close(other);
	finish();
}

Test(control, a_queue_of_notifications_beyond_4_mib_is_cut_off, .timeout = 30)
{
	struct output output;
	struct log log = { .output = &output, .threshold = LOG_LEVEL_WARNING };
	static char text[10000], said[256];
	struct client *client;
	int pipes[2], fd, other, told = 0;
	struct error err;

	cr_assert_eq(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
	cr_assert_eq(output_open(&output, pipes[1], &err), 0);
	bench_init(&bench);
	bench.config.log = &log;
	bench_start(&bench);
	fd = bench_dial(&bench);
	other = bench_dial(&bench);
	bench_ask(&bench, fd, 1, "test.later", NULL);
	bench_run(&bench);
	client = client_ref(call_client(bench.kept[0]));
	memset(text, 'x', sizeof(text) - 1);
	while (client_notify(client, "log", json_pack("{s:s}", "text", text)) == 0)
		told++;
	cr_assert_gt(told, 400);
	cr_assert_lt(told, 600);
	assert_echo(other, 1);
	cr_assert_eq(control_client_count(bench.control), 1);
	cr_assert_gt(read(pipes[0], said, sizeof(said) - 1), 0);
	cr_assert_not_null(strstr(said, "is cut off: it does not read"), "%s", said);
	client_unref(client);
	close(fd);
	close(other);
	finish();
	output_close(&output);
}

/* --- numbers and rates ------------------------------------------------------------------------*/

Test(control, one_connection_too_many_of_a_uid_is_refused, .timeout = 20)
{
	int fds[CONTROL_CLIENTS_PER_UID + 1];

	bench_init(&bench);
	bench.config.clients_per_uid = 0;
	bench_start(&bench);
	for (int i = 0; i <= CONTROL_CLIENTS_PER_UID; i++)
		fds[i] = bench_dial(&bench);
	bench_expect_error(&bench, fds[CONTROL_CLIENTS_PER_UID], -32012, "too-many", 0);
	cr_assert(bench_is_closed(&bench, fds[CONTROL_CLIENTS_PER_UID]));
	for (int i = 0; i < CONTROL_CLIENTS_PER_UID; i++)
		assert_echo(fds[i], i);
	close(fds[0]);
	bench_run(&bench);
	fds[0] = bench_dial(&bench);
	assert_echo(fds[0], 1);
	for (int i = 0; i <= CONTROL_CLIENTS_PER_UID; i++)
		close(fds[i]);
	finish();
}

Test(control, tenants_leave_some_places_to_admins, .timeout = 20)
{
	int fds[33], count = 0;

	bench_init(&bench);
	bench.config.clients_max = 32; /* of which 2 are kept for admins */
	bench_start(&bench);
	bench.tenant = "acme";
	for (; count < 30; count++)
		fds[count] = bench_dial(&bench);
	assert_echo(fds[29], 1);
	fds[30] = bench_dial(&bench);
	bench_expect_error(&bench, fds[30], -32012, "too-many", 0);
	close(fds[30]);
	bench.tenant = NULL;
	for (; count < 32; count++) {
		fds[count] = bench_dial(&bench);
		assert_echo(fds[count], 1);
	}
	fds[32] = bench_dial(&bench);
	bench_expect_error(&bench, fds[32], -32012, "too-many", 0);
	close(fds[32]);
	while (count > 0)
		close(fds[--count]);
	finish();
}

Test(control, survives_10000_connections, .init = start, .fini = finish, .timeout = 120)
{
	int other = bench_dial(&bench);

	for (int i = 0; i < 10000; i++) {
		int fd = bench_dial(&bench);

		if (i % 3 == 0)
			bench_ask(&bench, fd, i, i % 2 == 0 ? "test.echo" : "test.later", NULL);
		if (i % 5 == 0)
			bench_run(&bench);
		while (bench.kept_count > 0 && i % 7 == 0)
			call_reply(bench.kept[--bench.kept_count], json_object());
		close(fd);
	}
	bench_run(&bench);
	cr_assert_eq(control_client_count(bench.control), 1);
	assert_echo(other, 1);
	close(other);
}

Test(control, a_tenant_that_asks_too_much_is_slowed_down_and_loses_nothing, .timeout = 30)
{
	uint64_t began;
	int fd, admin;

	bench_init(&bench);
	bench.config.rate_per_sec = 100;
	bench.config.rate_burst = 10;
	bench_start(&bench);
	admin = bench_dial(&bench);
	bench.tenant = "acme";
	fd = bench_dial(&bench);
	began = clock_monotonic_usec();
	for (int i = 1; i <= 60; i++)
		bench_ask(&bench, fd, i, "test.echo", NULL);
	bench_run(&bench);
	cr_assert_leq(bench.handled, 12);
	for (int i = 0; i < 500; i++)
		assert_echo(admin, 1);
	for (int i = 1; i <= 60; i++)
		json_decref(bench_expect_result(&bench, fd, i));
	cr_assert_geq(clock_monotonic_usec() - began, 490000);
	close(fd);
	close(admin);
	finish();
}

Test(control, a_long_line_counts_as_more_than_one_request, .timeout = 30)
{
	char *line = long_line(RPC_LINE_MAX);
	uint64_t began;
	int fd;

	bench_init(&bench);
	bench.config.rate_per_sec = 100;
	bench.config.rate_burst = 20;
	bench_start(&bench);
	bench.tenant = "acme";
	fd = bench_dial(&bench);
	began = clock_monotonic_usec();
	for (int i = 0; i < 3; i++) {
		bench_say_bytes(&bench, fd, line, RPC_LINE_MAX + 1);
		json_decref(bench_expect_result(&bench, fd, 1));
	}
	cr_assert_geq(clock_monotonic_usec() - began, 390000);
	free(line);
	close(fd);
	finish();
}

Test(control, a_batch_counts_as_many_requests_as_it_has, .timeout = 30)
{
	json_t *line;
	int fd;

	bench_init(&bench);
	bench.config.rate_per_sec = 100;
	bench.config.rate_burst = 1;
	bench_start(&bench);
	bench.tenant = "acme";
	fd = bench_dial(&bench);
	bench_say(&bench, fd,
		  "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.echo\"},"
		  "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"test.echo\"}]\n");
	bench_run(&bench);
	cr_assert_eq(bench.handled, 1);
	line = bench_hear(&bench, fd);
	cr_assert_eq(json_array_size(line), 2);
	json_decref(line);
	close(fd);
	finish();
}

Test(control, without_descriptors_it_waits_and_does_not_spin, .init = start, .fini = finish,
     .timeout = 30)
{
	struct rlimit old, few;
	int other = bench_dial(&bench), last, fd;
	unsigned turns = 0;
	uint64_t end;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	last = dup(fd);
	close(last);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = (struct rlimit){ (rlim_t)last, old.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	{
		const struct sockaddr_un address = bench_address(&bench);

		cr_assert_eq(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	}
	end = clock_monotonic_usec() + 200000;
	while (clock_monotonic_usec() < end)
		turns += sd_event_run(bench.event, 50000) > 0;
	cr_assert_lt(turns, 20);
	assert_echo(other, 1);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	bench_ask(&bench, fd, 7, "test.echo", NULL);
	json_decref(bench_expect_result(&bench, fd, 7));
	close(fd);
	close(other);
}

Test(control, an_idle_one_does_not_wake_the_loop, .init = start, .fini = finish, .timeout = 20)
{
	int fd = bench_dial(&bench);
	unsigned turns = 0;
	uint64_t end;

	assert_echo(fd, 1);
	end = clock_monotonic_usec() + 300000;
	while (clock_monotonic_usec() < end)
		turns += sd_event_run(bench.event, 100000) > 0;
	cr_assert_leq(turns, 1);
	close(fd);
}

/* --- where it listens -------------------------------------------------------------------------*/

Test(control, takes_a_stale_socket_away_but_not_a_live_one_or_a_file, .timeout = 20)
{
	struct control *second = NULL;
	struct error err;
	int fd;

	bench_init(&bench);
	fd = open(bench.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	cr_assert_lt(control_start(&second, bench.event, &bench.config, &err), 0);
	cr_assert_eq(err.kind, ERROR_CONFLICT);
	cr_assert_eq(access(bench.path, F_OK), 0);
	cr_assert_eq(unlink(bench.path), 0);
	{
		const struct sockaddr_un address = bench_address(&bench);

		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		cr_assert_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
		close(fd);
	}
	bench_start(&bench);
	cr_assert_lt(control_start(&second, bench.event, &bench.config, &err), 0);
	cr_assert_eq(err.kind, ERROR_CONFLICT);
	cr_assert_null(second);
	fd = bench_dial(&bench);
	close(fd);
	finish();
}

Test(control, listens_on_a_socket_that_it_is_given, .timeout = 20)
{
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
	struct sockaddr_un address;

	bench_init(&bench);
	address = bench_address(&bench);
	cr_assert_eq(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(listener, 10), 0);
	bench.config.listen_fd = listener;
	bench.config.path = NULL;
	bench_start(&bench);
	fd = bench_dial(&bench);
	assert_echo(fd, 1);
	close(fd);
	bench_run(&bench);
	control_stop(bench.control);
	bench.control = NULL;
	cr_assert_eq(access(bench.path, F_OK), 0, "it is systemd's");
	cr_assert_eq(unlink(bench.path), 0);
	finish();
}

Test(control, refuses_a_path_that_is_no_place_for_a_socket, .timeout = 20)
{
	static const char *const paths[] = {
		"/no/such/directory/control.sock",
		"/tmp/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/"
		"long/long/long/long/long/long/long/long/long",
	};

	bench_init(&bench);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct control *control = NULL;
		struct error err = { 0 };

		bench.config.path = paths[i];
		cr_assert_lt(control_start(&control, bench.event, &bench.config, &err), 0);
		cr_assert_null(control);
		cr_assert_not_null(strstr(err.text, "control socket: "));
	}
	finish();
}
