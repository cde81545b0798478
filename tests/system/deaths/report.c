/* SPDX-License-Identifier: MIT */
/*
 * The report of a death: told once, whole, in words, without secrets, also on a full disk; and who
 * is told of it.
 */
#include "tests/system/harness_daemon.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INCIDENTS    "/var/lib/pysbx/incidents"
#define SETTINGS     "/etc/pysbx/pysbxd.json"
#define SLOWLY	     "524288" /* bytes of leak.py's step */
#define FAST	     "2097152"
#define HOOK_UID     "1879179264\n"
#define EVENTS_MAX   1000
#define TEXT_OF_SHOW "%s pysbx incident show %s %s"

TestSuite(deaths, .timeout = TEST_TIMEOUT_SEC);

static void open_all(struct bench *bench, const char *word, const char *settings)
{
	bench_open(bench, word);
	daemon_reset();
	if (settings != NULL)
		write_text(SETTINGS, settings, 0644);
	daemon_start();
}

static void close_all(struct bench *bench)
{
	daemon_do("app.remove", "{s:s}", "name", bench->name);
	(void)unlink(SETTINGS);
	bench_close(bench);
}

/* One that is not started again. */
static json_t *mortal(const struct bench *bench, const char *name, const char *memory,
		      const char *const *command)
{
	json_t *app = app_object(bench, name, command);

	json_object_set_new(app, "limits", json_pack("{s:s}", "memory", memory));
	json_object_set_new(app, "restart", json_pack("{s:s}", "mode", "never"));
	return app;
}

static size_t count_files(const char *name)
{
	char pattern[256];
	glob_t found;
	size_t count;

	snprintf(pattern, sizeof(pattern), INCIDENTS "/%s/*.json", name);
	count = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
	globfree(&found);
	return count;
}

/* Of all that have been, those of this type and app. */
static size_t count_events(const char *type, const char *name)
{
	long long cursor = 0, newest = newest_event();
	size_t count = 0;
	struct link link;

	link_open(&link);
	link_request(&link, 1, "events.subscribe", json_pack("{s:i}", "cursor", 0));
	json_decref(link_next(&link, REACTION_MSEC));
	while (cursor < newest) {
		_cleanup_json_ json_t *line = link_next(&link, REACTION_MSEC);
		const json_t *params = json_object_get(line, "params");
		const char *of = json_string_value(json_object_get(params, "app"));

		cr_assert_not_null(params, "no event after %lld of %lld", cursor, newest);
		cursor = field_number(line, "params.cursor");
		count += strcmp(field_text(line, "params.type"), type) == 0 && of != NULL &&
			 strcmp(of, name) == 0;
	}
	link_close(&link);
	return count;
}

static void expect_told_once(struct bench *bench, const json_t *incident)
{
	const char *id = field_text(incident, "id");

	cr_expect_eq(count_files(bench->name), 1);
	cr_expect_eq(count_events("app.incident", bench->name), 1);
	cr_expect_eq(journal_count("", WORDS(bench_format(bench, "PYSBX_INCIDENT=%s", id))), 1);
}

static void expect_has(const char *text, const char *part)
{
	cr_expect_not_null(strstr(text, part), "no \"%s\" in\n%s", part, text);
}

static void expect_has_not(const char *text, const char *part)
{
	cr_expect_null(strstr(text, part), "\"%s\" in\n%s", part, text);
}

static void expect_shown(const json_t *incident)
{
	const char *id = field_text(incident, "id");
	_cleanup_free_ char *ascii = shell_output(TEXT_OF_SHOW, "LC_ALL=C", id, "");
	_cleanup_free_ char *unicode = shell_output(TEXT_OF_SHOW, "LC_ALL=C.UTF-8", id, "");
	_cleanup_free_ char *ticket = shell_output(TEXT_OF_SHOW, "LC_ALL=C", id, "--markdown");
	_cleanup_free_ char *customer =
		shell_output(TEXT_OF_SHOW, "LC_ALL=C", id, "--json --customer");
	_cleanup_free_ char *pid = NULL;

	expect_has(ascii, "  picture    memory, up to its limit\n");
	expect_has(ascii, "#\n");
	expect_has(unicode, "█\n");
	expect_has(ticket, "- **incident:** ");
	expect_has(ticket, "\nMemory:\n\n    ");
	cr_assert_geq(asprintf(&pid, "(pid %lld", field_number(incident, "victim.pid")), 0);
	expect_has(ascii, pid);
	expect_has_not(customer, pid);
	expect_has(customer, "\"pid\":null");
	expect_has(customer, "\"kernel\":[]");
}

Test(deaths, an_oom_kill_is_told_once_in_words_with_what_led_up_to_it)
{
	_cleanup_json_ json_t *incident = NULL;
	struct bench bench;

	open_all(&bench, "story", NULL);
	app_apply(mortal(&bench, bench.name, "64M", WORDS("python3", "leak.py", SLOWLY)));
	incident = app_await_incident(bench.name, 1, START_MSEC);
	app_await_state(bench.name, "stopped", REACTION_MSEC);
	cr_expect_str_eq(field_text(incident, "cause"), "oom");
	cr_expect_str_eq(field_text(incident, "level"), "app");
	cr_expect(field_lines_have(incident, "memory.words", "anon "));
	cr_expect(field_lines_have(incident, "memory.words", "anon grew "));
	cr_expect_gt(json_array_size(field(incident, "history.memory_anon")), 1);
	expect_told_once(&bench, incident);
	expect_shown(incident);
	close_all(&bench);
}

Test(deaths, the_limit_of_a_tenant_is_a_level_of_its_own)
{
	static const char hold[] =
		"import time; x = b'x' * (40 << 20); print('held', flush=True); time.sleep(1000)";
	_cleanup_json_ json_t *incident = NULL;
	json_t *holds, *leaks;
	struct bench bench;
	const char *other;

	open_all(&bench, "together", NULL);
	other = bench_format(&bench, "%s-hold", bench.name);
	daemon_do("tenant.apply", "{s:{s:s, s:[], s:{s:s}, s:[s]}}", "tenant", "name", "tiny",
		  "users", "limits", "memory", "80M", "directories", bench.apps);
	holds = mortal(&bench, other, "64M", WORDS("python3", "-c", hold));
	json_object_set_new(holds, "tenant", json_string("tiny"));
	/* the kernel chooses by size: the other one is to be the larger */
	leaks = mortal(&bench, bench.name, "64M", WORDS("python3", "leak.py", FAST));
	json_object_set_new(leaks, "tenant", json_string("tiny"));
	app_apply(holds);
	app_apply(leaks);
	cr_assert(AWAIT(app_count_incidents(other) + app_count_incidents(bench.name) > 0,
			START_MSEC));
	incident = app_await_incident(app_count_incidents(other) > 0 ? other : bench.name, 1,
				      REACTION_MSEC);
	cr_expect_str_eq(field_text(incident, "level"), "tenant", "%s",
			 field_text(incident, "sentence"));
	expect_has(field_text(incident, "sentence"), "reached the tenant's memory limit of 80M");
	expect_has(field_text(incident, "advice"), "limits.memory of tenant tiny");
	daemon_do("app.remove", "{s:s}", "name", other);
	close_all(&bench);
}

Test(deaths, no_secret_is_in_a_report)
{
	_cleanup_json_ json_t *incident = NULL;
	_cleanup_free_ char *text = NULL;
	struct bench bench;
	struct run run;

	bench_open(&bench, "secret");
	(void)run_through(&run, &bench,
			  WORDS("--mem", "64M", "--env", "DATABASE_URL=postgres://u:inenv@h/d",
				"--restart", "never", "--", "python3", "leak.py", SLOWLY,
				"--password", "hunter2 too", "--dsn=redis://:s3cr3t@h/0"));
	incident = run_await_incident(&run, 1, REACTION_MSEC);
	text = json_dumps(incident, 0);
	expect_has(field_text(incident, "victim.command_line"),
		   "--password *** --dsn=redis://:***@h/0");
	expect_has_not(text, "hunter2");
	expect_has_not(text, "s3cr3t");
	expect_has_not(text, "inenv");
	bench_close(&bench);
}

Test(deaths, a_program_is_told_by_the_daemon)
{
	_cleanup_json_ json_t *incident = NULL, *heard = NULL;
	_cleanup_free_ char *uid = NULL;
	struct bench bench;
	const char *path;

	bench_open(&bench, "hook");
	daemon_reset();
	write_text(SETTINGS,
		   bench_format(&bench,
				"{\"on_incident\": [\"/bin/sh\", \"-c\", \"id -u >$0/uid; cat "
				">$0/x; mv $0/x "
				"$0/heard\", \"%s\"]}",
				bench.data),
		   0644);
	daemon_start();
	app_apply(mortal(&bench, bench.name, "64M", WORDS("sh", "-c", "sleep 1; exit 3")));
	incident = app_await_incident(bench.name, 1, START_MSEC);
	path = bench_format(&bench, "%s/heard", bench.data);
	cr_assert(AWAIT(access(path, F_OK) == 0, REACTION_MSEC));
	heard = json_load_file(path, 0, NULL);
	cr_expect(json_equal(heard, incident));
	uid = read_text(bench_format(&bench, "%s/uid", bench.data));
	cr_expect_str_eq(uid, HOOK_UID);
	close_all(&bench);
}

Test(deaths, a_program_that_fails_is_told_of_and_holds_up_nothing)
{
	_cleanup_json_ json_t *entries = NULL, *incident = NULL;
	struct bench bench;

	open_all(&bench, "hookfail",
		 "{\"on_incident\": [\"/bin/sh\", \"-c\", \"echo no queue; exit 4\"]}");
	app_apply(mortal(&bench, bench.name, "64M", WORDS("sh", "-c", "sleep 1; exit 3")));
	incident = app_await_incident(bench.name, 1, START_MSEC);
	entries = journal_await(
		"", WORDS(bench_format(&bench, "PYSBX_INCIDENT=%s", field_text(incident, "id"))), 2,
		REACTION_MSEC);
	expect_has(journal_text(json_array_get(entries, 1), "MESSAGE"),
		   "on_incident: /bin/sh: exit code 4: no queue");
	close_all(&bench);
}

Test(deaths, a_program_is_told_by_a_run)
{
	_cleanup_json_ json_t *heard = NULL;
	struct bench bench;
	struct run run;
	const char *hook;

	bench_open(&bench, "runhook");
	hook = bench_format(&bench, "%s/hook", bench.apps);
	write_text(hook,
		   bench_format(&bench, "#!/bin/sh\nsleep 1\nexec cat >%s/heard\n", bench.data),
		   0755);
	cr_expect_eq(run_through(&run, &bench,
				 WORDS("--on-incident", "hook", "--restart", "never", "--", "sh",
				       "-c", "exit 3")),
		     3);
	heard = json_load_file(bench_format(&bench, "%s/heard", bench.data), 0, NULL);
	cr_assert_not_null(heard, "it was not waited for");
	cr_expect_str_eq(field_text(heard, "app"), bench.name);
	bench_close(&bench);
}

Test(deaths, on_a_full_disk_the_journal_and_the_event_tell_all_the_same)
{
	_cleanup_json_ json_t *entries = NULL;
	struct bench bench;

	open_all(&bench, "full", NULL);
	free(shell_output("mkdir -p " INCIDENTS "; mount -t tmpfs -o size=1M tmpfs " INCIDENTS
			  "; head -c 1M /dev/zero >" INCIDENTS "/ballast 2>/dev/null || true"));
	app_apply(mortal(&bench, bench.name, "64M", WORDS("sh", "-c", "sleep 1; exit 3")));
	entries = journal_await(
		"", WORDS(EVENT_APP_DIED, bench_format(&bench, "PYSBX_APP=%s", bench.name)), 1,
		START_MSEC);
	expect_has(journal_text(json_array_get(entries, 0), "MESSAGE"), "ended: exit code 3");
	app_await_state(bench.name, "stopped", REACTION_MSEC);
	cr_expect_eq(count_events("app.incident", bench.name), 1);
	cr_expect_eq(count_files(bench.name), 0);
	free(shell_output("umount " INCIDENTS));
	close_all(&bench);
}

Test(deaths, so_many_reports_are_kept_as_the_settings_say)
{
	struct bench bench;
	json_t *app;

	open_all(&bench, "kept", "{\"incidents\": {\"keep\": 2}}");
	app = app_object(&bench, bench.name, WORDS("sh", "-c", "sleep 1; exit 3"));
	json_object_set_new(app, "restart",
			    json_pack("{s:i, s:s, s:s}", "max_restarts", 4, "backoff", "10ms",
				      "backoff_max", "10ms"));
	app_apply(app);
	app_await_state(bench.name, "failed", START_MSEC);
	cr_expect_eq(count_events("app.incident", bench.name), 5);
	/* the old ones go a moment after a new one has come */
	cr_expect(AWAIT(count_files(bench.name) == 2, REACTION_MSEC), "%zu",
		  count_files(bench.name));
	close_all(&bench);
}
