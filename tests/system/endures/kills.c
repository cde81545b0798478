/* SPDX-License-Identifier: MIT */
/*
 * Deaths by the dozen: of the daemon in any moment of a change, of the anchor, and of a worker a
 * thousand times. Nothing is half-done after them, and nothing is left behind.
 */
#include "policy/quantity.h"
#include "tests/system/harness_daemon.h"

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

TestSuite(endures, .timeout = TEST_TIMEOUT_SEC);

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

Test(endures, fifty_kills_at_random_moments_leave_no_half_done_change,
     .timeout = TEST_TIMEOUT_SEC * 2)
{
	struct asked apps[KILL_APPS] = { 0 };
	unsigned seed = (unsigned)time(NULL);
	struct bench bench;
	size_t declared = 0;

	daemon_bench_open(&bench, "random");
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
	daemon_bench_close(&bench);
}

/* --- the anchor ------------------------------------------------------------------------------- */

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

Test(endures, apps_go_on_when_their_anchor_is_killed)
{
	char mark[JOURNAL_MARK_MAX];
	struct bench bench;
	pid_t pid;

	daemon_bench_open(&bench, "anchor");
	app_apply(memory_app(&bench, bench.name, UINT64_C(48) << 20, 0));
	pid = app_only_pid(bench.name);
	journal_mark(mark);
	kill_anchor();
	json_decref(journal_await(mark, WORDS(EVENT_SCOPE_LOST), 1, REACTION_MSEC));
	cr_assert(AWAIT(has_anchor(), REACTION_MSEC), "no new anchor");
	cr_expect_eq(app_only_pid(bench.name), pid);
	/* a death is still heard of, and the next life has its limits */
	cr_assert_eq(kill(pid, SIGKILL), 0);
	json_decref(app_await_incident(bench.name, 1, REACTION_MSEC));
	app_await_state(bench.name, "running", REACTION_MSEC);
	cr_expect(AWAIT(is_settled(bench.name, UINT64_C(48) << 20), REACTION_MSEC));
	pid = app_only_pid(bench.name);
	/* while nobody looks */
	daemon_stop();
	kill_anchor();
	daemon_start();
	app_await_state(bench.name, "running", REACTION_MSEC);
	cr_expect_eq(app_only_pid(bench.name), pid);
	cr_assert(AWAIT(has_anchor(), REACTION_MSEC), "no new anchor");
	/* with nobody in it the scope goes, and comes again when it is needed */
	daemon_do("app.stop", "{s:s}", "name", bench.name);
	kill_anchor();
	pause_msec(100);
	daemon_do("app.start", "{s:s}", "name", bench.name);
	cr_expect(AWAIT(is_settled(bench.name, UINT64_C(48) << 20), REACTION_MSEC));
	daemon_bench_close(&bench);
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

/* Returns how many there were when there were `most`, or at least `least` and the time was over. */
static long long await_restarts(const char *name, long long least, long long most)
{
	int64_t enough = clock_msec() + CYCLES_MSEC;
	long long count = 0;

	cr_assert(AWAIT((pause_msec(200), count = app_restarts(name),
			 count >= most || (count >= least && clock_msec() > enough)),
			CYCLES_MSEC_MAX),
		  "only %lld restarts", count);
	return count;
}

/* Or as many as there are in the time: an emulated machine takes half a second for each. */
Test(endures, a_thousand_deaths_leave_nothing_behind)
{
	struct holdings before, after;
	struct bench bench;
	const char *mortal;
	long long deaths;
	json_t *object;

	daemon_bench_open(&bench, "deaths");
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
	daemon_bench_close(&bench);
}
