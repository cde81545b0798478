/* SPDX-License-Identifier: MIT */
/*
 * The pressure ladder on real apps: who is told frees, the worker that grew is recycled without a
 * failed request, and what ends the app says why. And who is not near its limit is left alone.
 */
#include "tests/system/harness_daemon.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

TestSuite(pressure, .timeout = TEST_TIMEOUT_SEC);

static void expect_no_incident(struct run *run)
{
	_cleanup_json_ json_t *incidents = run_incidents(run);

	cr_expect_eq(json_array_size(incidents), 0, "an incident for nothing%s", run_story(run));
}

static bool says(struct run *run, const char *text)
{
	return strstr(run_stderr(run), text) != NULL;
}

/* --- told ----------------------------------------------------------------------------------- */

Test(pressure, an_app_that_watches_is_told_and_frees)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "told");
	run_start(&run, &bench,
		  WORDS("--mem", "80M", "--pressure", "cooldown=1s", "--", "python3", "pressure.py",
			"watch", "3"));
	cr_expect_eq(run_wait(&run, START_MSEC), 0, "%s", run_story(&run));
	cr_expect(says(&run, ": notify: told 1 who watch"), "%s", run_story(&run));
	cr_expect_not_null(strstr(run_stdout(&run), "watching True"), "%s", run_story(&run));
	expect_no_incident(&run);
	bench_close(&bench);
}

/* How many lines of its log have this text. */
static size_t app_says(const struct bench *bench, const char *text)
{
	_cleanup_json_ json_t *logs =
		daemon_call("app.logs", "{s:s, s:i}", "name", bench->name, "lines", 50);
	const json_t *lines = field(logs, "lines");
	size_t found = 0;

	for (size_t i = 0; i < json_array_size(lines); i++)
		found += strcmp(field_text(json_array_get(lines, i), "text"), text) == 0 ? 1 : 0;
	return found;
}

/* Its connections are with the launcher, so they outlive the daemon. */
Test(pressure, an_app_of_the_daemon_is_told_over_its_restart)
{
	struct bench bench;
	json_t *object;
	size_t before;

	daemon_reset();
	daemon_start();
	bench_open(&bench, "kept");
	object = app_object(&bench, bench.name, WORDS("python3", "pressure.py", "wait"));
	json_object_set_new(object, "limits", json_pack("{s:s}", "memory", "128M"));
	json_object_set_new(
		object, "pressure",
		json_pack("{s:s, s:s, s:s}", "notify", "10%", "reclaim", "off", "cooldown", "1s"));
	app_apply(object);
	cr_assert(AWAIT(app_says(&bench, "told") > 0, START_MSEC), "it was not told");
	daemon_restart();
	before = app_says(&bench, "told");
	cr_assert(AWAIT(app_says(&bench, "told") > before, START_MSEC), "it was not told again");
	daemon_do("app.remove", "{s:s}", "name", bench.name);
	bench_close(&bench);
}

/* --- recycled ------------------------------------------------------------------------------- */

/* Requests all the time, until pysbx has said this; each has to be answered. */
static void serve_until(struct run *run, const char *text)
{
	int64_t end = clock_msec() + START_MSEC;
	struct reply reply;

	while (!says(run, text)) {
		cr_assert(clock_msec() < end, "it did not say \"%s\"%s", text, run_story(run));
		http_get(run->bench, "/pid", &reply, REACTION_MSEC);
		cr_assert_eq(reply.status, 200, "a request failed%s", run_story(run));
	}
}

static void expect_recycled(struct run *run, const char *server, size_t processes)
{
	struct bench *bench = run->bench;
	struct reply reply;
	pid_t worker;
	uint64_t full;
	const char *after;
	int leak;

	run_await_pids(run, processes, START_MSEC);
	http_await(run, "/", &reply, START_MSEC);
	leak = http_send(bench, "/leak?mb=120");
	cr_assert_geq(leak, 0);
	serve_until(run, bench_format(bench, "asked %s's worker ", server));
	http_receive(leak, &reply, START_MSEC);
	cr_expect_eq(reply.status, 200, "what was begun was not answered%s", run_story(run));
	full = run_counter(run, "memory.stat", "anon");
	after = strstr(run_stderr(run), "'s worker ") + strlen("'s worker ");
	worker = (pid_t)strtol(after, NULL, 10);
	for (int i = 0; i < 20; i++) {
		http_get(bench, "/pid", &reply, REACTION_MSEC);
		cr_expect_eq(reply.status, 200, "a request failed%s", run_story(run));
	}
	cr_expect(AWAIT(kill(worker, 0) != 0, START_MSEC), "the worker lives%s", run_story(run));
	run_await_pids(run, processes, START_MSEC); /* it has been replaced */
	cr_expect(AWAIT(run_counter(run, "memory.stat", "anon") + (80 << 20) < full, START_MSEC),
		  "memory did not fall%s", run_story(run));
	http_get(bench, "/", &reply, REACTION_MSEC);
	cr_expect_eq(reply.status, 200);
	expect_no_incident(run);
}

#define RECYCLE_ONLY                                                                     \
	"--mem", "256M", "--pressure", "off", "--pressure", "recycle=45%", "--pressure", \
		"cooldown=20s", "--"

Test(pressure, the_worker_of_gunicorn_that_grew_is_recycled)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "green");
	run_start(&run, &bench,
		  WORDS(RECYCLE_ONLY, "gunicorn", "-w", "3", "--timeout", "120", "-b",
			bench_format(&bench, "127.0.0.1:%d", bench.port), "wsgi_app:app"));
	expect_recycled(&run, "gunicorn", 4);
	run_signal(&run, SIGTERM);
	cr_expect_eq(run_wait(&run, START_MSEC), 0, "%s", run_story(&run));
	bench_close(&bench);
}

Test(pressure, the_worker_of_uwsgi_that_grew_is_recycled)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "uwsgi");
	run_start(&run, &bench,
		  WORDS(RECYCLE_ONLY, "uwsgi", "--plugin", "python3", "--http-socket",
			bench_format(&bench, "127.0.0.1:%d", bench.port), "--master", "--processes",
			"3", "--die-on-term", "--need-app", "--module", "wsgi_app:app"));
	expect_recycled(&run, "uWSGI", 4);
	/* how it ends afterwards is its own affair: it may take the whole grace */
	run_signal(&run, SIGTERM);
	(void)run_wait(&run, START_MSEC);
	bench_close(&bench);
}

/* From 0.30 on it starts another worker for one that ends; before, it would go on with one less. */
Test(pressure, a_worker_of_uvicorn_is_recycled_where_it_is_replaced)
{
	bool replaces = shell(NULL, "python3 -c 'import uvicorn, sys; sys.exit(tuple(map(int, "
				    "uvicorn.__version__.split(\".\")[:2])) < (0, 30))'") == 0;
	struct reply reply;
	struct bench bench;
	struct run run;

	bench_open(&bench, "uvicorn");
	run_start(&run, &bench,
		  WORDS(RECYCLE_ONLY, "uvicorn", "--workers", "2", "--port",
			bench_format(&bench, "%d", bench.port), "asgi_app:app"));
	if (replaces) {
		expect_recycled(&run, "uvicorn", 4); /* and multiprocessing's tracker */
	} else {
		run_await_pids(&run, 4, START_MSEC);
		http_await(&run, "/", &reply, START_MSEC);
		http_get(&bench, "/leak?mb=120", &reply, START_MSEC);
		run_await_stderr(&run, "skipped: this uvicorn starts no other worker", START_MSEC);
		run_await_pids(&run, 4, REACTION_MSEC);
	}
	run_signal(&run, SIGTERM);
	cr_expect_eq(run_wait(&run, START_MSEC), 0, "%s", run_story(&run));
	bench_close(&bench);
}

/* --- ended ---------------------------------------------------------------------------------- */

static void expect_ended(const char *step, const char *text, bool asked)
{
	_cleanup_json_ json_t *incident = NULL;
	struct bench bench;
	struct run run;

	bench_open(&bench, step);
	run_start(&run, &bench,
		  WORDS("--mem", "80M", "--restart", "always", "--pressure", "off", "--pressure",
			bench_format(&bench, "%s=75%%", step), "--", "python3", "pressure.py",
			"grow"));
	incident = run_await_incident(&run, 1, START_MSEC);
	cr_expect_str_eq(field_text(incident, "cause"), "pressure", "%s", run_story(&run));
	cr_expect_not_null(strstr(field_text(incident, "sentence"), text), "%s",
			   field_text(incident, "sentence"));
	cr_expect_str_eq(field_text(incident, "decision.action"), "restart");
	cr_expect(says(&run, bench_format(&bench, ": %s: ", step)), "%s", run_story(&run));
	cr_expect_eq(strstr(run_stdout(&run), "asked to stop") != NULL, asked, "%s",
		     run_story(&run));
	cr_expect_eq(run_counter(&run, "memory.events", "oom_kill"), 0);
	run_signal(&run, SIGTERM);
	(void)run_wait(&run, START_MSEC);
	bench_close(&bench);
}

Test(pressure, an_app_is_restarted_gracefully_and_told_why)
{
	expect_ended("restart", "(pressure.restart); pysbx ended it before the kernel would", true);
}

Test(pressure, an_app_is_killed_and_told_why)
{
	expect_ended("kill", "(pressure.kill); pysbx ended it before the kernel would", false);
}

/* --- left alone ----------------------------------------------------------------------------- */

Test(pressure, a_large_page_cache_is_no_pressure)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "cache");
	run_start(&run, &bench,
		  WORDS("--mem", "64M", "--rw", bench.data, "--pressure", "notify=60%",
			"--pressure", "reclaim=60%", "--pressure", "recycle=45%", "--pressure",
			"restart=60%", "--pressure", "kill=60%", "--", "python3", "pressure.py",
			"cache", bench_format(&bench, "%s/large", bench.data)));
	cr_expect_eq(run_wait(&run, 2 * START_MSEC), 0, "%s", run_story(&run));
	cr_expect_not(says(&run, "memory "), "%s", run_story(&run));
	expect_no_incident(&run);
	bench_close(&bench);
}

Test(pressure, an_app_that_never_reads_holds_up_nothing)
{
	struct bench bench;
	struct run run;
	int64_t asked;

	bench_open(&bench, "deaf");
	run_start(&run, &bench,
		  WORDS("--mem", "96M", "--pressure", "notify=10%", "--pressure", "cooldown=1s",
			"--", "python3", "pressure.py", "deaf"));
	run_await_stdout(&run, "connected", START_MSEC);
	run_await_stderr(&run, "notify: told 100 who watch", START_MSEC);
	run_await_stdout(&run, "still here", START_MSEC);
	asked = clock_msec();
	run_signal(&run, SIGTERM);
	(void)run_wait(&run, START_MSEC);
	cr_expect_lt(clock_msec() - asked, REACTION_MSEC);
	expect_no_incident(&run);
	bench_close(&bench);
}
