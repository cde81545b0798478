/* SPDX-License-Identifier: MIT */
/*
 * The life of one instance: one table, state x event. The table is the only place where a state
 * changes; what to do is its answer, carried out by supervisor/instance.c.
 *
 * An instance has one timer. It is armed by ACTION_ARM_BACKOFF and ACTION_SIGNAL_STOP, and disarmed
 * by whatever takes the instance out of BACKOFF or STOPPING: a backoff timer that fired in STOPPING
 * would be taken for the end of the grace.
 */
#pragma once

#include <stdbool.h>

enum app_state {
	APP_STOPPED,  /* nothing runs; the end state of a stop and of a clean exit */
	APP_STARTING, /* launcher started, execve not yet confirmed */
	APP_RUNNING,
	APP_STOPPING,  /* stop signal sent, grace running */
	APP_BACKOFF,   /* waiting for the next start */
	APP_FAILED,    /* given up */
	APP_SUSPENDED, /* runs, and its cgroup is frozen */
	APP_STATE_COUNT,
};

enum app_event {
	EVENT_START,	   /* somebody wants it to run */
	EVENT_EXEC,	   /* the launcher says: running */
	EVENT_END_RESTART, /* ended or failed to start, and the verdict is: restart */
	EVENT_END_FINAL,   /* ended, and that is that (clean exit, restart never) */
	EVENT_END_GIVE_UP, /* ended once too often */
	EVENT_STOP,	   /* somebody wants it to end */
	EVENT_TIMER,	   /* backoff is over, or grace is over */
	EVENT_SUSPEND,	   /* somebody wants it to stand still */
	EVENT_RESUME,	   /* and to go on */
	APP_EVENT_COUNT,
};

enum app_action {
	ACTION_NONE,
	ACTION_SPAWN,	    /* start a launcher */
	ACTION_SIGNAL_STOP, /* thaw, send the stop signal, arm the grace timer */
	ACTION_KILL,	    /* cgroup.kill */
	ACTION_ARM_BACKOFF,
	ACTION_FREEZE, /* cgroup.freeze */
	ACTION_THAW,
	ACTION_SETTLE, /* nothing runs any more: clean up, tell whoever waits */
	APP_ACTION_COUNT,
};

struct lifecycle_step {
	enum app_state next;
	enum app_action action;
};

/* A pair that cannot happen in a right program answers {same state, ACTION_NONE}. */
struct lifecycle_step lifecycle_step(enum app_state state, enum app_event event);

const char *app_state_name(enum app_state state);
const char *app_event_name(enum app_event event);
const char *app_action_name(enum app_action action);

/* Is there, or may there be, a process of it? */
bool app_state_has_process(enum app_state state);

/* 0, or -EINVAL if no state has this name. */
int app_state_parse(const char *text, enum app_state *ret);
