/* SPDX-License-Identifier: MIT */
/*
 * Why did it end, and what now? All facts come in as one value, so that a verdict can be replayed.
 *
 * The order of causes: our own recorded kill, or a stop that was asked for (unless it died of
 * something else meanwhile) > oom_kill of the leaf > seccomp > pids.max > crash
 * signal > exit code > "SIGKILL, and no counter moved: someone sent it". oom_kill is counted in the
 * cgroup that lost the process; `oom` moves where the limit was hit (cgroup-v2.rst, memory.events).
 */
#pragma once

#include "policy/keyed.h"
#include "policy/setting.h"
#include "policy/spec.h"

#include <stdint.h>
#include <sys/wait.h>

enum cause {
	CAUSE_EXIT,   /* the worker exited on its own */
	CAUSE_SIGNAL, /* a signal that was neither ours nor the OOM killer's */
	CAUSE_OOM,
	CAUSE_SECCOMP,	    /* SIGSYS */
	CAUSE_PIDS,	    /* ended in failure in a life in which pids.max refused a fork */
	CAUSE_HUNG,	    /* made no progress, and pysbx ended it for that */
	CAUSE_UNHEALTHY,    /* answered its health check badly or not at all, and is to be ended for
			       that */
	CAUSE_STALLED,	    /* made none for want of memory, and pysbx ended it for that */
	CAUSE_START_FAILED, /* no worker ever ran: stage and errno say where */
	CAUSE_STOPPED,	    /* on our own or the user's word */
	CAUSE_LOST,	    /* the launcher vanished without a status */
	CAUSE_PRESSURE,	    /* came near its memory limit, and pysbx ended it for that */
	CAUSE_COUNT,
};

enum oom_level {
	OOM_LEVEL_NONE,
	OOM_LEVEL_INSTANCE,
	OOM_LEVEL_APP,
	OOM_LEVEL_TENANT, /* all apps of its tenant together */
	OOM_LEVEL_ABOVE,
	OOM_LEVEL_HOST,
	OOM_LEVEL_COUNT
};

/* What moved since the worker's start. */
struct event_deltas {
	struct memory_events leaf_local; /* memory.events.local of the instance's leaf */
	struct memory_events app_local;	 /* memory.events.local of the app's slice */
	struct memory_events app;	 /* memory.events of the app's slice: with all below */
	struct memory_events
		above; /* memory.events.local summed over the ancestors that can be read */
	/* pids.events `max`: the app's slice plus the leaf. Before 6.11 the kernel counts in the
	 * cgroup of the one who forked, whoever's limit it was; since then where the limit is. */
	uint64_t pids_max;
};

enum decision {
	DECISION_RESTART,
	DECISION_LEFT_TO_MASTER,
	DECISION_GAVE_UP,
	DECISION_ENDED,
	DECISION_COUNT
};

struct death {
	bool child; /* a child of the main process was OOM-killed; the main process lives */
	bool has_status;
	int wait_status;
	bool stop_requested; /* a stop was asked for before the end */
	int stop_signal;     /* that it is asked by; 0: unknown */
	bool killed_by_us;   /* grace ran out, we used cgroup.kill */
	bool start_failed;
	/* Why pysbx itself ended this life: CAUSE_HUNG, CAUSE_UNHEALTHY, CAUSE_STALLED,
	 * CAUSE_PRESSURE, or 0 if it did not. It is the cause only if the worker did die of that
	 * SIGKILL; for CAUSE_PRESSURE, which asks first, also if it went otherwise, without a
	 * crash. */
	enum cause ended_cause;
	const char
		*ended_for; /* "waiting in requests.get at views.py:42 for 31 s"; NULL: unknown */
	const char *failed_stage; /* launch_stage_name */
	const char *failed_text;
	int failed_errno;
	struct event_deltas events;
	/* the part of events that earlier incidents of the same life have told about already: the
	 * judgement is on what is new. Zero at first. */
	struct event_deltas explained;
	uint64_t uptime_usec;
	const struct limits *limits;
	const char *app;     /* for sentences; NULL: "the app" */
	enum spec_door door; /* that its spec came through: how advice names a setting */
	struct setting_bound plan, tenant; /* that bound its limits */
	uint64_t grace_usec;		   /* of the stop that was asked for; 0 if unknown */
	int forwarded_signal;		   /* the last signal passed on for somebody; 0 = none */
	const char *refused_call; /* that the filter has refused shortly before, escaped; NULL: none
				   */
	/* The victim: the child, if OOM kills are new and the main process was not ended by SIGKILL
	 * itself; else the main process. */
	const char *victim_name; /* comm or argv[0], NULL if unknown */
	int victim_pid;
	int victim_pid_inside; /* as the app's own log counts; 0 if unknown */
	bool victim_is_child;  /* in a kill of the whole group: the one that the kernel chose is a
				  child */
	bool tenant_fired; /* the limit of the tenant's slice was hit, since the last judgement */
	/* memory.stat before: for sentence and advice; bytes. As in the kernel's file, `file` holds
	 * `shmem` too. */
	uint64_t memory_anon, memory_file, memory_shmem, memory_current;
	/* "export.py:88 in load()": where memory was being allocated just before; NULL: unknown */
	const char *allocating_at;
};

struct restart_state {	 /* policy/restart.h */
	unsigned in_row; /* restarts since the last stable run */
	uint64_t next_delay_usec;
};

#define VERDICT_TEXT_MAX 400

struct verdict {
	enum cause cause;
	enum oom_level level;
	enum decision decision;
	uint64_t restart_delay_usec; /* DECISION_RESTART */
	/* Worth a report. Not: an end within the grace of a stop that was asked for, and a clean
	 * exit 0 (unless it was one too many: gave up, or OOM kills came before it). */
	bool is_incident;
	char sentence[VERDICT_TEXT_MAX]; /* one plain sentence */
	char advice[VERDICT_TEXT_MAX];	 /* one sentence, "" if there is none to give */
	char why[VERDICT_TEXT_MAX];	 /* the decision in words: "restart in 2s (3rd in a row)" */
};

static inline bool death_exited(const struct death *death)
{
	return death->has_status && WIFEXITED(death->wait_status);
}

static inline bool death_signaled(const struct death *death)
{
	return death->has_status && WIFSIGNALED(death->wait_status);
}

/* OOM kills in the leaf that no earlier incident has told about. */
uint64_t death_new_oom_kills(const struct death *death);

/* SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT and their like: the process did it to itself. */
bool verdict_is_crash_signal(int signal);

/* Judges one death; moves `restarts` on (next delay, count) as restart_after() decides. */
void verdict_judge(const struct death *death, const struct restart_policy *policy,
		   enum oom_policy oom, struct restart_state *restarts, struct verdict *ret);

/* The exit code that `pysbx run` ends with: the command's own, or 128+N; 137 for an OOM kill. */
int verdict_exit_code(const struct death *death, const struct verdict *verdict);

const char *cause_name(enum cause cause);
const char *oom_level_name(enum oom_level level);
const char *decision_name(enum decision decision);
