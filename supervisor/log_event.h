/* SPDX-License-Identifier: MIT */
/*
 * The events that the daemon's log tells by number as well as in words. Each kind has a MESSAGE_ID
 * that never changes, so that `journalctl MESSAGE_ID=...` and monitoring find it whatever the words
 * are; packaging/catalog/pysbx.catalog explains each to `journalctl -x`. Pure data.
 */
#pragma once

enum log_level {
	LOG_LEVEL_ERROR,   /* always shown */
	LOG_LEVEL_WARNING, /* something died or came near it: always shown */
	LOG_LEVEL_INFO,	   /* not with --quiet */
	LOG_LEVEL_DEBUG,   /* with --verbose */
	LOG_LEVEL_COUNT,
};

enum log_event_id {
	LOG_EVENT_DAEMON_STARTED,  /* listens, and has looked for what still runs */
	LOG_EVENT_DAEMON_STOPPING, /* apps stay or go, as the message says */
	LOG_EVENT_CONFIG_RELOADED, /* files were read again and hold */
	LOG_EVENT_CONFIG_REFUSED,  /* a file is wrong; what was in force stays */
	LOG_EVENT_APP_STARTED,
	LOG_EVENT_APP_STOPPED,	    /* because somebody asked */
	LOG_EVENT_APP_DIED,	    /* an incident: see PYSBX_INCIDENT */
	LOG_EVENT_APP_CHILD_KILLED, /* a child ran out of memory, the main process lives */
	LOG_EVENT_APP_BACKOFF,	    /* will be started again after a delay */
	LOG_EVENT_APP_FAILED,	    /* given up: nothing starts it but a command */
	LOG_EVENT_APP_SUSPENDED,    /* frozen by command */
	LOG_EVENT_APP_RESUMED,
	LOG_EVENT_APP_ADOPTED,	     /* found running by a new daemon, and kept */
	LOG_EVENT_APP_LOST,	     /* was to run, and its launcher is gone */
	LOG_EVENT_LIMITS_CHANGED,    /* of a running app */
	LOG_EVENT_LOG_LINES_DROPPED, /* lines of a worker; the message has the number */
	LOG_EVENT_STATE_UNREADABLE,  /* a file of the state directory is damaged */
	LOG_EVENT_CLIENT_CUT_OFF,    /* a client of the socket was too slow or too much */
	LOG_EVENT_SCOPE_LOST,	     /* the cgroup that apps live in is gone */
	LOG_EVENT_PIDS_REFUSED,	     /* limits.pids has refused a process or thread */
	LOG_EVENT_SYSCALL_REFUSED, /* the seccomp filter has refused a call; who made it, and why */
	LOG_EVENT_CANARY_LIFTED,   /* of an app's profile so much was refused that it is only logged
				      now */
	LOG_EVENT_HOOK_FAILED,	   /* of on_incident: it was not told, or could not do it */
	LOG_EVENT_MEMORY_SHORT,	   /* an app is close to its limit of memory */
	LOG_EVENT_APP_UNHEALTHY,   /* its health check fails; the message has how, and what else */
	LOG_EVENT_APP_HEALTHY,	   /* again */
	LOG_EVENT_APP_THROTTLED,   /* so slow for its own limits that its health check fails */
	LOG_EVENT_MEMORY_PRESSURE, /* a step of the pressure ladder */
	LOG_EVENT_COUNT,
};

struct log_event_kind {
	const char *name;	/* "app-died" */
	const char *message_id; /* 32 lower-case hexadecimal digits */
	enum log_level level;
};

const struct log_event_kind *log_event_kind(enum log_event_id id);
