/* SPDX-License-Identifier: MIT */
/*
 * What a daemon comes back to: a state file that is damaged, files that are wrong, a scope that was
 * stopped.
 */
#include "tests/system/harness_hosting.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCOPE_STOPS 5

TestSuite(returns, .timeout = TEST_TIMEOUT_SEC);

/* --- damaged state ---------------------------------------------------------------------------- */

static json_t *load_state(void)
{
	json_error_t error;
	json_t *state = json_load_file(DAEMON_STATE_FILE, 0, &error);

	cr_assert_not_null(state, DAEMON_STATE_FILE ": %s", error.text);
	return state;
}

static void put_state(json_t *state)
{
	cr_assert_eq(json_dump_file(state, DAEMON_STATE_FILE, JSON_COMPACT), 0);
	json_decref(state);
}

static void put_garbage(const char *name)
{
	(void)name;
	write_text(DAEMON_STATE_FILE, "\x01\xff{{{ not JSON \n", 0600);
}

static void put_nothing(const char *name)
{
	(void)name;
	write_text(DAEMON_STATE_FILE, "", 0600);
}

static void put_half(const char *name)
{
	_cleanup_free_ char *text = read_text(DAEMON_STATE_FILE);
	(void)name;

	text[strlen(text) / 2] = '\0';
	write_text(DAEMON_STATE_FILE, text, 0600);
}

static void put_other_version(const char *name)
{
	json_t *state = load_state();
	(void)name;

	json_object_set_new(state, "version", json_integer(99));
	put_state(state);
}

static void put_list_of_apps(const char *name)
{
	json_t *state = load_state();
	(void)name;

	json_object_set_new(state, "apps", json_pack("[i, s]", 1, "two"));
	put_state(state);
}

static void put_in_record(const char *name, const char *key, json_t *value)
{
	json_t *state = load_state();
	json_t *record = json_object_get(json_object_get(state, "apps"), name);

	cr_assert_not_null(record);
	json_object_set_new(record, key, value);
	put_state(state);
}

static void put_hostile_leaf(const char *name)
{
	put_in_record(name, "leaf", json_string("../.."));
}

static void put_unknown_state(const char *name)
{
	put_in_record(name, "state", json_string("dancing"));
}

static void put_short_counters(const char *name)
{
	put_in_record(name, "base", json_pack("[i]", 1));
}

static void put_no_record(const char *name)
{
	json_t *state = load_state();

	json_object_set_new(json_object_get(state, "apps"), name, json_integer(5));
	put_state(state);
}

/* Nothing in it is wrong by itself, and none of it may be acted on. */
static void put_hostile_numbers(const char *name)
{
	put_in_record(name, "pid", json_integer(1));
	put_in_record(name, "stop_signal", json_integer(-9));
	put_in_record(name, "due_usec", json_integer(INT64_MAX));
	put_in_record(name, "decision", json_integer(-1));
	put_in_record(name, "lost_leaves", json_integer(INT64_MIN));
}

static void put_hostile_name(const char *name)
{
	json_t *state = load_state(), *apps = json_object_get(state, "apps");

	json_object_set(apps, "../../../etc", json_object_get(apps, name));
	put_state(state);
}

static void put_backoff(const char *name)
{
	put_in_record(name, "state", json_string("backoff"));
	put_in_record(name, "due_usec", json_integer(0));
}

static void put_failed(const char *name)
{
	put_in_record(name, "state", json_string("failed"));
}

Test(returns, a_damaged_state_file_costs_no_app)
{
	static const struct {
		const char *word;
		void (*put)(const char *name);
		bool told;
	} damages[] = {
		{ "garbage", put_garbage, true },
		{ "nothing", put_nothing, true },
		{ "truncated", put_half, true },
		{ "other version", put_other_version, true },
		{ "wrong type", put_list_of_apps, true },
		{ "hostile leaf", put_hostile_leaf, true },
		{ "unknown state", put_unknown_state, true },
		{ "short counters", put_short_counters, true },
		{ "no record", put_no_record, true },
		{ "hostile numbers", put_hostile_numbers, false },
		{ "hostile name", put_hostile_name, false },
		{ "said to be in backoff", put_backoff, false },
		{ "said to have failed", put_failed, false },
	};
	struct bench bench;
	pid_t pid;

	daemon_bench_open(&bench, "state");
	app_apply(app_object(&bench, bench.name, WORDS("sleep", "1000")));
	pid = app_only_pid(bench.name);
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		char mark[JOURNAL_MARK_MAX];

		journal_mark(mark);
		daemon_stop();
		damages[i].put(bench.name);
		daemon_start();
		app_await_state(bench.name, "running", REACTION_MSEC);
		cr_expect_eq(app_only_pid(bench.name), pid, "%s: another worker", damages[i].word);
		json_decref(journal_await(mark, WORDS(EVENT_APP_ADOPTED), 1, REACTION_MSEC));
		cr_expect_eq(journal_count(mark, WORDS(EVENT_STATE_UNREADABLE)),
			     damages[i].told ? 1 : 0, "%s: not told", damages[i].word);
		cr_expect_eq(journal_count(mark, WORDS(EVENT_APP_ADOPTED)), 1, "%s: adopted again",
			     damages[i].word);
	}
	daemon_do("app.stop", "{s:s}", "name", bench.name);
	cr_expect_eq(app_count_incidents(bench.name), 0);
	daemon_bench_close(&bench);
}

/* All are gone, and nobody heard how. */
Test(returns, apps_whose_scope_has_ended_unseen_start_as_at_boot)
{
	struct bench bench;
	const char *stopped;

	daemon_bench_open(&bench, "unseen");
	stopped = bench_format(&bench, "%s2", bench.name);
	app_apply(app_object(&bench, bench.name, WORDS("sleep", "1000")));
	app_apply(app_object(&bench, stopped, WORDS("sleep", "1000")));
	daemon_do("app.stop", "{s:s}", "name", stopped);
	daemon_stop();
	free(shell_output("systemctl stop " DAEMON_SCOPE));
	daemon_start();
	app_await_state(bench.name, "running", REACTION_MSEC);
	app_await_pids(bench.name, 1, REACTION_MSEC);
	app_await_state(stopped, "stopped", REACTION_MSEC);
	cr_expect_eq(app_count_incidents(bench.name), 0);
	daemon_do("app.remove", "{s:s}", "name", stopped);
	daemon_bench_close(&bench);
}

/* It would run, had its record not been damaged. */
Test(returns, an_app_with_a_damaged_record_that_does_not_run_is_started)
{
	struct bench bench;

	daemon_bench_open(&bench, "start");
	app_apply(app_object(&bench, bench.name, WORDS("sleep", "1000")));
	daemon_stop();
	free(shell_output("systemctl stop " DAEMON_SCOPE));
	put_no_record(bench.name);
	daemon_start();
	app_await_state(bench.name, "running", REACTION_MSEC);
	daemon_bench_close(&bench);
}

#define DECLARED(app) "{\"declared_by\": null, \"app\": " app "}"

Test(returns, a_wrong_file_of_an_app_costs_only_that_app)
{
	static const struct {
		const char *name, *text, *said;
	} files[] = {
		{ "wrong-limit",
		  DECLARED("{\"name\": \"wrong-limit\", \"command\": [\"sleep\", \"1\"], "
			   "\"directory\": \"/srv\", \"limits\": {\"memory\": \"lots\"}}"),
		  "limits.memory" },
		{ "wrong-type", DECLARED("{\"name\": \"wrong-type\", \"command\": {}}"),
		  "command" },
		{ "wrong-name",
		  DECLARED("{\"name\": \"other\", \"command\": [\"sleep\"], \"directory\": "
			   "\"/srv\"}"),
		  "other" },
		{ "cut-off", "{\"name\": \"cut-off\", \"comma", "line 1" },
	};
	char mark[JOURNAL_MARK_MAX];
	struct bench bench;
	pid_t pid;

	daemon_bench_open(&bench, "files");
	app_apply(app_object(&bench, bench.name, WORDS("sleep", "1000")));
	pid = app_only_pid(bench.name);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		write_text(bench_format(&bench, "/var/lib/pysbx/apps/%s.json", files[i].name),
			   files[i].text, 0600);
	journal_mark(mark);
	daemon_restart();
	app_await_state(bench.name, "running", REACTION_MSEC);
	cr_expect_eq(app_only_pid(bench.name), pid);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_json_ json_t *entries = journal_read(mark, WORDS(EVENT_CONFIG_REFUSED));
		const char *path =
			bench_format(&bench, "/var/lib/pysbx/apps/%s.json", files[i].name);
		size_t told = 0;

		for (size_t k = 0; k < json_array_size(entries); k++) {
			const char *text = journal_text(json_array_get(entries, k), "MESSAGE");

			told += strstr(text, path) != NULL && strstr(text, files[i].said) != NULL;
		}
		cr_expect_eq(told, 1, "%s is not told", path);
	}
	daemon_bench_close(&bench);
}

static void expect_untouched(const struct bench *bench, pid_t pid)
{
	_cleanup_free_ char *max = app_read(bench->name, "memory.max");

	app_await_state(bench->name, "running", REACTION_MSEC);
	cr_expect_eq(app_only_pid(bench->name), pid);
	cr_expect_str_eq(max, "67108864");
}

/* A typing error in a file is no reason to end what runs, nor to lift its limits. */
Test(returns, an_app_whose_file_became_wrong_goes_on_until_it_is_right_again)
{
	_cleanup_free_ char *right = NULL;
	const char *path;
	struct bench bench;
	json_t *object;
	pid_t pid;

	daemon_bench_open(&bench, "held");
	object = app_object(&bench, bench.name, WORDS("sleep", "1000"));
	json_object_set_new(object, "limits", json_pack("{s:s}", "memory", "64M"));
	app_apply(object);
	pid = app_only_pid(bench.name);
	path = bench_format(&bench, "/var/lib/pysbx/apps/%s.json", bench.name);
	right = read_text(path);
	write_text(path, "{", 0600);
	/* twice: what the first has noted is right, too */
	for (int i = 0; i < 2; i++) {
		daemon_restart();
		expect_untouched(&bench, pid);
		json_decref(daemon_refusal("invalid", "daemon.reload", NULL));
		expect_untouched(&bench, pid);
	}
	write_text(path, right, 0600);
	daemon_do("daemon.reload", NULL);
	expect_untouched(&bench, pid);
	daemon_do("app.restart", "{s:s}", "name", bench.name);
	cr_expect_neq(app_only_pid(bench.name), pid);
	daemon_bench_close(&bench);
}

Test(returns, a_daemon_with_wrong_settings_does_not_start_and_apps_go_on)
{
	struct bench bench;
	json_t *object;
	pid_t pid;

	daemon_bench_open(&bench, "settings");
	object = app_object(&bench, bench.name, WORDS("sleep", "1000"));
	json_object_set_new(object, "limits", json_pack("{s:s}", "memory", "64M"));
	app_apply(object);
	pid = app_only_pid(bench.name);
	daemon_stop();
	write_text("/etc/pysbx/pysbxd.json", "{", 0644);
	cr_expect_neq(shell(NULL, "/usr/sbin/pysbxd 2>/dev/null"), 0);
	cr_expect_eq(app_only_pid(bench.name), pid);
	cr_expect_eq(unlink("/etc/pysbx/pysbxd.json"), 0);
	daemon_start();
	expect_untouched(&bench, pid);
	daemon_bench_close(&bench);
}

/* Neither left to itself under the old tenant, nor taken for lost under the new one. */
Test(returns, an_app_whose_tenant_was_changed_meanwhile_is_started_anew_under_it)
{
	struct hosting hosting;
	pid_t pid;

	hosting_open(&hosting, "moved");
	hosting_write_sleepers(&hosting);
	daemon_start();
	app_await_state(hosting.site, "running", START_MSEC);
	pid = app_main_pid(hosting.site);
	daemon_stop();
	app_write_file(hosting_app(&hosting, HOSTING_ACME, hosting.site, WORDS("sleep", "600")));
	daemon_start();
	cr_expect(AWAIT(kill(pid, 0) < 0, REACTION_MSEC), "it runs on as what it was");
	app_await_state(hosting.site, "running", START_MSEC);
	expect_limit(HOSTING_ACME, hosting.site, "pids.max", "64");
	cr_expect_eq(access(DAEMON_SCOPE_PATH "/" HOSTING_BETA ".tenant", F_OK), -1);
	cr_expect_eq(app_count_incidents(hosting.site), 0);
	hosting_close(&hosting);
}

/* With its grace, however it came to be undeclared. */
Test(returns, an_app_that_is_no_longer_declared_is_stopped_in_peace)
{
	struct bench bench;

	daemon_bench_open(&bench, "peace");
	app_apply(app_object(&bench, bench.name,
			     WORDS("sh", "-c",
				   bench_format(&bench,
						"trap 'touch %s/told; exit' TERM; touch %s/ready; "
						"while :; do sleep 0.1; done",
						bench.data, bench.data))));
	cr_assert(AWAIT(access(bench_format(&bench, "%s/ready", bench.data), F_OK) == 0,
			REACTION_MSEC));
	daemon_stop();
	cr_assert_eq(unlink(bench_format(&bench, "/var/lib/pysbx/apps/%s.json", bench.name)), 0);
	daemon_start();
	app_await_state(bench.name, "", REACTION_MSEC);
	cr_expect_eq(access(bench_format(&bench, "%s/told", bench.data), F_OK), 0, "killed");
	cr_expect_eq(app_count_incidents(bench.name), 0);
	bench_close(&bench);
}

/* --- the scope -------------------------------------------------------------------------------- */

Test(returns, a_stop_of_the_scope_is_a_stop_of_all_apps_and_no_incident)
{
	struct bench bench;
	const char *second;

	daemon_bench_open(&bench, "scope");
	second = bench_format(&bench, "%s2", bench.name);
	app_apply(app_object(&bench, bench.name, WORDS("sleep", "1000")));
	app_apply(app_object(&bench, second, WORDS("python3", "signals.py")));
	for (int i = 0; i < SCOPE_STOPS; i++) {
		free(shell_output("systemctl stop " DAEMON_SCOPE));
		app_await_state(bench.name, "stopped", REACTION_MSEC);
		app_await_state(second, "stopped", REACTION_MSEC);
		cr_expect_eq(app_count_incidents(bench.name), 0);
		cr_expect_eq(app_count_incidents(second), 0);
		daemon_do("app.start", "{s:s}", "name", bench.name);
		daemon_do("app.start", "{s:s}", "name", second);
		app_await_pids(bench.name, 1, REACTION_MSEC);
		cr_expect_eq(shell(NULL, "systemctl is-active --quiet " DAEMON_SCOPE), 0);
	}
	daemon_do("app.remove", "{s:s}", "name", second);
	daemon_bench_close(&bench);
}
