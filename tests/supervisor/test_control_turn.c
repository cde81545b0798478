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

Test(control_turn, takes_a_line_of_1_mib_and_refuses_one_byte_more, .init = start, .fini = finish,
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

Test(control_turn, half_a_line_and_then_silence_is_cut_off, .timeout = 20)
{
	int fd, other;

	bench_init(&bench);
	bench.config.line_timeout_usec = 2000000;
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

Test(control_turn, an_answer_that_is_too_large_becomes_an_error, .init = start, .fini = finish,
     .timeout = 30)
{
	int fd = bench_dial(&bench);

	bench_ask(&bench, fd, 1, "test.big", "{\"size\":3000000}");
	json_decref(bench_expect_result(&bench, fd, 1));
	bench_ask(&bench, fd, 2, "test.big", "{\"size\":4000000}");
	bench_expect_error(&bench, fd, -32012, "too-many", 2);
	close(fd);
}

Test(control_turn, who_does_not_read_its_answers_is_not_read_from_either, .init = start,
     .fini = finish, .timeout = 30)
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

Test(control_turn, who_reads_nothing_for_too_long_is_cut_off_while_another_is_served, .timeout = 30)
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

Test(control_turn, a_queue_of_notifications_beyond_4_mib_is_cut_off, .timeout = 30)
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

/* --- rates ------------------------------------------------------------------------------------*/

Test(control_turn, a_tenant_that_asks_too_much_is_slowed_down_and_loses_nothing, .timeout = 30)
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

Test(control_turn, a_long_line_counts_as_more_than_one_request, .timeout = 30)
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

Test(control_turn, a_batch_counts_as_many_requests_as_it_has, .timeout = 30)
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

Test(control_turn, an_idle_one_does_not_wake_the_loop, .init = start, .fini = finish, .timeout = 20)
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
