/* SPDX-License-Identifier: MIT */
/* The words of a verdict: sentence, advice, decision. */
#include "policy/own.h"
#include "policy/verdict.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#define EXITED(code)	((code) << 8)
#define SIGNALED(signo) (signo)
#define CORE		0x80
#define MIB		(UINT64_C(1) << 20)

static const struct limits limits = { .memory_max = 256 * MIB, .pids_max = 64 };
static const struct limits no_limits = { .memory_max = LIMIT_UNSET, .pids_max = LIMIT_MAX };

static const struct restart_policy on_failure = {
	.mode = RESTART_ON_FAILURE,
	.max_restarts = 5,
	.backoff_usec = 2000000,
	.backoff_max_usec = 60000000,
	.stable_usec = 60000000,
};

static struct verdict judge(const struct death *death)
{
	struct restart_state restarts = { 0 };
	struct verdict verdict;

	verdict_judge(death, &on_failure, OOM_WORKER, &restarts, &verdict);
	return verdict;
}

static void expect_sentence(const struct death *death, const char *expected)
{
	struct verdict verdict = judge(death);

	cr_expect_str_eq(verdict.sentence, expected, "\"%s\", not \"%s\"", verdict.sentence,
			 expected);
}

/* A gunicorn worker at its app's limit; the rows below change one thing each. */
static const struct death worker = {
	.child = true,
	.app = "web",
	.limits = &limits,
	.victim_name = "gunicorn",
	.victim_pid = 4711,
	.events.leaf_local.oom_kill = 1,
	.events.app_local.oom = 1,
	.memory_current = 120 * MIB,
};

Test(verdict_text, names_the_killed_worker_and_the_limit)
{
	struct death death = worker;

	expect_sentence(&death, "the kernel killed gunicorn (pid 4711), a child of the main "
				"process: app web reached its memory limit of 256M");
	death.victim_pid = 0;
	death.limits = &no_limits;
	expect_sentence(&death, "the kernel killed gunicorn, a child of the main process: app web "
				"reached its memory limit");
	death.victim_name = NULL;
	death.limits = NULL;
	death.app = NULL;
	expect_sentence(&death, "the kernel killed a process, a child of the main process: the app "
				"reached its memory limit");
	death.victim_pid = 12;
	death.victim_name = "";
	expect_sentence(&death, "the kernel killed process 12, a child of the main process: the "
				"app reached its memory limit");
}

Test(verdict_text, names_the_level_that_fired)
{
	struct death death = worker;

	death.events.app_local.oom = 0;
	expect_sentence(&death, "the kernel killed gunicorn (pid 4711), a child of the main "
				"process: the host ran out of memory (app web itself used 120M of "
				"its 256M)");
	death.memory_current = 0;
	expect_sentence(&death, "the kernel killed gunicorn (pid 4711), a child of the main "
				"process: the host ran out of memory");
	death.memory_current = 120 * MIB;
	death.limits = &no_limits;
	death.events.above.oom = 1;
	expect_sentence(&death, "the kernel killed gunicorn (pid 4711), a child of the main "
				"process: a cgroup above app web reached its memory limit (app web "
				"itself used 120M)");
	death.events.leaf_local.oom = 1;
	expect_sentence(&death, "the kernel killed gunicorn (pid 4711), a child of the main "
				"process: its instance of app web reached its memory limit");
}

Test(verdict_text, counts_kills_and_knows_group_kills)
{
	struct death death = worker;

	death.events.leaf_local.oom_kill = 5;
	death.explained.leaf_local.oom_kill = 2;
	expect_sentence(&death, "the kernel killed 3 processes, among them gunicorn (pid 4711), a "
				"child of the main process: app web reached its memory limit of "
				"256M");
	death.child = false;
	death.has_status = true;
	death.wait_status = SIGNALED(SIGKILL);
	death.events.leaf_local.oom_group_kill = 1;
	expect_sentence(&death, "the kernel killed gunicorn (pid 4711), the main process, and with "
				"it all others of the app (memory.oom.group): app web reached its "
				"memory limit of 256M");
	death.victim_is_child = true;
	death.victim_pid_inside = 3;
	expect_sentence(&death, "the kernel killed gunicorn (pid 4711, 3 inside), a child of the "
				"main process, and with it all others of the app "
				"(memory.oom.group): app web reached its memory limit of 256M");
}

Test(verdict_text, tells_a_killed_main_process_from_one_that_followed_its_child)
{
	struct death death = worker;

	death.child = false;
	death.has_status = true;
	death.wait_status = SIGNALED(SIGKILL);
	expect_sentence(&death, "the kernel killed gunicorn (pid 4711), the main process: app web "
				"reached its memory limit of 256M");
	death.wait_status = EXITED(1);
	expect_sentence(&death, "the kernel killed gunicorn (pid 4711), a child of the main "
				"process: app web reached its memory limit of 256M; then the main "
				"process ended with exit code 1");
	death.wait_status = EXITED(0);
	expect_sentence(&death, "the main process of app web ended with exit code 0; before, the "
				"kernel killed gunicorn (pid 4711), a child of the main process");
}

Test(verdict_text, says_how_a_main_process_ended)
{
	static const struct {
		const char *name;
		int status;
		const char *expected;
	} rows[] = {
		{ "python3", EXITED(1), "ended with exit code 1" },
		{ "python3", EXITED(0), "ended with exit code 0" },
		{ "python3", EXITED(3), "ended with exit code 3" },
		{ "gunicorn", EXITED(3),
		  "ended with exit code 3: gunicorn's \"a worker failed to boot\"" },
		{ "/venv/bin/gunicorn", EXITED(4),
		  "ended with exit code 4: gunicorn's \"the application failed to load\"" },
		{ "gunicorn", EXITED(1), "ended with exit code 1" },
		{ "sh", EXITED(127), "ended with exit code 127" },
		{ "sh", EXITED(128), "ended with exit code 128" },
		{ "sh", EXITED(137),
		  "ended with exit code 137: as shells do when their command was killed by "
		  "SIGKILL" },
		{ "sh", EXITED(255), "ended with exit code 255" },
		{ "python3", SIGNALED(SIGSEGV), "crashed with SIGSEGV (invalid memory access)" },
		{ "python3", SIGNALED(SIGSEGV) | CORE,
		  "crashed with SIGSEGV (invalid memory access; core dumped)" },
		{ "python3", SIGNALED(SIGSYS), "crashed with SIGSYS (forbidden system call)" },
		{ "python3", SIGNALED(SIGKILL),
		  "was killed by SIGKILL: no limit was hit and pysbx did not send it, so someone "
		  "else did" },
		{ "python3", SIGNALED(SIGTERM), "was killed by SIGTERM; no stop was asked for" },
		{ "python3", SIGNALED(SIGUSR1),
		  "was killed by SIGUSR1, which pysbx was sent and passed on" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct death death = { .has_status = true,
				       .wait_status = rows[i].status,
				       .app = "web",
				       .victim_name = rows[i].name,
				       .victim_pid = 7,
				       .forwarded_signal = SIGUSR1 };
		char expected[VERDICT_TEXT_MAX];

		snprintf(expected, sizeof(expected), "%s (pid 7), the main process of app web, %s",
			 rows[i].name, rows[i].expected);
		expect_sentence(&death, expected);
	}
}

Test(verdict_text, names_the_process_limit_with_its_numbers)
{
	struct death death = { .has_status = true,
			       .wait_status = EXITED(1),
			       .app = "web",
			       .limits = &limits,
			       .victim_name = "sh",
			       .victim_pid = 7,
			       .events.pids_max = 1203 };

	expect_sentence(&death, "sh (pid 7), the main process of app web, ended with exit code 1 "
				"after the limit of 64 processes and threads (pids.max) had "
				"refused 1203 new ones");
	death.events.pids_max = 1;
	death.limits = NULL;
	expect_sentence(&death, "sh (pid 7), the main process of app web, ended with exit code 1 "
				"after the limit on processes and threads (pids.max) had refused 1 "
				"new one");
	death.wait_status = SIGNALED(SIGKILL);
	death.events.pids_max = 12;
	expect_sentence(&death, "sh (pid 7), the main process of app web, was killed by SIGKILL: "
				"no limit was hit and pysbx did not send it, so someone else did "
				"(before, pids.max had refused 12 new processes)");
}

Test(verdict_text, says_in_which_circumstances_it_ended)
{
	struct death death = { .has_status = true,
			       .wait_status = EXITED(1),
			       .app = "web",
			       .refused_call = "chroot(0x7ffd)",
			       .victim_name = "sh",
			       .victim_pid = 7 };

	expect_sentence(&death, "sh (pid 7), the main process of app web, ended with exit code 1 "
				"(shortly before, seccomp had refused chroot(0x7ffd))");
	death.refused_call = NULL;
	death.stop_requested = true;
	death.wait_status = SIGNALED(SIGSEGV);
	expect_sentence(&death, "sh (pid 7), the main process of app web, crashed with SIGSEGV "
				"(invalid memory access), while it was stopped as asked");
	death.wait_status = SIGNALED(SIGKILL);
	death.events.leaf_local.oom_kill = death.events.app_local.oom = 1;
	expect_sentence(&death, "the kernel killed sh (pid 7), the main process: app web reached "
				"its memory limit, while it was stopped as asked");
}

Test(verdict_text, says_why_a_start_failed)
{
	struct death death = { .start_failed = true,
			       .failed_stage = "exec",
			       .failed_errno = ENOENT,
			       .failed_text = "gunicorn: No such file or directory",
			       .app = "web" };

	expect_sentence(&death, "app web did not start: exec: gunicorn: No such file or directory");
	death.failed_text = "gunicorn";
	expect_sentence(&death, "app web did not start: exec: gunicorn: No such file or directory");
	death.failed_text = NULL;
	expect_sentence(&death, "app web did not start: exec: No such file or directory");
	death.failed_errno = 0;
	death.failed_stage = NULL;
	expect_sentence(&death, "app web did not start: unknown stage");
	death.failed_stage = "exec";
	death.failed_text = "the launcher ended";
	death.events.leaf_local.oom_kill = 1;
	expect_sentence(&death, "app web did not start: exec: the launcher ended (the kernel "
				"killed it for memory)");
	/* the supervisor's own words hold the reason already */
	death = (struct death){ .start_failed = true,
				.failed_stage = "prepare",
				.failed_errno = ENOENT,
				.failed_text = "command: no gunicorn in /usr/bin",
				.app = "web" };
	expect_sentence(&death, "app web did not start: command: no gunicorn in /usr/bin");
}

Test(verdict_text, says_how_a_stop_went)
{
	struct death death = { .stop_requested = true,
			       .has_status = true,
			       .wait_status = EXITED(0),
			       .app = "web",
			       .grace_usec = 10000000 };

	expect_sentence(&death,
			"app web was stopped as asked; its main process ended with exit code 0");
	death.wait_status = SIGNALED(SIGTERM);
	expect_sentence(&death,
			"app web was stopped as asked; its main process was killed by SIGTERM");
	death.events.leaf_local.oom_kill = 2;
	expect_sentence(&death,
			"app web was stopped as asked; its main process was killed by SIGTERM; "
			"before, the kernel had killed 2 of its processes for memory");
	death.events.leaf_local.oom_kill = 0;
	death.wait_status = SIGNALED(SIGKILL);
	death.killed_by_us = true;
	expect_sentence(&death, "app web did not end within its grace of 10s after the stop "
				"signal: killed");
	death.grace_usec = 0;
	expect_sentence(&death, "app web did not end within its grace after the stop signal: "
				"killed");
	death.stop_requested = false;
	expect_sentence(&death, "app web was killed by pysbx");
}

Test(verdict_text, says_when_nobody_knows)
{
	struct death death = { .app = "web" };

	expect_sentence(&death, "the launcher of app web vanished without a word: it crashed or "
				"was killed, and its processes with it");
}

Test(verdict_text, escapes_names_and_messages)
{
	struct death death = worker;
	struct death start = { .start_failed = true,
			       .failed_stage = "exec",
			       .failed_text = "a\nb\x9b",
			       .app = "web" };

	death.victim_name = "\x1b[2J\xff\n";
	expect_sentence(&death, "the kernel killed \\x1b[2J\\xff\\n (pid 4711), a child of the "
				"main process: app web reached its memory limit of 256M");
	expect_sentence(&start, "app web did not start: exec: a\\nb\\x9b");
}

Test(verdict_text, a_sentence_that_is_too_long_says_so)
{
	char text[600];
	struct death death = {
		.start_failed = true, .failed_stage = "exec", .failed_text = text, .app = "web"
	};
	struct verdict verdict;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	verdict = judge(&death);
	cr_expect_eq(strlen(verdict.sentence), VERDICT_TEXT_MAX - 1);
	cr_expect_str_eq(verdict.sentence + VERDICT_TEXT_MAX - 1 - 4, "x...");
}

/* --- advice --- */

static void expect_advice(const struct death *death, const char *part)
{
	struct verdict verdict = judge(death);

	if (part[0] == '\0')
		cr_expect_str_eq(verdict.advice, "", "\"%s\"", verdict.advice);
	else
		cr_expect_not_null(strstr(verdict.advice, part), "\"%s\" has no \"%s\"",
				   verdict.advice, part);
}

Test(verdict_text, advises_by_what_filled_the_memory)
{
	static const struct {
		uint64_t anon, file, shmem, current;
		const char *part;
	} rows[] = {
		{ 241 * MIB, 3 * MIB, 0, 252 * MIB, "96 % of it was anonymous memory" },
		/* file holds shmem too */
		{ 10 * MIB, 200 * MIB, 198 * MIB, 256 * MIB, "77 % of it was files in /tmp" },
		{ 10 * MIB, 200 * MIB, 2 * MIB, 256 * MIB, "77 % of it was file cache" },
		{ 90 * MIB, 160 * MIB, 80 * MIB, 256 * MIB, "no single part" },
		{ 128 * MIB, 0, 0, 256 * MIB, "50 % of it was anonymous memory" },
		{ 127 * MIB, 0, 0, 256 * MIB, "no single part" },
		/* readings at different times: never above 100 % */
		{ 256 * MIB, 0, 0, 100 * MIB, "100 % of it was anonymous memory" },
		{ 0, 5 * MIB, 256 * MIB, 1, "100 % of it was files in /tmp" },
		{ 0, 0, 0, 256 * MIB, "raise --mem, run fewer workers, or look for a leak" },
		{ 0, 0, 0, 0, "raise --mem, run fewer workers, or look for a leak" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct death death = worker;

		death.memory_anon = rows[i].anon;
		death.memory_file = rows[i].file;
		death.memory_shmem = rows[i].shmem;
		death.memory_current = rows[i].current;
		expect_advice(&death, rows[i].part);
	}
}

Test(verdict_text, does_not_blame_the_app_for_the_host)
{
	struct death death = worker;

	death.memory_anon = 100 * MIB;
	death.events.app_local.oom = 0;
	expect_advice(&death, "give the host more memory");
	death.events.above.oom = 1;
	expect_advice(&death, "raise the limit above it");
}

Test(verdict_text, advises_by_cause)
{
	static const struct {
		struct death death;
		const char *part;
	} rows[] = {
		{ { .has_status = true, .wait_status = EXITED(0) }, "" },
		{ { .has_status = true, .wait_status = EXITED(1) }, "the last lines of the log" },
		{ { .has_status = true, .wait_status = SIGNALED(SIGSEGV) }, "PYTHONFAULTHANDLER" },
		{ { .has_status = true, .wait_status = SIGNALED(SIGKILL) }, "systemd-oomd" },
		{ { .has_status = true, .wait_status = SIGNALED(SIGTERM) }, "" },
		{ { .has_status = true, .wait_status = SIGNALED(SIGSYS) }, "--syscalls" },
		{ { .has_status = true, .wait_status = EXITED(1), .events.pids_max = 1 },
		  "raise --pids" },
		{ { .stop_requested = true, .has_status = true }, "" },
		{ { .stop_requested = true, .killed_by_us = true }, "raise --grace" },
		{ { .killed_by_us = true }, "" },
		{ { .has_status = false }, "pysbx-launch" },
		{ { .start_failed = true, .failed_stage = "exec", .failed_errno = ENOENT },
		  "check the spelling" },
		{ { .start_failed = true, .failed_stage = "exec", .failed_errno = EACCES },
		  "chmod +x" },
		{ { .start_failed = true, .failed_stage = "exec", .failed_errno = ENOEXEC },
		  "#!/usr/bin/env python3" },
		{ { .start_failed = true, .failed_stage = "exec", .failed_errno = ENOMEM },
		  "too small to start it" },
		{ { .start_failed = true, .failed_stage = "cgroup", .failed_errno = EAGAIN },
		  "raise --pids" },
		{ { .start_failed = true, .failed_stage = "directory", .failed_errno = ENOENT },
		  "--chdir" },
		{ { .start_failed = true, .failed_stage = "root", .failed_errno = ENOENT },
		  "--print-plan" },
		{ { .start_failed = true, .failed_stage = "landlock", .failed_errno = ENOSYS },
		  "take it out of --require" },
		{ { .start_failed = true, .failed_stage = "namespaces", .failed_errno = ENOSPC },
		  "user.max_" },
		{ { .start_failed = true, .failed_stage = "seccomp", .failed_errno = EINVAL }, "" },
		{ { .start_failed = true }, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_advice(&rows[i].death, rows[i].part);
}

Test(verdict_text, names_settings_as_the_daemon_knows_them)
{
	static const struct {
		struct death death;
		const char *part;
	} rows[] = {
		{ { .has_status = true, .wait_status = EXITED(1) }, "sandbox: isolation.readable" },
		{ { .has_status = true, .wait_status = SIGNALED(SIGSYS) }, "your own: syscalls" },
		{ { .has_status = true, .wait_status = EXITED(1), .events.pids_max = 1 },
		  "raise limits.pids (now 64; pysbx set web pids=96), or lower" },
		{ { .stop_requested = true, .killed_by_us = true }, "raise stop.grace, or" },
		{ { .start_failed = true, .failed_stage = "exec", .failed_errno = ENOENT },
		  "needs isolation.readable," },
		{ { .start_failed = true, .failed_stage = "exec", .failed_errno = ENOMEM },
		  "raise limits.memory (now 256M; pysbx set web memory=384M)" },
		{ { .start_failed = true, .failed_stage = "exec", .failed_errno = EAGAIN },
		  "raise limits.pids (now 64; pysbx set web pids=96)" },
		{ { .start_failed = true, .failed_stage = "directory", .failed_errno = ENOENT },
		  "runs as: directory, user" },
		{ { .start_failed = true, .failed_stage = "root", .failed_errno = ENOENT },
		  "given with isolation.readable and isolation.writable" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct death death = rows[i].death;

		death.door = DOOR_SOCKET;
		death.app = "web";
		death.limits = &limits;
		expect_advice(&death, rows[i].part);
		cr_expect_null(strstr(judge(&death).advice, "--print-plan"));
	}
}

Test(verdict_text, names_the_tenants_limit_above_the_app)
{
	static const struct limits of_tenant = { .memory_max = 1024 * MIB };
	struct death death = worker;

	death.events.app_local.oom = 0;
	death.events.above.oom = 1;
	death.tenant = (struct setting_bound){ "acme", &of_tenant };
	expect_advice(&death, "raise the limit above it (limits.memory of tenant acme, now 1G for "
			      "all its apps, or MemoryMax= of its slice or scope)");
	death.tenant.limits = &no_limits;
	expect_advice(&death, "raise the limit above it (MemoryMax= of its slice or scope)");
}

Test(verdict_text, no_advice_is_cut_short)
{
	struct death death = worker;
	const uint64_t sizes[][3] = { { 1, 0, 0 }, { 0, 1, 1 }, { 0, 1, 0 }, { 1, 2, 1 } };

	death.door = DOOR_SOCKET;
	death.app = "a-name-as-long-as-any-may-be-with-more-words-than-anybody-reads-x";
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		death.memory_anon = sizes[i][0] * MIB;
		death.memory_file = sizes[i][1] * MIB;
		death.memory_shmem = sizes[i][2] * MIB;
		cr_expect_lt(strlen(judge(&death).advice), VERDICT_TEXT_MAX - 1);
	}
}

/* --- the decision --- */

static const char *why(const struct death *death, const struct restart_policy *policy,
		       enum oom_policy oom, unsigned in_row)
{
	static struct verdict verdict;
	struct restart_state restarts = { .in_row = in_row, .next_delay_usec = 4000000 };

	verdict_judge(death, policy, oom, &restarts, &verdict);
	return verdict.why;
}

Test(verdict_text, tells_the_decision_in_words)
{
	const struct death failure = { .has_status = true, .wait_status = EXITED(1) };
	const struct death clean = { .has_status = true, .wait_status = EXITED(0) };
	const struct death stop = { .has_status = true, .stop_requested = true };
	const struct death ours = { .has_status = true, .killed_by_us = true };
	const struct death missing = { .start_failed = true, .failed_errno = ENOENT };
	struct death child_in_stop = worker;
	struct restart_policy policy = on_failure;

	child_in_stop.stop_requested = true;
	cr_expect_str_eq(why(&failure, &policy, OOM_WORKER, 0),
			 "restart in 2s, the 1st in a row of at most 5");
	cr_expect_str_eq(why(&failure, &policy, OOM_WORKER, 1),
			 "restart in 4s, the 2nd in a row of at most 5");
	cr_expect_str_eq(why(&failure, &policy, OOM_WORKER, 2),
			 "restart in 4s, the 3rd in a row of at most 5");
	cr_expect_str_eq(why(&failure, &policy, OOM_WORKER, 5),
			 "gave up after 5 restarts in a row, none of which ran for 1min");
	cr_expect_str_eq(why(&clean, &policy, OOM_WORKER, 0),
			 "not restarted: a clean exit is the end (--restart on-failure)");
	cr_expect_str_eq(why(&stop, &policy, OOM_WORKER, 0), "not restarted: a stop was asked for");
	cr_expect_str_eq(why(&ours, &policy, OOM_WORKER, 0), "not restarted: pysbx ended it");
	cr_expect_str_eq(why(&missing, &policy, OOM_WORKER, 0),
			 "not restarted: the next try would fail in the same way");
	cr_expect_str_eq(why(&worker, &policy, OOM_WORKER, 0),
			 "left to the main process, which is alive (gunicorn and uWSGI start a new "
			 "worker; --oom app would restart the whole app)");
	cr_expect_str_eq(why(&child_in_stop, &policy, OOM_WORKER, 0),
			 "left to the main process, which is being stopped");
	cr_expect_str_eq(why(&worker, &policy, OOM_APP, 0),
			 "restart the whole app (--oom app) in 2s, the 1st in a row of at most 5");

	policy.max_restarts = 1;
	cr_expect_str_eq(why(&failure, &policy, OOM_WORKER, 1),
			 "gave up after 1 restart in a row, none of which ran for 1min");
	policy.max_restarts = 0;
	cr_expect_str_eq(why(&failure, &policy, OOM_WORKER, 0),
			 "gave up: no restart is allowed (--max-restarts 0)");
	policy.mode = RESTART_NEVER;
	cr_expect_str_eq(why(&failure, &policy, OOM_WORKER, 0), "not restarted (--restart never)");
	cr_expect_str_eq(why(&missing, &policy, OOM_WORKER, 0), "not restarted (--restart never)");
}

Test(verdict_text, tells_the_decision_in_the_daemons_words)
{
	const struct death failure = { .door = DOOR_FILE,
				       .has_status = true,
				       .wait_status = EXITED(1) };
	const struct death clean = { .door = DOOR_SOCKET, .has_status = true };
	struct death child = worker;
	struct restart_policy policy = on_failure;

	child.door = DOOR_SOCKET;
	cr_expect_str_eq(why(&clean, &policy, OOM_WORKER, 0),
			 "not restarted: a clean exit is the end (restart.mode=on-failure)");
	cr_expect_str_eq(why(&child, &policy, OOM_WORKER, 0),
			 "left to the main process, which is alive (gunicorn and uWSGI start a new "
			 "worker; oom=app would restart the whole app)");
	cr_expect_str_eq(why(&child, &policy, OOM_APP, 0),
			 "restart the whole app (oom=app) in 2s, the 1st in a row of at most 5");
	policy.max_restarts = 0;
	cr_expect_str_eq(why(&failure, &policy, OOM_WORKER, 0),
			 "gave up: no restart is allowed (restart.max_restarts=0)");
	policy.mode = RESTART_NEVER;
	cr_expect_str_eq(why(&failure, &policy, OOM_WORKER, 0),
			 "not restarted (restart.mode=never)");
}

Test(verdict_text, counts_restarts_in_good_english)
{
	static const struct {
		unsigned in_row;
		const char *expected;
	} rows[] = {
		{ 0, "restart at once, the 1st in a row" },
		{ 3, "restart at once, the 4th in a row" },
		{ 10, "restart at once, the 11th in a row" },
		{ 11, "restart at once, the 12th in a row" },
		{ 12, "restart at once, the 13th in a row" },
		{ 20, "restart at once, the 21st in a row" },
		{ 21, "restart at once, the 22nd in a row" },
		{ 110, "restart at once, the 111th in a row" },
		{ 121, "restart at once, the 122nd in a row" },
	};
	const struct death failure = { .has_status = true, .wait_status = EXITED(1) };
	const struct restart_policy policy = { .mode = RESTART_ALWAYS,
					       .max_restarts = LIMIT_MAX,
					       .stable_usec = 60000000 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_str_eq(why(&failure, &policy, OOM_WORKER, rows[i].in_row),
				 rows[i].expected);
}

Test(verdict_text, tells_what_a_hung_app_was_ended_for)
{
	struct death death = { .has_status = true,
			       .wait_status = SIGNALED(SIGKILL),
			       .app = "web",
			       .limits = &limits,
			       .victim_name = "gunicorn",
			       .victim_pid = 4711,
			       .ended_cause = CAUSE_HUNG,
			       .ended_for = "waiting in requests.get at views.py:42 for 31 s" };

	expect_sentence(&death,
			"gunicorn (pid 4711), the main process of app web, made no progress: "
			"waiting in requests.get at views.py:42 for 31 s; pysbx ended it");
	cr_expect_not_null(strstr(judge(&death).advice, "timeout="));
	death.ended_for = NULL;
	expect_sentence(&death,
			"gunicorn (pid 4711), the main process of app web, made no progress; "
			"pysbx ended it");
}

Test(verdict_text, tells_what_an_unhealthy_app_was_ended_for)
{
	struct death death = { .has_status = true,
			       .wait_status = SIGNALED(SIGKILL),
			       .app = "web",
			       .door = DOOR_SOCKET,
			       .limits = &limits,
			       .victim_name = "gunicorn",
			       .ended_cause = CAUSE_UNHEALTHY,
			       .ended_for =
				       "its health check failed 3 times in a row (answered 500)" };

	expect_sentence(&death, "gunicorn, the main process of app web, was unhealthy: its health "
				"check failed 3 times in a row (answered 500); pysbx ended it");
	cr_expect_not_null(strstr(judge(&death).advice, "health.restart=hung"));
}

Test(verdict_text, tells_at_which_reading_the_pressure_ladder_ended_it)
{
	struct death death = { .has_status = true,
			       .wait_status = EXITED(0),
			       .app = "web",
			       .limits = &limits,
			       .victim_name = "gunicorn",
			       .victim_pid = 4711,
			       .ended_cause = CAUSE_PRESSURE,
			       .ended_for = "memory 96 % of 256M (pressure.restart)" };

	expect_sentence(&death,
			"gunicorn (pid 4711), the main process of app web, came near its memory "
			"limit: memory 96 % of 256M (pressure.restart); pysbx ended it before the "
			"kernel would");
}

Test(verdict_text, tells_what_a_stalled_app_was_ended_for)
{
	struct death death = { .has_status = true,
			       .wait_status = SIGNALED(SIGKILL),
			       .app = "web",
			       .limits = &limits,
			       .victim_name = "gunicorn",
			       .ended_cause = CAUSE_STALLED,
			       .ended_for = "memory full 62 % for 12 s\x1b[2J",
			       .memory_anon = 250 * MIB,
			       .memory_current = 255 * MIB };

	expect_sentence(&death,
			"gunicorn, the main process of app web, stalled for want of memory: "
			"memory full 62 % for 12 s\\x1b[2J; pysbx ended it");
	cr_expect_not_null(strstr(judge(&death).advice, "98 % of it was anonymous memory"));
}
