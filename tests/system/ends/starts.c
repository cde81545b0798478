/* SPDX-License-Identifier: MIT */
/* Deaths in a start, in a stop, and while the daemon itself is away. */
#include "tests/system/harness_deaths.h"

#include <criterion/criterion.h>
#include <signal.h>

static const struct death starts[] = {
	{ "interpreter", "the interpreter of the script is missing", "@apps/no-interpreter",
	  .cause = "start-failed", .sentence = "no-such-python" },
	{ "binary", "the program is missing", "/usr/bin/no-such-program", .cause = "start-failed",
	  .sentence = "no-such-program" },
	{ "format", "a file that is no program", "@apps/no-program", .cause = "start-failed" },
	{ "permission", "a program that may not be executed", "@apps/no-permission",
	  .cause = "start-failed" },
	{ "import", "out of memory while a module is imported", PYTHON("import_heavy"),
	  "{\"limits\": {\"memory\": \"48M\"}}", .cause = "oom", .level = "app", .ended = "SIGKILL",
	  .top = "<module>" },
	{ "stop-crash", "a crash while it is stopped", PYTHON("crash_when_stopped"),
	  .act = death_by_stop, .cause = "signal", .ended = "SIGSEGV" },
	{ "stop-leak", "out of memory while it is stopped", PYTHON("leak_when_stopped"),
	  "{\"limits\": {\"memory\": \"48M\"}}", .act = death_by_stop, .cause = "oom",
	  .level = "app", .ended = "SIGKILL" },
	{ "stop-deaf", "a stop that it does not hear", PYTHON("ignore_stop"),
	  "{\"stop\": {\"grace\": \"1s\"}}", .act = death_by_stop, .cause = "stopped",
	  .ended = "SIGKILL", .sentence = "did not end within its grace of 1s" },
};

Test(deaths, in_a_start_or_a_stop)
{
	DEATHS_PLAY("start and stop", starts);
}

#define WHEN_TOLD(how) .command = PYTHON("when_told " how)
#define MEMORY	       "{\"limits\": {\"memory\": \"64M\"}}"

static const struct death unwatched[] = {
	{ "away-oom", "out of memory", WHEN_TOLD("leak_fast"), MEMORY, .cause = "oom",
	  .level = "app", .ended = "SIGKILL" },
	{ "away-worker", "a worker out of memory", WHEN_TOLD("leak_in_child"), MEMORY,
	  .cause = "oom", .level = "app", .child = true, .decision = "left-to-master" },
	{ "away-crash", "a crash", WHEN_TOLD("read_nowhere"), .cause = "signal",
	  .ended = "SIGSEGV" },
	{ "away-exit", "an exception", WHEN_TOLD("raise_key_error"), .cause = "exit",
	  .ended = "exit 1" },
	{ "away-pids", "no process more", WHEN_TOLD("fork_bomb"), "{\"limits\": {\"pids\": 12}}",
	  .cause = "pids", .ended = "exit 1" },
};

static size_t count_alive(const struct deaths *deaths)
{
	pid_t pids[BENCH_PIDS_MAX];
	size_t alive = 0;

	for (size_t i = 0; i < deaths->count; i++)
		alive += app_pids(deaths->apps[i], pids) > 0 ? 1 : 0;
	return alive;
}

Test(deaths, while_no_daemon_is_there)
{
	struct deaths deaths;

	deaths_begin(&deaths, "no daemon", unwatched, ARRAY_SIZE(unwatched));
	deaths_await_ready(&deaths);
	daemon_stop();
	death_by_word(&deaths, NULL, NULL);
	/* the master of the killed worker lives on */
	cr_expect(AWAIT(count_alive(&deaths) == 1, START_MSEC));
	daemon_start();
	deaths_check(&deaths);
	deaths_end(&deaths);
}

Test(deaths, while_the_daemon_is_killed_and_comes_back)
{
	struct deaths deaths;
	pid_t pid;

	deaths_begin(&deaths, "daemon killed", unwatched, ARRAY_SIZE(unwatched));
	deaths_await_ready(&deaths);
	pid = daemon_pid();
	death_by_word(&deaths, NULL, NULL);
	daemon_kill(SIGKILL);
	daemon_await_successor(pid, START_MSEC);
	deaths_check(&deaths);
	deaths_end(&deaths);
}
