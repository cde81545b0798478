/* SPDX-License-Identifier: MIT */
/*
 * An app that floods whatever it can, within its limits, beside one that serves. The requests of
 * the neighbour and the calls of the daemon's clients take about as long as in quiet; by how much
 * longer is told, and the bound is generous, since the guest's processors are emulated.
 */
#include "tests/system/harness_daemon.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOKS		60 /* PYSBX_FLOOD_LOOKS, where that is set */
#define LOOKS_MAX	2000
#define TIMES_MAX	6   /* as long as in quiet ... */
#define BEYOND_MSEC	400 /* ... and this on top */
#define FLOODS_FOR_MSEC 1500
#define SPEAKS_FOR_MSEC 6500 /* who floods the log: until it is held for one that goes on */

TestSuite(floods, .timeout = TEST_TIMEOUT_SEC);

struct latencies {
	int64_t request, call; /* 99th percentile, msec */
};

static int compare_times(const void *a, const void *b)
{
	const int64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

static size_t looks(void)
{
	const char *text = getenv("PYSBX_FLOOD_LOOKS");
	size_t count = text != NULL ? strtoul(text, NULL, 10) : LOOKS;

	return count < 2 || count > LOOKS_MAX ? LOOKS : count;
}

/* Of a few, the last but one: a single hiccup of the machine is nobody's. */
static int64_t p99_of(int64_t *times, size_t count)
{
	qsort(times, count, sizeof(times[0]), compare_times);
	return times[count <= 200 ? count - 2 : count * 99 / 100 - 1];
}

static void measure(const struct bench *bench, struct latencies *ret)
{
	int64_t requests[LOOKS_MAX], calls[LOOKS_MAX];
	size_t count = looks();
	struct reply reply;

	for (size_t i = 0; i < count; i++) {
		int64_t began = clock_msec();

		http_get(bench, "/", &reply, CALL_MSEC);
		requests[i] = clock_msec() - began;
		cr_expect_eq(reply.status, 200);
		began = clock_msec();
		daemon_do("app.list", NULL);
		calls[i] = clock_msec() - began;
	}
	*ret = (struct latencies){ p99_of(requests, count), p99_of(calls, count) };
}

static bool serves(const struct bench *bench)
{
	struct reply reply;

	http_get(bench, "/", &reply, CALL_MSEC);
	return reply.status == 200;
}

static void start_neighbour(struct bench *bench, const char *name)
{
	app_apply(app_object(bench, name,
			     WORDS("gunicorn", "-w", "1", "--timeout", "120", "-b",
				   bench_format(bench, "127.0.0.1:%d", bench->port),
				   "wsgi_app:app")));
	cr_assert(AWAIT(serves(bench), START_MSEC), "the neighbour does not serve");
}

/* Ticks that a process has had of the processors. */
static long ticks_of(pid_t pid)
{
	_cleanup_free_ char *text = shell_output("cut -d')' -f2 /proc/%d/stat | "
						 "awk '{ print $12 + $13 }'",
						 (int)pid);

	return strtol(text, NULL, 10);
}

static pid_t launcher_of(const char *name)
{
	pid_t pids[BENCH_PIDS_MAX];
	_cleanup_free_ char *text = NULL;

	cr_assert_geq(app_pids(name, pids), 1);
	text = shell_output("cut -d')' -f2 /proc/%d/stat | awk '{ print $2 }'", (int)pids[0]);
	return (pid_t)strtol(text, NULL, 10);
}

static void start_flood(struct bench *bench, const char *name, const char *kind)
{
	json_t *app = app_object(bench, name, WORDS("./attempt", "flood", kind));

	json_object_set_new(
		app, "limits",
		json_pack("{s:i, s:s, s:s}", "pids", 64, "memory", "64M", "cpu", "50%"));
	json_object_set_new(app, "restart", json_pack("{s:s}", "mode", "never"));
	app_apply(app);
	/* until it has filled what there is to fill */
	pause_msec(strstr(kind, "lines") != NULL ? SPEAKS_FOR_MSEC : FLOODS_FOR_MSEC);
}

static void expect_near(const char *what, const char *kind, int64_t quiet, int64_t now)
{
	fprintf(stderr, "%s beside a flood of %s: p99 %lld ms, in quiet %lld ms\n", what, kind,
		(long long)now, (long long)quiet);
	cr_expect_leq(now, quiet * TIMES_MAX + BEYOND_MSEC,
		      "%s beside a flood of %s: p99 %lld ms, in quiet %lld ms", what, kind,
		      (long long)now, (long long)quiet);
}

static void try_flood(struct bench *bench, const char *kind, const struct latencies *quiet)
{
	const char *name = bench_format(bench, "flood-%s", bench->name);
	struct latencies now;
	long ticks, passed;
	int64_t began;
	pid_t launcher;

	start_flood(bench, name, kind);
	launcher = launcher_of(name);
	ticks = ticks_of(launcher);
	began = clock_msec();
	measure(bench, &now);
	passed = (long)(clock_msec() - began);
	ticks = (ticks_of(launcher) - ticks) * 1000 / sysconf(_SC_CLK_TCK);
	expect_near("a neighbour's request", kind, quiet->request, now.request);
	expect_near("app.list", kind, quiet->call, now.call);
	/* its launcher is outside the limits: what it can be made to do is bounded by what the app
	 * may do itself */
	fprintf(stderr, "the launcher beside a flood of %s: %ld of %ld ms\n", kind, ticks, passed);
	cr_expect_leq(ticks, passed * 6 / 10, "%s: its launcher had %ld of %ld ms", kind, ticks,
		      passed);
	daemon_do("app.remove", "{s:s}", "name", name);
}

Test(floods, slow_down_neither_a_neighbour_nor_the_daemon)
{
	static const char *const kinds[] = { "denied", "various", "lines",	  "long-lines",
					     "forks",  "orphans", "notifications" };
	struct latencies quiet;
	struct bench bench;
	const char *name;

	daemon_reset();
	bench_open(&bench, "floods");
	daemon_start();
	free(shell_output("cp $(dirname $(readlink /proc/%d/exe))/attempt %s/", (int)getpid(),
			  bench.apps));
	name = bench_format(&bench, "site-%s", bench.name);
	start_neighbour(&bench, name);
	measure(&bench, &quiet);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		try_flood(&bench, kinds[i], &quiet);
	daemon_do("app.remove", "{s:s}", "name", name);
	daemon_reset();
	bench_close(&bench);
}
