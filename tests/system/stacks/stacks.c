/* SPDX-License-Identifier: MIT */
/*
 * Stacks of apps in their sandboxes: other users, PID and mount namespaces, roots of their own,
 * virtualenvs, interpreters inside of servers. What is read is compared with what faulthandler says
 * in the app at the same moment.
 */
#include "tests/system/harness_hosting.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMPARE	  "/usr/lib/pysbx/tests/stacks/compare"
#define LOOKS_MAX 20
#define HELPER	  "/usr/libexec/pysbx/pysbx-stacks"

TestSuite(stacks, .timeout = TEST_TIMEOUT_SEC);

static void open_bench(struct bench *bench, const char *word)
{
	daemon_reset();
	bench_open(bench, word);
	cr_assert_eq(mkfifo(bench_format(bench, "%s/go", bench->data), 0666), 0);
	cr_assert_eq(chmod(bench_format(bench, "%s/go", bench->data), 0666), 0);
	daemon_start();
}

static void start_app(struct bench *bench, const char *const *command)
{
	json_t *app = app_object(bench, bench->name, command);
	struct reply reply = { .status = 0 };

	json_object_set_new(app, "isolation", json_pack("{s:[s]}", "writable", bench->data));
	json_object_set_new(app, "environment", json_pack("{s:s}", "STACKS_DATA", bench->data));
	app_apply(app);
	for (int64_t end = clock_msec() + START_MSEC; reply.status != 200 && clock_msec() < end;) {
		http_get(bench, "/", &reply, REACTION_MSEC);
		pause_msec(POLL_MSEC);
	}
	cr_assert_eq(reply.status, 200, "it does not answer");
}

/* Of the process that holds still, as we number it. */
static pid_t find_holder(const json_t *result, pid_t inside)
{
	const json_t *process;
	size_t index;

	json_array_foreach(json_object_get(result, "processes"), index, process)
	{
		if (json_integer_value(json_object_get(process, "pid_inside")) == inside)
			return (pid_t)field_number(process, "pid");
	}
	cr_assert_fail("process %d is not in the answer", (int)inside);
	return 0;
}

static off_t size_of(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 ? status.st_size : 0;
}

/* The dump is written line by line. */
static void await_dump(const char *path)
{
	off_t last = -1;

	for (int64_t end = clock_msec() + REACTION_MSEC; clock_msec() < end; pause_msec(300)) {
		off_t now = size_of(path);

		if (now > 0 && now == last)
			return;
		last = now;
	}
	cr_assert_fail("no dump");
}

/* Runs `pysbx stacks WORDS` until it tells all: its deadline may come first on a machine as slow as
 * an emulated one. Owned by the caller. */
static char *look(const char *words)
{
	for (unsigned tries = 1;; tries++) {
		char *text = NULL;
		int status = shell(&text, "pysbx stacks %s", words);

		if (status == 0 && strstr(text, "in time") == NULL)
			return text;
		cr_assert_lt(tries, LOOKS_MAX, "status %d: %s", status, text);
		free(text);
	}
}

/* Sends a request that holds, looks, compares, lets go. */
static void expect_right_stacks(struct bench *bench)
{
	const char *held = bench_format(bench, "%s/held", bench->data);
	const char *dump = bench_format(bench, "%s/dump", bench->data);
	const char *result = bench_format(bench, "%s/result", bench->data);
	_cleanup_free_ char *inside = NULL, *text = NULL, *story = NULL, *json = NULL;
	_cleanup_json_ json_t *stacks = NULL;
	struct reply reply;
	int request = http_send(bench, "/hold"), go;
	pid_t pid;

	cr_assert_geq(request, 0);
	cr_assert(AWAIT(size_of(held) > 0, START_MSEC), "no worker holds");
	inside = read_text(held);
	pause_msec(500); /* from there to where it waits */
	json = look(bench_format(bench, "%s --json", bench->name));
	write_text(result, json, 0644);
	stacks = json_loads(json, 0, NULL);
	cr_assert_not_null(stacks);
	pid = find_holder(stacks, atoi(inside));
	cr_assert_eq(kill(pid, SIGURG), 0);
	await_dump(dump);
	cr_expect_eq(shell(&story, COMPARE " --pair %s %s %d", result, dump, (int)pid), 0, "%s",
		     story);
	text = look(bench->name);
	cr_expect_not_null(strstr(text, "wait_for_go at "), "%s", text);
	cr_expect_not_null(strstr(text, "halten at "), "%s", text);
	cr_expect_not_null(strstr(text, " inside) "), "%s", text);
	go = open(bench_format(bench, "%s/go", bench->data), O_WRONLY | O_CLOEXEC);
	cr_assert_geq(go, 0);
	close(go);
	http_receive(request, &reply, REACTION_MSEC);
	cr_expect_str_eq(reply.body, "went on\n");
}

static void finish(struct bench *bench)
{
	daemon_reset();
	bench_close(bench);
}

Test(stacks, of_gunicorn_with_workers_and_threads)
{
	struct bench bench;

	open_bench(&bench, "gunicorn");
	start_app(&bench,
		  WORDS("gunicorn", "-w", "2", "-k", "gthread", "--threads", "3", "--timeout",
			"300", "-b", bench_format(&bench, "127.0.0.1:%d", bench.port),
			"stacks_app:app"));
	expect_right_stacks(&bench);
	finish(&bench);
}

Test(stacks, of_a_virtualenv)
{
	struct bench bench;

	open_bench(&bench, "venv");
	shell_output("python3 -m venv --system-site-packages --without-pip %s/venv", bench.apps);
	start_app(&bench,
		  WORDS(bench_format(&bench, "%s/venv/bin/python3", bench.apps), "-m", "gunicorn",
			"-w", "1", "--timeout", "300", "-b",
			bench_format(&bench, "127.0.0.1:%d", bench.port), "stacks_app:app"));
	expect_right_stacks(&bench);
	finish(&bench);
}

Test(stacks, of_the_interpreter_inside_uwsgi)
{
	struct bench bench;

	open_bench(&bench, "uwsgi");
	start_app(&bench,
		  WORDS("uwsgi", "--plugin", "python3", "--http-socket",
			bench_format(&bench, "127.0.0.1:%d", bench.port), "--master", "--processes",
			"2", "--die-on-term", "--need-app", "--module", "stacks_app:app"));
	expect_right_stacks(&bench);
	finish(&bench);
}

/* In a root of its own, where files have other names than here. */
Test(stacks, of_an_interpreter_in_a_chroot)
{
	struct bench bench;
	const char *root;
	_cleanup_free_ char *text = NULL;

	daemon_reset();
	bench_open(&bench, "chroot");
	root = bench_format(&bench, "%s/root", bench.directory);
	shell_output("set -e; mkdir -p %s/usr %s/proc; ln -s usr/lib usr/lib64 usr/bin %s/", root,
		     root, root);
	text = shell_output("unshare -m sh -c '"
			    "mount --bind /usr %s/usr; "
			    "chroot %s python3 -c \"import time; time.sleep(60)\" & "
			    "sleep 5; for i in 1 2 3 4 5; do pysbx stacks $!; done; kill $!'",
			    root, root);
	cr_expect_not_null(strstr(text, "<module> at <string>:1"), "%s", text);
	shell_output("rm -r %s", root);
	bench_close(&bench);
}

Test(stacks, agree_with_faulthandler_on_the_systems_python)
{
	_cleanup_free_ char *story = NULL;

	cr_expect_eq(shell(&story, COMPARE " " HELPER " python3"), 0, "%s", story);
	cr_expect_not_null(strstr(story, ", 0 wrong"), "%s", story);
}

Test(stacks, are_not_there_without_a_process)
{
	struct bench bench;

	open_bench(&bench, "stopped");
	app_apply(app_object(&bench, bench.name, WORDS("sleep", "1000")));
	daemon_do("app.stop", "{s:s}", "name", bench.name);
	json_decref(
		daemon_refusal("conflict", "app.stacks", json_pack("{s:s}", "name", bench.name)));
	json_decref(
		daemon_refusal("not-found", "app.stacks", json_pack("{s:s}", "name", "nobody")));
	cr_expect_eq(shell(NULL, "pysbx stacks 999999999 2>/dev/null"), 5);
	finish(&bench);
}

/* A program that is no Python has threads, and no frames. */
Test(stacks, of_what_is_no_python_say_so)
{
	struct bench bench;
	_cleanup_json_ json_t *result = NULL;
	const json_t *process;

	open_bench(&bench, "sleep");
	app_apply(app_object(&bench, bench.name, WORDS("sleep", "1000")));
	result = daemon_call("app.stacks", "{s:s}", "name", bench.name);
	process = json_array_get(json_object_get(result, "processes"), 0);
	cr_expect_str_eq(field_text(process, "error"), "no Python in it");
	cr_expect(field_is_null(process, "python"));
	cr_expect_eq(json_array_size(json_object_get(process, "threads")), 1);
	finish(&bench);
}
