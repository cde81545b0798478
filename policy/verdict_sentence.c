/* SPDX-License-Identifier: MIT */
/*
 * Sentences are put together from pieces that are true on their own: who (name and pid), in which
 * role, how it ended, whose limit with which numbers. A number that is not known is left out.
 */
#include "policy/verdict_text.h"

#include "policy/escape.h"
#include "policy/figure.h"
#include "policy/launch_message.h"
#include "policy/own.h"
#include "policy/phrase.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

#define NAME_SHOWN_MAX	 96 /* bytes of a process name after escaping */
#define SIGNAL_NAME_SIZE 32
#define EXIT_SIGNAL_BASE 128
#define SIGNAL_LAST	 64

/* gunicorn's own exit codes (gunicorn/arbiter.py) */
#define GUNICORN_WORKER_BOOT_ERROR 3
#define GUNICORN_APP_LOAD_ERROR	   4

/* "app web" */
static void add_app(struct phrase *text, const struct death *death)
{
	char name[NAME_SHOWN_MAX];

	if (death->app != NULL)
		phrase_add(text, "app %s",
			   escape_string(death->app, ESCAPE_FOR_TERMINAL, name, sizeof(name)));
	else
		phrase_add(text, "the app");
}

/* "gunicorn (pid 4711, 3 inside)": the app's own log knows it as 3 */
static void add_victim(struct phrase *text, const struct death *death)
{
	char name[NAME_SHOWN_MAX];
	bool named = death->victim_name != NULL && death->victim_name[0] != '\0';

	escape_string(death->victim_name, ESCAPE_FOR_TERMINAL, name, sizeof(name));
	if (named && death->victim_pid > 0 && death->victim_pid_inside > 0)
		phrase_add(text, "%s (pid %d, %d inside)", name, death->victim_pid,
			   death->victim_pid_inside);
	else if (named && death->victim_pid > 0)
		phrase_add(text, "%s (pid %d)", name, death->victim_pid);
	else if (named)
		phrase_add(text, "%s", name);
	else if (death->victim_pid > 0)
		phrase_add(text, "process %d", death->victim_pid);
	else
		phrase_add(text, "a process");
}

/* "gunicorn (pid 4711), the main process of app web," */
static void add_main(struct phrase *text, const struct death *death)
{
	add_victim(text, death);
	phrase_add(text, ", the main process of ");
	add_app(text, death);
	phrase_add(text, ",");
}

/* For a death in which the victim's name is a child's. */
static void add_nameless_main(struct phrase *text, const struct death *death)
{
	phrase_add(text, "the main process of ");
	add_app(text, death);
}

static const char *signal_meaning(int signal)
{
	static const struct {
		int signal;
		const char *meaning;
	} meanings[] = {
		{ SIGSEGV, "invalid memory access" },
		{ SIGBUS, "a mapped file is shorter than it was, or its disk or tmpfs is full" },
		{ SIGILL, "an instruction that this CPU does not have" },
		{ SIGFPE, "arithmetic error" },
		{ SIGABRT, "it called abort(): a failed assertion or a fatal Python error" },
		{ SIGTRAP, "breakpoint trap" },
		{ SIGSYS, "forbidden system call" },
		{ SIGXCPU, "CPU time limit" },
		{ SIGXFSZ, "file size limit" },
		{ SIGPIPE, "it wrote to a pipe or socket that nobody reads" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
		if (meanings[i].signal == signal)
			return meanings[i].meaning;
	return NULL;
}

/* "ended with exit code 3", "was killed by SIGKILL", "crashed with SIGSEGV (...)" */
static void add_ending(struct phrase *text, const struct death *death)
{
	char name[SIGNAL_NAME_SIZE];
	const char *meaning;
	int signal;

	if (death_exited(death)) {
		phrase_add(text, "ended with exit code %d", WEXITSTATUS(death->wait_status));
		return;
	}
	if (!death_signaled(death)) {
		phrase_add(text, "ended");
		return;
	}
	signal = WTERMSIG(death->wait_status);
	meaning = signal_meaning(signal);
	phrase_add(text, "%s %s",
		   verdict_is_crash_signal(signal) ? "crashed with" : "was killed by",
		   spec_signal_name(signal, name));
	if (meaning != NULL)
		phrase_add(text, " (%s%s)", meaning,
			   WCOREDUMP(death->wait_status) ? "; core dumped" : "");
	else if (WCOREDUMP(death->wait_status))
		phrase_add(text, " (core dumped)");
}

/* What came before it, or with it, and may well be the reason. */
static void add_circumstances(struct phrase *text, const struct death *death)
{
	if (death->stop_requested)
		phrase_add(text, ", while it was stopped as asked");
	if (death->refused_call != NULL)
		phrase_add(text, " (shortly before, seccomp had refused %s)", death->refused_call);
}

/* " of 256M", or nothing if there is no such limit */
static void add_limit(struct phrase *text, const struct death *death)
{
	char size[QUANTITY_TEXT_MAX];

	if (death->limits != NULL && death->limits->memory_max < LIMIT_UNSET)
		phrase_add(text, " of %s", quantity_format_size(death->limits->memory_max, size));
}

/* " (app web itself used 120M, limit 256M)" */
static void add_own_use(struct phrase *text, const struct death *death)
{
	char used[QUANTITY_TEXT_MAX], limit[QUANTITY_TEXT_MAX];

	if (death->memory_current == 0)
		return;
	phrase_add(text, " (");
	add_app(text, death);
	phrase_add(text, " itself used %s", figure_size(death->memory_current, used));
	if (death->limits != NULL && death->limits->memory_max < LIMIT_UNSET)
		phrase_add(text, " of its %s",
			   quantity_format_size(death->limits->memory_max, limit));
	phrase_add(text, ")");
}

/* " of 1G" */
static void add_tenant_limit(struct phrase *text, const struct death *death)
{
	const struct limits *limits = death->tenant.limits;
	char size[QUANTITY_TEXT_MAX];

	if (limits != NULL && limits->memory_max < LIMIT_UNSET)
		phrase_add(text, " of %s", quantity_format_size(limits->memory_max, size));
}

static void add_oom_reason(struct phrase *text, const struct death *death, enum oom_level level)
{
	switch (level) {
	case OOM_LEVEL_INSTANCE:
		phrase_add(text, "its instance of ");
		add_app(text, death);
		phrase_add(text, " reached its memory limit");
		break;
	case OOM_LEVEL_APP:
		add_app(text, death);
		phrase_add(text, " reached its memory limit");
		add_limit(text, death);
		break;
	case OOM_LEVEL_TENANT:
		phrase_add(text,
			   "all apps of its tenant together reached the tenant's memory limit");
		add_tenant_limit(text, death);
		add_own_use(text, death);
		break;
	case OOM_LEVEL_ABOVE:
		phrase_add(text, "a cgroup above ");
		add_app(text, death);
		phrase_add(text, " reached its memory limit");
		add_own_use(text, death);
		break;
	case OOM_LEVEL_HOST:
		phrase_add(text, "the host ran out of memory");
		add_own_use(text, death);
		break;
	case OOM_LEVEL_NONE:
	case OOM_LEVEL_COUNT:
		phrase_add(text, "out of memory");
		break;
	}
}

/* Of a death with OOM kills: is the victim the main process? See struct death. */
static bool victim_is_main(const struct death *death)
{
	return !death->child && !death->victim_is_child && death_signaled(death) &&
	       WTERMSIG(death->wait_status) == SIGKILL;
}

/* "the kernel killed gunicorn (pid 4711), a child of the main process". In a kill of the group the
 * kernel counts the one that it chose twice, so no number is given. */
static void add_kill(struct phrase *text, const struct death *death)
{
	uint64_t kills = death_new_oom_kills(death);
	bool group = death->events.leaf_local.oom_group_kill >
		     death->explained.leaf_local.oom_group_kill;

	phrase_add(text, "the kernel killed ");
	if (kills > 1 && !group)
		phrase_add(text, "%" PRIu64 " processes, among them ", kills);
	add_victim(text, death);
	phrase_add(text, ", %s",
		   victim_is_main(death) ? "the main process" : "a child of the main process");
	if (group)
		phrase_add(text, ", and with it all others of the app (memory.oom.group)");
}

/* "; memory was being allocated at export.py:88 in load()" */
static void add_place(struct phrase *text, const struct death *death)
{
	char shown[NAME_SHOWN_MAX];

	if (death->allocating_at != NULL && death->allocating_at[0] != '\0')
		phrase_add(text, "; memory was being allocated at %s",
			   escape_string(death->allocating_at, ESCAPE_FOR_TERMINAL, shown,
					 sizeof(shown)));
}

static void add_oom(struct phrase *text, const struct death *death, enum oom_level level)
{
	add_kill(text, death);
	phrase_add(text, ": ");
	add_oom_reason(text, death, level);
	if (!death->child && death->stop_requested)
		phrase_add(text, ", while it was stopped as asked");
	if (!death->child && !death->victim_is_child && !victim_is_main(death)) {
		phrase_add(text, "; then the main process ");
		add_ending(text, death);
	}
	add_place(text, death);
}

/* What an exit code means where the program says so. */
static const char *exit_code_meaning(const struct death *death, int code)
{
	bool gunicorn =
		death->victim_name != NULL && strstr(death->victim_name, "gunicorn") != NULL;

	if (gunicorn && code == GUNICORN_WORKER_BOOT_ERROR)
		return "gunicorn's \"a worker failed to boot\"";
	if (gunicorn && code == GUNICORN_APP_LOAD_ERROR)
		return "gunicorn's \"the application failed to load\"";
	return NULL;
}

static void add_exit(struct phrase *text, const struct death *death)
{
	int code = death_exited(death) ? WEXITSTATUS(death->wait_status) : 0;
	const char *meaning = exit_code_meaning(death, code);
	uint64_t kills = death_new_oom_kills(death);
	char name[SIGNAL_NAME_SIZE];

	if (kills == 0)
		add_main(text, death);
	else
		add_nameless_main(text, death);
	phrase_add(text, " ");
	add_ending(text, death);
	if (meaning != NULL)
		phrase_add(text, ": %s", meaning);
	else if (code > EXIT_SIGNAL_BASE && code <= EXIT_SIGNAL_BASE + SIGNAL_LAST)
		phrase_add(text, ": as shells do when their command was killed by %s",
			   spec_signal_name(code - EXIT_SIGNAL_BASE, name));
	add_circumstances(text, death);
	if (kills > 0)
		phrase_add(text, "; before, ");
	if (kills > 0)
		add_kill(text, death);
}

static void add_signal(struct phrase *text, const struct death *death)
{
	int signal = WTERMSIG(death->wait_status);

	add_main(text, death);
	phrase_add(text, " ");
	add_ending(text, death);
	if (death->forwarded_signal == signal)
		phrase_add(text, ", which pysbx was sent and passed on");
	else if (signal == SIGKILL)
		phrase_add(text,
			   ": no limit was hit and pysbx did not send it, so someone else did");
	else if (!verdict_is_crash_signal(signal))
		phrase_add(text, "; no stop was asked for");
	add_circumstances(text, death);
	if (death->events.pids_max > 0)
		phrase_add(text, " (before, pids.max had refused %" PRIu64 " new processes)",
			   death->events.pids_max);
}

static void add_pids(struct phrase *text, const struct death *death)
{
	add_main(text, death);
	phrase_add(text, " ");
	add_ending(text, death);
	if (death->limits != NULL && death->limits->pids_max < LIMIT_UNSET)
		phrase_add(text, " after the limit of %" PRIu64, death->limits->pids_max);
	else
		phrase_add(text, " after the limit on");
	phrase_add(text, " processes and threads (pids.max) had refused %" PRIu64 " new one%s",
		   death->events.pids_max, death->events.pids_max == 1 ? "" : "s");
}

static void add_start_failed(struct phrase *text, const struct death *death)
{
	const char *stage = death->failed_stage != NULL ? death->failed_stage : "unknown stage";
	const char *reason = death->failed_errno != 0 ? strerror(death->failed_errno) : NULL;
	char shown[VERDICT_TEXT_MAX];

	escape_string(death->failed_text, ESCAPE_FOR_TERMINAL, shown, sizeof(shown));
	add_app(text, death);
	/* the supervisor's own words say it all */
	if (strcmp(stage, launch_stage_name(STAGE_PREPARE)) == 0 && shown[0] != '\0') {
		phrase_add(text, " did not start: %s", shown);
		return;
	}
	phrase_add(text, " did not start: %s", stage);
	if (shown[0] != '\0')
		phrase_add(text, ": %s", shown);
	/* a struct error's text ends in its errno already */
	if (reason != NULL && strstr(shown, reason) == NULL)
		phrase_add(text, ": %s", reason);
	if (death_new_oom_kills(death) > 0)
		phrase_add(text, " (the kernel killed it for memory)");
}

static void add_stopped(struct phrase *text, const struct death *death)
{
	uint64_t kills = death_new_oom_kills(death);
	char grace[QUANTITY_TEXT_MAX];

	add_app(text, death);
	if (death->killed_by_us && death->stop_requested) {
		phrase_add(text, " did not end within its grace");
		if (death->grace_usec > 0)
			phrase_add(text, " of %s", quantity_format_time(death->grace_usec, grace));
		phrase_add(text, " after the stop signal: killed");
	} else if (death->killed_by_us) {
		phrase_add(text, " was killed by pysbx");
	} else {
		phrase_add(text, " was stopped as asked; its main process ");
		add_ending(text, death);
	}
	if (kills > 0)
		phrase_add(text,
			   "; before, the kernel had killed %" PRIu64
			   " of its processes for memory",
			   kills);
}

/* "gunicorn (pid 4711), the main process of app web, made no progress: waiting in ...; pysbx ended
 * it"
 */
static void add_no_progress(struct phrase *text, const struct death *death, enum cause cause)
{
	char shown[VERDICT_TEXT_MAX];

	add_main(text, death);
	phrase_add(text, cause == CAUSE_HUNG	    ? " made no progress"
			 : cause == CAUSE_UNHEALTHY ? " was unhealthy"
						    : " stalled for want of memory");
	if (death->ended_for != NULL && death->ended_for[0] != '\0')
		phrase_add(
			text, ": %s",
			escape_string(death->ended_for, ESCAPE_FOR_TERMINAL, shown, sizeof(shown)));
	phrase_add(text, "; pysbx ended it");
}

/* "gunicorn (pid 4711), the main process of app web, came near its memory limit: memory 96 % of
 * 256M (pressure.restart); pysbx ended it before" */
static void add_pressure(struct phrase *text, const struct death *death)
{
	char shown[VERDICT_TEXT_MAX];

	add_main(text, death);
	phrase_add(text, " came near its memory limit");
	if (death->ended_for != NULL && death->ended_for[0] != '\0')
		phrase_add(
			text, ": %s",
			escape_string(death->ended_for, ESCAPE_FOR_TERMINAL, shown, sizeof(shown)));
	phrase_add(text, "; pysbx ended it before the kernel would");
}

static void add_lost(struct phrase *text, const struct death *death)
{
	phrase_add(text, "the launcher of ");
	add_app(text, death);
	phrase_add(text,
		   " vanished without a word: it crashed or was killed, and its processes with it");
}

void verdict_write_sentence(const struct death *death, struct verdict *verdict)
{
	struct phrase text = phrase_on(verdict->sentence, sizeof(verdict->sentence));

	switch (verdict->cause) {
	case CAUSE_OOM:
		add_oom(&text, death, verdict->level);
		break;
	case CAUSE_SIGNAL:
		add_signal(&text, death);
		break;
	case CAUSE_PIDS:
		add_pids(&text, death);
		break;
	case CAUSE_START_FAILED:
		add_start_failed(&text, death);
		break;
	case CAUSE_STOPPED:
		add_stopped(&text, death);
		break;
	case CAUSE_LOST:
		add_lost(&text, death);
		break;
	case CAUSE_PRESSURE:
		add_pressure(&text, death);
		break;
	case CAUSE_HUNG:
	case CAUSE_UNHEALTHY:
	case CAUSE_STALLED:
		add_no_progress(&text, death, verdict->cause);
		break;
	case CAUSE_EXIT:
	case CAUSE_SECCOMP:
	case CAUSE_COUNT:
		add_exit(&text, death);
		break;
	}
}
