/* SPDX-License-Identifier: MIT */
/*
 * What of the network an app reaches: apps/egress.py tries it by each way that a program has.
 */
#include "tests/system/harness.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(network, .timeout = TEST_TIMEOUT_SEC);

/* On all addresses of the host, IPv4 and IPv6. */
static int listen_at(int port)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6,
					.sin6_port = htons((uint16_t)port) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), off = 0;

	cr_assert_geq(fd, 0);
	cr_assert_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)), 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fd, 64), 0);
	return fd;
}

/* What was seen of "ADDRESS PORT" by each way. */
static void expect_all(const json_t *seen, const char *address, int port, const char *expected)
{
	static const char *const ways[] = { "tcp", "fastopen", "udp", "udp_connected" };
	_cleanup_free_ char *key = NULL;
	const json_t *found;

	cr_assert_geq(asprintf(&key, "%s %d", address, port), 0);
	found = json_object_get(seen, key);
	cr_assert_not_null(found, "%s", key);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		const char *result = json_string_value(json_object_get(found, ways[i]));

		cr_expect_str_eq(result, expected, "%s by %s: %s, not %s", key, ways[i], result,
				 expected);
	}
}

static json_t *look(struct run *run, struct bench *bench, const char *const *words)
{
	json_error_t error;
	json_t *seen;

	cr_assert_eq(run_through(run, bench, words), 0, "%s", run_story(run));
	seen = json_loads(run_stdout(run), JSON_REJECT_DUPLICATES, &error);
	cr_assert_not_null(seen, "%s%s", error.text, run_story(run));
	return seen;
}

Test(network, an_app_reaches_what_egress_names_and_nothing_else)
{
	_cleanup_json_ json_t *seen = NULL;
	struct bench bench;
	struct run run;
	const char *port, *other;
	int listeners[2];

	bench_open(&bench, "egress");
	listeners[0] = listen_at(bench.port);
	listeners[1] = listen_at(bench.port + 1);
	port = bench_format(&bench, "%d", bench.port);
	other = bench_format(&bench, "%d", bench.port + 1);
	seen = look(&run, &bench,
		    WORDS("--egress", bench_format(&bench, "127.0.0.1:%s", port), "--egress",
			  bench_format(&bench, "[::1]:%s", port), "--", "python3", "egress.py",
			  "127.0.0.1", port, "127.0.0.1", other, "127.0.0.2", port, "::1", port,
			  "::1", other, "::ffff:127.0.0.1", port, "::ffff:127.0.0.1", other,
			  "0.0.0.0", other, "192.0.2.1", "53", "169.254.169.254", "80",
			  "2001:db8::1", port));
	expect_all(seen, "127.0.0.1", bench.port, "ok");
	expect_all(seen, "::1", bench.port, "ok");
	expect_all(seen, "::ffff:127.0.0.1", bench.port, "ok");
	expect_all(seen, "127.0.0.1", bench.port + 1, "EPERM");
	expect_all(seen, "127.0.0.2", bench.port, "EPERM");
	expect_all(seen, "::1", bench.port + 1, "EPERM");
	expect_all(seen, "::ffff:127.0.0.1", bench.port + 1, "EPERM");
	expect_all(seen, "0.0.0.0", bench.port + 1, "EPERM");
	expect_all(seen, "192.0.2.1", 53, "EPERM");
	expect_all(seen, "169.254.169.254", 80, "EPERM");
	expect_all(seen, "2001:db8::1", bench.port, "EPERM");
	close(listeners[0]);
	close(listeners[1]);
	bench_close(&bench);
}

/* The probe can tell: the same without a list. */
Test(network, without_egress_nothing_is_filtered)
{
	_cleanup_json_ json_t *seen = NULL;
	struct bench bench;
	struct run run;
	const char *port;
	int listener;

	bench_open(&bench, "open");
	listener = listen_at(bench.port);
	port = bench_format(&bench, "%d", bench.port);
	seen = look(&run, &bench,
		    WORDS("--", "python3", "egress.py", "127.0.0.1", port, "::1", port,
			  "::ffff:127.0.0.2", port));
	expect_all(seen, "127.0.0.1", bench.port, "ok");
	expect_all(seen, "::1", bench.port, "ok");
	expect_all(seen, "::ffff:127.0.0.2", bench.port, "ok");
	close(listener);
	bench_close(&bench);
}

/* A server under the strictest list answers its clients. */
Test(network, a_server_answers_under_egress_none)
{
	struct reply reply;
	struct bench bench;
	struct run run;

	bench_open(&bench, "answer");
	run_start(&run, &bench,
		  WORDS("--egress", "none", "--", "python3", "-m", "http.server", "--bind",
			"127.0.0.1", bench_format(&bench, "%d", bench.port)));
	http_await(&run, "/egress.py", &reply, START_MSEC);
	cr_expect_not_null(strstr(reply.body, "SPDX"));
	run_signal(&run, SIGINT);
	run_wait(&run, REACTION_MSEC);
	bench_close(&bench);
}

/* --- held listeners --------------------------------------------------------------------------- */

static void expect_served(struct run *run, const char *interfaces, const char *host)
{
	struct reply reply;
	_cleanup_json_ json_t *seen = NULL;
	_cleanup_free_ char *names = NULL;

	http_await(run, "/", &reply, START_MSEC);
	http_get(run->bench, "/turn", &reply, REACTION_MSEC);
	http_get(run->bench, "/", &reply, REACTION_MSEC);
	seen = json_loads(reply.body, 0, NULL);
	cr_assert_not_null(seen, "%s", reply.body);
	names = json_dumps(json_object_get(seen, "interfaces"), JSON_COMPACT);
	if (interfaces != NULL)
		cr_expect_str_eq(names, interfaces);
	cr_expect_str_eq(field_text(seen, "host"), host);
	cr_expect_str_eq(field_text(seen, "turned"), "EPERM");
}

static const char *listen_option(struct bench *bench)
{
	return bench_format(bench, "--listen=127.0.0.1:%d", bench->port);
}

Test(network, a_private_one_serves_on_what_is_handed_in_and_reaches_nobody)
{
	struct bench bench;
	struct run run;
	int host;

	bench_open(&bench, "private");
	host = listen_at(bench.port + 1);
	run_start(&run, &bench,
		  WORDS("--network", "private", listen_option(&bench), "--", "python3", "held.py",
			bench_format(&bench, "%d", bench.port + 1)));
	expect_served(&run, "[\"lo\"]", "ECONNREFUSED");
	run_await_stdout(&run, bench_format(&bench, "serving %d\n", bench.port), REACTION_MSEC);
	run_signal(&run, SIGTERM);
	run_wait(&run, REACTION_MSEC);
	close(host);
	bench_close(&bench);
}

/* Who comes while nobody is there to answer waits. */
Test(network, a_held_listener_keeps_its_queue_over_a_restart)
{
	struct bench bench;
	struct reply reply;
	struct run run;
	int waiting;

	bench_open(&bench, "queue");
	run_start(&run, &bench,
		  WORDS("--backoff", "3s", listen_option(&bench), "--egress", "none", "--",
			"python3", "held.py", "9"));
	expect_served(&run, NULL, "EPERM");
	http_get(&bench, "/end", &reply, REACTION_MSEC);
	cr_expect_eq(reply.status, 0);
	waiting = http_send(&bench, "/");
	cr_assert_geq(waiting, 0, "refused%s", run_story(&run));
	http_receive(waiting, &reply, START_MSEC);
	cr_expect_eq(reply.status, 200, "%s", run_story(&run));
	run_signal(&run, SIGTERM);
	run_wait(&run, REACTION_MSEC);
	/* the launcher lets go of it a moment after it has said its last */
	cr_expect(AWAIT(http_send(&bench, "/") < 0, REACTION_MSEC), "nobody holds it any more");
	bench_close(&bench);
}

Test(network, gunicorn_takes_a_held_listener_without_a_word)
{
	struct bench bench;
	struct reply reply;
	struct run run;

	bench_open(&bench, "gheld");
	run_start(&run, &bench,
		  WORDS("--network", "private", listen_option(&bench), "--", "gunicorn", "-w", "2",
			"--timeout", "120", "wsgi_app:app"));
	http_await(&run, "/", &reply, START_MSEC);
	cr_expect_str_eq(reply.body, "hello from wsgi\n");
	run_signal(&run, SIGTERM);
	run_wait(&run, START_MSEC);
	bench_close(&bench);
}

Test(network, a_listener_that_is_taken_is_a_start_that_fails)
{
	struct bench bench;
	struct run run;
	int host;

	bench_open(&bench, "taken");
	host = listen_at(bench.port);
	cr_expect_eq(run_through(&run, &bench,
				 WORDS("--restart", "never", listen_option(&bench), "--", "true")),
		     125, "%s", run_story(&run));
	cr_expect_not_null(strstr(run_stderr(&run), bench_format(&bench,
								 "listen: 127.0.0.1:%d: Address "
								 "already in use",
								 bench.port)),
			   "%s", run_story(&run));
	close(host);
	bench_close(&bench);
}
