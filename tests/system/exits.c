/* SPDX-License-Identifier: MIT */
/*
 * How a run ends: exit codes, signals, grace, and that nothing stays, however pysbx itself ends.
 */
#include "tests/system/harness.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(exits, .timeout = TEST_TIMEOUT_SEC);

static const struct exit_case {
	const char *script; /* for sh -c */
	int code;
	const char *cause; /* NULL: no incident */
} exit_cases[] = {
	{ "exit 0", 0, NULL },
	{ "exit 3", 3, "exit" },
	{ "exit 125", 125, "exit" },
	{ "exit 137", 137, "exit" }, /* a number is not a signal */
	{ "kill -TERM $$", 128 + SIGTERM, "signal" },
	{ "kill -KILL $$", 128 + SIGKILL, "signal" }, /* nobody ran out of memory */
	{ "kill -INT $$", 128 + SIGINT, "signal" },
	{ "kill -SYS $$", 128 + SIGSYS,
	  "seccomp" }, /* nothing tells the two apart: see verdict.h */
};

/* *incidents: how many are in the report, before and after. */
static void expect_exit(struct bench *bench, const struct exit_case *expected, size_t *incidents)
{
	_cleanup_json_ json_t *report = NULL;
	const json_t *newest;
	struct run run;

	cr_expect_eq(run_through(&run, bench,
				 WORDS("--restart", "never", "--", "sh", "-c", expected->script)),
		     expected->code, "%s%s", expected->script, run_story(&run));
	report = run_incidents(&run);
	*incidents += expected->cause != NULL ? 1 : 0;
	cr_assert_eq(json_array_size(report), *incidents, "%s%s", expected->script,
		     run_story(&run));
	if (expected->cause == NULL)
		return;
	newest = json_array_get(report, *incidents - 1);
	cr_expect_str_eq(field_text(newest, "cause"), expected->cause, "%s", expected->script);
	cr_expect_str_eq(field_text(newest, "decision.action"), "ended");
	cr_expect(field_is_null(newest, "decision.delay_usec"));
	cr_expect(field_bool(newest, "victim.main"));
}

Test(exits, the_code_is_the_commands_own_or_128_and_the_signal)
{
	struct bench bench;
	size_t incidents = 0;

	bench_open(&bench, "codes");
	for (size_t i = 0; i < ARRAY_SIZE(exit_cases); i++)
		expect_exit(&bench, &exit_cases[i], &incidents);
	bench_close(&bench);
}

/* What only execve finds out, inside: an interpreter that is missing, a file that is no program. */
Test(exits, what_cannot_be_executed_ends_with_127_or_126)
{
	const char *no_interpreter, *no_program, *no_permission;
	struct bench bench;
	struct run run;

	bench_open(&bench, "exec");
	no_interpreter = bench_format(&bench, "%s/no-interpreter", bench.apps);
	write_text(no_interpreter, "#!/usr/bin/no-such-python\n", 0755);
	no_program = bench_format(&bench, "%s/no-program", bench.apps);
	write_text(no_program,
		   "\x7f"
		   "ELF, but no more of it",
		   0755);
	no_permission = bench_format(&bench, "%s/no-permission", bench.apps);
	write_text(no_permission, "#!/bin/sh\n", 0644);

	cr_expect_eq(run_through(&run, &bench, WORDS("--", no_interpreter)), 127, "%s",
		     run_story(&run));
	cr_expect_not_null(strstr(run_stderr(&run), "no-such-python"), "%s", run_story(&run));
	cr_expect_eq(run_through(&run, &bench, WORDS("--", no_program)), 126, "%s",
		     run_story(&run));
	cr_expect_eq(run_through(&run, &bench, WORDS("--", no_permission)), 126, "%s",
		     run_story(&run));
	cr_expect_eq(run_through(&run, &bench, WORDS("--", "no-such-command-anywhere")), 127, "%s",
		     run_story(&run));
	bench_close(&bench);
}

Test(exits, out_of_memory_ends_with_137)
{
	_cleanup_json_ json_t *incident = NULL;
	struct bench bench;
	struct run run;

	bench_open(&bench, "oom137");
	cr_expect_eq(run_through(&run, &bench,
				 WORDS("--mem", "48M", "--restart", "never", "--", "python3",
				       "leak.py")),
		     137, "%s", run_story(&run));
	incident = run_await_incident(&run, 1, 0);
	cr_expect_str_eq(field_text(incident, "cause"), "oom");
	cr_expect_str_eq(field_text(incident, "decision.action"), "ended");
	bench_close(&bench);
}

/* A true crash: Python says where, because PYTHONFAULTHANDLER follows from pysbx. */
Test(exits, a_crash_is_a_signal_and_its_last_words_are_kept)
{
	_cleanup_json_ json_t *incident = NULL;
	struct bench bench;
	struct run run;

	bench_open(&bench, "crash");
	cr_expect_eq(run_through(&run, &bench,
				 WORDS("--restart", "never", "--", "python3", "-c",
				       "import ctypes; ctypes.string_at(0)")),
		     128 + SIGSEGV, "%s", run_story(&run));
	incident = run_await_incident(&run, 1, 0);
	cr_expect_str_eq(field_text(incident, "cause"), "signal");
	cr_expect_eq(field_number(incident, "exit.signal"), SIGSEGV);
	cr_expect_str_eq(field_text(incident, "victim.comm"), "python3");
	cr_expect(field_lines_have(incident, "log.lines", "Fatal Python error: Segmentation fault"),
		  "Python's last words are not in the incident%s", run_story(&run));
	expect_incident_is_told(&run, incident);
	bench_close(&bench);
}

Test(exits, a_kill_from_outside_is_a_signal_and_no_oom)
{
	_cleanup_json_ json_t *incident = NULL;
	pid_t pids[BENCH_PIDS_MAX];
	struct bench bench;
	struct run run;

	bench_open(&bench, "killed");
	run_start(&run, &bench,
		  WORDS("--mem", "64M", "--restart", "never", "--", "sh", "-c",
			"echo up; exec sleep 600"));
	run_await_stdout(&run, "up\n", REACTION_MSEC);
	cr_assert_eq(run_pids(&run, pids), 1);
	cr_assert_eq(kill(pids[0], SIGKILL), 0);
	cr_expect_eq(run_wait(&run, REACTION_MSEC), 128 + SIGKILL, "%s", run_story(&run));
	incident = run_await_incident(&run, 1, 0);
	cr_expect_str_eq(field_text(incident, "cause"), "signal");
	cr_expect(field_is_null(incident, "level"));
	cr_expect_eq(field_number(incident, "victim.pid"), pids[0]);
	cr_expect_not_null(strstr(field_text(incident, "sentence"), "SIGKILL"));
	expect_incident_is_told(&run, incident);
	bench_close(&bench);
}

Test(exits, a_call_that_the_profile_kills_for_is_seccomp)
{
	static const char script[] =
		"import os; print('before'); os.getpriority(0, 0); print('after')";
	_cleanup_json_ json_t *incident = NULL;
	const char *profile;
	struct bench bench;
	struct run run;

	bench_open(&bench, "seccomp");
	profile = bench_format(&bench, "%s/profile.json", bench.directory);
	write_text(profile,
		   "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": "
		   "[\"getpriority\"], \"action\": \"SCMP_ACT_KILL_PROCESS\"}]}",
		   0644);
	cr_expect_eq(run_through(&run, &bench,
				 WORDS("--syscalls", profile, "--restart", "never", "--", "python3",
				       "-c", script)),
		     128 + SIGSYS, "%s", run_story(&run));
	cr_expect_str_eq(run_stdout(&run), "before\n");
	incident = run_await_incident(&run, 1, 0);
	cr_expect_str_eq(field_text(incident, "cause"), "seccomp");
	expect_incident_is_told(&run, incident);
	bench_close(&bench);
}

/* --- signals ---------------------------------------------------------------------------------- */

static const struct {
	int signal;
	const char *said;
} forwarded[] = {
	{ SIGHUP, "got SIGHUP\n" },	{ SIGUSR1, "got SIGUSR1\n" }, { SIGUSR2, "got SIGUSR2\n" },
	{ SIGWINCH, "got SIGWINCH\n" }, { SIGTTIN, "got SIGTTIN\n" }, { SIGTTOU, "got SIGTTOU\n" },
};

Test(exits, signals_reach_the_worker_and_it_decides)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "signals");
	run_start(&run, &bench, WORDS("--", "python3", "signals.py"));
	run_await_stdout(&run, "ready\n", START_MSEC);
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++) {
		cr_expect_null(strstr(run_stdout(&run), forwarded[i].said));
		run_signal(&run, forwarded[i].signal);
		run_await_stdout(&run, forwarded[i].said, REACTION_MSEC);
	}
	run_signal(&run, SIGINT);
	cr_expect_eq(run_wait(&run, REACTION_MSEC), 5, "%s", run_story(&run));
	/* each once, in the order sent, and the last one is the one that was sent last */
	cr_expect_str_eq(run_stdout(&run),
			 "ready\ngot SIGHUP\ngot SIGUSR1\ngot SIGUSR2\ngot SIGWINCH\ngot SIGTTIN\n"
			 "got SIGTTOU\ngot SIGINT\n");
	bench_close(&bench);
}

/* "pysbx-run-NAME-ID.scope" out of the path of the app's slice; owned by the bench. */
static const char *scope_of(struct run *run)
{
	const char *slice = run_slice(run), *end = strstr(slice, ".scope"), *start = end;

	cr_assert_not_null(end, "%s", slice);
	while (start > slice && start[-1] != '/')
		start--;
	return bench_format(run->bench, "%.*s.scope", (int)(end - start), start);
}

Test(exits, systemctl_stop_of_the_scope_is_a_stop_and_no_incident)
{
	struct bench bench;
	struct run run;
	_cleanup_json_ json_t *incidents = NULL;

	bench_open(&bench, "scope");
	run_start(&run, &bench, WORDS("--restart", "always", "--", "python3", "signals.py"));
	run_await_stdout(&run, "ready\n", START_MSEC);
	cr_assert_eq(system(bench_format(&bench, "systemctl stop %s", scope_of(&run))), 0);
	cr_expect_eq(run_wait(&run, REACTION_MSEC), 6, "%s", run_story(&run));
	incidents = run_incidents(&run);
	cr_expect_eq(json_array_size(incidents), 0, "%s", run_story(&run));
	bench_close(&bench);
}

Test(exits, what_the_caller_ignores_stays_ignored_but_for_the_end_of_children)
{
	struct bench bench;
	struct run run;
	const struct run_setup setup = { .wrap = WORDS("env", "--ignore-signal=CHLD,HUP,INT") };

	bench_open(&bench, "ignored");
	run_start_with(&run, &bench, &setup, WORDS("--", "python3", "signals.py"));
	run_await_stdout(&run, "ready\n", START_MSEC);
	run_signal(&run, SIGHUP);
	run_signal(&run, SIGINT);
	run_signal(&run, SIGUSR1);
	run_await_stdout(&run, "got SIGUSR1\n", REACTION_MSEC);
	run_signal(&run, SIGTERM);
	cr_expect_eq(run_wait(&run, REACTION_MSEC), 6, "%s", run_story(&run));
	cr_expect_str_eq(run_stdout(&run), "ready\ngot SIGUSR1\ngot SIGTERM\n");
	bench_close(&bench);
}

Test(exits, sigterm_sends_the_kill_signal_that_was_asked_for)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "quit");
	run_start(&run, &bench, WORDS("--kill-signal", "QUIT", "--", "python3", "signals.py"));
	run_await_stdout(&run, "ready\n", START_MSEC);
	run_signal(&run, SIGTERM);
	cr_expect_eq(run_wait(&run, REACTION_MSEC), 7, "%s", run_story(&run));
	cr_expect_str_eq(run_stdout(&run), "ready\ngot SIGQUIT\n");
	bench_close(&bench);
}

Test(exits, who_does_not_end_in_the_grace_is_killed_with_all_children)
{
	struct bench bench;
	struct run run;
	int64_t asked, took;

	bench_open(&bench, "deaf");
	run_start(&run, &bench, WORDS("--grace", "1500ms", "--", "python3", "signals.py", "deaf"));
	run_await_stdout(&run, "ready\n", START_MSEC);
	run_await_pids(&run, 2, REACTION_MSEC);
	asked = clock_msec();
	run_signal(&run, SIGTERM);
	cr_expect_eq(run_wait(&run, REACTION_MSEC), 128 + SIGKILL, "%s", run_story(&run));
	took = clock_msec() - asked;
	cr_expect(took >= 1500 && took < 8000, "after %lld ms", (long long)took);
	cr_expect_not_null(strstr(run_stdout(&run), "got SIGTERM\n"), "%s", run_story(&run));
	bench_close(&bench);
}

/* --- the end of pysbx ------------------------------------------------------------------------- */

static void expect_systemd_knows_nothing(struct bench *bench)
{
	const char *list = bench_format(bench, "%s/units", bench->directory);
	_cleanup_free_ char *units = NULL;

	cr_assert_eq(system(bench_format(bench,
					 "systemctl list-units --all --plain --no-legend "
					 "'pysbx-run-%s*' >%s 2>&1",
					 bench->name, list)),
		     0);
	units = read_text(list);
	cr_expect_str_eq(units, "");
}

/* The hardest case: daemons of their own sessions, some stopped, and nobody there to tidy up. */
Test(exits, sigkill_of_pysbx_leaves_nothing)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "sigkill");
	run_start(&run, &bench, WORDS("--mem", "128M", "--", "python3", "escape.py"));
	run_await_stdout(&run, "daemons are out\n", START_MSEC);
	run_await_pids(&run, 5, REACTION_MSEC);
	run_signal(&run, SIGKILL);
	cr_expect_eq(run_wait(&run, REACTION_MSEC), 1000 + SIGKILL);
	bench_expect_nothing_left(&bench);
	expect_systemd_knows_nothing(&bench);
	bench_close(&bench);
}

/* Without systemd's help: the same, in a cgroup that was named. Also where limits go there. */
Test(exits, sigkill_of_pysbx_leaves_nothing_in_a_cgroup_root_either)
{
	const char *root, *slice;
	struct bench bench;
	struct run run;

	bench_open(&bench, "rootkill");
	root = bench_format(&bench, "/sys/fs/cgroup/pysbx-test-%d", (int)getpid());
	cr_assert_eq(mkdir(root, 0755), 0, "%s: %s", root, strerror(errno));
	run_start(&run, &bench,
		  WORDS("--cgroup-root", root, "--mem", "64M", "--", "python3", "escape.py"));
	run_await_stdout(&run, "daemons are out\n", START_MSEC);
	slice = run_slice(&run);
	cr_expect_eq(strncmp(slice, root, strlen(root)), 0, "%s", slice);
	cr_expect_str_eq(run_limit(&run, "memory.max"), "67108864");
	run_await_pids(&run, 5, REACTION_MSEC);
	run_signal(&run, SIGKILL);
	cr_expect_eq(run_wait(&run, REACTION_MSEC), 1000 + SIGKILL);
	bench_expect_nothing_left(&bench);
	cr_expect_eq(rmdir(root), 0, "%s: %s", root, strerror(errno));
	bench_close(&bench);
}

Test(exits, daemons_that_a_worker_left_end_with_it)
{
	static const char script[] =
		"setsid sleep 600 </dev/null >/dev/null 2>&1 & echo out; exit 0";
	struct bench bench;
	struct run run;

	bench_open(&bench, "daemons");
	cr_expect_eq(run_through(&run, &bench, WORDS("--", "sh", "-c", script)), 0, "%s",
		     run_story(&run));
	cr_expect_str_eq(run_stdout(&run), "out\n");
	bench_expect_nothing_left(&bench);
	expect_systemd_knows_nothing(&bench);
	bench_close(&bench);
}
