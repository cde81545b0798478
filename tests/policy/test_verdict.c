/* SPDX-License-Identifier: MIT */
/* Causes, levels, decisions and exit codes. The words are tested in test_verdict_text.c. */
#include "policy/verdict.h"

#include "policy/launch_message.h"
#include "policy/own.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#define EXITED(code)	((code) << 8)
#define SIGNALED(signo) (signo)

#define OOM_KILL(n)    .events.leaf_local.oom_kill = (n)
#define APP_OOM(n)     .events.app_local.oom = (n)
#define DIED(status)   .has_status = true, .wait_status = (status)
#define EXEC_FAILED(e) .start_failed = true, .failed_stage = "exec", .failed_errno = (e)

static const struct restart_policy on_failure = {
	.mode = RESTART_ON_FAILURE,
	.max_restarts = 3,
	.backoff_usec = 1000000,
	.backoff_max_usec = 60000000,
	.stable_usec = 60000000,
};

static struct verdict judge(const struct death *death)
{
	struct restart_state restarts = { 0 };
	struct verdict verdict;

	memset(&verdict, 0xee, sizeof(verdict));
	verdict_judge(death, &on_failure, OOM_WORKER, &restarts, &verdict);
	return verdict;
}

Test(verdict, finds_the_cause_in_the_documented_order)
{
	static const struct {
		const char *what;
		struct death death;
		enum cause cause;
	} rows[] = {
		{ "clean exit", { DIED(EXITED(0)) }, CAUSE_EXIT },
		{ "exit 1", { DIED(EXITED(1)) }, CAUSE_EXIT },
		{ "SIGKILL, nothing moved", { DIED(SIGNALED(SIGKILL)) }, CAUSE_SIGNAL },
		{ "SIGSEGV with a core", { DIED(SIGNALED(SIGSEGV) | 0x80) }, CAUSE_SIGNAL },
		{ "SIGSYS", { DIED(SIGNALED(SIGSYS)) }, CAUSE_SECCOMP },
		{ "OOM kill", { DIED(SIGNALED(SIGKILL)), OOM_KILL(1) }, CAUSE_OOM },
		{ "exit 1 after an OOM kill", { DIED(EXITED(1)), OOM_KILL(1) }, CAUSE_OOM },
		{ "exit 0 after an OOM kill", { DIED(EXITED(0)), OOM_KILL(1) }, CAUSE_EXIT },
		{ "oom without a kill",
		  { DIED(SIGNALED(SIGKILL)), .events.leaf_local.oom = 3, APP_OOM(3) },
		  CAUSE_SIGNAL },
		{ "OOM kill in another instance's leaf",
		  { DIED(SIGNALED(SIGKILL)), .events.app.oom_kill = 1, APP_OOM(1) },
		  CAUSE_SIGNAL },
		{ "OOM kill that was told about",
		  { DIED(SIGNALED(SIGKILL)), OOM_KILL(2), .explained.leaf_local.oom_kill = 2 },
		  CAUSE_SIGNAL },
		{ "one more OOM kill than was told about",
		  { DIED(SIGNALED(SIGKILL)), OOM_KILL(3), .explained.leaf_local.oom_kill = 2 },
		  CAUSE_OOM },
		{ "OOM before seccomp", { DIED(SIGNALED(SIGSYS)), OOM_KILL(1) }, CAUSE_OOM },
		{ "pids", { DIED(EXITED(1)), .events.pids_max = 7 }, CAUSE_PIDS },
		{ "pids, abort", { DIED(SIGNALED(SIGABRT)), .events.pids_max = 7 }, CAUSE_PIDS },
		{ "pids, but a clean exit", { DIED(EXITED(0)), .events.pids_max = 7 }, CAUSE_EXIT },
		{ "pids, but someone killed it",
		  { DIED(SIGNALED(SIGKILL)), .events.pids_max = 7 },
		  CAUSE_SIGNAL },
		{ "pids, but someone ended it",
		  { DIED(SIGNALED(SIGTERM)), .events.pids_max = 7 },
		  CAUSE_SIGNAL },
		{ "OOM before pids",
		  { DIED(EXITED(1)), OOM_KILL(1), .events.pids_max = 7 },
		  CAUSE_OOM },
		{ "seccomp before pids",
		  { DIED(SIGNALED(SIGSYS)), .events.pids_max = 7 },
		  CAUSE_SECCOMP },
		{ "stop", { DIED(EXITED(0)), .stop_requested = true }, CAUSE_STOPPED },
		{ "stop by its signal",
		  { DIED(SIGNALED(SIGTERM)), .stop_requested = true },
		  CAUSE_STOPPED },
		{ "stop, child OOM-killed before",
		  { DIED(EXITED(0)), .stop_requested = true, OOM_KILL(1), APP_OOM(1) },
		  CAUSE_STOPPED },
		{ "stop, and a crash meanwhile",
		  { DIED(SIGNALED(SIGSEGV)), .stop_requested = true, .stop_signal = SIGTERM },
		  CAUSE_SIGNAL },
		{ "stop by a signal that else is a crash",
		  { DIED(SIGNALED(SIGABRT)), .stop_requested = true, .stop_signal = SIGABRT },
		  CAUSE_STOPPED },
		{ "stop, and out of memory meanwhile",
		  { DIED(SIGNALED(SIGKILL)), .stop_requested = true, OOM_KILL(1), APP_OOM(1) },
		  CAUSE_OOM },
		{ "stop, and somebody's SIGKILL",
		  { DIED(SIGNALED(SIGKILL)), .stop_requested = true },
		  CAUSE_STOPPED },
		{ "stop, and no process more",
		  { DIED(SIGNALED(SIGABRT)), .stop_requested = true, .events.pids_max = 7 },
		  CAUSE_PIDS },
		{ "stop, grace over",
		  { DIED(SIGNALED(SIGKILL)), .stop_requested = true, .killed_by_us = true },
		  CAUSE_STOPPED },
		{ "our kill before OOM",
		  { DIED(SIGNALED(SIGKILL)), .killed_by_us = true, OOM_KILL(1) },
		  CAUSE_STOPPED },
		{ "stop during the start",
		  { EXEC_FAILED(EIO), .stop_requested = true },
		  CAUSE_STOPPED },
		{ "stop, launcher gone", { .stop_requested = true }, CAUSE_STOPPED },
		{ "exec failed", { EXEC_FAILED(ENOENT) }, CAUSE_START_FAILED },
		{ "exec failed, OOM-killed", { EXEC_FAILED(0), OOM_KILL(1) }, CAUSE_START_FAILED },
		{ "no status", { 0 }, CAUSE_LOST },
		{ "no status, OOM kill", { OOM_KILL(1) }, CAUSE_LOST },
		{ "child", { .child = true, OOM_KILL(1), APP_OOM(1) }, CAUSE_OOM },
		{ "child during a stop",
		  { .child = true, .stop_requested = true, OOM_KILL(1) },
		  CAUSE_OOM },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct verdict verdict = judge(&rows[i].death);

		cr_expect_eq(verdict.cause, rows[i].cause, "%s: %s", rows[i].what,
			     cause_name(verdict.cause));
	}
}

Test(verdict, finds_the_level_whose_limit_it_was)
{
	static const struct {
		struct death death;
		enum oom_level level;
	} rows[] = {
		{ { OOM_KILL(1), .events.leaf_local.oom = 1 }, OOM_LEVEL_INSTANCE },
		{ { OOM_KILL(1), APP_OOM(1) }, OOM_LEVEL_APP },
		{ { OOM_KILL(1), .events.above.oom = 1 }, OOM_LEVEL_ABOVE },
		{ { OOM_KILL(1) }, OOM_LEVEL_HOST },
		/* the nearest one wins */
		{ { OOM_KILL(1), .events.leaf_local.oom = 1, APP_OOM(1), .events.above.oom = 1 },
		  OOM_LEVEL_INSTANCE },
		{ { OOM_KILL(1), APP_OOM(1), .events.above.oom = 1 }, OOM_LEVEL_APP },
		/* the app touched its limit without a kill; the host killed */
		{ { OOM_KILL(1), .events.app_local.max = 519, .events.leaf_local.max = 3,
		    .events.app.oom = 1, .events.above.max = 2 },
		  OOM_LEVEL_HOST },
		/* what an earlier incident was about does not count again */
		{ { OOM_KILL(2), APP_OOM(1), .explained.leaf_local.oom_kill = 1,
		    .explained.app_local.oom = 1 },
		  OOM_LEVEL_HOST },
		{ { OOM_KILL(2), APP_OOM(2), .explained.leaf_local.oom_kill = 1,
		    .explained.app_local.oom = 1 },
		  OOM_LEVEL_APP },
		{ { OOM_KILL(2), .events.above.oom = 2, .events.leaf_local.oom = 1,
		    .explained.leaf_local.oom_kill = 1, .explained.leaf_local.oom = 1,
		    .explained.above.oom = 1 },
		  OOM_LEVEL_ABOVE },
		/* counters that went back (a new cgroup) are no kill */
		{ { OOM_KILL(1), .explained.leaf_local.oom_kill = 5 }, OOM_LEVEL_NONE },
		{ { APP_OOM(1) }, OOM_LEVEL_NONE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct death death = rows[i].death;
		struct verdict verdict;

		death.child = true;
		verdict = judge(&death);
		cr_expect_eq(verdict.level, rows[i].level, "row %zu: %s", i,
			     oom_level_name(verdict.level));
	}
}

Test(verdict, restarts_failures_with_a_growing_delay_and_then_gives_up)
{
	const struct death death = { DIED(EXITED(1)), .uptime_usec = 5 };
	struct restart_state restarts = { 0 };
	struct verdict verdict;

	for (unsigned i = 0; i < 3; i++) {
		verdict_judge(&death, &on_failure, OOM_WORKER, &restarts, &verdict);
		cr_expect_eq(verdict.decision, DECISION_RESTART);
		cr_expect_eq(verdict.restart_delay_usec, UINT64_C(1000000) << i);
		cr_expect_eq(restarts.in_row, i + 1);
	}
	verdict_judge(&death, &on_failure, OOM_WORKER, &restarts, &verdict);
	cr_expect_eq(verdict.decision, DECISION_GAVE_UP);
	cr_expect_eq(verdict.restart_delay_usec, 0);
	cr_expect(verdict.is_incident);
	cr_expect_eq(restarts.in_row, 3);
}

Test(verdict, decides_by_cause_and_mode)
{
	static const struct {
		const char *what;
		struct death death;
		enum restart_mode mode;
		enum decision decision;
	} rows[] = {
		{ "exit 0", { DIED(EXITED(0)) }, RESTART_ON_FAILURE, DECISION_ENDED },
		{ "exit 0", { DIED(EXITED(0)) }, RESTART_ALWAYS, DECISION_RESTART },
		{ "exit 0", { DIED(EXITED(0)) }, RESTART_NEVER, DECISION_ENDED },
		{ "exit 1", { DIED(EXITED(1)) }, RESTART_ON_FAILURE, DECISION_RESTART },
		{ "exit 1", { DIED(EXITED(1)) }, RESTART_NEVER, DECISION_ENDED },
		{ "SIGTERM", { DIED(SIGNALED(SIGTERM)) }, RESTART_ON_FAILURE, DECISION_RESTART },
		{ "OOM",
		  { DIED(SIGNALED(SIGKILL)), OOM_KILL(1) },
		  RESTART_ON_FAILURE,
		  DECISION_RESTART },
		{ "OOM", { DIED(SIGNALED(SIGKILL)), OOM_KILL(1) }, RESTART_NEVER, DECISION_ENDED },
		{ "lost", { 0 }, RESTART_ON_FAILURE, DECISION_RESTART },
		{ "lost", { 0 }, RESTART_NEVER, DECISION_ENDED },
		{ "a crash while it was stopped",
		  { DIED(SIGNALED(SIGSEGV)), .stop_requested = true },
		  RESTART_ALWAYS,
		  DECISION_ENDED },
		{ "stopped",
		  { DIED(EXITED(1)), .stop_requested = true },
		  RESTART_ALWAYS,
		  DECISION_ENDED },
		{ "killed",
		  { DIED(SIGNALED(SIGKILL)), .killed_by_us = true },
		  RESTART_ALWAYS,
		  DECISION_ENDED },
		{ "not found", { EXEC_FAILED(ENOENT) }, RESTART_ALWAYS, DECISION_ENDED },
		{ "not executable", { EXEC_FAILED(EACCES) }, RESTART_ALWAYS, DECISION_ENDED },
		{ "no format", { EXEC_FAILED(ENOEXEC) }, RESTART_ALWAYS, DECISION_ENDED },
		{ "refused", { EXEC_FAILED(EPERM) }, RESTART_ALWAYS, DECISION_ENDED },
		{ "short of pids", { EXEC_FAILED(EAGAIN) }, RESTART_ON_FAILURE, DECISION_RESTART },
		{ "short of memory",
		  { EXEC_FAILED(ENOMEM) },
		  RESTART_ON_FAILURE,
		  DECISION_RESTART },
		{ "cannot say", { EXEC_FAILED(0) }, RESTART_ON_FAILURE, DECISION_RESTART },
		{ "short of memory", { EXEC_FAILED(ENOMEM) }, RESTART_NEVER, DECISION_ENDED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct restart_policy policy = on_failure;
		struct restart_state restarts = { 0 };
		bool restarted = rows[i].decision == DECISION_RESTART;
		struct verdict verdict;

		policy.mode = rows[i].mode;
		verdict_judge(&rows[i].death, &policy, OOM_WORKER, &restarts, &verdict);
		cr_expect_eq(verdict.decision, rows[i].decision, "row %zu, %s: %s", i, rows[i].what,
			     decision_name(verdict.decision));
		cr_expect_eq(restarts.in_row, restarted ? 1 : 0, "row %zu", i);
		cr_expect_eq(verdict.restart_delay_usec, restarted ? 1000000 : 0, "row %zu", i);
	}
}

Test(verdict, leaves_a_killed_child_to_its_master_unless_the_whole_app_is_wanted)
{
	const struct death child = { .child = true, OOM_KILL(1), APP_OOM(1) };
	struct death stopping = child;
	struct restart_policy never = on_failure;
	struct restart_state restarts = { 0 };
	struct verdict verdict;

	verdict_judge(&child, &on_failure, OOM_WORKER, &restarts, &verdict);
	cr_expect_eq(verdict.decision, DECISION_LEFT_TO_MASTER);
	cr_expect_eq(restarts.in_row, 0);

	verdict_judge(&child, &on_failure, OOM_APP, &restarts, &verdict);
	cr_expect_eq(verdict.decision, DECISION_RESTART);
	cr_expect_eq(restarts.in_row, 1);

	never.mode = RESTART_NEVER;
	verdict_judge(&child, &never, OOM_APP, &restarts, &verdict);
	cr_expect_eq(verdict.decision, DECISION_ENDED);

	stopping.stop_requested = true;
	verdict_judge(&stopping, &on_failure, OOM_APP, &restarts, &verdict);
	cr_expect_eq(verdict.decision, DECISION_LEFT_TO_MASTER);
	cr_expect_eq(restarts.in_row, 1);
}

Test(verdict, knows_what_is_worth_a_report)
{
	static const struct {
		const char *what;
		struct death death;
		bool is_incident;
	} rows[] = {
		{ "clean exit", { DIED(EXITED(0)) }, false },
		{ "clean exit after OOM kills", { DIED(EXITED(0)), OOM_KILL(1) }, true },
		{ "clean exit, OOM kills told about",
		  { DIED(EXITED(0)), OOM_KILL(1), .explained.leaf_local.oom_kill = 1 },
		  false },
		{ "exit 1", { DIED(EXITED(1)) }, true },
		{ "SIGTERM", { DIED(SIGNALED(SIGTERM)) }, true },
		{ "stopped", { DIED(EXITED(0)), .stop_requested = true }, false },
		{ "a crash while it was stopped",
		  { DIED(SIGNALED(SIGSEGV)), .stop_requested = true },
		  true },
		{ "stopped with 1", { DIED(EXITED(1)), .stop_requested = true }, false },
		{ "stopped by SIGTERM",
		  { DIED(SIGNALED(SIGTERM)), .stop_requested = true },
		  false },
		{ "grace over",
		  { DIED(SIGNALED(SIGKILL)), .stop_requested = true, .killed_by_us = true },
		  true },
		{ "start failed", { EXEC_FAILED(ENOENT) }, true },
		{ "lost", { 0 }, true },
		{ "child", { .child = true, OOM_KILL(1) }, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(judge(&rows[i].death).is_incident, rows[i].is_incident, "%s",
			     rows[i].what);
}

Test(verdict, giving_up_on_clean_exits_is_an_incident)
{
	const struct death death = { DIED(EXITED(0)) };
	struct restart_policy policy = on_failure;
	struct restart_state restarts = { .in_row = 3 };
	struct verdict verdict;

	policy.mode = RESTART_ALWAYS;
	verdict_judge(&death, &policy, OOM_WORKER, &restarts, &verdict);
	cr_expect_eq(verdict.decision, DECISION_GAVE_UP);
	cr_expect(verdict.is_incident);
}

Test(verdict, gives_the_exit_code_that_a_shell_expects)
{
	static const struct {
		const char *what;
		struct death death;
		int code;
	} rows[] = {
		{ "0", { DIED(EXITED(0)) }, 0 },
		{ "3", { DIED(EXITED(3)) }, 3 },
		{ "255", { DIED(EXITED(255)) }, 255 },
		{ "SIGTERM", { DIED(SIGNALED(SIGTERM)) }, 143 },
		{ "SIGKILL", { DIED(SIGNALED(SIGKILL)) }, 137 },
		{ "SIGSEGV with a core", { DIED(SIGNALED(SIGSEGV) | 0x80) }, 139 },
		{ "OOM", { DIED(SIGNALED(SIGKILL)), OOM_KILL(1) }, 137 },
		{ "OOM, then exit 1", { DIED(EXITED(1)), OOM_KILL(1) }, 1 },
		{ "OOM of a child", { .child = true, OOM_KILL(1) }, 137 },
		{ "stopped", { DIED(EXITED(0)), .stop_requested = true }, 0 },
		{ "stopped by SIGTERM", { DIED(SIGNALED(SIGTERM)), .stop_requested = true }, 143 },
		{ "grace over",
		  { DIED(SIGNALED(SIGKILL)), .stop_requested = true, .killed_by_us = true },
		  137 },
		{ "not found", { EXEC_FAILED(ENOENT) }, 127 },
		{ "part of the path is a file", { EXEC_FAILED(ENOTDIR) }, 127 },
		{ "not executable", { EXEC_FAILED(EACCES) }, 126 },
		{ "no program", { EXEC_FAILED(ENOEXEC) }, 126 },
		{ "a directory", { EXEC_FAILED(EISDIR) }, 126 },
		{ "out of memory", { EXEC_FAILED(ENOMEM) }, 125 },
		{ "another stage, ENOENT",
		  { .start_failed = true, .failed_stage = "root", .failed_errno = ENOENT },
		  125 },
		{ "no stage", { .start_failed = true, .failed_errno = ENOENT }, 125 },
		{ "lost", { 0 }, 125 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct verdict verdict = judge(&rows[i].death);
		int code = verdict_exit_code(&rows[i].death, &verdict);

		cr_expect_eq(code, rows[i].code, "%s: %d", rows[i].what, code);
	}
}

Test(verdict, the_stage_of_execve_is_the_launchers)
{
	/* the tables above write "exec" */
	cr_expect_str_eq(launch_stage_name(STAGE_EXEC), "exec");
}

Test(verdict, names_are_those_of_the_json)
{
	cr_expect_str_eq(cause_name(CAUSE_START_FAILED), "start-failed");
	cr_expect_str_eq(cause_name(CAUSE_OOM), "oom");
	cr_expect_str_eq(oom_level_name(OOM_LEVEL_ABOVE), "above");
	cr_expect_str_eq(decision_name(DECISION_LEFT_TO_MASTER), "left-to-master");
	cr_expect_str_eq(cause_name((enum cause)99), "unknown");
	cr_expect_str_eq(oom_level_name((enum oom_level)99), "unknown");
	cr_expect_str_eq(decision_name((enum decision)99), "unknown");
}

Test(verdict, what_pysbx_ended_for_a_cause_has_that_cause)
{
	static const struct {
		const char *what;
		struct death death;
		enum cause cause;
	} rows[] = {
		{ "hung", { DIED(SIGNALED(SIGKILL)), .ended_cause = CAUSE_HUNG }, CAUSE_HUNG },
		{ "stalled, launcher gone", { .ended_cause = CAUSE_STALLED }, CAUSE_STALLED },
		{ "before OOM",
		  { DIED(SIGNALED(SIGKILL)), .ended_cause = CAUSE_STALLED, OOM_KILL(1) },
		  CAUSE_STALLED },
		{ "and stopped while it died",
		  { DIED(SIGNALED(SIGKILL)), .ended_cause = CAUSE_HUNG, .stop_requested = true },
		  CAUSE_HUNG },
		{ "but it ended by itself just then",
		  { DIED(EXITED(1)), .ended_cause = CAUSE_HUNG },
		  CAUSE_EXIT },
		{ "but it crashed just then",
		  { DIED(SIGNALED(SIGSEGV)), .ended_cause = CAUSE_HUNG },
		  CAUSE_SIGNAL },
		{ "a child of it",
		  { .child = true, .ended_cause = CAUSE_STALLED, OOM_KILL(1) },
		  CAUSE_OOM },
		{ "asked to stop, and did",
		  { DIED(EXITED(0)), .ended_cause = CAUSE_PRESSURE },
		  CAUSE_PRESSURE },
		{ "asked to stop, and died of that",
		  { DIED(SIGNALED(SIGTERM)), .ended_cause = CAUSE_PRESSURE },
		  CAUSE_PRESSURE },
		{ "asked to stop, and killed after its grace",
		  { DIED(SIGNALED(SIGKILL)), .ended_cause = CAUSE_PRESSURE },
		  CAUSE_PRESSURE },
		{ "asked to stop, and crashed",
		  { DIED(SIGNALED(SIGSEGV)), .ended_cause = CAUSE_PRESSURE },
		  CAUSE_SIGNAL },
		{ "asked to stop, and the kernel was faster",
		  { DIED(SIGNALED(SIGKILL)), .ended_cause = CAUSE_PRESSURE, OOM_KILL(1) },
		  CAUSE_OOM },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct verdict verdict = judge(&rows[i].death);

		cr_expect_eq(verdict.cause, rows[i].cause, "%s: %s", rows[i].what,
			     cause_name(verdict.cause));
	}
}

Test(verdict, what_was_ended_for_a_cause_is_an_incident_and_restarted)
{
	struct death death = { DIED(SIGNALED(SIGKILL)), .ended_cause = CAUSE_HUNG };
	struct verdict verdict = judge(&death);

	cr_expect(verdict.is_incident);
	cr_expect_eq(verdict.decision, DECISION_RESTART);
	death.stop_requested = true;
	verdict = judge(&death);
	cr_expect(verdict.is_incident);
	cr_expect_eq(verdict.decision, DECISION_ENDED);
	cr_expect_str_eq(verdict.why, "not restarted: a stop was asked for");
}

Test(verdict, a_clean_exit_that_the_pressure_ladder_asked_for_is_restarted)
{
	struct death death = { DIED(EXITED(0)), .ended_cause = CAUSE_PRESSURE };
	struct verdict verdict = judge(&death);

	cr_expect(verdict.is_incident);
	cr_expect_eq(verdict.decision, DECISION_RESTART);
	cr_expect_str_eq(cause_name(verdict.cause), "pressure");
}
