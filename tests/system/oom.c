/* SPDX-License-Identifier: MIT */
/*
 * The memory limit is hit: who dies, who lives, what is said about it, and what happens next.
 */
#include "tests/system/harness.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MIB (1LL << 20)
/* What the apps say in each worker. One that boots has no signal handler of gunicorn's yet: it
 * would not hear a stop. */
#define BOOTED "loaded in pid "

TestSuite(oom, .timeout = TEST_TIMEOUT_SEC);

struct census { /* the app's processes at one time, by both their numbers */
	size_t count;
	pid_t host[BENCH_PIDS_MAX], inside[BENCH_PIDS_MAX];
};

static void take_census(struct run *run, struct census *census)
{
	census->count = run_pids(run, census->host);
	for (size_t i = 0; i < census->count; i++)
		census->inside[i] = pid_inside(census->host[i]);
}

static bool census_has(const struct census *census, pid_t host)
{
	for (size_t i = 0; i < census->count; i++)
		if (census->host[i] == host)
			return true;
	return false;
}

/* The host's number of the process that calls itself `inside`; 0 if there is none. */
static pid_t host_pid_of(const struct census *census, pid_t inside)
{
	for (size_t i = 0; i < census->count; i++)
		if (census->inside[i] == inside)
			return census->host[i];
	return 0;
}

/* The gunicorn master: the first that was started has the lowest number inside. */
static pid_t main_process(const struct census *census)
{
	size_t lowest = 0;

	cr_assert_gt(census->count, 0);
	for (size_t i = 1; i < census->count; i++)
		if (census->inside[i] < census->inside[lowest])
			lowest = i;
	return census->host[lowest];
}

/* The app says "leaking in pid N" before it grows: N is its own number, inside. */
static pid_t leaker(struct run *run)
{
	const char *said;
	int pid = 0;

	run_await_stderr(run, "leaking in pid ", REACTION_MSEC);
	said = strstr(run_stderr(run), "leaking in pid ");
	cr_assert_eq(sscanf(said, "leaking in pid %d", &pid), 1);
	return pid;
}

static void start_gunicorn(struct run *run, struct bench *bench, const char *policy,
			   const char *app)
{
	run_start(run, bench,
		  WORDS("--mem", "256M", "--oom", policy, "--backoff", "100ms", "--", "gunicorn",
			"-w", "2", "--timeout", "120", "-b",
			bench_format(bench, "127.0.0.1:%d", bench->port), app));
}

static void leak_until_the_connection_ends(struct run *run)
{
	struct reply reply;

	http_get(run->bench, "/leak?mb=400", &reply, START_MSEC);
	cr_assert_eq(reply.status, 0, "400 MiB fitted into 256M%s", run_story(run));
}

static void expect_the_limit_is_named(const json_t *incident)
{
	cr_expect_str_eq(field_text(incident, "cause"), "oom");
	cr_expect_str_eq(field_text(incident, "level"), "app");
	cr_expect_not_null(strstr(field_text(incident, "sentence"), "256M"), "no limit in: %s",
			   field_text(incident, "sentence"));
	cr_expect_gt(strlen(field_text(incident, "advice")), 10);
}

static void expect_the_memory_is_told(const json_t *incident)
{
	long long before = field_number(incident, "memory.before.anon");
	long long after = field_number(incident, "memory.after.anon");
	long long peak = field_number(incident, "memory.peak");

	/* two workers and a master are some 60 MiB; the rest of the 256 is the leak's */
	cr_expect(before > 150 * MIB && before <= 256 * MIB, "anon before: %lld", before);
	cr_expect(after < 120 * MIB && after > 0, "anon after: %lld", after);
	cr_expect(peak > 250 * MIB && peak <= 256 * MIB, "peak: %lld", peak);
}

static void expect_its_worker_is_named(struct run *run, const json_t *incident,
				       const struct census *before)
{
	pid_t inside = leaker(run), victim = host_pid_of(before, inside);
	const char *number = bench_format(run->bench, "%d", (int)victim);

	cr_assert_gt(victim, 0, "pid %d inside is none of the app's%s", (int)inside,
		     run_story(run));
	cr_expect_eq(field_number(incident, "victim.pid"), victim);
	cr_expect(!field_bool(incident, "victim.main"));
	cr_expect_not_null(strstr(field_text(incident, "victim.comm"), "gunicorn"));
	cr_expect_not_null(strstr(field_text(incident, "victim.command_line"), "flask_app:app"));
	cr_expect(field_lines_have(incident, "log.lines", "leaking in pid"));
	/* its status is known to its parent only */
	cr_expect(field_is_null(incident, "exit"));
	cr_expect(field_lines_have(incident, "kernel", number), "no pid %s in the kernel's lines",
		  number);
}

Test(oom, a_leaking_request_costs_one_gunicorn_worker)
{
	_cleanup_json_ json_t *incident = NULL;
	struct census before, after;
	struct reply reply;
	struct bench bench;
	struct run run;

	bench_open(&bench, "leak");
	start_gunicorn(&run, &bench, "worker", "flask_app:app");
	http_await(&run, "/", &reply, START_MSEC);
	run_await_times(&run, BOOTED, 2, START_MSEC);
	take_census(&run, &before);
	leak_until_the_connection_ends(&run);

	incident = run_await_incident(&run, 1, REACTION_MSEC);
	expect_the_limit_is_named(incident);
	expect_the_memory_is_told(incident);
	expect_its_worker_is_named(&run, incident, &before);
	cr_expect_str_eq(field_text(incident, "decision.action"), "left-to-master");
	cr_expect(field_is_null(incident, "decision.delay_usec"));
	expect_incident_is_told(&run, incident);

	run_await_times(&run, BOOTED, 3, START_MSEC);
	http_await(&run, "/", &reply, START_MSEC);
	take_census(&run, &after);
	cr_expect_eq(main_process(&after), main_process(&before), "the master was restarted");
	cr_expect(!census_has(&after, (pid_t)field_number(incident, "victim.pid")));
	cr_expect_eq(run_counter(&run, "memory.events", "oom_kill"), 1);

	run_signal(&run, SIGTERM);
	cr_expect_eq(run_wait(&run, START_MSEC), 0, "%s", run_story(&run));
	cr_expect_eq(json_array_size(run_incidents(&run)), 1, "one kill, one incident%s",
		     run_story(&run));
	bench_close(&bench);
}

Test(oom, with_oom_app_the_whole_app_is_restarted)
{
	_cleanup_json_ json_t *incident = NULL;
	struct census before, after;
	struct reply reply;
	struct bench bench;
	struct run run;

	bench_open(&bench, "oomapp");
	start_gunicorn(&run, &bench, "app", "wsgi_app:app");
	http_await(&run, "/", &reply, START_MSEC);
	run_await_times(&run, BOOTED, 2, START_MSEC);
	take_census(&run, &before);
	leak_until_the_connection_ends(&run);

	incident = run_await_incident(&run, 1, REACTION_MSEC);
	expect_the_limit_is_named(incident);
	cr_expect(census_has(&before, (pid_t)field_number(incident, "victim.pid")));
	cr_expect_str_eq(field_text(incident, "decision.action"), "restart");
	cr_expect_eq(field_number(incident, "decision.delay_usec"), 100000);
	expect_incident_is_told(&run, incident);

	http_await(&run, "/", &reply, START_MSEC);
	run_await_times(&run, BOOTED, 4, START_MSEC);
	take_census(&run, &after);
	for (size_t i = 0; i < after.count; i++)
		cr_expect(!census_has(&before, after.host[i]), "pid %d has survived",
			  (int)after.host[i]);

	run_signal(&run, SIGTERM);
	cr_expect_eq(run_wait(&run, START_MSEC), 0, "%s", run_story(&run));
	cr_expect_eq(json_array_size(run_incidents(&run)), 1, "one kill, one incident%s",
		     run_story(&run));
	bench_close(&bench);
}

static void expect_one_of_a_series(const json_t *incident, size_t number)
{
	cr_expect_str_eq(field_text(incident, "cause"), "oom");
	cr_expect(field_bool(incident, "victim.main"));
	cr_expect_eq(field_number(incident, "exit.signal"), SIGKILL);
	if (number < 3) {
		cr_expect_str_eq(field_text(incident, "decision.action"), "restart");
		cr_expect_eq(field_number(incident, "decision.delay_usec"), 100000LL << number);
	} else {
		cr_expect_str_eq(field_text(incident, "decision.action"), "gave-up");
	}
}

Test(oom, a_leaking_process_is_restarted_ever_later_and_given_up_with_137)
{
	_cleanup_json_ json_t *incidents = NULL;
	struct bench bench;
	struct run run;
	int64_t started;

	bench_open(&bench, "alone");
	started = clock_msec();
	cr_expect_eq(run_through(&run, &bench,
				 WORDS("--mem", "48M", "--backoff", "100ms", "--max-restarts", "3",
				       "--", "python3", "leak.py")),
		     137, "%s", run_story(&run));
	cr_expect_geq(clock_msec() - started, 100 + 200 + 400, "it did not wait between starts");
	incidents = run_incidents(&run);
	cr_assert_eq(json_array_size(incidents), 4, "%s", run_story(&run));
	for (size_t i = 0; i < 4; i++)
		expect_one_of_a_series(json_array_get(incidents, i), i);
	bench_close(&bench);
}

/* tmpfs is memory too: a file that grows on /tmp is charged to the app, and kills it. */
Test(oom, a_file_on_tmp_counts_as_the_apps_memory)
{
	_cleanup_json_ json_t *incident = NULL;
	struct bench bench;
	struct run run;

	bench_open(&bench, "tmpfs");
	cr_expect_eq(
		run_through(&run, &bench,
			    WORDS("--mem", "32M", "--tmp-size", "32M", "--restart", "never", "--",
				  "dd", "if=/dev/zero", "of=/tmp/much", "bs=1M", "count=32")),
		137, "%s", run_story(&run));
	incident = run_await_incident(&run, 1, 0);
	cr_expect_str_eq(field_text(incident, "cause"), "oom");
	cr_expect_str_eq(field_text(incident, "decision.action"), "ended");
	cr_expect_gt(field_number(incident, "memory.before.shmem"), 10 * MIB);
	bench_close(&bench);
}
