/* SPDX-License-Identifier: MIT */
/*
 * Where what apps write and what the daemon tells goes: the journal, files, followers; and that
 * nobody waits for a journal that is stuck, or for an app that floods it.
 */
#include "tests/system/harness_daemon.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LOOKS	     200
#define P99_MAX_MSEC 5000 /* the guest is emulated, and its host has other things to do, too */
#define LOG_PATH_MAX 512

TestSuite(daemon_logs, .timeout = TEST_TIMEOUT_SEC);

static json_t *app_with_log(const struct bench *bench, const char *name, json_t *log,
			    const char *const *words)
{
	json_t *app = app_object(bench, name, words);

	if (log != NULL)
		json_object_set_new(app, "log", log);
	json_object_set_new(app, "restart", json_pack("{s:s}", "mode", "never"));
	return app;
}

static const char *open_bench(struct bench *bench, const char *word)
{
	daemon_reset();
	bench_open(bench, word);
	daemon_start();
	return bench_format(bench, "app-%s", bench->name);
}

static void finish(struct bench *bench)
{
	daemon_reset();
	bench_close(bench);
}

/* Somewhere: two streams are two pipes, and have no order between them. */
static void expect_line(const json_t *lines, const char *stream, const char *text)
{
	bool found = false;
	const json_t *line;
	size_t i;

	json_array_foreach(lines, i, line) found |=
		strcmp(field_text(line, "stream"), stream) == 0 &&
		strcmp(field_text(line, "text"), text) == 0;
	cr_expect(found, "no \"%s\" of %s in %s", text, stream, json_dumps(lines, 0));
}

Test(daemon_logs, lines_of_workers_are_in_the_journal_with_whose_they_are)
{
	_cleanup_json_ json_t *out = NULL, *errors = NULL, *logs = NULL, *app = NULL;
	const json_t *entry, *lines;
	struct bench bench;
	const char *name = open_bench(&bench, "fields");

	daemon_do("tenant.apply", "{s:{s:s, s:[s]}}", "tenant", "name", "acme", "directories",
		  bench.directory);
	app = app_with_log(&bench, name, NULL,
			   WORDS("sh", "-c", "echo to out; echo to err >&2; exec sleep 600"));
	json_object_set_new(app, "tenant", json_string("acme"));
	daemon_do("app.apply", "{s:O}", "app", app);
	out = journal_await(
		"", WORDS(bench_format(&bench, "PYSBX_APP=%s", name), "PYSBX_STREAM=stdout"), 1,
		REACTION_MSEC);
	entry = json_array_get(out, 0);
	cr_expect_str_eq(journal_text(entry, "MESSAGE"), "to out");
	cr_expect_str_eq(journal_text(entry, "PYSBX_TENANT"), "acme");
	cr_expect_str_eq(journal_text(entry, "PYSBX_INSTANCE"), "0");
	cr_expect_str_eq(journal_text(entry, "SYSLOG_IDENTIFIER"), name);
	errors = journal_await(
		"", WORDS(bench_format(&bench, "PYSBX_APP=%s", name), "PYSBX_STREAM=stderr"), 1,
		REACTION_MSEC);
	cr_expect_str_eq(journal_text(json_array_get(errors, 0), "MESSAGE"), "to err");
	logs = daemon_call("app.logs", "{s:s}", "name", name);
	lines = json_object_get(logs, "lines");
	cr_expect_eq(json_array_size(lines), 2);
	expect_line(lines, "stdout", "to out");
	expect_line(lines, "stderr", "to err");
	finish(&bench);
}

/* Is there an explanation of the catalog with this event? */
static void expect_explained(struct bench *bench, const char *event, const char *subject)
{
	_cleanup_free_ char *text =
		shell_output("journalctl --sync; journalctl --boot -x --no-pager "
			     "-o short '%s'",
			     event);

	cr_expect_not_null(strstr(text, bench_format(bench, "Subject: %s", subject)),
			   "%s: no \"%s\" in: %s", event, subject, text);
}

Test(daemon_logs, events_of_the_daemon_are_found_by_their_id_and_explained)
{
	char mark[JOURNAL_MARK_MAX];
	_cleanup_json_ json_t *started = NULL, *died = NULL;
	struct bench bench;
	const char *name, *of_app;

	free(shell_output("journalctl --update-catalog 2>&1")); /* as a package does */
	journal_mark(mark);
	name = open_bench(&bench, "ids");
	of_app = bench_format(&bench, "PYSBX_APP=%s", name);
	app_apply(app_object(&bench, name, WORDS("sleep", "600")));
	json_decref(journal_await(mark, WORDS(EVENT_DAEMON_STARTED), 1, REACTION_MSEC));
	started = journal_await(mark, WORDS(EVENT_APP_STARTED, of_app), 1, REACTION_MSEC);
	cr_expect_str_neq(journal_text(json_array_get(started, 0), "CODE_FUNC"), "");
	daemon_do("app.signal", "{s:s, s:s}", "name", name, "signal", "KILL");
	json_decref(app_await_incident(name, 1, REACTION_MSEC));
	died = journal_await(mark, WORDS(EVENT_APP_DIED, of_app), 1, REACTION_MSEC);
	cr_expect_str_neq(journal_text(json_array_get(died, 0), "PYSBX_INCIDENT"), "");
	expect_explained(&bench, EVENT_DAEMON_STARTED, "pysbxd has started");
	expect_explained(&bench, EVENT_APP_DIED, bench_format(&bench, "App %s has died", name));
	expect_explained(&bench, EVENT_APP_STARTED,
			 bench_format(&bench, "App %s has started", name));
	finish(&bench);
}

/* --- files ------------------------------------------------------------------------------------ */

static off_t size_of(const char *name, const char *suffix)
{
	char path[LOG_PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "/var/log/pysbx/%s.log%s", name, suffix);
	return stat(path, &st) == 0 ? st.st_size : -1;
}

Test(daemon_logs, a_log_file_is_rotated_by_size_and_no_line_is_torn)
{
	struct bench bench;
	const char *name = open_bench(&bench, "files");
	_cleanup_free_ char *torn = NULL;

	daemon_do("app.apply", "{s:o}", "app",
		  app_with_log(&bench, name,
			       json_pack("{s:s, s:s, s:i, s:s}", "target", "file", "max_size",
					 "64K", "keep", 2, "rate", "max"),
			       WORDS("python3", "flood.py", "400000", "0")));
	app_await_state(name, "stopped", START_MSEC);
	cr_expect(size_of(name, "") > 0 && size_of(name, "") <= 65536);
	cr_expect_gt(size_of(name, ".1"), 32768);
	cr_expect_leq(size_of(name, ".1"), 65536);
	cr_expect_gt(size_of(name, ".2"), 32768);
	cr_expect_lt(size_of(name, ".3"), 0, "more are kept than were asked for");
	torn = shell_output("cd /var/log/pysbx && cat %s.log.2 %s.log.1 %s.log | "
			    "grep -c -v -E '^([0-9]{63}|flood is over)$' || true",
			    name, name, name);
	cr_expect_str_eq(torn, "0\n");
	finish(&bench);
}

Test(daemon_logs, what_is_above_the_rate_is_dropped_and_counted)
{
	_cleanup_json_ json_t *told = NULL;
	char mark[JOURNAL_MARK_MAX];
	struct bench bench;
	const char *name = open_bench(&bench, "rate"), *text;
	size_t kept;

	journal_mark(mark);
	daemon_do("app.apply", "{s:o}", "app",
		  app_with_log(&bench, name, json_pack("{s:i}", "rate", 20),
			       WORDS("python3", "flood.py", "64000", "0"))); /* 1000 lines */
	app_await_state(name, "stopped", START_MSEC);
	told = journal_await(
		mark, WORDS(EVENT_LOG_LINES_DROPPED, bench_format(&bench, "PYSBX_APP=%s", name)), 1,
		REACTION_MSEC);
	kept = journal_count(
		mark, WORDS(bench_format(&bench, "PYSBX_APP=%s", name), "PYSBX_STREAM=stdout"));
	text = journal_text(json_array_get(told, 0), "MESSAGE");
	cr_expect(kept > 0 && kept < 900, "%zu lines of 1000", kept);
	cr_expect_not_null(strpbrk(text, "0123456789"), "no number in: %s", text);
	finish(&bench);
}

/* --- a journal that is stuck ------------------------------------------------------------------ */

static pid_t journald_pid(void)
{
	_cleanup_free_ char *text =
		shell_output("systemctl show --property=MainPID --value systemd-journald");

	return (pid_t)strtol(text, NULL, 10);
}

Test(daemon_logs, a_stuck_journal_holds_up_neither_worker_nor_daemon)
{
	struct bench bench;
	const char *name = open_bench(&bench, "stuck");
	pid_t journald = journald_pid();
	bool ended;

	cr_assert_gt(journald, 0);
	cr_assert_eq(kill(journald, SIGSTOP), 0);
	json_decref(
		daemon_try("app.apply",
			   json_pack("{s:o}", "app",
				     app_with_log(&bench, name, json_pack("{s:s}", "rate", "max"),
						  WORDS("python3", "flood.py", "2000000", "0"))),
			   REACTION_MSEC));
	ended = AWAIT(({
			      _cleanup_free_ char *state = app_state_text(name);
			      strcmp(state, "stopped") == 0;
		      }),
		      START_MSEC);
	cr_expect_eq(kill(journald, SIGCONT), 0); /* before anything can fail and ask it */
	cr_expect(ended, "the worker was held up");
	json_decref(journal_await(
		"", WORDS(EVENT_LOG_LINES_DROPPED, bench_format(&bench, "PYSBX_APP=%s", name)), 1,
		START_MSEC));
	finish(&bench);
}

/* --- answers beside an app that misbehaves ---------------------------------------------------- */

static int compare_times(const void *a, const void *b)
{
	const int64_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

static void measure(const char *method)
{
	int64_t times[LOOKS];
	struct link link;

	link_open(&link);
	for (int i = 0; i < LOOKS; i++) {
		int64_t began = clock_msec();
		json_t *answer;

		link_request(&link, i, method, NULL);
		answer = link_next(&link, CALL_MSEC);
		times[i] = clock_msec() - began;
		cr_assert_not_null(json_object_get(answer, "result"), "%s", method);
		json_decref(answer);
		pause_msec(POLL_MSEC);
	}
	link_close(&link);
	qsort(times, LOOKS, sizeof(times[0]), compare_times);
	fprintf(stderr, "%s beside a fork bomb and a flood: median %lld ms, p99 %lld ms\n", method,
		(long long)times[LOOKS / 2], (long long)times[LOOKS * 99 / 100 - 1]);
	cr_expect_leq(times[LOOKS * 99 / 100 - 1], P99_MAX_MSEC, "%s: p99 %lld ms", method,
		      (long long)times[LOOKS * 99 / 100 - 1]);
}

Test(daemon_logs, the_daemon_answers_beside_a_fork_bomb_and_a_flood)
{
	struct bench bench;
	const char *bomb = open_bench(&bench, "bomb");
	const char *flood = bench_format(&bench, "flood-%s", bench.name);
	json_t *app = app_object(&bench, bomb, WORDS("python3", "forkbomb.py", "240"));

	json_object_set_new(
		app, "limits",
		json_pack("{s:i, s:s, s:s}", "pids", 48, "memory", "256M", "cpu", "100%"));
	json_object_set_new(app, "stop", json_pack("{s:s}", "grace", "1s"));
	app_apply(app);
	app = app_object(&bench, flood, WORDS("yes", "flood"));
	json_object_set_new(app, "limits", json_pack("{s:s}", "cpu", "50%"));
	app_apply(app);
	measure("daemon.info");
	measure("app.list");
	daemon_do("app.stop", "{s:s}", "name", bomb); /* deaf: it has to be killed */
	daemon_do("app.stop", "{s:s}", "name", flood);
	finish(&bench);
}
