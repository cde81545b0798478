/* SPDX-License-Identifier: MIT */
/*
 * What is seen of an app before the kernel kills it for memory, however it grows; that nothing is
 * seen of one that only reads; and that nobody stays frozen, or held below its limit.
 */
#include "tests/system/harness_hosting.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB   (1LL << 20)
#define LIMIT (64 * MIB)
/* From the word that it is close to its limit until it is ended: 30 s, and what the guest takes. */
#define STALL_MSEC 45000
#define DROP_IN	   "/run/systemd/system/" DAEMON_SERVICE ".d"

TestSuite(tripwire, .timeout = TEST_TIMEOUT_SEC);

/* --- looks before the kill ------------------------------------------------------------------ */

static void expect_look(const json_t *snapshot)
{
	const json_t *processes = field(snapshot, "processes");
	long long current = field_number(snapshot, "memory.current");

	cr_expect_geq(current * 100, LIMIT * 90, "a look at %lld bytes", current);
	cr_expect_eq(field_number(snapshot, "memory.limit"), LIMIT);
	cr_expect_gt(json_array_size(processes), 0);
	cr_expect_gt(field_number(json_array_get(processes, 0), "rss"), MIB);
	cr_expect_lt(field_number(snapshot, "frozen_usec"), 5000000);
}

static bool takes(const json_t *thread)
{
	const json_t *frame = json_array_get(json_object_get(thread, "frames"), 0);
	const char *function = json_string_value(json_object_get(frame, "function"));

	return function != NULL && strncmp(function, "take_", 5) == 0;
}

/* Of the thread that allocates, if one is marked (page faults tell of what is written to a file
 * nothing, of huge pages little), else of any, the innermost function is the one that takes. */
static void expect_line(const json_t *snapshot)
{
	_cleanup_free_ char *text = json_dumps(snapshot, JSON_COMPACT);
	bool marked = strstr(text, "\"allocating\":true") != NULL, found = false;
	const json_t *process, *thread;
	size_t i, j;

	json_array_foreach(field(snapshot, "stacks.processes"), i, process)
	{
		json_array_foreach(json_object_get(process, "threads"), j, thread)
		{
			if (!marked || json_is_true(json_object_get(thread, "allocating")))
				found = found || takes(thread);
		}
	}
	cr_expect(found, "nobody takes: %s", text);
	fprintf(stderr, "look: at %lld bytes, frozen for %lld us%s\n",
		field_number(snapshot, "memory.current"), field_number(snapshot, "frozen_usec"),
		marked ? ", a thread is marked" : "");
}

/* It dies of it, and was looked at before. */
static void expect_looks(const char *way)
{
	_cleanup_json_ json_t *incident = NULL;
	const json_t *snapshots;
	struct bench bench;
	struct run run;
	size_t count;

	bench_open(&bench, way);
	run_start(&run, &bench,
		  WORDS("--mem", "64M", "--tmp-size", "64M", "--restart", "never", "--", "python3",
			"hoard.py", way));
	incident = run_await_incident(&run, 1, START_MSEC);
	cr_expect_str_eq(field_text(incident, "cause"), "oom");
	snapshots = field(incident, "snapshots");
	count = json_array_size(snapshots);
	cr_assert(count >= 1 && count <= 3, "%zu looks%s", count, run_story(&run));
	expect_look(json_array_get(snapshots, count - 1));
	expect_line(json_array_get(snapshots, count - 1));
	cr_expect_geq(json_array_size(field(incident, "steps")), 1);
	run_await_times(&run, bench_format(&bench, "pysbx: %s: close to its limit", bench.name), 1,
			REACTION_MSEC);
	run_signal(&run, SIGTERM);
	run_wait(&run, START_MSEC);
	bench_close(&bench);
}

Test(tripwire, a_slow_leak_is_looked_at)
{
	expect_looks("slowly");
}

Test(tripwire, a_fast_leak_is_looked_at)
{
	expect_looks("fast");
}

Test(tripwire, one_large_allocation_is_looked_at)
{
	expect_looks("at-once");
}

Test(tripwire, many_small_objects_are_looked_at)
{
	expect_looks("small");
}

Test(tripwire, shared_memory_is_looked_at)
{
	expect_looks("shared");
}

Test(tripwire, a_forked_worker_is_looked_at)
{
	expect_looks("child");
}

Test(tripwire, a_thread_is_looked_at)
{
	expect_looks("thread");
}

/* --- no alarm ------------------------------------------------------------------------------- */

static void expect_not_frozen(struct run *run)
{
	cr_expect_str_eq(run_limit(run, "cgroup.freeze"), "0");
	cr_expect_eq(run_counter(run, "cgroup.events", "frozen"), 0);
}

Test(tripwire, a_large_file_is_read_without_a_word)
{
	_cleanup_json_ json_t *incidents = NULL;
	const char *file, *high;
	struct bench bench;
	struct run run;

	bench_open(&bench, "file");
	file = bench_format(&bench, "%s/large", bench.data);
	free(shell_output("dd if=/dev/zero of=%s bs=1M count=150 conv=fsync && chmod 644 %s && "
			  "echo 3 >/proc/sys/vm/drop_caches",
			  file, file));
	run_start(&run, &bench,
		  WORDS("--mem", "64M", "--ro", bench.data, "--", "python3", "hoard.py", "file",
			file));
	run_await_stderr(&run, "read all of it", START_MSEC);
	cr_expect_gt(run_counter(&run, "memory.events", "high"), 0, "no wire was touched");
	expect_not_frozen(&run);
	cr_expect_null(strstr(run_stderr(&run), "close to its limit"), "%s", run_story(&run));
	/* and the wire is still there, or was in its way: the guest reads slowly */
	high = run_limit(&run, "0/memory.high");
	cr_expect(strcmp(high, "max") == 0 || atoll(high) * 100 >= LIMIT * 90, "%s", high);
	run_signal(&run, SIGTERM);
	run_wait(&run, START_MSEC);
	incidents = run_incidents(&run);
	cr_expect_eq(json_array_size(incidents), 0, "%s", run_story(&run));
	bench_close(&bench);
}

Test(tripwire, with_no_tripwire_nothing_is_armed)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "none");
	run_start(&run, &bench, WORDS("--mem", "64M", "--no-tripwire", "--", "sleep", "600"));
	run_await_pids(&run, 1, START_MSEC);
	cr_expect_str_eq(run_limit(&run, "0/memory.high"), "max");
	run_signal(&run, SIGTERM);
	run_wait(&run, START_MSEC);
	bench_close(&bench);
}

/* --- stalls --------------------------------------------------------------------------------- */

Test(tripwire, who_stalls_at_memory_high_is_ended_within_thirty_seconds)
{
	_cleanup_json_ json_t *incident = NULL;
	const json_t *snapshots;
	struct bench bench;
	struct run run;

	bench_open(&bench, "stall");
	run_start(&run, &bench,
		  WORDS("--mem", "128M", "--mem-high", "48M", "--backoff", "10min", "--", "python3",
			"hoard.py", "slowly"));
	run_await_stderr(&run, "close to its limit", START_MSEC);
	incident = run_await_incident(&run, 1, STALL_MSEC);
	cr_expect_str_eq(field_text(incident, "cause"), "stalled");
	cr_expect_not_null(strstr(field_text(incident, "sentence"), "of 48M can't be reclaimed"),
			   "%s", field_text(incident, "sentence"));
	cr_expect_str_eq(field_text(incident, "decision.action"), "restart");
	snapshots = field(incident, "snapshots");
	cr_assert_gt(json_array_size(snapshots), 0);
	cr_expect_str_eq(
		field_text(json_array_get(snapshots, json_array_size(snapshots) - 1), "reason"),
		"stalled");
	/* what the user has said stays */
	cr_expect_str_eq(run_limit(&run, "memory.high"), "50331648");
	run_signal(&run, SIGTERM);
	run_wait(&run, START_MSEC);
	bench_close(&bench);
}

/* --- tenants -------------------------------------------------------------------------------- */

#define CROWD	    "crowd"
#define CROWD_LIMIT (96 * MIB)

static void start_of_crowd(const struct hosting *hosting, const char *name, const char *way)
{
	json_t *app = hosting_app(hosting, CROWD, name, WORDS("python3", "hoard.py", way));

	json_object_set_new(app, "limits", json_pack("{s:s}", "memory", "90M"));
	json_object_set_new(app, "restart", json_pack("{s:s}", "mode", "never"));
	app_apply(app);
	app_await_state(name, "running", START_MSEC);
}

/* Neither of two is near its own limit, but together they are near that of both. */
Test(tripwire, of_apps_that_fill_their_tenant_the_largest_is_looked_at)
{
	_cleanup_json_ json_t *incident = NULL;
	_cleanup_free_ char *held = NULL;
	const json_t *snapshots, *last;
	struct hosting hosting;

	hosting_open(&hosting, "crowd");
	hosting_write("tenants.d", json_pack("{s:s, s:[s], s:{s:s}}", "name", CROWD, "users",
					     USER_NOBODY, "limits", "memory", "96M"));
	daemon_start();
	start_of_crowd(&hosting, hosting.blog, "hold");
	held = limit_read(CROWD, NULL, "memory.high");
	cr_expect(atoll(held) * 100 >= CROWD_LIMIT * 85 && atoll(held) < CROWD_LIMIT, "%s", held);
	start_of_crowd(&hosting, hosting.shop, "slowly");
	incident = app_await_incident(hosting.shop, 1, START_MSEC);
	cr_expect_str_eq(field_text(incident, "cause"), "oom");
	cr_expect_str_eq(field_text(incident, "level"), "tenant");
	snapshots = field(incident, "snapshots");
	cr_assert_gt(json_array_size(snapshots), 0);
	last = json_array_get(snapshots, json_array_size(snapshots) - 1);
	cr_expect_eq(field_number(last, "tenant.limit"), CROWD_LIMIT);
	cr_expect_geq(field_number(last, "tenant.current") * 100, CROWD_LIMIT * 90);
	hosting_close(&hosting);
}

/* --- the daemon goes ------------------------------------------------------------------------ */

static bool reads(const char *name, const char *file, const char *text)
{
	_cleanup_free_ char *held = app_read(name, file);

	return strcmp(held, text) == 0;
}

static void write_app_file(const char *name, const char *file, const char *text)
{
	char path[APP_PATH_MAX];

	write_text(app_cgroup_file(NULL, name, file, path), text, 0644);
}

static bool is_armed(const char *name)
{
	_cleanup_free_ char *held = app_read(name, "0/memory.high");

	return atoll(held) * 100 >= 48 * MIB * 85 && atoll(held) < 48 * MIB;
}

/* The daemon is not started again, and nothing but the anchor cleans up. */
static void leave_it_to_the_anchor(bool on)
{
	if (on)
		free(shell_output("mkdir -p " DROP_IN " && printf '[Service]\\nRestart=no\\n"
				  "ExecStopPost=\\n' >" DROP_IN "/alone.conf && systemctl "
				  "daemon-reload"));
	else
		free(shell_output("rm -r " DROP_IN " && systemctl daemon-reload"));
}

static const char *start_app(struct bench *bench)
{
	const char *name = bench_format(bench, "held-%s", bench->name);
	json_t *app = app_object(bench, name, WORDS("sleep", "600"));

	json_object_set_new(app, "limits",
			    json_pack("{s:s, s:s}", "memory", "64M", "memory_high", "48M"));
	app_apply(app);
	app_await_state(name, "running", START_MSEC);
	return name;
}

Test(tripwire, a_daemon_that_is_killed_leaves_nobody_frozen_and_no_wire)
{
	struct bench bench;
	const char *name;

	daemon_reset();
	bench_open(&bench, "orphan");
	daemon_start();
	name = start_app(&bench);
	cr_expect(is_armed(name));
	leave_it_to_the_anchor(true);
	write_app_file(name, "cgroup.freeze", "1"); /* as in the middle of a look */
	daemon_kill(SIGKILL);
	cr_expect(AWAIT(reads(name, "0/memory.high", "max"), REACTION_MSEC));
	cr_expect(AWAIT(reads(name, "cgroup.freeze", "0"), REACTION_MSEC));
	cr_expect(reads(name, "memory.high", "50331648"), "what the user has said stays");
	/* what systemd does after the daemon */
	write_app_file(name, "0/memory.high", "45000000");
	write_app_file(name, "0/cgroup.freeze", "1"); /* suspended: by the user's wish */
	free(shell_output("/usr/libexec/pysbx/pysbx-anchor --release " DAEMON_SCOPE_PATH));
	cr_expect(reads(name, "0/memory.high", "max"));
	cr_expect(reads(name, "0/cgroup.freeze", "1"));
	leave_it_to_the_anchor(false);
	daemon_start();
	cr_expect(AWAIT(is_armed(name), REACTION_MSEC));
	/* on record it was running */
	cr_expect(reads(name, "0/cgroup.freeze", "0"));
	daemon_do("app.set_limits", "{s:s, s:{s:n}}", "name", name, "limits", "memory_high");
	cr_expect_not(is_armed(name), "its limit is another now");
	cr_expect_not(reads(name, "0/memory.high", "max"));
	daemon_reset();
	bench_close(&bench);
}
