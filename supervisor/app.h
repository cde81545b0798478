/* SPDX-License-Identifier: MIT */
/*
 * One app of the daemon: its declaration, its place in the cgroup tree, its log, its instance, and
 * what is remembered of it. The life itself is the instance's (supervisor/instance.h).
 *
 * What takes time is answered by waiting for a state: app_wait() calls back when the app is in one
 * of those that are waited for, or when the time is over.
 *
 *   app.c         what a start needs, what the instance tells, the life
 *   app_change.c  another declaration
 *   app_wait.c    waiting
 *   app_record.h  its record in the state file
 *   app_cgroup.h  its place
 *   app_log.h     its log
 */
#pragma once

#include "policy/spec.h"
#include "supervisor/app_cgroup.h"
#include "supervisor/app_log.h"
#include "supervisor/config.h"
#include "supervisor/filter_cache.h"
#include "supervisor/host.h"
#include "supervisor/instance.h"

#include <jansson.h>

#define APP_SENTENCE_MAX 256
/* Calls that wait for one app; so many more are kept free for administrators, whom a tenant's own
 * waiting must not keep from stopping its app. */
#define APP_WAITERS_MAX	     64
#define APP_WAITERS_RESERVED 16

struct app;

/* What all apps share; everything is borrowed. */
struct app_host {
	struct instance_host instance; /* its callbacks are set by app.c */
	struct app_log_host log;
	struct config *const *config; /* the one in force */
	struct filter_cache *filters;
	/* All are called after the fact. In on_settled the app must not be freed: later. */
	void (*on_change)(struct app *app, enum app_state from);
	void (*on_denial)(struct app *app, const struct denial_report *report);
	void (*on_pressure)(struct app *app, enum pressure_step step, const char *reading,
			    const char *result);
	void (*on_lifted)(struct app *app, const struct strings *rules);
	void (*on_short)(struct app *app, const struct incident_memory *memory, uint64_t limit,
			 const char *text);
	void (*on_health)(struct app *app, enum health_state from);
	void (*on_throttled)(struct app *app, const char *text);
	void (*on_incident)(struct app *app, const char *id, const struct verdict *verdict);
	void (*on_settled)(struct app *app);
	void (*record)(struct app *app); /* synchronously: see instance_host.record */
	/* The cgroup of its tenant may be new, and has the limits as declared. */
	void (*on_tenant)(struct app *app, const struct tenant *tenant);
	/* Sees to it that there is a place for apps: instance.root_fd. */
	int (*need_scope)(void *userdata, struct error *err);
	/* The uid of an app that names no user: from now on, and on disk. */
	int (*own_uid)(struct app *app, uid_t *ret, struct error *err);
	/* What a sandbox sees of the system, not older than a few seconds; NULL: unknown. */
	const struct host_system *(*system)(void *userdata);
	void *userdata;
};

/* How it last ended. */
struct app_last {
	enum cause cause;
	int exit_code;
	uint64_t time_usec;		/* CLOCK_REALTIME */
	char incident[INCIDENT_ID_MAX]; /* "" if it was none */
	char sentence[APP_SENTENCE_MAX];
};

struct app_waiter;

struct app {
	const struct app_host *host;
	enum config_source source;
	struct app_spec spec; /* in force: what runs was started with it, or it was applied live */
	/* Where its slice is, or will be made; owned, set by app_set_place(). Another than its
	 * tenant says as long as it has one from before that was changed, which can be done only
	 * while no daemon runs. */
	char *path;
	struct instance instance;
	struct app_log log;
	uid_t uid;	       /* of its own (no user named); 0: not given yet */
	uint64_t since_usec;   /* CLOCK_REALTIME, of its state */
	uint64_t restarts;     /* of all time, since the daemon knows it */
	struct app_last *last; /* NULL: has not ended yet */
	bool has_slice;
	bool queued;	  /* waits for its turn to start; by app_set_queued() */
	bool start_again; /* when it has settled */
	bool remove;	  /* when it has settled */
	bool lowering;	  /* its memory limits, in a process of their own: one at a time */
	/* Its declaration is there and can't be used, as an earlier daemon could: it runs on as
	 * what it was, with the kernel's limits untouched, until a declaration is in force again.
	 * Nothing of `spec` is its own but name and tenant; it can't be started. */
	bool held;
	uint64_t held_digest; /* of the spec that runs; 0: not known */
	struct app_waiter *waiters;
	struct app_waiter *next_waiter; /* in the round that is on */
	unsigned waiter_count;
	uint64_t digest; /* of spec, see app_record; 0: to be made anew */
	char *saved;	 /* its record in the state file; NULL: to be made anew */
	size_t saved_length;
};

/* Sets the callbacks of host->instance: once, before the first app. */
void app_host_init(struct app_host *host);

/* spec is taken over: *spec is zero afterwards. */
int app_new(const struct app_host *host, struct app_spec *spec, enum config_source source,
	    struct app **ret, struct error *err);
/* Lets go of what runs: it stays. Waiters are told that the app is gone. NULL is fine. */
void app_free(struct app *app);

/* Where its slice is: "acme.tenant/web.slice". */
int app_set_place(struct app *app, const char *path, struct error *err);

static inline enum app_state app_state(const struct app *app)
{
	return app->instance.state;
}

/* Does it run, or is it on the way there, and nobody has asked it to stop? */
static inline bool app_is_up(const struct app *app)
{
	return app_state_has_process(app_state(app)) && app_state(app) != APP_STOPPING;
}

/* Is it one of those that wait for their turn to start? */
void app_set_queued(struct app *app, bool queued);

void app_start(struct app *app);
/* With its grace. One that is stopping goes on with that, and is not started again after it. */
void app_stop(struct app *app);
/* One that is stopping is killed now. */
void app_kill(struct app *app);
/* Stops it if it runs, and starts it (again). */
void app_restart(struct app *app);

/* A new declaration, in two steps. Live: what can be changed in a running one is in force in the
 * kernel; nothing is changed on failure. A memory limit below what is in use is refused
 * (ERROR_CONFLICT): supervisor/reclaim.h comes first. */
int app_change_live(struct app *app, const struct app_spec *spec, struct error *err);
/* Is all of spec that a running app holds in the kernel as it is already? */
bool app_is_same_in_kernel(const struct app *app, const struct app_spec *spec);
/* Back from there, or after a daemon that may have been killed between the kernel and the disk: the
 * kernel's limits and egress are those of app->spec, as far as that can be; a failure is logged.
 * Nothing is touched of one that is held or on its way out: what it has is what was declared last.
 */
void app_renew_limits(struct app *app);
/* spec (taken over) is the app's from now on; for what can't be changed live it is restarted
 * (policy/spec_diff.h). */
void app_change_commit(struct app *app, struct app_spec *spec);

/* Declared again before it has gone: it is not removed. */
void app_keep(struct app *app);

/* Takes over what an earlier daemon has left of it; the members were set from the state file. */
void app_adopt(struct app *app);

/* Beside 1 << enum app_state: it is at rest, cleaned up after, and is not started again at once. */
#define APP_SETTLED (1U << APP_STATE_COUNT)
/* And that its removal has been called off. */
#define APP_KEPT (1U << (APP_STATE_COUNT + 1))

struct app_wait {
	unsigned states; /* bits of these */
	uint64_t usec;	 /* 0: for ever */
	/* Once: 0 when it is in one of the states, at once if it is now; -ETIMEDOUT; -ENOENT if the
	 * app is removed first; -ECANCELED if who waits has gone. */
	void (*callback)(struct app *app, int result, void *userdata);
	bool (*is_gone)(const void *userdata); /* who waits; NULL: stays */
	bool admin;			       /* may have one of those that are kept free */
	void *userdata;
};

int app_wait(struct app *app, const struct app_wait *wait, struct error *err);
/* Is there room for one more? To be asked before anything is done that is then waited for.
 * ERROR_TOO_MANY. */
int app_can_wait(struct app *app, bool admin, struct error *err);

/* Its own pid and uid as others see them; 0 if it has no process. */
pid_t app_pid(const struct app *app);

/* --- between the files of this module ----------------------------------------------------------
 */

/* Its record in the state file is to be made anew. */
void app_forget_record(struct app *app);
/* What the slice may reach is what `spec` says. */
int app_set_egress(const struct app *app, const struct app_spec *spec, struct error *err);
/* The state that it is in, as struct app_wait has it. */
unsigned app_state_bits(const struct app *app);
/* Those that wait for one of these states; with a negative result all of them. */
void app_answer_waiters(struct app *app, unsigned states, int result);
