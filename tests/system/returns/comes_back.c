/* SPDX-License-Identifier: MIT */
/*
 * What a daemon comes back to: half-done changes, a state file that is damaged, a scope that was
 * stopped, an anchor that was killed. And what a thousand deaths of a worker leave behind.
 */
#include "policy/quantity.h"
#include "tests/system/harness_hosting.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KEEPERS		"/run/pysbx/sandbox"
#define KILLS		50
#define KILL_APPS	3
#define KILL_WITHIN	600 /* msec from a request to the kill */
#define CYCLES		1000
#define CYCLES_LEAST	40
#define CYCLES_FIRST	20 /* until what grows once has grown */
#define CYCLES_MSEC	30000
#define CYCLES_MSEC_MAX 120000 /* for the least, on a machine that has other things to do */
#define RSS_MAX_KIB	2048   /* that the daemon may have grown by */
#define DYING_MAX	5      /* cgroups that the kernel still has pages of */
#define SCOPE_STOPS	5

static void open_all(struct bench *bench, const char *word)
{
	bench_open(bench, word);
	daemon_reset();
	daemon_start();
}

static void close_all(struct bench *bench)
{
	daemon_do("app.remove", "{s:s}", "name", bench->name);
	bench_close(bench);
}

static pid_t only_pid(const char *name)
{
	pid_t pids[BENCH_PIDS_MAX];

	app_await_pids(name, 1, REACTION_MSEC);
	cr_assert_eq(app_pids(name, pids), 1);
	return pids[0];
}

/* --- kills at random moments ------------------------------------------------------------------ */

/* What was asked of an app last, and what was so before: 0 bytes of memory: it is not declared. */
struct asked {
	const char *name;
	uint64_t before, now;
};

static uint64_t size_of(const json_t *value)
{
	struct error err = { 0 };
	uint64_t size = 0;

	if (json_is_integer(value))
		return (uint64_t)json_integer_value(value);
	cr_assert_eq(quantity_parse_size(json_string_value(value), &size, &err), 0, "%s", err.text);
	return size;
}

/* The memory limit that an app is declared with; 0: there is no such app. False: not any more, and
 * it is being stopped. */
static bool read_memory(const char *name, uint64_t *ret)
{
	_cleanup_json_ json_t *answer =
		daemon_try("app.get", json_pack("{s:s}", "name", name), CALL_MSEC);

	cr_assert_not_null(answer);
	*ret = 0;
	if (json_object_get(answer, "error") != NULL)
		return true;
	if (json_object_get(field(answer, "result.effective"), "limits") == NULL)
		return false;
	*ret = size_of(field(answer, "result.effective.limits.memory"));
	return true;
}

static bool is_settled(const char *name, uint64_t memory)
{
	_cleanup_free_ char *state = app_state_text(name), *max = app_read(name, "memory.max");
	pid_t pids[BENCH_PIDS_MAX];
	char path[APP_PATH_MAX];

	if (memory == 0)
		return state[0] == '\0' && access(app_cgroup_file(NULL, name, ".", path), F_OK) < 0;
	return strcmp(state, "running") == 0 && app_pids(name, pids) == 1 &&
	       strtoull(max, NULL, 10) == memory;
}

static void expect_consistent(struct asked *asked)
{
	uint64_t memory = 0;

	cr_assert(AWAIT(read_memory(asked->name, &memory), REACTION_MSEC), "%s stays", asked->name);
	cr_assert(memory == asked->before || memory == asked->now,
		  "app %s has %llu bytes, neither %llu nor %llu", asked->name,
		  (unsigned long long)memory, (unsigned long long)asked->before,
		  (unsigned long long)asked->now);
	if (!AWAIT(is_settled(asked->name, memory), REACTION_MSEC)) {
		_cleanup_free_ char *max = app_read(asked->name, "memory.max");

		app_await_state(asked->name, memory == 0 ? "" : "running", 0);
		app_await_pids(asked->name, memory == 0 ? 0 : 1, 0);
		cr_assert_fail("app %s: memory.max is \"%s\", not %llu", asked->name, max,
			       (unsigned long long)memory);
	}
	asked->before = asked->now = memory;
}

static size_t count_sockets(void)
{
	DIR *directory = opendir(KEEPERS);
	struct dirent *entry;
	size_t count = 0;

	cr_assert_not_null(directory);
	while ((entry = readdir(directory)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count;
}

static size_t count_lines(const char *path)
{
	_cleanup_free_ char *text = read_text(path);
	size_t count = 0;

	for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
		count++;
	return count;
}

/* One launcher and one socket for each app, and the anchor's. */
static bool nothing_is_left_over(size_t apps)
{
	return count_sockets() == apps + 1 &&
	       count_lines(DAEMON_SCOPE_PATH "/init/cgroup.procs") == apps + 1;
}

static json_t *memory_app(const struct bench *bench, const char *name, uint64_t memory, int number)
{
	json_t *object = app_object(bench, name, WORDS("sleep", "1000"));
	char text[16];

	snprintf(text, sizeof(text), "%d", number);
	json_object_set_new(object, "limits", json_pack("{s:I}", "memory", (json_int_t)memory));
	if (number > 0)
		json_object_set_new(object, "environment", json_pack("{s:s}", "NUMBER", text));
	return object;
}

/* A change that takes effect live, one that restarts, a removal, or a restart. */
static void ask(struct link *link, const struct bench *bench, struct asked *asked, int number)
{
	uint64_t other =
		asked->before == UINT64_C(32) << 20 ? UINT64_C(48) << 20 : UINT64_C(32) << 20;
	int what = asked->before == 0 ? 0 : rand() % 4;

	asked->now = what < 2 ? other : what == 2 ? 0 : asked->before;
	if (what < 2)
		link_request(
			link, 1, "app.apply",
			json_pack("{s:o, s:b}", "app",
				  memory_app(bench, asked->name, other, what == 0 ? 0 : number),
				  "force", 1));
	else
		link_request(link, 1, what == 2 ? "app.remove" : "app.restart",
			     json_pack("{s:s}", "name", asked->name));
}

static void kill_at_random(const struct bench *bench, struct asked *asked, int number)
{
	pid_t daemon = daemon_pid();
	struct link link;
	json_t *answer;

	link_open(&link);
	ask(&link, bench, asked, number);
	pause_msec(rand() % KILL_WITHIN);
	cr_assert_eq(kill(daemon, SIGKILL), 0, "kill: %s", strerror(errno));
	/* not yet taken by the one that was killed, it is carried out by the next */
	answer = link_next(&link, REACTION_MSEC);
	json_decref(answer);
	link_close(&link);
	daemon_await_successor(daemon, REACTION_MSEC);
}

Test(survives, fifty_kills_at_random_moments_leave_no_half_done_change,
     .timeout = TEST_TIMEOUT_SEC * 2)
{
	struct asked apps[KILL_APPS] = { 0 };
	unsigned seed = (unsigned)time(NULL);
	struct bench bench;
	size_t declared = 0;

	open_all(&bench, "random");
	srand(seed);
	fprintf(stderr, "random kills: seed %u\n", seed);
	for (int i = 0; i < KILL_APPS; i++)
		apps[i].name = bench_format(&bench, "%s%d", bench.name, i);
	app_apply(app_object(&bench, bench.name, WORDS("sleep", "1000"))); /* keeps the scope */
	for (int i = 0; i < KILLS; i++) {
		kill_at_random(&bench, &apps[i % KILL_APPS], i + 1);
		declared = 1;
		for (int k = 0; k < KILL_APPS; k++) {
			expect_consistent(&apps[k]);
			declared += apps[k].before != 0;
		}
		cr_assert(AWAIT(nothing_is_left_over(declared), REACTION_MSEC),
			  "after kill %d (seed %u): %zu sockets and %zu processes for %zu apps", i,
			  seed, count_sockets(),
			  count_lines(DAEMON_SCOPE_PATH "/init/cgroup.procs"), declared);
	}
	for (int i = 0; i < KILL_APPS; i++)
		if (apps[i].before != 0)
			daemon_do("app.remove", "{s:s}", "name", apps[i].name);
	close_all(&bench);
}

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

Test(survives, a_damaged_state_file_costs_no_app)
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

	open_all(&bench, "state");
	app_apply(app_object(&bench, bench.name, WORDS("sleep", "1000")));
	pid = only_pid(bench.name);
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		char mark[JOURNAL_MARK_MAX];

		journal_mark(mark);
		daemon_stop();
		damages[i].put(bench.name);
		daemon_start();
		app_await_state(bench.name, "running", REACTION_MSEC);
		cr_expect_eq(only_pid(bench.name), pid, "%s: another worker", damages[i].word);
		json_decref(journal_await(mark, WORDS(EVENT_APP_ADOPTED), 1, REACTION_MSEC));
		cr_expect_eq(journal_count(mark, WORDS(EVENT_STATE_UNREADABLE)),
			     damages[i].told ? 1 : 0, "%s: not told", damages[i].word);
		cr_expect_eq(journal_count(mark, WORDS(EVENT_APP_ADOPTED)), 1, "%s: adopted again",
			     damages[i].word);
	}
	daemon_do("app.stop", "{s:s}", "name", bench.name);
	cr_expect_eq(app_count_incidents(bench.name), 0);
	close_all(&bench);
}

/* All are gone, and nobody heard how. */
Test(survives, apps_whose_scope_has_ended_unseen_start_as_at_boot)
{
	struct bench bench;
	const char *stopped;

	open_all(&bench, "unseen");
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
	close_all(&bench);
}

/* It would run, had its record not been damaged. */
Test(survives, an_app_with_a_damaged_record_that_does_not_run_is_started)
{
	struct bench bench;

	open_all(&bench, "start");
	app_apply(app_object(&bench, bench.name, WORDS("sleep", "1000")));
	daemon_stop();
	free(shell_output("systemctl stop " DAEMON_SCOPE));
	put_no_record(bench.name);
	daemon_start();
	app_await_state(bench.name, "running", REACTION_MSEC);
	close_all(&bench);
}

#define DECLARED(app) "{\"declared_by\": null, \"app\": " app "}"

Test(survives, a_wrong_file_of_an_app_costs_only_that_app)
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

	open_all(&bench, "files");
	app_apply(app_object(&bench, bench.name, WORDS("sleep", "1000")));
	pid = only_pid(bench.name);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		write_text(bench_format(&bench, "/var/lib/pysbx/apps/%s.json", files[i].name),
			   files[i].text, 0600);
	journal_mark(mark);
	daemon_restart();
	app_await_state(bench.name, "running", REACTION_MSEC);
	cr_expect_eq(only_pid(bench.name), pid);
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
	close_all(&bench);
}

static void expect_untouched(const struct bench *bench, pid_t pid)
{
	_cleanup_free_ char *max = app_read(bench->name, "memory.max");

	app_await_state(bench->name, "running", REACTION_MSEC);
	cr_expect_eq(only_pid(bench->name), pid);
	cr_expect_str_eq(max, "67108864");
}

/* A typing error in a file is no reason to end what runs, nor to lift its limits. */
Test(survives, an_app_whose_file_became_wrong_goes_on_until_it_is_right_again)
{
	_cleanup_free_ char *right = NULL;
	const char *path;
	struct bench bench;
	json_t *object;
	pid_t pid;

	open_all(&bench, "held");
	object = app_object(&bench, bench.name, WORDS("sleep", "1000"));
	json_object_set_new(object, "limits", json_pack("{s:s}", "memory", "64M"));
	app_apply(object);
	pid = only_pid(bench.name);
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
	cr_expect_neq(only_pid(bench.name), pid);
	close_all(&bench);
}

Test(survives, a_daemon_with_wrong_settings_does_not_start_and_apps_go_on)
{
	struct bench bench;
	json_t *object;
	pid_t pid;

	open_all(&bench, "settings");
	object = app_object(&bench, bench.name, WORDS("sleep", "1000"));
	json_object_set_new(object, "limits", json_pack("{s:s}", "memory", "64M"));
	app_apply(object);
	pid = only_pid(bench.name);
	daemon_stop();
	write_text("/etc/pysbx/pysbxd.json", "{", 0644);
	cr_expect_neq(shell(NULL, "/usr/sbin/pysbxd 2>/dev/null"), 0);
	cr_expect_eq(only_pid(bench.name), pid);
	cr_expect_eq(unlink("/etc/pysbx/pysbxd.json"), 0);
	daemon_start();
	expect_untouched(&bench, pid);
	close_all(&bench);
}

/* Neither left to itself under the old tenant, nor taken for lost under the new one. */
Test(survives, an_app_whose_tenant_was_changed_meanwhile_is_started_anew_under_it)
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
Test(survives, an_app_that_is_no_longer_declared_is_stopped_in_peace)
{
	struct bench bench;

	open_all(&bench, "peace");
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

Test(survives, a_stop_of_the_scope_is_a_stop_of_all_apps_and_no_incident)
{
	struct bench bench;
	const char *second;

	open_all(&bench, "scope");
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
	close_all(&bench);
}

static pid_t anchor_pid(void)
{
	_cleanup_free_ char *text = NULL;

	(void)shell(&text,
		    "for p in $(cat %s/init/cgroup.procs); do "
		    "grep -qx pysbx-anchor /proc/$p/comm && echo $p; done",
		    DAEMON_SCOPE_PATH);
	return (pid_t)strtol(text, NULL, 10);
}

static void kill_anchor(void)
{
	pid_t pid = anchor_pid();

	cr_assert_gt(pid, 0, "no anchor");
	cr_assert_eq(kill(pid, SIGKILL), 0);
}

static bool has_anchor(void)
{
	return anchor_pid() > 0;
}

Test(survives, apps_go_on_when_their_anchor_is_killed)
{
	char mark[JOURNAL_MARK_MAX];
	struct bench bench;
	pid_t pid;

	open_all(&bench, "anchor");
	app_apply(memory_app(&bench, bench.name, UINT64_C(48) << 20, 0));
	pid = only_pid(bench.name);
	journal_mark(mark);
	kill_anchor();
	json_decref(journal_await(mark, WORDS(EVENT_SCOPE_LOST), 1, REACTION_MSEC));
	cr_assert(AWAIT(has_anchor(), REACTION_MSEC), "no new anchor");
	cr_expect_eq(only_pid(bench.name), pid);
	/* a death is still heard of, and the next life has its limits */
	cr_assert_eq(kill(pid, SIGKILL), 0);
	json_decref(app_await_incident(bench.name, 1, REACTION_MSEC));
	app_await_state(bench.name, "running", REACTION_MSEC);
	cr_expect(AWAIT(is_settled(bench.name, UINT64_C(48) << 20), REACTION_MSEC));
	pid = only_pid(bench.name);
	/* while nobody looks */
	daemon_stop();
	kill_anchor();
	daemon_start();
	app_await_state(bench.name, "running", REACTION_MSEC);
	cr_expect_eq(only_pid(bench.name), pid);
	cr_assert(AWAIT(has_anchor(), REACTION_MSEC), "no new anchor");
	/* with nobody in it the scope goes, and comes again when it is needed */
	daemon_do("app.stop", "{s:s}", "name", bench.name);
	kill_anchor();
	pause_msec(100);
	daemon_do("app.start", "{s:s}", "name", bench.name);
	cr_expect(AWAIT(is_settled(bench.name, UINT64_C(48) << 20), REACTION_MSEC));
	close_all(&bench);
}

/* --- a thousand deaths ------------------------------------------------------------------------ */

struct holdings {
	long fds, rss_kib, zombies;
	unsigned long long dying;
};

static unsigned long long count_dying(void)
{
	_cleanup_free_ char *text = read_text(DAEMON_SCOPE_PATH "/cgroup.stat");
	const char *at = strstr(text, "nr_dying_descendants ");

	cr_assert_not_null(at);
	return strtoull(at + strlen("nr_dying_descendants "), NULL, 10);
}

static void look(struct holdings *ret)
{
	_cleanup_free_ char *fds = NULL, *rss = NULL, *zombies = NULL;
	pid_t pid = daemon_pid();

	fds = shell_output("ls /proc/%d/fd | wc -l", pid);
	rss = shell_output("ps -o rss= -p %d", pid);
	zombies = shell_output("ps -o stat= --ppid %d | grep -c Z || true", pid);
	*ret = (struct holdings){ strtol(fds, NULL, 10), strtol(rss, NULL, 10),
				  strtol(zombies, NULL, 10), count_dying() };
}

static long long restarts_of(const char *name)
{
	_cleanup_json_ json_t *app = app_get(name);

	return field_number(app, "restarts");
}

/* Returns how many there were when there were `most`, or at least `least` and the time was over. */
static long long await_restarts(const char *name, long long least, long long most)
{
	int64_t enough = clock_msec() + CYCLES_MSEC;
	long long count = 0;

	cr_assert(AWAIT((pause_msec(200), count = restarts_of(name),
			 count >= most || (count >= least && clock_msec() > enough)),
			CYCLES_MSEC_MAX),
		  "only %lld restarts", count);
	return count;
}

/* Or as many as there are in the time: an emulated machine takes half a second for each. */
Test(survives, a_thousand_deaths_leave_nothing_behind)
{
	struct holdings before, after;
	struct bench bench;
	const char *mortal;
	long long deaths;
	json_t *object;

	open_all(&bench, "deaths");
	mortal = bench_format(&bench, "%s2", bench.name);
	app_apply(app_object(&bench, bench.name, WORDS("sleep", "1000"))); /* keeps the scope */
	object = app_object(&bench, mortal, WORDS("false"));
	json_object_set_new(object, "restart",
			    json_pack("{s:s, s:s, s:s}", "max_restarts", "max", "backoff", "10ms",
				      "backoff_max", "10ms"));
	json_decref(daemon_try("app.apply", json_pack("{s:o}", "app", object), CALL_MSEC));
	await_restarts(mortal, CYCLES_FIRST, CYCLES_FIRST);
	look(&before);
	deaths = await_restarts(mortal, CYCLES_LEAST, CYCLES);
	daemon_do("app.remove", "{s:s}", "name", mortal);
	cr_expect(AWAIT(count_dying() <= DYING_MAX, REACTION_MSEC), "%llu dying cgroups",
		  count_dying());
	look(&after);
	cr_expect_leq(after.fds, before.fds + 2, "%ld fds after %lld deaths, %ld before", after.fds,
		      deaths, before.fds);
	cr_expect(AWAIT((look(&after), after.zombies == 0), REACTION_MSEC), "%ld zombies",
		  after.zombies);
	cr_expect_leq(after.rss_kib, before.rss_kib + RSS_MAX_KIB,
		      "%ld KiB after %lld deaths, %ld before", after.rss_kib, deaths,
		      before.rss_kib);
	cr_expect(AWAIT(nothing_is_left_over(1), REACTION_MSEC));
	close_all(&bench);
}
