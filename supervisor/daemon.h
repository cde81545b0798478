/* SPDX-License-Identifier: MIT */
/*
 * pysbxd: many apps on one event loop.
 *
 *   daemon.c            start, loop, end; what systemd hears
 *   daemon_apps.c       the apps: finding, adding, removing, starting one after the other
 *   daemon_callbacks.c  what they tell
 *   daemon_scope.c      the cgroup that they live in
 *   daemon_change.c     a new declaration of one, or a whole new configuration
 *   daemon_uids.c       who runs as whom
 *   daemon_state.c      the state file: what the next daemon has to know
 *   methods_*.c         the socket's methods
 *
 * Apps outlive the daemon: their launchers keep pipes and status (policy/launch_message.h), the
 * anchor keeps the scope. A daemon that comes finds them by the state file and by the sockets that
 * they listen on, and misses nothing of what was.
 */
#pragma once

#include "supervisor/app.h"
#include "supervisor/apps_scope.h"
#include "supervisor/config.h"
#include "supervisor/control.h"
#include "supervisor/events.h"
#include "supervisor/filter_cache.h"
#include "supervisor/host_view.h"
#include "supervisor/incident_sweep.h"
#include "supervisor/reader.h"
#include "supervisor/uids.h"

#include <systemd/sd-event.h>

#define DAEMON_LIB	 "/var/lib/pysbx"
#define DAEMON_RUN	 "/run/pysbx"
#define DAEMON_INCIDENTS DAEMON_LIB "/incidents"
#define DAEMON_KEEPERS	 DAEMON_RUN "/sandbox" /* root only: launchers and anchor listen here */
#define DAEMON_SOCKET	 DAEMON_RUN "/control.sock"
#define DAEMON_GROUP	 "pysbx" /* may all, as root */

#define DAEMON_APPS_MAX		20000
#define DAEMON_STARTS_AT_A_TIME 8 /* at boot; the others wait for their turn */
/* systemd did not give us a scope: it is not asked again for so long. To ask it may take up to
 * SCOPE_TIMEOUT_USEC of the loop's time. */
#define DAEMON_SCOPE_PAUSE_USEC UINT64_C(10000000)
/* Freed memory is given back so late: by then all launchers that were found have been heard. */
#define DAEMON_TRIM_DELAY_USEC UINT64_C(10000000)
#define DAEMON_SYSTEM_AGE_USEC UINT64_C(30000000) /* what is known of the system's paths */
#define DAEMON_SAVE_DELAY_USEC UINT64_C(50000)
#define DAEMON_CURSOR_GAP      UINT64_C(1000000) /* more than can happen between two saves */
/* With many apps a save takes its time: of the loop's it gets at most one part in so many. */
#define DAEMON_SAVE_SHARE 20
/* Readings for clients at a time; for those of one tenant; and what no tenant's get. */
#define DAEMON_STACKS_MAX	 16
#define DAEMON_STACKS_TENANT_MAX 2
#define DAEMON_STACKS_ADMIN	 4

struct daemon_options {
	const char *cgroup_root; /* NULL: a scope of systemd's */
	bool to_stderr;		 /* say everything on stderr too */
};

struct daemon {
	struct daemon_options options;
	sd_event *event;
	struct log log;
	struct journal journal;
	struct output err_out;
	int lock_fd;
	uint64_t started_usec; /* CLOCK_REALTIME */
	struct config *config;
	struct mask *mask; /* of config's settings */
	struct incident_sweep *sweep;
	struct incident_hook *hook;
	bool has_admins; /* the group DAEMON_GROUP exists */
	gid_t admins;
	struct apps_scope scope;
	struct reader reader;
	struct kernel_log kernel_log;
	struct watch_notifier notifier;
	struct recorders recorders;
	struct stacks_readers stack_readers;
	struct tenant_tripwires tripwires;
	struct launcher_slots slots;
	struct host_view view; /* none: it could not be made */
	struct filter_cache filters;
	struct uids uids;
	struct host_system system;
	uint64_t system_usec; /* CLOCK_MONOTONIC, when it was looked up */
	struct app_host host;
	struct app **apps; /* sorted by name */
	size_t app_count, app_allocated;
	struct app **queue; /* ring of those that wait to be started */
	size_t queue_first, queue_count, queue_allocated;
	size_t starting; /* apps in that state */
	struct events *events;
	struct control *control;
	struct stacks_call *stacks; /* readings for clients; NULL: there were none yet */
	sd_event_source *anchor_source, *starter, *reaper, *saver, *trimmer, *scope_again;
	bool restored;		   /* all that was on record is here: it may be written anew */
	bool save_failed;	   /* told once */
	uint64_t save_took_usec;   /* the last time */
	uint64_t state_generation; /* of the state file */
	int records_fd;		   /* lines that are later than it; -1: none yet */
	bool records_matter;	   /* the file of this generation is there */
	bool scope_stops;	   /* systemd has told the anchor */
	struct error scope_error;  /* why there is none, if it was asked for; and */
	uint64_t scope_again_usec; /* CLOCK_MONOTONIC, until when it is not asked for again */
	bool scope_told;	   /* that apps wait for it */
	bool missing_told;	   /* that it lacks controllers */
	bool leaving;		   /* SIGTERM: apps stay */
};

int daemon_run(const struct daemon_options *options, struct error *err);

/* Looks for the group of administrators: at the start and at a reload, since the group database may
 * be far away. */
void daemon_find_admins(struct daemon *daemon);

/* --- daemon_apps.c --------------------------------------------------------------------------- */

struct app *daemon_find_app(const struct daemon *daemon, const char *name);

/* spec is taken over. ERROR_TOO_MANY beyond DAEMON_APPS_MAX. */
int daemon_add_app(struct daemon *daemon, struct app_spec *spec, enum config_source source,
		   struct app **ret, struct error *err);

/* Stops it and forgets it when it has ended. Its waiters hear -ENOENT then. */
void daemon_remove_app(struct daemon *daemon, struct app *app);
/* Its removal is called off, if it was on: it has been declared again. Starts it if that says so.
 */
void daemon_keep_app(struct daemon *daemon, struct app *app);

/* Now, or when its turn comes. */
void daemon_start_app(struct app *app);
void daemon_queue_app(struct daemon *daemon, struct app *app);
/* There may be room for the next one in the queue. */
void daemon_start_more(struct daemon *daemon);
/* One that is to be removed may have ended: looks for such, but not in the middle of what is going
 * on with it. */
void daemon_reap_soon(struct daemon *daemon);

/* Gives memory back that is no longer used: after a load of all files, and after each write of the
 * state, which follows whatever happens to apps. */
void daemon_trim_soon(struct daemon *daemon);

/* How many apps a tenant has. */
size_t daemon_count_apps(const struct daemon *daemon, const char *tenant);

/* --- daemon_callbacks.c ---------------------------------------------------------------------- */

/* The callbacks of its app_host. */
void daemon_set_callbacks(struct daemon *daemon);
/* The limits of a tenant have been written, or its cgroup made. */
void daemon_renew_tripwire(struct daemon *daemon, const struct tenant *tenant);

/* --- daemon_scope.c -------------------------------------------------------------------------- */

/* While systemd stops the scope there is no place for a process, not even in the directories that
 * are still there. ERROR_CONFLICT. */
int daemon_check_scope(const struct daemon *daemon, struct error *err);
/* Opens the scope if it isn't; after a failure only when DAEMON_SCOPE_PAUSE_USEC are over. EAGAIN
 * if it may be there later. */
int daemon_need_scope(struct daemon *daemon, struct error *err);
/* Watches the anchor, and tells the apps where they live. */
void daemon_use_scope(struct daemon *daemon);

/* --- daemon_uids.c --------------------------------------------------------------------------- */

/* Those that run under a uid have it; records: of the state file, NULL: none. Before one of them
 * can be started. */
void daemon_note_uids(struct daemon *daemon, const json_t *records);
/* To all apps that have none: after they were taken over, and after a reload. */
void daemon_give_uids(struct daemon *daemon);
/* For app_host. */
int daemon_own_uid(struct app *app, uid_t *ret, struct error *err);

/* --- daemon_change.c ------------------------------------------------------------------------- */

/* What a reload has found, names of apps; owned by the caller. */
struct daemon_changes {
	struct strings added, changed, removed;
	size_t unchanged;
};
void daemon_changes_clear(struct daemon_changes *changes);

/* Reads all files again and applies the differences; on failure all is as it was. With an overlay
 * (NULL: none) as if it were on disk, and when all of it was found right and is in force in the
 * kernel, it is. */
int daemon_reload(struct daemon *daemon, const struct config_overlay *overlay,
		  struct daemon_changes *ret, struct error *err);

/* A declaration over the socket: object is kept on disk as the words of `by` (a tenant; NULL: an
 * administrator), spec (taken over) is put in force. *ret_app: the app, new or not. On failure all
 * is as it was. */
int daemon_apply(struct daemon *daemon, const json_t *object, const char *by, struct app_spec *spec,
		 struct app **ret_app, struct error *err);

/* Loads the configuration at the start: a wrong file costs only itself, but for pysbxd.json. */
int daemon_load(struct daemon *daemon, struct error *err);

/* --- daemon_state.c -------------------------------------------------------------------------- */

/* Writes the state file now, or soon; or now if it was to be written soon: what is answered after
 * that is on record. Not before daemon_restore() is through, which ends with it: what is there by
 * then is not all. */
void daemon_save(struct daemon *daemon);
void daemon_save_soon(struct daemon *daemon);
/* The record of this app now, the others soon. */
void daemon_save_app(struct daemon *daemon, struct app *app);
void daemon_save_due(struct daemon *daemon);

/* The file's object; NULL if there is none, or if it is damaged, which is logged. Owned by the
 * caller. */
json_t *daemon_read_state(struct daemon *daemon);
/* Lines of state.log, into the object of the state file. What does not parse ends them: who wrote
 * it was killed over it. */
void daemon_state_take_lines(json_t *state, const char *text, size_t length);
/* Of the last event of the life that the state (NULL: none) is of, for events_new(). */
uint64_t daemon_state_cursor(const json_t *state);
/* Takes over what runs; before any app is started. */
void daemon_restore(struct daemon *daemon, const json_t *state);
/* The kernel's limits of a tenant are those of the one given, as far as that can be. */
void daemon_renew_tenant(struct daemon *daemon, const struct tenant *tenant);

/* --- methods --------------------------------------------------------------------------------- */

/* Fills tables[] for control_start(); returns their number. */
/* Ends the readings of stacks that are under way; their calls fail. */
void daemon_stop_stacks(struct daemon *daemon);

#define DAEMON_TABLES 9
size_t daemon_method_tables(struct daemon *daemon, struct control_table tables[DAEMON_TABLES]);
