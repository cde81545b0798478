/* SPDX-License-Identifier: MIT */
/*
 * The supervisor may die: no worker notices, and the next one has missed nothing. What it comes
 * back to after worse is in ../returns and ../endures.
 */
#include "tests/system/harness_daemon.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANY_APPS	 40
#define STARTS_AT_A_TIME 8 /* DAEMON_STARTS_AT_A_TIME */
#define LOAD_MSEC_MAX	 80000
#define LOAD_SEC	 5	      /* again and again until the daemon has been through all */
#define FLOOD_LINES	 1048576      /* of 64 bytes: 64 MiB */
#define RING_BYTES	 (256 * 1024) /* LAUNCH_RING_BYTES */
#define LINE_BYTES	 64
#define FLOOD_MSEC	 120000
#define MANY_APPS_MSEC	 180000

TestSuite(survives, .timeout = TEST_TIMEOUT_SEC);

/* --- boot ------------------------------------------------------------------------------------- */

static const char *many_name(struct bench *bench, int number)
{
	return bench_format(bench, "%s%02d", bench->name, number);
}

static void declare_many(struct bench *bench)
{
	for (int i = 0; i < MANY_APPS; i++)
		app_write_file(app_object(bench, many_name(bench, i), WORDS("sleep", "1000")));
}

static long long count_running(void)
{
	_cleanup_json_ json_t *answer = daemon_try("daemon.info", NULL, CALL_MSEC);

	return json_integer_value(json_object_get(
		json_object_get(json_object_get(answer, "result"), "states"), "running"));
}

static void await_many(void)
{
	cr_assert(AWAIT(count_running() == MANY_APPS, MANY_APPS_MSEC), "%lld of %d apps run",
		  count_running(), MANY_APPS);
}

static void remove_many(struct bench *bench)
{
	daemon_reset();
	bench_close(bench);
}

/* From the events since the daemon's start, up to the newest. */
static int most_at_a_time(void)
{
	long long cursor = 0, newest = newest_event();
	int starting = 0, most = 0;
	struct link link;

	link_open(&link);
	link_request(&link, 1, "events.subscribe", json_pack("{s:i}", "cursor", 0));
	json_decref(link_next(&link, REACTION_MSEC));
	while (cursor < newest) {
		_cleanup_json_ json_t *line = link_next(&link, REACTION_MSEC);
		json_t *params = json_object_get(line, "params");
		const char *from = json_string_value(json_object_get(params, "from"));
		const char *to = json_string_value(json_object_get(params, "to"));

		cr_assert_not_null(params, "no event after %lld of %lld", cursor, newest);
		cursor = field_number(line, "params.cursor");
		starting += to != NULL && strcmp(to, "starting") == 0;
		starting -= from != NULL && strcmp(from, "starting") == 0;
		most = starting > most ? starting : most;
	}
	link_close(&link);
	cr_expect_eq(starting, 0);
	return most;
}

Test(survives, at_boot_forty_apps_start_eight_at_a_time)
{
	struct bench bench;
	int most;

	bench_open(&bench, "boot");
	daemon_reset();
	declare_many(&bench);
	daemon_start();
	await_many();
	most = most_at_a_time();
	cr_expect(most > 1 && most <= STARTS_AT_A_TIME, "%d at a time", most);
	remove_many(&bench);
}

static size_t count_started(struct bench *bench)
{
	pid_t pids[BENCH_PIDS_MAX];
	size_t count = 0;

	for (int i = 0; i < MANY_APPS; i++)
		count += app_pids(many_name(bench, i), pids) > 0;
	return count;
}

/* Looks at the cgroups: on a fast machine all would run before the daemon has said that some do. */
Test(survives, a_boot_that_is_cut_off_goes_on)
{
	pid_t pid = 0, pids[BENCH_PIDS_MAX];
	struct bench bench;
	const char *first;

	bench_open(&bench, "cut");
	daemon_reset();
	declare_many(&bench);
	first = many_name(&bench, 0);
	free(shell_output("systemctl start --no-block " DAEMON_SERVICE));
	cr_assert(AWAIT((pid = daemon_pid()) > 0, REACTION_MSEC));
	cr_assert(AWAIT(app_pids(first, pids) > 0, START_MSEC));
	cr_assert_eq(kill(pid, SIGKILL), 0);
	cr_assert_lt(count_started(&bench), MANY_APPS, "too fast for this test");
	daemon_await_successor(pid, REACTION_MSEC);
	await_many();
	for (int i = 0; i < MANY_APPS; i++)
		app_await_pids(many_name(&bench, i), 1, REACTION_MSEC);
	remove_many(&bench);
}

/* --- under load ------------------------------------------------------------------------------- */

static void apply_gunicorn(struct bench *bench)
{
	struct reply reply = { 0 };

	app_apply(app_object(bench, bench->name,
			     WORDS("gunicorn", "-w", "2", "-k", "gthread", "--threads", "4", "-b",
				   bench_format(bench, "127.0.0.1:%d", bench->port),
				   "wsgi_app:app")));
	app_await_pids(bench->name, 3, START_MSEC);
	cr_assert(AWAIT((http_get(bench, "/", &reply, REACTION_MSEC), reply.status == 200),
			START_MSEC));
}

/* Until there is a file OUT.stop. */
static const char *start_load(struct bench *bench)
{
	const char *out = bench_format(bench, "%s/wrk", bench->directory);

	cr_assert_eq(shell(NULL,
			   "(while wrk -t 1 -c 4 -d %ds --timeout 60s http://127.0.0.1:%d/ && "
			   "test ! -e %s.stop; do :; done >%s.part 2>&1; mv %s.part %s) "
			   ">/dev/null 2>&1 &",
			   LOAD_SEC, bench->port, out, out, out, out),
		     0);
	return out;
}

static long count_requests(const char *text)
{
	long count = 0;

	for (const char *at = text; (at = strstr(at, " requests in ")) != NULL; at++) {
		const char *number = at;

		while (number > text && number[-1] != '\n')
			number--;
		count += strtol(number, NULL, 10);
	}
	return count;
}

/* None failed, and there were some. */
static void expect_all_answered(struct bench *bench, const char *out)
{
	_cleanup_free_ char *text = NULL;

	cr_expect_neq(access(out, F_OK), 0, "the load was over before the daemon was through");
	write_text(bench_format(bench, "%s.stop", out), "", 0644);
	cr_assert(AWAIT(access(out, F_OK) == 0, LOAD_MSEC_MAX), "wrk does not end");
	text = read_text(out);
	cr_expect_null(strstr(text, "Socket errors"), "%s", text);
	cr_expect_null(strstr(text, "Non-2xx"), "%s", text);
	cr_expect_gt(count_requests(text), 100, "%s", text);
}

static void by_restart(void)
{
	daemon_restart();
}

static void by_kill(void)
{
	pid_t pid = daemon_pid();

	daemon_kill(SIGKILL);
	daemon_await_successor(pid, REACTION_MSEC);
}

static void by_upgrade(void)
{
	free(shell_output("cp /usr/sbin/pysbxd /usr/sbin/pysbxd.new && "
			  "mv /usr/sbin/pysbxd.new /usr/sbin/pysbxd"));
	daemon_restart();
}

Test(survives, no_request_fails_while_the_daemon_is_restarted_killed_and_upgraded)
{
	static void (*const ways[])(void) = { by_restart, by_kill, by_upgrade };
	pid_t before[BENCH_PIDS_MAX], after[BENCH_PIDS_MAX];
	struct bench bench;
	const char *out;

	daemon_bench_open(&bench, "load");
	apply_gunicorn(&bench);
	cr_assert_eq(app_pids(bench.name, before), 3);
	out = start_load(&bench);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		pid_t daemon = daemon_pid();

		ways[i]();
		cr_expect_neq(daemon_pid(), daemon);
		app_await_state(bench.name, "running", REACTION_MSEC);
		cr_assert_eq(app_pids(bench.name, after), 3);
		for (size_t k = 0; k < 3; k++)
			cr_expect_eq(before[k], after[k], "another worker");
		cr_expect_eq(app_restarts(bench.name), 0);
	}
	expect_all_answered(&bench, out);
	cr_expect_eq(app_count_incidents(bench.name), 0);
	daemon_bench_close(&bench);
}

/* --- output in the gap ------------------------------------------------------------------------ */

static void tell_to_write(struct bench *bench, int turn, int lines)
{
	const char *part = bench_format(bench, "%s/part", bench->data);

	write_text(part, bench_format(bench, "%d\n", lines), 0644);
	cr_assert_eq(rename(part, bench_format(bench, "%s/go-%d", bench->data, turn)), 0);
}

static void await_written(struct bench *bench, int turn, int msec)
{
	const char *done = bench_format(bench, "%s/done-%d", bench->data, turn);

	cr_assert(AWAIT(access(done, F_OK) == 0, msec), "the worker is held up");
}

static void apply_gap(struct bench *bench, const char *target)
{
	json_t *object = app_object(bench, bench->name, WORDS("python3", "gap.py", bench->data));

	json_object_set_new(
		object, "log",
		json_pack("{s:s, s:s, s:s}", "target", target, "rate", "max", "max_size", "100M"));
	app_apply(object);
}

Test(survives, a_small_output_in_the_gap_arrives_whole_and_in_order)
{
	_cleanup_json_ json_t *entries = NULL;
	_cleanup_free_ char *field_name = NULL;
	struct bench bench;
	char expected[80];

	daemon_bench_open(&bench, "small");
	apply_gap(&bench, "journal");
	daemon_stop();
	tell_to_write(&bench, 0, 1000);
	await_written(&bench, 0, REACTION_MSEC);
	daemon_start();
	tell_to_write(&bench, 1, 1000);
	cr_assert_gt(asprintf(&field_name, "PYSBX_APP=%s", bench.name), 0);
	json_decref(
		journal_await("", WORDS(field_name, "PYSBX_STREAM=stdout"), 2000, REACTION_MSEC));
	entries = journal_read("", WORDS(field_name, "PYSBX_STREAM=stdout"));
	cr_assert_eq(json_array_size(entries), 2000);
	for (int i = 0; i < 2000; i++) {
		snprintf(expected, sizeof(expected), "gap %d line %052d", i / 1000, i % 1000);
		cr_assert_str_eq(journal_text(json_array_get(entries, (size_t)i), "MESSAGE"),
				 expected);
	}
	cr_expect_eq(journal_count("", WORDS(EVENT_LOG_LINES_DROPPED, field_name)), 0);
	daemon_bench_close(&bench);
}

/* The newest lines of the flood are in the file, without a hole. Returns how many. */
static int count_kept(const char *text)
{
	const char *at = strstr(text, "gap 0 line ");
	int number, first = -1, next = -1;

	while (at != NULL && sscanf(at, "gap 0 line %d", &number) == 1) {
		first = first < 0 ? number : first;
		cr_assert(next < 0 || number == next, "line %d after line %d", number, next - 1);
		next = number + 1;
		at = strstr(at + 1, "gap 0 line ");
	}
	cr_expect_eq(next, FLOOD_LINES, "the last line is %d", next - 1);
	return next - first;
}

Test(survives, a_flood_in_the_gap_holds_nobody_up_and_its_drops_are_told)
{
	_cleanup_json_ json_t *entries = NULL;
	_cleanup_free_ char *text = NULL;
	pid_t before[BENCH_PIDS_MAX], after[BENCH_PIDS_MAX];
	char mark[JOURNAL_MARK_MAX];
	const char *path, *dropped;
	struct bench bench;
	int kept;

	daemon_bench_open(&bench, "flood");
	apply_gap(&bench, "file");
	cr_assert_eq(app_pids(bench.name, before), 1);
	journal_mark(mark);
	daemon_stop();
	tell_to_write(&bench, 0, FLOOD_LINES);
	await_written(&bench, 0, FLOOD_MSEC);
	daemon_start();
	path = bench_format(&bench, "/var/log/pysbx/%s.log", bench.name);
	cr_assert(AWAIT((text = read_text(path),
			 strstr(text, bench_format(&bench, "%052d\n", FLOOD_LINES - 1)) != NULL),
			REACTION_MSEC),
		  "the last line does not come");
	kept = count_kept(text);
	cr_expect(kept >= RING_BYTES / LINE_BYTES - 1 && kept <= (RING_BYTES + 65536) / LINE_BYTES,
		  "%d lines kept", kept);
	entries = journal_await(
		mark,
		WORDS(EVENT_LOG_LINES_DROPPED, bench_format(&bench, "PYSBX_APP=%s", bench.name)), 1,
		REACTION_MSEC);
	dropped = strstr(journal_text(json_array_get(entries, 0), "MESSAGE"), ": ");
	cr_assert_not_null(dropped);
	cr_expect_eq(strtol(dropped + 2, NULL, 10) + kept, FLOOD_LINES, "%s, %d kept", dropped,
		     kept);
	cr_assert_eq(app_pids(bench.name, after), 1);
	cr_expect_eq(before[0], after[0]);
	cr_expect_eq(app_restarts(bench.name), 0);
	daemon_bench_close(&bench);
}

/* --- deaths in the gap ------------------------------------------------------------------------ */

struct gap_death {
	const char *word, *last_command; /* of a shell, when it is told to die */
	const char *cause;
};

static json_t *mortal(struct bench *bench, const char *last_command)
{
	const char *script =
		bench_format(bench, "while ! rm %s/die 2>/dev/null; do sleep 0.1; done; %s",
			     bench->data, last_command);

	return app_object(bench, bench->name, WORDS("sh", "-c", script));
}

static void tell_to_die(struct bench *bench)
{
	write_text(bench_format(bench, "%s/die", bench->data), "", 0666);
}

static bool has_died(pid_t pid)
{
	_cleanup_free_ char *status = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	status = read_text(path);
	return status[0] == '\0' || strstr(status, "\nState:\tZ") != NULL;
}

static void die_in_the_gap(const struct gap_death *death)
{
	_cleanup_json_ json_t *incident = NULL;
	pid_t before[BENCH_PIDS_MAX];
	struct bench bench;
	json_t *object;

	daemon_bench_open(&bench, death->word);
	cr_assert_eq(chmod(bench.data, 0777), 0);
	object = mortal(&bench, death->last_command);
	json_object_set_new(object, "limits", json_pack("{s:s}", "memory", "48M"));
	app_apply(object);
	cr_assert_geq(app_pids(bench.name, before), 1);
	daemon_stop();
	tell_to_die(&bench);
	cr_assert(AWAIT(has_died(before[0]), START_MSEC), "it lives");
	daemon_start();
	incident = app_await_incident(bench.name, 1, REACTION_MSEC);
	cr_expect_str_eq(field_text(incident, "cause"), death->cause, "%s",
			 json_dumps(incident, JSON_INDENT(1)));
	app_await_state(bench.name, "running", REACTION_MSEC);
	cr_expect_eq(app_restarts(bench.name), 1);
	cr_expect_eq(app_count_incidents(bench.name), 1, "told twice");
	daemon_bench_close(&bench);
}

Test(survives, an_exit_in_the_gap_is_explained_and_restarted)
{
	die_in_the_gap(&(struct gap_death){ "exit", "exit 3", "exit" });
}

Test(survives, a_crash_in_the_gap_is_explained_and_restarted)
{
	die_in_the_gap(&(struct gap_death){ "crash", "kill -SEGV $$", "signal" });
}

Test(survives, an_oom_kill_in_the_gap_is_explained_and_restarted)
{
	die_in_the_gap(&(struct gap_death){ "oom", "exec python3 leak.py", "oom" });
}

/* The main process lives on: nothing but memory.events tells. */
Test(survives, a_child_killed_for_memory_in_the_gap_is_told)
{
	_cleanup_json_ json_t *incident = NULL;
	struct bench bench;
	json_t *object;

	daemon_bench_open(&bench, "child");
	object = mortal(&bench, bench_format(&bench, "python3 leak.py; touch %s/over; sleep 1000",
					     bench.data));
	json_object_set_new(object, "limits", json_pack("{s:s}", "memory", "48M"));
	app_apply(object);
	daemon_stop();
	tell_to_die(&bench);
	cr_assert(
		AWAIT(access(bench_format(&bench, "%s/over", bench.data), F_OK) == 0, START_MSEC));
	daemon_start();
	incident = app_await_incident(bench.name, 1, REACTION_MSEC);
	cr_expect_str_eq(field_text(incident, "cause"), "oom");
	cr_expect_not(field_bool(incident, "victim.main"));
	app_await_state(bench.name, "running", REACTION_MSEC);
	cr_expect_eq(app_restarts(bench.name), 0);
	daemon_bench_close(&bench);
}

static void await_death(struct bench *bench, long long restarts)
{
	tell_to_die(bench);
	cr_assert(AWAIT(app_restarts(bench->name) == restarts, REACTION_MSEC));
	app_await_state(bench->name, "running", REACTION_MSEC);
}

/* "will be started again in 400ms": the delays, in order. */
static void expect_delays(struct bench *bench, const char *mark, const char *const *delays)
{
	_cleanup_json_ json_t *entries = journal_read(
		mark, WORDS(EVENT_APP_BACKOFF, bench_format(bench, "PYSBX_APP=%s", bench->name)));
	size_t i = 0;

	for (; delays[i] != NULL; i++) {
		const char *message = journal_text(json_array_get(entries, i), "MESSAGE");

		cr_expect_not_null(strstr(message, bench_format(bench, " in %s", delays[i])),
				   "%s, not %s", message, delays[i]);
	}
	cr_expect_eq(json_array_size(entries), i);
}

Test(survives, backoff_and_the_count_of_restarts_go_on_over_restarts_of_the_daemon)
{
	char mark[JOURNAL_MARK_MAX];
	struct bench bench;
	json_t *object;

	daemon_bench_open(&bench, "count");
	journal_mark(mark);
	object = mortal(&bench, "exit 7");
	json_object_set_new(object, "restart",
			    json_pack("{s:i, s:s, s:s, s:s}", "max_restarts", 3, "backoff", "100ms",
				      "backoff_max", "1min", "stable", "1h"));
	app_apply(object);
	await_death(&bench, 1);
	by_restart();
	await_death(&bench, 2);
	by_kill();
	await_death(&bench, 3);
	daemon_stop();
	tell_to_die(&bench);
	cr_assert(AWAIT(access(bench_format(&bench, "%s/die", bench.data), F_OK) != 0,
			REACTION_MSEC));
	daemon_start();
	app_await_state(bench.name, "failed", REACTION_MSEC);
	cr_expect_eq(app_restarts(bench.name), 3);
	cr_expect_eq(app_count_incidents(bench.name), 4);
	expect_delays(&bench, mark, WORDS("100ms", "200ms", "400ms"));
	daemon_restart();
	app_await_state(bench.name, "failed", REACTION_MSEC); /* and stays so */
	daemon_bench_close(&bench);
}
