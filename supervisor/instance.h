/* SPDX-License-Identifier: MIT */
/*
 * One instance of an app: its leaf cgroup, its launcher, its watch, its log, its life.
 *
 * Every event (from the launcher's socket, a cgroup file, a timer, the user) is turned into one of
 * policy/lifecycle.h's, and what the table answers is carried out.
 *
 *   instance.c           a life, from spawn to conclusion, and the table's answers
 *   instance_leaf.c      its cgroup
 *   instance_launcher.c  what the launcher says
 *   instance_adopt.c     going on with what an earlier daemon has left
 *   instance_watch.c     what the cgroup's files say
 *   instance_counters.c  what its counters are compared with
 *   instance_denial.c    what the seccomp filter refuses
 *   instance_incident.c  judging a death, and telling it
 *   instance_end.c       ending a life that makes no progress
 *   instance_tripwire.c  looking at it before the kernel kills; finding that it stalls
 *   instance_pressure.c  what is done before it meets its memory limit
 *
 * A death is judged when the launcher tells it: by then all in the PID namespace is gone, and all
 * that can be known is there. Only when it is on record (instance_host.record) the launcher hears
 * COLLECTED and goes: a daemon that is killed in between hears of the death again. Nobody waits for
 * its own end then: if nothing is left in the leaf the next life begins at once.
 *
 * When a child is OOM-killed while the main process lives (gunicorn's usual case) memory.events is
 * all that tells. The kernel kills first and the exit shows 17 to 60 ms later, so the judgement
 * waits for OOM_SETTLE_USEC: if the main process ends in that time, it is one death, not two.
 */
#pragma once

#include "policy/canary.h"
#include "policy/diagnosis.h"
#include "policy/lifecycle.h"
#include "policy/moment.h"
#include "policy/plan.h"
#include "policy/settings.h"
#include "policy/spec.h"
#include "policy/tripwire.h"
#include "policy/verdict.h"
#include "policy/wall.h"
#include "supervisor/health.h"
#include "supervisor/incident_hook.h"
#include "supervisor/kernel_log.h"
#include "supervisor/launcher.h"
#include "supervisor/log.h"
#include "supervisor/process_table.h"
#include "supervisor/recorder.h"
#include "supervisor/relay.h"
#include "supervisor/stacks.h"
#include "supervisor/tenant_tripwire.h"
#include "supervisor/thread.h"
#include "supervisor/watch.h"

#include <linux/seccomp.h>
#include <systemd/sd-event.h>

#define INSTANCE_OOM_SETTLE_USEC UINT64_C(400000)
/* After an exit, or a death by SIGTERM, that nobody has asked for: systemd may be stopping the
 * whole scope, and its anchor, who tells us, be slower than that worker. */
#define INSTANCE_STOP_SETTLE_USEC UINT64_C(500000)
/* With memory.oom.group the main process dies too; one that was left alive is killed after this. */
#define INSTANCE_OOM_GROUP_SETTLE_USEC UINT64_C(10000000)
/* Of children killed for memory so many are reported in full a minute; the others are counted. */
#define INSTANCE_CHILD_REPORTS	   5
#define INSTANCE_CHILD_WINDOW_USEC UINT64_C(60000000)
#define INSTANCE_TABLE_INTERVAL_USEC \
	UINT64_C(100000) /* a look at all processes, at most so often */
/* A refused call may be why an end comes within this time, and a refused fork explains one that
 * comes within that (policy/moment.h). */
#define INSTANCE_REFUSAL_MATTERS_USEC UINT64_C(5000000)
#define INSTANCE_PIDS_MATTER_USEC     UINT64_C(10000000)
#define INSTANCE_START_PATIENCE_USEC  UINT64_C(60000000) /* from spawn to execve */
/* From a worker's end to its launcher's: longer only with a process in uninterruptible sleep. */
#define INSTANCE_END_PATIENCE_USEC  UINT64_C(10000000)
#define INSTANCE_ADOPT_AGAIN_USEC   UINT64_C(1000000)
#define INSTANCE_LEAF_PATIENCE_MSEC 500
#define INSTANCE_KILL_PATIENCE_USEC UINT64_C(5000000)
#define INSTANCE_NOTE_INTERVAL_USEC UINT64_C(60000000) /* pressure and pids notes: one a minute */
/* Old incidents go so long after a new one, and not before the next life has begun. */
#define INSTANCE_TIDY_USEC  UINT64_C(1000000)
#define INSTANCE_LEAF_MAX   32
#define INSTANCE_CGROUP_MAX 512 /* path of a leaf, as the kernel's log names it */

#define INSTANCE_DENIAL_TEXT_MAX 1024
/* The caller of a refused call is held for LAUNCH_DENIAL_USEC at most: a stack that is read later
 * is not that of the call. */
#define INSTANCE_DENIAL_STACK_USEC (LAUNCH_DENIAL_USEC * 9 / 10)
#define INSTANCE_PROPOSAL_MAX	   2048

struct instance;
struct instance_question;
struct instance_pressure;

/* A refused system call. All is borrowed, and escaped by whoever shows it. */
struct denial_report {
	const char *name;     /* NULL: nobody knows that number */
	const char *call;     /* "socket(AF_ALG, SOCK_SEQPACKET, 0)" */
	const char *rule;     /* of a profile that would allow it; "" if there is none */
	int errnum;	      /* that it fails with; 0: it was made */
	uint64_t untold;      /* refusals since the last report that were only counted */
	pid_t inside;	      /* the thread as the app's own PID namespace numbers it */
	struct thread caller; /* id 0: it could not be found */
	const char *place;    /* "views.py:3 in handler()", if it is Python's; NULL: unknown */
	const char *text;     /* as a sentence, without the rule */
};

/* Of an instance that was refused anything, since somebody has asked for its start (or since this
 * daemon runs). */
struct instance_denials {
	uint64_t told, untold; /* one by one; only counted */
	struct canary canary;
	struct strings rules; /* that would have allowed what a canary was refused */
	char *newest;	      /* owned, escaped: the last call that was told; NULL: none */
	struct moment newest_at;
};

/* What all instances share; everything is borrowed. */
struct instance_host {
	sd_event *event;
	struct log *log;
	int image_fd; /* the launcher's program, or -1: its file (supervisor/launcher.h) */
	int file_fd;
	int root_fd; /* the delegated cgroup that app_path of each instance begins at */
	int init_cgroup_fd;
	const char *root_path; /* of root_fd; NULL: there is none yet */
	const char
		*root_cgroup; /* as the kernel's log names it: "/pysbx.slice/..."; "" = unknown */
	struct reader *reader;
	struct kernel_log *kernel_log;
	struct recorders *recorders;   /* NULL: nothing is recorded */
	struct stacks_readers *stacks; /* NULL: no stacks are read */
	const char *incident_directory;
	const char *report_path;		    /* NULL: none */
	const struct settings_incidents *incidents; /* how long they are kept */
	const struct mask *mask;		    /* what is hidden in them; NULL: nothing */
	struct incident_hook *hook;		    /* who is told of them; NULL: nobody */
	uint32_t (*random)(void);
	/* the daemon's: */
	struct watch_notifier *notifier; /* lean watches; NULL: full ones */
	struct host_view *view; /* that launchers start in; NULL: in a copy of our namespace */
	const struct launcher_slots *slots;
	const char *keeper_directory; /* where launchers listen that outlive us; NULL: none do */
	/* Makes the app's slice, with its limits, if it isn't there. NULL: it is. */
	int (*make_slice)(struct instance *instance, struct error *err);
	/* Makes what a start needs, when it is needed: plan (owned by the caller) and filter
	 * (borrowed). NULL: instance_init has been given both. */
	int (*prepare)(struct instance *instance, struct plan **ret_plan, int *ret_filter_fd,
		       struct error *err);
	/* What bounds its limits from outside: borrowed, until anything else is done. NULL:
	 * nothing.
	 */
	void (*bounds)(const struct instance *instance, struct setting_bound *plan,
		       struct setting_bound *tenant);
	/* All may be NULL. */
	void (*on_change)(struct instance *instance, enum app_state from);
	/* id: "" for an end that is no incident. */
	void (*on_incident)(struct instance *instance, const char *id,
			    const struct verdict *verdict);
	void (*on_denial)(struct instance *instance, const struct denial_report *report);
	/* A canary's filter has been lifted. rules: as in instance_denials. */
	void (*on_lifted)(struct instance *instance, const struct strings *rules, const char *text);
	/* An episode of little memory begins. text: as it is logged. */
	void (*on_short)(struct instance *instance, const struct incident_memory *memory,
			 uint64_t limit, const char *text);
	/* Its health (instance->health) has another state than `from` now. */
	void (*on_health)(struct instance *instance, enum health_state from);
	/* It is slow because its limits hold it back: text has the numbers. */
	void (*on_throttled)(struct instance *instance, const char *text);
	/* A step of the pressure ladder: why, and what came of it. */
	void (*on_pressure)(struct instance *instance, enum pressure_step step, const char *reading,
			    const char *result);
	/* Instead of telling a call that is refused, or would be. */
	void (*learn)(struct instance *instance, const struct seccomp_data *data);
	/* Puts on record what has just been judged; returns when it is. */
	void (*record)(struct instance *instance);
};

/* LAUNCH_FAILED or LAUNCH_ENDED, as far as it is needed: a thousand instances have one. */
struct instance_end {
	enum launch_message_type type; /* 0 before */
	enum launch_stage stage;
	int errnum, wait_status;
	uint64_t user_usec, system_usec, maxrss_bytes;
	uint64_t started_nsec, ended_nsec; /* CLOCK_MONOTONIC */
	char *text;			   /* owned; NULL: none */
};

struct instance {
	const struct instance_host *host;
	const struct app_spec *spec; /* borrowed */
	struct plan *plan;	     /* owned; NULL: host->prepare makes one for each start */
	int filter_fd;		     /* borrowed */
	unsigned number;
	const char *app_path; /* borrowed: the app's slice below host->root_fd */
	char leaf_name[INSTANCE_LEAF_MAX];
	unsigned lost_leaves; /* that could not be removed: the next life has a leaf of another name
			       */
	struct relay_sink sink; /* where the worker's output goes */
	void (*on_settled)(struct instance *instance, void *userdata); /* stopped or failed */
	void *userdata;

	enum app_state state;
	struct restart_state restarts;
	uint64_t backoff_usec; /* delay of the restart that is due */
	uint64_t due_usec;     /* CLOCK_MONOTONIC: when `timer` fires; 0 if it isn't armed */
	int exit_code;	       /* of the last end: what `pysbx run` ends with */
	int stop_signal;
	bool stop_requested, killed_by_us;
	bool lifted; /* it was a canary: what its filter refuses is made, over all lives */
	int forwarded_signal;
	struct instance_denials *denials;   /* owned; NULL: none */
	struct instance_question *question; /* a refused call whose caller is being looked at */

	/* one life: from spawn to conclusion */
	struct launcher launcher;
	bool collected;	  /* it has been told that it may go */
	int worker_pidfd; /* run mode only: the daemon can do without, and has a thousand of them */
	pid_t worker_pid;
	uid_t uid;	       /* of the worker */
	unsigned landlock_abi; /* as its launcher found it (struct launch_message) */
	int landlock_errnum;
	char command[64];      /* its program's name */
	uint64_t spawned_usec; /* CLOCK_MONOTONIC */
	struct instance_end last_words;
	enum cause ended_cause;		    /* that pysbx itself ends it for; 0: none */
	char *ended_for;		    /* owned, NULL if unknown: see struct death */
	struct diagnosis diagnosis;	    /* what was gathered for an incident */
	struct instance_pressure *pressure; /* owned; NULL: it has not come near its limit */
	struct tripwire tripwire;
	uint64_t tripwire_high;	     /* memory.high of the leaf, as last written */
	struct trip *trip;	     /* the look that is under way; NULL: none */
	sd_event_source *look_timer; /* a look that no event asks for, */
	uint64_t look_usec;	     /* at this time, CLOCK_MONOTONIC */
	bool was_well; /* by its health check, in this life, whichever daemon found it */
	bool judged;   /* this life's end; then: */
	enum decision decision;
	uint64_t judged_usec; /* CLOCK_MONOTONIC */
	struct relay relay;
	struct listeners listeners; /* beyond one life: until it is settled */
	int pipes[2];		    /* read ends that wait for LAUNCH_RUNNING; -1 */
	char *spooled[2];	    /* output that the launcher has kept, and waits for it too */
	size_t spooled_length[2];
	struct watch watch;
	struct recorder recorder; /* over all lives */
	struct process_table processes;
	/* owned; by instance_base() and instance_explained(). NULL: all is zero */
	struct event_deltas *base;	/* counters when it started */
	struct event_deltas *explained; /* deltas that incidents of this life have told about */
	uint64_t tenant_oom;		/* `oom` of the tenant's slice, as it was then */
	struct incident_memory memory;	/* the newest in which no unexplained OOM kill shows */
	uint64_t pressure_noted_usec, pids_noted_usec;
	uint64_t table_usec;	     /* when the processes were last looked at */
	struct moment pids_moved_at; /* when pids.max was last seen to refuse a fork */
	uint64_t pids_seen;	     /* forks refused in this life until then; on record */
	uint64_t child_window_usec;
	unsigned child_reports;	   /* in this window */
	uint64_t child_unreported; /* kills that were only counted */

	struct health *health; /* owned; NULL: nothing is asked, or it does not run */

	struct launcher former; /* of the life before, still on its way out; pid 0: none */
	sd_event_source *former_source;
	sd_event_source *socket_source, *exit_source, *timer, *oom_timer, *stop_timer, *deadline;
	sd_event_source *tidy_timer; /* old incidents; beyond one life */
};

/* plan is taken over; with NULL host->prepare makes them, and filter_fd is -1. number: which one
 * of its app's instances. */
void instance_init(struct instance *instance, const struct instance_host *host,
		   const struct app_spec *spec, const char *app_path, unsigned number,
		   struct plan *plan, int filter_fd);
/* Kills what still runs. */
void instance_clear(struct instance *instance);
/* Lets go of what still runs: its launcher keeps it. */
void instance_leave(struct instance *instance);

void instance_start(struct instance *instance);
/* Asks it to end with this signal; SIGKILL when the grace is over. Asked twice: at once. */
void instance_stop(struct instance *instance, int signal);
/* As new to its filter: a canary is enforced again from the next life on, and nothing was refused.
 */
void instance_forget_denials(struct instance *instance);
/* Are refused calls made, in the next life or in this one? */
bool instance_permits(const struct instance *instance);
/* For the record: a rule of instance->denials->rules. */
int instance_add_rule(struct instance *instance, const char *rule, struct error *err);
/* Passes a signal on to the worker, if there is one. */
void instance_signal(struct instance *instance, int signal);
/* pysbx ends this life, because it hangs (CAUSE_HUNG), stalls (CAUSE_STALLED) or isn't well
 * (CAUSE_UNHEALTHY): SIGKILL for all in the leaf, frozen or not, and a restart as the policy says.
 * text: the part of the sentence that says why, "waiting in requests.get at views.py:42 for 31 s".
 * Only of an app that is running; else, and if it ends already, nothing is done. */
void instance_end_for(struct instance *instance, enum cause cause, const char *text);
/* The same, but it is asked to stop, and killed only when its grace is over. CAUSE_PRESSURE. */
void instance_stop_for(struct instance *instance, enum cause cause, const char *text);
/* Freezes and thaws its leaf. */
void instance_suspend(struct instance *instance);
void instance_resume(struct instance *instance);

/* Goes on with the state, counters and times that an earlier daemon has saved into the members
 * above (state, restarts, backoff_usec, due_usec, ..., judged, decision, spawned_usec, leaf_name),
 * base and explained. A launcher that is no longer there is judged now. */
void instance_adopt(struct instance *instance);
/* What was on record is the life before; this one runs since started_usec, and is told of from now
 * on. */
void instance_see_next_life(struct instance *instance, uint64_t started_usec);
/* What the counters say so far is not told again. */
void instance_explain_all(struct instance *instance);

/* Together with others it is close to the limit of its tenant: looks at it. False: it can't, or is
 * at it already. */
bool instance_look_for_tenant(struct instance *instance, const struct tenant_trip *trip);
/* Its limits, or whether it has tripwires, may be others. */
void instance_renew_tripwire(struct instance *instance);
/* Begins its health check, or begins it anew for another one in the spec. */
void instance_watch_health(struct instance *instance);
/* What it says goes into the diagnosis, if it says anything. */
void instance_keep_health(struct instance *instance);

/* The leaf's directory. */
int instance_open_leaf(const struct instance *instance, int *ret_fd, struct error *err);

/* Of the main process, as the kernel shows it now. False if it has ended, or can't be read. */
bool instance_read_status(const struct instance *instance, struct wall_status *ret);

/* For log_event: borrows from instance. */
struct log_subject instance_subject(const struct instance *instance);

/* --- between the files of this module ----------------------------------------------------------
 */

void instance_say_error(const struct instance *instance, const struct error *err);
void instance_step(struct instance *instance, enum app_event event);
int instance_arm(struct instance *instance, sd_event_source **source, uint64_t usec,
		 sd_event_time_handler_t handler);
/* The same with another userdata than the instance. */
int instance_arm_for(const struct instance *instance, sd_event_source **source, uint64_t usec,
		     sd_event_time_handler_t handler, void *userdata);
void instance_conclude(struct instance *instance);
/* The one timer of an instance: backoff, grace. EVENT_TIMER comes when it is due. */
void instance_arm_timer(struct instance *instance, uint64_t usec);
void instance_disarm_timer(struct instance *instance);
void instance_set_frozen(struct instance *instance, bool frozen);
/* A new leaf, in which nobody is. */
int instance_make_leaf(struct instance *instance, int *ret_fd, struct error *err);
/* Ends whoever is in it. Where it can't be removed, the next life gets one of another name. */
void instance_remove_leaf(struct instance *instance);
/* leaf: its directory; a lean watch needs none (-1). */
int instance_start_watch(struct instance *instance, int leaf, struct error *err);
/* The memory before anything happens, and the tripwires that follow from it. */
void instance_take_first_reading(struct instance *instance);

/* Takes the events of a connected launcher, and its end. */
int instance_attach_launcher(struct instance *instance, struct error *err);
/* Its launcher may take so long to end by itself. */
int instance_expect_end(struct instance *instance);
/* What instance_end_for() was asked: an earlier daemon may not have come to it. */
void instance_carry_out_end(struct instance *instance);
void instance_forget_end(struct instance *instance);
/* The ladder of this life. */
void instance_see_pressure(struct instance *instance, const struct recording_sample *sample);
void instance_hear_told(struct instance *instance, uint32_t count);
void instance_forget_pressure(struct instance *instance);
void instance_set_last_words(struct instance *instance, const struct launch_message *message);
void instance_kill_launcher(struct instance *instance);
/* One that has been collected, on its way out: ends and reaps it. */
void instance_drop_former(struct instance *instance);
/* Removes the leaf if nobody is in it. False: it is still there. */
bool instance_remove_empty_leaf(const struct instance *instance);
/* Tells the launcher something that needs no number. False: it could not be said. */
bool instance_answer(struct instance *instance, enum launch_message_type type);
void instance_hear_denial(struct instance *instance, const struct launch_denial *denial);
/* A refused call that is being looked at is told as it is: nothing more will be known. */
void instance_conclude_question(struct instance *instance);
/* The last one of this life, escaped, if an end that comes now may follow from it; NULL: none.
 * Borrowed, until the next. */
const char *instance_refused_call(const struct instance *instance, const struct moment *now);
void instance_hear_counted(struct instance *instance, const struct launch_denial *denial);
/* Where its launcher listens, if it is one that outlives us. Returns path. */
const char *instance_keeper_path(const struct instance *instance, char *path, size_t size);

const struct event_deltas *instance_base(const struct instance *instance);
const struct event_deltas *instance_explained(const struct instance *instance);
int instance_set_base(struct instance *instance, const struct event_deltas *counters,
		      struct error *err);
/* So much of what has moved since the base is told. */
void instance_explain(struct instance *instance, const struct event_deltas *deltas);
/* May an end that comes now follow from a refused fork? One that nobody has seen yet is new. */
bool instance_pids_matter(const struct instance *instance, const struct event_deltas *deltas,
			  const struct moment *now);
/* That of a reading that was taken right now. */
struct moment instance_moment(const struct watch_reading *reading);
/* What has moved since the base. */
void instance_read_deltas(const struct instance *instance, const struct watch_reading *reading,
			  struct event_deltas *ret);
void instance_forget_counters(struct instance *instance);
/* In its leaf, that no incident has told about. */
uint64_t instance_new_oom_kills(const struct instance *instance,
				const struct watch_reading *reading);
void instance_on_watch(enum watch_event event, void *userdata);
void instance_init_recorder(struct instance *instance);

/* Arms the lowest rung that is free, and thaws what an earlier supervisor may have left frozen. */
void instance_start_tripwire(struct instance *instance, const struct watch_reading *reading);
/* What memory.events or the clock has led to; may freeze the app for a moment, or end it. */
void instance_see_tripwire(struct instance *instance, const struct watch_reading *reading,
			   bool by_clock);
/* Ends a look that is under way; the app is thawed. */
void instance_stop_tripwire(struct instance *instance);
/* The same, and nothing stays armed: nobody is there to raise it. */
void instance_release_tripwire(struct instance *instance);

/* Judges a death and reports it if it is an incident. `child`: the main process lives. */
void instance_judge(struct instance *instance, bool child, struct verdict *ret);
/* How often the limit of the tenant's slice was hit; 0 without one. */
uint64_t instance_read_tenant_oom(const struct instance *instance);
/* Judges the end of this life, if it isn't yet, and puts it on record. */
void instance_judge_end(struct instance *instance);
