/* SPDX-License-Identifier: MIT */
#include "control_bench.h"

#include "policy/event_ring.h"

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

struct subscribed {
	json_int_t id, cursor, missed;
};

static struct subscribed subscribe(int fd, const char *params)
{
	struct subscribed subscribed;
	json_t *result;

	bench_ask(&bench, fd, 1, "events.subscribe", params);
	result = bench_expect_result(&bench, fd, 1);
	subscribed.id = json_integer_value(json_object_get(result, "subscription"));
	subscribed.cursor = json_integer_value(json_object_get(result, "cursor"));
	subscribed.missed = json_integer_value(json_object_get(result, "missed"));
	json_decref(result);
	return subscribed;
}

static void publish(const char *app, const char *tenant)
{
	events_publish(bench.events, "app.state", app, tenant,
		       json_pack("{s:s, s:s}", "from", "starting", "to", "running"));
}

/* The next line is an event; its params are a new reference. */
static json_t *hear_event(int fd)
{
	json_t *line = bench_hear(&bench, fd), *params = json_object_get(line, "params");

	cr_assert_str_eq(json_string_value(json_object_get(line, "method")), "event");
	cr_assert_null(json_object_get(line, "id"));
	json_incref(params);
	json_decref(line);
	return params;
}

static void expect_event(int fd, json_int_t cursor, const char *app)
{
	json_t *params = hear_event(fd);

	cr_assert_eq(json_integer_value(json_object_get(params, "cursor")), cursor);
	cr_assert_str_eq(json_string_value(json_object_get(params, "app")), app);
	json_decref(params);
}

Test(events, are_told_with_all_that_they_hold, .init = start, .fini = finish, .timeout = 20)
{
	int fd = bench_dial(&bench);
	struct subscribed subscribed = subscribe(fd, NULL);
	json_t *params;

	cr_assert_eq(subscribed.cursor, 100, "from now on");
	cr_assert_eq(subscribed.missed, 0);
	publish("web", "acme");
	params = hear_event(fd);
	cr_assert_eq(json_integer_value(json_object_get(params, "subscription")), subscribed.id);
	cr_assert_eq(json_integer_value(json_object_get(params, "cursor")), 101);
	cr_assert_str_eq(json_string_value(json_object_get(params, "type")), "app.state");
	cr_assert_str_eq(json_string_value(json_object_get(params, "app")), "web");
	cr_assert_str_eq(json_string_value(json_object_get(params, "tenant")), "acme");
	cr_assert_str_eq(json_string_value(json_object_get(params, "to")), "running");
	cr_assert_eq(json_string_length(json_object_get(params, "time")),
		     strlen("2026-01-01T00:00:00.000Z"));
	json_decref(params);
	events_publish(bench.events, "daemon.reloaded", NULL, NULL, NULL);
	params = hear_event(fd);
	cr_assert_null(json_object_get(params, "app"));
	cr_assert_null(json_object_get(params, "tenant"));
	json_decref(params);
	cr_assert_eq(events_cursor(bench.events), 102);
	close(fd);
}

Test(events, a_client_that_comes_back_with_its_cursor_misses_nothing, .init = start, .fini = finish,
     .timeout = 20)
{
	struct subscribed subscribed;
	int fd;

	for (int i = 0; i < 5; i++)
		publish("web", NULL);
	fd = bench_dial(&bench);
	subscribed = subscribe(fd, "{\"cursor\":102}");
	cr_assert_eq(subscribed.cursor, 102);
	cr_assert_eq(subscribed.missed, 0);
	for (int i = 103; i <= 105; i++)
		expect_event(fd, i, "web");
	publish("blog", NULL);
	expect_event(fd, 106, "blog");
	close(fd);
}

Test(events, tell_how_many_were_missed, .init = start, .fini = finish, .timeout = 20)
{
	struct subscribed subscribed;
	int fd = bench_dial(&bench);

	publish("web", NULL);
	subscribed = subscribe(fd, "{\"cursor\":90}"); /* of an earlier life */
	cr_assert_eq(subscribed.missed, 10);
	cr_assert_eq(subscribed.cursor, 100);
	expect_event(fd, 101, "web");
	subscribed = subscribe(fd, "{\"cursor\":100000}"); /* of a life that is forgotten */
	cr_assert_geq(subscribed.missed, 1);
	expect_event(fd, 101, "web");
	bench.tenant = "acme";
	close(fd);
	fd = bench_dial(&bench);
	subscribed = subscribe(fd, "{\"cursor\":0}");
	cr_assert_eq(subscribed.missed, 1, "how much happens is not a tenant's business");
	bench_expect_silence(&bench, fd);
	close(fd);
}

Test(events, ten_thousand_are_replayed_over_many_turns, .init = start, .fini = finish,
     .timeout = 60)
{
	struct subscribed subscribed;
	int fd, other;

	for (int i = 0; i < 12000; i++)
		publish("web", "acme");
	fd = bench_dial(&bench);
	other = bench_dial(&bench);
	subscribed = subscribe(fd, "{\"cursor\":100}");
	cr_assert_eq(subscribed.missed, 12000 - EVENT_RING_EVENTS);
	cr_assert_eq(subscribed.cursor, 2100);
	bench_ask(&bench, other, 2, "test.echo", NULL);
	json_decref(bench_expect_result(&bench, other, 2));
	for (int i = 2101; i <= 12100; i++)
		expect_event(fd, i, "web");
	bench_expect_silence(&bench, fd);
	close(fd);
	close(other);
}

Test(events, a_tenant_hears_of_its_own_apps_alone, .init = start, .fini = finish, .timeout = 20)
{
	int fd, all = bench_dial(&bench);

	bench.tenant = "acme";
	fd = bench_dial(&bench);
	publish("before", "acme");
	(void)subscribe(fd, "{\"cursor\":100}");
	(void)subscribe(all, NULL);
	publish("web", "acme");
	publish("web", "other");
	publish("web", NULL);
	events_publish(bench.events, "daemon.reloaded", NULL, NULL, NULL);
	publish("blog", "acme");
	expect_event(fd, 101, "before");
	expect_event(fd, 102, "web");
	expect_event(fd, 106, "blog");
	bench_expect_silence(&bench, fd);
	for (int i = 102; i <= 106; i++)
		json_decref(hear_event(all));
	close(fd);
	close(all);
}

Test(events, can_be_of_one_app, .init = start, .fini = finish, .timeout = 20)
{
	int fd = bench_dial(&bench);

	publish("web", NULL);
	publish("blog", NULL);
	(void)subscribe(fd, "{\"app\":\"blog\",\"cursor\":0}");
	expect_event(fd, 102, "blog");
	publish("web", NULL);
	publish("blog", NULL);
	expect_event(fd, 104, "blog");
	close(fd);
}

Test(events, end_when_unsubscribed, .init = start, .fini = finish, .timeout = 20)
{
	int fd = bench_dial(&bench), other = bench_dial(&bench);
	struct subscribed first = subscribe(fd, NULL), second = subscribe(fd, NULL);
	char params[64];

	cr_assert_neq(first.id, second.id);
	snprintf(params, sizeof(params), "{\"subscription\":%lld}", (long long)first.id);
	bench_ask(&bench, other, 2, "events.unsubscribe", params);
	bench_expect_error(&bench, other, -32003, "not-found", 2);
	bench_ask(&bench, fd, 2, "events.unsubscribe", params);
	json_decref(bench_expect_result(&bench, fd, 2));
	bench_ask(&bench, fd, 3, "events.unsubscribe", params);
	bench_expect_error(&bench, fd, -32003, "not-found", 3);
	publish("web", NULL);
	expect_event(fd, 101, "web");
	bench_expect_silence(&bench, fd);
	close(fd);
	close(other);
}

Test(events, a_connection_has_at_most_16_subscriptions, .init = start, .fini = finish,
     .timeout = 20)
{
	int fd = bench_dial(&bench);

	for (int i = 0; i < CLIENT_SUBSCRIPTIONS_MAX; i++)
		(void)subscribe(fd, NULL);
	bench_ask(&bench, fd, 2, "events.subscribe", NULL);
	bench_expect_error(&bench, fd, -32012, "too-many", 2);
	publish("web", NULL);
	for (int i = 0; i < CLIENT_SUBSCRIPTIONS_MAX; i++)
		expect_event(fd, 101, "web");
	close(fd);
}

Test(events, a_subscriber_that_does_not_read_is_cut_off_while_others_go_on, .init = start,
     .fini = finish, .timeout = 60)
{
	int slow = bench_dial(&bench), fd = bench_dial(&bench);

	(void)subscribe(slow, NULL);
	(void)subscribe(fd, NULL);
	for (int i = 1; i <= 30000; i++) {
		publish("web", "acme");
		if (i % 50 == 0)
			bench_run(&bench);
		expect_event(fd, 100 + i, "web");
	}
	cr_assert_eq(control_client_count(bench.control), 1);
	close(slow);
	close(fd);
}

Test(events, a_subscriber_that_pauses_gets_the_rest_when_it_goes_on, .init = start, .fini = finish,
     .timeout = 60)
{
	int fd = bench_dial(&bench);

	(void)subscribe(fd, NULL);
	for (int i = 1; i <= 9000; i++) {
		publish("web", "acme");
		if (i % 500 == 0)
			bench_run(&bench);
	}
	for (int i = 1; i <= 9000; i++)
		expect_event(fd, 100 + i, "web");
	close(fd);
}

Test(events, subscribers_that_only_listen_stay_after_closing_their_sending_side, .init = start,
     .fini = finish, .timeout = 20)
{
	int fd = bench_dial(&bench);

	(void)subscribe(fd, NULL);
	cr_assert_eq(shutdown(fd, SHUT_WR), 0);
	bench_run(&bench);
	publish("web", NULL);
	expect_event(fd, 101, "web");
	close(fd);
	bench_run(&bench);
	cr_assert_eq(control_client_count(bench.control), 0);
	publish("web", NULL);
}

Test(events, one_that_can_not_be_told_counts_as_missed, .init = start, .fini = finish,
     .timeout = 20)
{
	static char text[EVENT_TEXT_MAX + 1];
	int fd = bench_dial(&bench);

	memset(text, 'x', sizeof(text) - 1);
	events_publish(bench.events, "t", "web", NULL, json_pack("{s:s}", "text", text));
	cr_assert_eq(events_cursor(bench.events), 101);
	cr_assert_eq(subscribe(fd, "{\"cursor\":100}").missed, 1);
	publish("web", NULL);
	expect_event(fd, 102, "web");
	close(fd);
}
