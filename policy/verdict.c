/* SPDX-License-Identifier: MIT */
#include "policy/verdict.h"

#include "policy/error.h"
#include "policy/launch_message.h"
#include "policy/own.h"
#include "policy/restart.h"
#include "policy/verdict_text.h"

#include <assert.h>
#include <signal.h>
#include <string.h>

/* As shells do it: see pysbx(1). */
#define EXIT_SIGNAL_BASE 128

static const char *const cause_names[] = {
	[CAUSE_EXIT] = "exit",
	[CAUSE_SIGNAL] = "signal",
	[CAUSE_OOM] = "oom",
	[CAUSE_SECCOMP] = "seccomp",
	[CAUSE_PIDS] = "pids",
	[CAUSE_HUNG] = "hung",
	[CAUSE_UNHEALTHY] = "unhealthy",
	[CAUSE_STALLED] = "stalled",
	[CAUSE_START_FAILED] = "start-failed",
	[CAUSE_STOPPED] = "stopped",
	[CAUSE_LOST] = "lost",
	[CAUSE_PRESSURE] = "pressure",
};
static_assert(ARRAY_SIZE(cause_names) == CAUSE_COUNT, "a name for each cause");

static const char *const level_names[] = {
	[OOM_LEVEL_NONE] = "none",     [OOM_LEVEL_INSTANCE] = "instance", [OOM_LEVEL_APP] = "app",
	[OOM_LEVEL_TENANT] = "tenant", [OOM_LEVEL_ABOVE] = "above",	  [OOM_LEVEL_HOST] = "host",
};
static_assert(ARRAY_SIZE(level_names) == OOM_LEVEL_COUNT, "a name for each level");

static const char *const decision_names[] = {
	[DECISION_RESTART] = "restart",
	[DECISION_LEFT_TO_MASTER] = "left-to-master",
	[DECISION_GAVE_UP] = "gave-up",
	[DECISION_ENDED] = "ended",
};
static_assert(ARRAY_SIZE(decision_names) == DECISION_COUNT, "a name for each decision");

const char *cause_name(enum cause cause)
{
	return (size_t)cause < CAUSE_COUNT ? cause_names[cause] : "unknown";
}

const char *oom_level_name(enum oom_level level)
{
	return (size_t)level < OOM_LEVEL_COUNT ? level_names[level] : "unknown";
}

const char *decision_name(enum decision decision)
{
	return (size_t)decision < DECISION_COUNT ? decision_names[decision] : "unknown";
}

uint64_t death_new_oom_kills(const struct death *death)
{
	uint64_t all = death->events.leaf_local.oom_kill;
	uint64_t told = death->explained.leaf_local.oom_kill;

	return all > told ? all - told : 0;
}

bool verdict_is_crash_signal(int signal)
{
	static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS };

	for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
		if (signal == crashes[i])
			return true;
	return false;
}

static bool ended_cleanly(const struct death *death)
{
	return death_exited(death) && WEXITSTATUS(death->wait_status) == 0;
}

/* `oom` moves in the cgroup whose limit it was, and moves before every kill; `max` also moves when
 * reclaim still helped, so it proves nothing. A kill that no limit explains is the host's. */
static enum oom_level find_oom_level(const struct death *death)
{
	const struct event_deltas *now = &death->events, *told = &death->explained;

	if (death_new_oom_kills(death) == 0)
		return OOM_LEVEL_NONE;
	if (now->leaf_local.oom > told->leaf_local.oom)
		return OOM_LEVEL_INSTANCE;
	if (now->app_local.oom > told->app_local.oom)
		return OOM_LEVEL_APP;
	if (death->tenant_fired)
		return OOM_LEVEL_TENANT;
	if (now->above.oom > told->above.oom)
		return OOM_LEVEL_ABOVE;
	return OOM_LEVEL_HOST;
}

/* A failure that the process ran into by itself, as opposed to a signal that someone sent. */
static bool failed_by_itself(const struct death *death)
{
	if (death_signaled(death))
		return verdict_is_crash_signal(WTERMSIG(death->wait_status));
	return !ended_cleanly(death);
}

/* It could end by itself in the moment in which it was to be killed; or, asked to stop in time, be
 * killed for memory after all. */
static bool ended_for_a_cause(const struct death *death)
{
	bool killed = death_signaled(death) && WTERMSIG(death->wait_status) == SIGKILL;

	if (death->ended_cause == 0 || death->start_failed)
		return false;
	if (death->ended_cause == CAUSE_PRESSURE)
		return killed ? death_new_oom_kills(death) == 0
			      : !death_signaled(death) ||
					!verdict_is_crash_signal(WTERMSIG(death->wait_status));
	return !death->has_status || killed;
}

/* What asks it to stop makes no program crash, and no kernel run out of memory: those are deaths of
 * their own, which only happened in a stop. Any other status is how this program ends. */
static bool was_stopped(const struct death *death)
{
	int signal = death_signaled(death) ? WTERMSIG(death->wait_status) : 0;

	if (death->killed_by_us || !death->stop_requested)
		return death->killed_by_us;
	if (signal == SIGKILL)
		return death_new_oom_kills(death) == 0;
	return signal == death->stop_signal || !verdict_is_crash_signal(signal);
}

static enum cause find_cause(const struct death *death)
{
	if (death->child)
		return CAUSE_OOM;
	if (ended_for_a_cause(death))
		return death->ended_cause;
	if (was_stopped(death))
		return CAUSE_STOPPED;
	if (death->start_failed)
		return CAUSE_START_FAILED;
	if (!death->has_status)
		return CAUSE_LOST;
	if (ended_cleanly(death))
		return CAUSE_EXIT;
	if (death_new_oom_kills(death) > 0)
		return CAUSE_OOM;
	if (death_signaled(death) && WTERMSIG(death->wait_status) == SIGSYS)
		return CAUSE_SECCOMP;
	if (death->events.pids_max > 0 && failed_by_itself(death))
		return CAUSE_PIDS;
	return death_signaled(death) ? CAUSE_SIGNAL : CAUSE_EXIT;
}

/* Only a shortage can pass by itself; a missing file or a refused mount will not. errno 0: the
 * launcher could not say. */
static bool start_may_succeed_later(int errnum)
{
	static const int shortages[] = { 0,	 EAGAIN, ENOMEM, EBUSY,	 EINTR,	  ENOSPC,
					 EMFILE, ENFILE, EIO,	 EDQUOT, ETXTBSY, ESTALE };

	for (size_t i = 0; i < ARRAY_SIZE(shortages); i++)
		if (errnum == shortages[i])
			return true;
	return false;
}

static enum decision decide(const struct death *death, enum cause cause,
			    const struct restart_policy *policy, enum oom_policy oom,
			    struct restart_state *restarts, uint64_t *ret_delay_usec)
{
	if (death->child && (oom == OOM_WORKER || death->stop_requested))
		return DECISION_LEFT_TO_MASTER;
	if (cause == CAUSE_STOPPED || death->stop_requested)
		return DECISION_ENDED;
	if (cause == CAUSE_START_FAILED && !start_may_succeed_later(death->failed_errno))
		return DECISION_ENDED;
	/* a clean exit that was our doing is none of the app's */
	if (!restart_wanted(policy, !ended_cleanly(death) || ended_for_a_cause(death)))
		return DECISION_ENDED;
	return restart_after(policy, death->uptime_usec, restarts, ret_delay_usec)
		       ? DECISION_RESTART
		       : DECISION_GAVE_UP;
}

static bool is_incident(const struct death *death, const struct verdict *verdict)
{
	if (verdict->cause == CAUSE_STOPPED)
		return death->killed_by_us;
	if (verdict->cause == CAUSE_EXIT && ended_cleanly(death))
		return verdict->decision == DECISION_GAVE_UP || death_new_oom_kills(death) > 0;
	return true;
}

void verdict_judge(const struct death *death, const struct restart_policy *policy,
		   enum oom_policy oom, struct restart_state *restarts, struct verdict *ret)
{
	struct verdict verdict = { 0 };

	verdict.cause = find_cause(death);
	verdict.level = find_oom_level(death);
	verdict.decision =
		decide(death, verdict.cause, policy, oom, restarts, &verdict.restart_delay_usec);
	verdict.is_incident = is_incident(death, &verdict);
	verdict_write_sentence(death, &verdict);
	verdict_write_advice(death, &verdict);
	verdict_write_why(death, policy, restarts, &verdict);
	*ret = verdict;
}

/* The launcher's errno, in the words of struct error: which then knows the exit code. */
static enum error_kind start_error_kind(const struct death *death)
{
	const char *exec = launch_stage_name(STAGE_EXEC);

	if (death->failed_stage == NULL || strcmp(death->failed_stage, exec) != 0)
		return ERROR_SYSTEM;
	switch (death->failed_errno) {
	case ENOENT:
	case ENOTDIR:
		return ERROR_NOT_FOUND;
	case EACCES:
	case EPERM:
	case ENOEXEC:
	case EISDIR:
		return ERROR_NOT_EXECUTABLE;
	default:
		return ERROR_SYSTEM;
	}
}

int verdict_exit_code(const struct death *death, const struct verdict *verdict)
{
	if (death_exited(death))
		return WEXITSTATUS(death->wait_status);
	if (death_signaled(death))
		return EXIT_SIGNAL_BASE + WTERMSIG(death->wait_status);
	if (verdict->cause == CAUSE_OOM)
		return EXIT_SIGNAL_BASE + SIGKILL;
	if (death->start_failed)
		return error_exit_code(start_error_kind(death));
	return error_exit_code(ERROR_SYSTEM);
}
