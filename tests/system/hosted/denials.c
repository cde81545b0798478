/* SPDX-License-Identifier: MIT */
/* What a profile refuses to an app of the daemon: where it is told, and that nobody waits for it.
 */
#include "tests/system/harness_daemon.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_SYSCALL_REFUSED "MESSAGE_ID=5780b0d6c9e74c85a4ad2bdec1125472"
#define EVENT_CANARY_LIFTED   "MESSAGE_ID=042540d9aedc4df897bf97c4e34f1838"
/* A caller waits for a second at the most, and the guest is emulated. */
#define BEAT_MAX_MSEC 3000

TestSuite(denials, .timeout = TEST_TIMEOUT_SEC);

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

/* denials.py, which may write to bench->data. */
static json_t *app_of(struct bench *bench, const char *name, const char *what, const char *mode)
{
	json_t *app = app_object(bench, name, WORDS("python3", "denials.py", what, bench->data));

	json_object_set_new(app, "isolation", json_pack("{s:[s]}", "writable", bench->data));
	json_object_set_new(app, "syscalls",
			    json_pack("{s:s, s:s}", "profile", "python-web", "mode", mode));
	json_object_set_new(app, "restart",
			    json_pack("{s:s, s:s}", "mode", "always", "backoff", "100ms"));
	return app;
}

static long long denials_of(const char *name, const char *key)
{
	_cleanup_json_ json_t *app = app_get(name);
	const json_t *value = json_object_get(json_object_get(app, "denials"), key);

	return json_is_boolean(value) ? json_is_true(value) : json_integer_value(value);
}

/* The first event of this type that comes, within msec; owned by the caller. */
static json_t *await_event(struct link *link, const char *type, int msec)
{
	int64_t deadline = clock_msec() + msec;

	while (clock_msec() < deadline) {
		_cleanup_json_ json_t *message = link_next(link, (int)(deadline - clock_msec()));
		json_t *params = json_object_get(message, "params");
		const char *is = json_string_value(json_object_get(params, "type"));

		if (is != NULL && strcmp(is, type) == 0)
			return json_incref(params);
	}
	cr_assert_fail("no event %s", type);
	return NULL;
}

Test(denials, are_in_the_journal_the_log_the_events_and_the_figures)
{
	_cleanup_json_ json_t *entries = NULL, *event = NULL;
	_cleanup_free_ char *logs = NULL, *status = NULL;
	struct bench bench;
	struct link link;
	const char *name = open_bench(&bench, "denied"), *text;

	app_apply(app_of(&bench, name, "file", "enforce"));
	link_open(&link);
	link_request(&link, 1, "events.subscribe", json_pack("{s:s}", "app", name));
	json_decref(link_next(&link, REACTION_MSEC));
	/* AF_ALG is refused by the daemon's own unit already, and not for us to tell */
	write_text(bench_format(&bench, "%s/go", bench.data), "", 0644);

	entries = journal_await(
		"", WORDS(EVENT_SYSCALL_REFUSED, bench_format(&bench, "PYSBX_APP=%s", name)), 3,
		REACTION_MSEC);
	text = journal_text(json_array_get(entries, 0), "MESSAGE");
	cr_expect_not_null(strstr(text, "seccomp refused chroot(0x"), "%s", text);
	cr_expect_not_null(strstr(text, "/usr/bin/python3"), "%s", text);
	cr_expect_not_null(strstr(text, "the profile needs {\"names\": [\"chroot\"]"), "%s", text);

	event = await_event(&link, "app.denial", REACTION_MSEC);
	cr_expect_str_eq(field_text(event, "syscall"), "chroot");
	cr_expect_eq(field_number(event, "errno"), 1);
	cr_expect_not(field_bool(event, "made"));
	cr_expect_gt(field_number(event, "pid"), 1);
	link_close(&link);

	cr_expect(AWAIT(denials_of(name, "told") == 3 && denials_of(name, "untold") == 3,
			REACTION_MSEC),
		  "%lld told, %lld not", denials_of(name, "told"), denials_of(name, "untold"));
	cr_expect_not(denials_of(name, "permitted"));
	logs = shell_output("pysbx logs %s", name);
	cr_expect_not_null(strstr(logs, "pysbx: seccomp refused unshare(CLONE_NEWUSER)"), "%s",
			   logs);
	status = shell_output("pysbx status %s", name);
	cr_expect_not_null(strstr(status, "6 refused, 3 of them told"), "%s", status);
	finish(&bench);
}

/* "EPERM 0\nEPERM 1\n": how long the slowest took; at least `least` of them. */
static long slowest_beat(const char *path, size_t least)
{
	_cleanup_free_ char *text = read_text(path);
	size_t count = 0;
	long slowest = 0;

	for (const char *at = text; (at = strchr(at, ' ')) != NULL; at++, count++) {
		long took = strtol(at, NULL, 10);

		slowest = took > slowest ? took : slowest;
	}
	cr_expect_geq(count, least, "%s", text);
	return slowest;
}

static size_t beats(const char *path, const char *word)
{
	_cleanup_free_ char *text = read_text(path);
	size_t count = 0;

	for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
		count++;
	return count;
}

Test(denials, hold_up_nothing_while_the_daemon_is_killed)
{
	struct bench bench;
	const char *name = open_bench(&bench, "killed"), *path;

	path = bench_format(&bench, "%s/beats", bench.data);
	app_apply(app_of(&bench, name, "beat", "enforce"));
	cr_assert(AWAIT(beats(path, "EPERM") > 5, START_MSEC));
	for (int i = 0; i < 3; i++) {
		pid_t pid = daemon_pid();
		size_t before = beats(path, "EPERM");

		daemon_kill(i == 2 ? SIGSTOP : SIGKILL);
		cr_expect(AWAIT(beats(path, "EPERM") > before + 10, REACTION_MSEC));
		if (i == 2)
			kill(pid, SIGKILL);
		daemon_await_successor(pid, START_MSEC);
	}
	cr_expect_lt(slowest_beat(path, 30), BEAT_MAX_MSEC);
	cr_expect(AWAIT(denials_of(name, "untold") > 10, REACTION_MSEC), "counted again");
	finish(&bench);
}

Test(denials, lift_a_canary_until_somebody_asks_for_a_start)
{
	_cleanup_json_ json_t *event = NULL;
	struct bench bench;
	struct link link;
	const char *name = open_bench(&bench, "lifted"), *path;
	pid_t pids[BENCH_PIDS_MAX];

	path = bench_format(&bench, "%s/beats", bench.data);
	link_open(&link);
	link_request(&link, 1, "events.subscribe", json_pack("{s:s}", "app", name));
	json_decref(link_next(&link, REACTION_MSEC));
	app_apply(app_of(&bench, name, "beat", "canary"));
	event = await_event(&link, "app.canary", START_MSEC);
	link_close(&link);
	cr_expect_str_eq(field_text(event, "profile"), "python-web");
	cr_assert_eq(json_array_size(json_object_get(event, "rules")), 1);
	cr_expect_str_eq(field_text(json_array_get(json_object_get(event, "rules"), 0), "action"),
			 "SCMP_ACT_ALLOW");
	json_decref(journal_await(
		"", WORDS(EVENT_CANARY_LIFTED, bench_format(&bench, "PYSBX_APP=%s", name)), 1,
		REACTION_MSEC));
	cr_expect_geq(beats(path, "EPERM"), 5);
	cr_expect(AWAIT(beats(path, "made") > 0, REACTION_MSEC));
	cr_expect(denials_of(name, "permitted"));

	/* another daemon, then another life */
	daemon_restart();
	cr_expect(denials_of(name, "permitted"));
	cr_assert_eq(app_pids(name, pids), 1);
	write_text(path, "", 0666);
	cr_assert_eq(kill(pids[0], SIGKILL), 0);
	cr_expect(AWAIT(app_pids(name, pids) == 1 && beats(path, "made") > 20, START_MSEC));
	cr_expect_eq(beats(path, "EPERM"), 0, "the filter is not tried again after a crash");

	daemon_do("app.restart", "{s:s}", "name", name);
	cr_expect(AWAIT(beats(path, "EPERM") > 0, START_MSEC), "nor is it given up for good");
	finish(&bench);
}
