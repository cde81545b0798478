/* SPDX-License-Identifier: MIT */
/*
 * The opposite of the attempts: what Python programs and their servers do, and must be able to do
 * under the default policy. gunicorn's sync workers, uWSGI and others are in tests/system/serve.c.
 */
#include "tests/system/harness.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define POSTGRES_SOCKET ".s.PGSQL.5432"

TestSuite(works, .timeout = TEST_TIMEOUT_SEC);

/* As much of a database server as a client has to see, outside. */
static pid_t start_database(struct bench *bench)
{
	const char *path = bench_format(bench, "%s/%s", bench->data, POSTGRES_SOCKET);
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("python3", "python3", bench_format(bench, "%s/postgres.py", bench->apps),
		       bench->data, NULL);
		_exit(1);
	}
	cr_assert(AWAIT(access(path, F_OK) == 0, START_MSEC), "no database server");
	return pid;
}

Test(works, what_python_programs_do)
{
	_cleanup_json_ json_t *results = NULL;
	json_error_t error;
	const char *name;
	struct bench bench;
	json_t *result;
	struct run run;
	pid_t database;

	bench_open(&bench, "works");
	database = start_database(&bench);
	cr_expect_eq(run_through(&run, &bench,
				 WORDS("--mem", "512M", "--rw", bench.data, "--restart", "never",
				       "--", "python3", "works.py", bench.data)),
		     0, "%s", run_story(&run));
	results = json_loads(run_stdout(&run), 0, &error);
	cr_assert_not_null(results, "%s%s", error.text, run_story(&run));
	cr_expect_geq(json_object_size(results), 23);
	json_object_foreach(results, name, result) cr_expect_str_eq(
		json_string_value(result), "ok", "%s: %s", name, json_string_value(result));
	kill(database, SIGKILL);
	waitpid(database, NULL, 0);
	bench_close(&bench);
}

/* Serves from so many processes, and ends well when it is asked to. */
static void try_server(const char *word, const char *body, size_t processes,
		       const char *const *words, struct bench *bench)
{
	struct reply reply;
	struct run run;

	run_start(&run, bench, words);
	http_await(&run, "/", &reply, START_MSEC);
	cr_expect_str_eq(reply.body, body, "%s: %s", word, reply.body);
	run_await_pids(&run, processes, START_MSEC);
	run_signal(&run, SIGTERM);
	cr_expect_eq(run_wait(&run, START_MSEC), 0, "%s%s", word, run_story(&run));
}

static void try_gunicorn(const char *kind)
{
	struct bench bench;

	bench_open(&bench, kind);
	try_server(kind, "hello from wsgi\n", 3,
		   WORDS("--mem", "256M", "--", "gunicorn", "-k", kind, "-w", "2", "--timeout",
			 "120", "--graceful-timeout", "20", "-b",
			 bench_format(&bench, "127.0.0.1:%d", bench.port), "wsgi_app:app"),
		   &bench);
	bench_close(&bench);
}

Test(works, gunicorns_gthread_workers)
{
	try_gunicorn("gthread");
}

Test(works, gunicorns_gevent_workers)
{
	try_gunicorn("gevent");
}

Test(works, uvicorns_workers_on_uvloop)
{
	struct bench bench;

	bench_open(&bench, "uvloop");
	/* the parent, two workers, and the resource tracker of multiprocessing */
	try_server("uvicorn", "hello from asgi\n", 4,
		   WORDS("--mem", "256M", "--", "uvicorn", "--loop", "uvloop", "--workers", "2",
			 "--port", bench_format(&bench, "%d", bench.port), "asgi_app:app"),
		   &bench);
	bench_close(&bench);
}
