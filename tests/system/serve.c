/* SPDX-License-Identifier: MIT */
/*
 * Real web servers under `pysbx run --mem 256M`: they start, answer over HTTP from as many workers
 * as were asked for, and end as they would without us.
 */
#include "tests/system/harness.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* What flask_app.py says in each worker. One that boots has no signal handler of gunicorn's yet: it
 * would not hear a stop. */
#define BOOTED "loaded in pid "

TestSuite(serve, .timeout = TEST_TIMEOUT_SEC);

static void expect_answer(struct run *run, const char *target, const char *body)
{
	struct reply reply;

	http_await(run, target, &reply, START_MSEC);
	cr_expect_str_eq(reply.body, body);
}

static void expect_no_incident(struct run *run)
{
	_cleanup_json_ json_t *incidents = run_incidents(run);

	cr_expect_eq(json_array_size(incidents), 0, "an incident for nothing%s", run_story(run));
}

/* A request is under way when the stop comes: it gets its answer, whole. */
static void stop_during_a_slow_request(struct run *run)
{
	int slow = http_send(run->bench, "/slow?s=1");
	struct reply reply;

	cr_assert_geq(slow, 0);
	run_await_stderr(run, "slow request", REACTION_MSEC);
	run_signal(run, SIGTERM);
	http_receive(slow, &reply, REACTION_MSEC);
	cr_expect_eq(reply.status, 200, "the request was cut off%s", run_story(run));
	cr_expect_str_eq(reply.body, "slow but done\n");
}

Test(serve, gunicorn_serves_flask_from_four_workers_and_drains)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "gunicorn");
	run_start(&run, &bench,
		  WORDS("--mem", "256M", "--grace", "30s", "--", "gunicorn", "-w", "4", "--timeout",
			"120", "-b", bench_format(&bench, "127.0.0.1:%d", bench.port),
			"flask_app:app"));
	expect_answer(&run, "/", "hello from flask\n");
	run_await_pids(&run, 5, START_MSEC); /* the master and four workers */
	run_signal(&run, SIGTTIN);	     /* gunicorn: one worker more */
	run_await_pids(&run, 6, START_MSEC);
	run_await_times(&run, BOOTED, 5, START_MSEC);
	stop_during_a_slow_request(&run);
	cr_expect_eq(run_wait(&run, START_MSEC), 0, "%s", run_story(&run));
	expect_no_incident(&run);
	bench_close(&bench);
}

Test(serve, uvicorn_serves_asgi_from_four_workers_and_drains)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "uvicorn");
	run_start(&run, &bench,
		  WORDS("--mem", "256M", "--grace", "30s", "--", "uvicorn", "--workers", "4",
			"--port", bench_format(&bench, "%d", bench.port), "asgi_app:app"));
	expect_answer(&run, "/", "hello from asgi\n");
	expect_answer(&run, "/thread", "499500\n");
	/* the parent, four workers, and the resource tracker of multiprocessing */
	run_await_pids(&run, 6, START_MSEC);
	stop_during_a_slow_request(&run);
	cr_expect_eq(run_wait(&run, START_MSEC), 0, "%s", run_story(&run));
	expect_no_incident(&run);
	bench_close(&bench);
}

Test(serve, hypercorn_serves_asgi_from_four_workers)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "hypercorn");
	run_start(&run, &bench,
		  WORDS("--mem", "256M", "--grace", "30s", "--", "hypercorn", "-w", "4", "-b",
			bench_format(&bench, "127.0.0.1:%d", bench.port), "asgi_app:app"));
	expect_answer(&run, "/", "hello from asgi\n");
	expect_answer(&run, "/thread", "499500\n");
	/* 0.17 cuts off what is under way, without pysbx too: only its end is looked at */
	run_signal(&run, SIGTERM);
	cr_expect_eq(run_wait(&run, START_MSEC), 0, "%s", run_story(&run));
	expect_no_incident(&run);
	bench_close(&bench);
}

Test(serve, uwsgi_serves_flask_from_four_workers)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "uwsgi");
	run_start(&run, &bench,
		  WORDS("--mem", "256M", "--", "uwsgi", "--plugin", "python3", "--http-socket",
			bench_format(&bench, "127.0.0.1:%d", bench.port), "--master", "--processes",
			"4", "--die-on-term", "--need-app", "--module", "flask_app:app"));
	expect_answer(&run, "/", "hello from flask\n");
	run_await_pids(&run, 5, START_MSEC); /* the master and four workers */
	run_signal(&run, SIGTERM);
	cr_expect_eq(run_wait(&run, START_MSEC), 0, "%s", run_story(&run));
	expect_no_incident(&run);
	bench_close(&bench);
}

/* waitress has one process and does not catch SIGTERM: it dies of it, and the code says so. */
Test(serve, waitress_serves_flask_from_four_threads)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "waitress");
	run_start(&run, &bench,
		  WORDS("--mem", "256M", "--", "waitress-serve", "--threads=4",
			bench_format(&bench, "--listen=127.0.0.1:%d", bench.port),
			"flask_app:app"));
	expect_answer(&run, "/", "hello from flask\n");
	run_signal(&run, SIGTERM);
	cr_expect_eq(run_wait(&run, START_MSEC), 128 + SIGTERM, "%s", run_story(&run));
	expect_no_incident(&run);
	bench_close(&bench);
}

/* A virtualenv away from the system: its python and what it holds are there, without activation. */
Test(serve, a_virtualenv_is_found_beside_the_command)
{
	struct bench bench;
	struct run run;
	const char *python;

	bench_open(&bench, "venv");
	python = bench_format(&bench, "%s/venv/bin/python", bench.directory);
	run_start_with(
		&run, &bench,
		&(struct run_setup){
			.prepare = bench_format(&bench,
						"/usr/bin/python3 -m venv --without-pip %s/venv\n"
						"cd %s/venv/lib/python3*/site-packages\n"
						"echo 'answer = 42' >only_here.py\n"
						"cd %s",
						bench.directory, bench.directory, bench.apps) },
		WORDS("--", python, "-c",
		      "import sys, only_here; print(sys.prefix, only_here.answer)"));
	cr_assert_eq(run_wait(&run, START_MSEC), 0, "%s", run_story(&run));
	cr_expect_str_eq(run_stdout(&run), bench_format(&bench, "%s/venv 42\n", bench.directory));
	bench_close(&bench);
}
