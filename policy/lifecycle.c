/* SPDX-License-Identifier: MIT */
/*
 * Pairs that are not in the table cannot happen in a right program, or ask for nothing: the state
 * stays. Among them, on purpose: a START while the instance stops (the stop was asked for first and
 * is carried out), a second STOP (the grace that was promised stays promised), a STOP of an
 * instance that has failed (that it failed stays known until the next start), and a timer that
 * fires late, after the state has moved on.
 */
#include "policy/lifecycle.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

/* `set` tells an entry from a hole: APP_STOPPED and ACTION_NONE are both 0. */
struct entry {
	bool set;
	enum app_state next;
	enum app_action action;
};

#define GO(state, action)                          \
	{                                          \
		true, APP_##state, ACTION_##action \
	}

static const struct entry table[APP_STATE_COUNT][APP_EVENT_COUNT] = {
	[APP_STOPPED] = {
		[EVENT_START] = GO(STARTING, SPAWN),
	},
	[APP_STARTING] = {
		[EVENT_EXEC] = GO(RUNNING, NONE),
		[EVENT_END_RESTART] = GO(BACKOFF, ARM_BACKOFF),
		/* no worker ever ran, and no further try would change that: no clean end */
		[EVENT_END_FINAL] = GO(FAILED, SETTLE),
		[EVENT_END_GIVE_UP] = GO(FAILED, SETTLE),
		[EVENT_STOP] = GO(STOPPING, SIGNAL_STOP),
	},
	[APP_RUNNING] = {
		[EVENT_END_RESTART] = GO(BACKOFF, ARM_BACKOFF),
		[EVENT_END_FINAL] = GO(STOPPED, SETTLE),
		[EVENT_END_GIVE_UP] = GO(FAILED, SETTLE),
		[EVENT_STOP] = GO(STOPPING, SIGNAL_STOP),
		[EVENT_SUSPEND] = GO(SUSPENDED, FREEZE),
	},
	[APP_STOPPING] = {
		[EVENT_END_RESTART] = GO(STOPPED, SETTLE),
		[EVENT_END_FINAL] = GO(STOPPED, SETTLE),
		[EVENT_END_GIVE_UP] = GO(STOPPED, SETTLE),
		[EVENT_TIMER] = GO(STOPPING, KILL),
	},
	[APP_BACKOFF] = {
		[EVENT_START] = GO(STARTING, SPAWN),
		[EVENT_STOP] = GO(STOPPED, SETTLE),
		[EVENT_TIMER] = GO(STARTING, SPAWN),
	},
	[APP_FAILED] = {
		[EVENT_START] = GO(STARTING, SPAWN),
	},
	/* a frozen process can still be killed, by the OOM killer too */
	[APP_SUSPENDED] = {
		[EVENT_END_RESTART] = GO(BACKOFF, ARM_BACKOFF),
		[EVENT_END_FINAL] = GO(STOPPED, SETTLE),
		[EVENT_END_GIVE_UP] = GO(FAILED, SETTLE),
		[EVENT_STOP] = GO(STOPPING, SIGNAL_STOP),
		[EVENT_RESUME] = GO(RUNNING, THAW),
	},
};

static const char *const state_names[] = {
	[APP_STOPPED] = "stopped",     [APP_STARTING] = "starting", [APP_RUNNING] = "running",
	[APP_STOPPING] = "stopping",   [APP_BACKOFF] = "backoff",   [APP_FAILED] = "failed",
	[APP_SUSPENDED] = "suspended",
};
static_assert(sizeof(state_names) / sizeof(state_names[0]) == APP_STATE_COUNT,
	      "a name for each state");

static const char *const event_names[] = {
	[EVENT_START] = "start",
	[EVENT_EXEC] = "exec",
	[EVENT_END_RESTART] = "end-restart",
	[EVENT_END_FINAL] = "end-final",
	[EVENT_END_GIVE_UP] = "end-give-up",
	[EVENT_STOP] = "stop",
	[EVENT_TIMER] = "timer",
	[EVENT_SUSPEND] = "suspend",
	[EVENT_RESUME] = "resume",
};
static_assert(sizeof(event_names) / sizeof(event_names[0]) == APP_EVENT_COUNT,
	      "a name for each event");

struct lifecycle_step lifecycle_step(enum app_state state, enum app_event event)
{
	assert((size_t)state < APP_STATE_COUNT && (size_t)event < APP_EVENT_COUNT);

	const struct entry *entry = &table[state][event];

	if (!entry->set)
		return (struct lifecycle_step){ state, ACTION_NONE };
	return (struct lifecycle_step){ entry->next, entry->action };
}

const char *app_state_name(enum app_state state)
{
	return (size_t)state < APP_STATE_COUNT ? state_names[state] : "unknown";
}

static const char *const action_names[] = {
	[ACTION_NONE] = "nothing",
	[ACTION_SPAWN] = "start a launcher",
	[ACTION_SIGNAL_STOP] = "thaw, send the stop signal, start the grace",
	[ACTION_KILL] = "kill its cgroup",
	[ACTION_ARM_BACKOFF] = "start the backoff",
	[ACTION_FREEZE] = "freeze its cgroup",
	[ACTION_THAW] = "thaw its cgroup",
	[ACTION_SETTLE] = "clean up, tell who waits",
};
static_assert(sizeof(action_names) / sizeof(action_names[0]) == APP_ACTION_COUNT,
	      "a name for each action");

const char *app_action_name(enum app_action action)
{
	return (size_t)action < APP_ACTION_COUNT ? action_names[action] : "unknown";
}

bool app_state_has_process(enum app_state state)
{
	return state == APP_STARTING || state == APP_RUNNING || state == APP_STOPPING ||
	       state == APP_SUSPENDED;
}

int app_state_parse(const char *text, enum app_state *ret)
{
	for (size_t i = 0; i < APP_STATE_COUNT; i++)
		if (strcmp(text, state_names[i]) == 0) {
			*ret = (enum app_state)i;
			return 0;
		}
	return -EINVAL;
}

const char *app_event_name(enum app_event event)
{
	return (size_t)event < APP_EVENT_COUNT ? event_names[event] : "unknown";
}
