/* SPDX-License-Identifier: MIT */
/*
 * One instance of an app: its leaf cgroup, its launcher, its watch, its log, its life.
 *
 * Every event (from the launcher's socket, a cgroup file, a timer, the user) is turned into one of
 * policy/lifecycle.h's, and what the table answers is carried out. A death is judged in one place,
 * when the launcher has ended and all that can be known is there.
 *
 * When a child is OOM-killed while the main process lives (gunicorn's usual case) memory.events is
 * all that tells. The kernel kills first and the exit shows 17 to 60 ms later, so the judgement
 * waits for OOM_SETTLE_USEC: if the main process ends in that time, it is one death, not two.
 */
#pragma once

#include "policy/lifecycle.h"
#include "policy/plan.h"
#include "policy/spec.h"
#include "policy/verdict.h"
#include "supervisor/launcher.h"
#include "supervisor/log.h"
#include "supervisor/process_table.h"
#include "supervisor/relay.h"
#include "supervisor/watch.h"

#include <systemd/sd-event.h>

#define INSTANCE_SAMPLE_USEC	 UINT64_C(1000000)
#define INSTANCE_OOM_SETTLE_USEC UINT64_C(400000)
/* With memory.oom.group the main process dies too; one that was left alive is killed after this. */
#define INSTANCE_OOM_GROUP_SETTLE_USEC UINT64_C(10000000)
/* Of children killed for memory so many are reported in full a minute; the others are counted. */
#define INSTANCE_CHILD_REPORTS	   5
#define INSTANCE_CHILD_WINDOW_USEC UINT64_C(60000000)
#define INSTANCE_TABLE_INTERVAL_USEC \
	UINT64_C(100000) /* a look at all processes, at most so often */
/* A refused fork explains an end that comes within this time. */
#define INSTANCE_PIDS_MATTER_USEC    UINT64_C(10000000)
#define INSTANCE_START_PATIENCE_USEC UINT64_C(60000000) /* from spawn to execve */
/* From a worker's end to its launcher's: longer only with a process in uninterruptible sleep. */
#define INSTANCE_END_PATIENCE_USEC  UINT64_C(10000000)
#define INSTANCE_LEAF_PATIENCE_MSEC 500
#define INSTANCE_KILL_PATIENCE_USEC UINT64_C(5000000)
#define INSTANCE_NOTE_INTERVAL_USEC UINT64_C(60000000) /* pressure and pids notes: one a minute */

/* What all instances share; everything is borrowed. */
struct instance_host {
	sd_event *event;
	struct log *log;
	int image_fd; /* the launcher's program */
	int init_cgroup_fd;
	const struct reader *reader;
	int kernel_log_fd; /* -1: not readable here */
	const char *incident_directory;
	const char *report_path; /* NULL: none */
	uint32_t (*random)(void);
};

struct instance {
	const struct instance_host *host;
	const struct app_spec *spec;
	struct plan *plan; /* owned */
	int filter_fd;	   /* borrowed */
	int app_cgroup_fd; /* borrowed: the app's slice */
	char leaf_name[32];
	unsigned lost_leaves; /* that could not be removed: the next life has a leaf of another name
			       */
	void (*on_settled)(struct instance *instance, void *userdata); /* stopped or failed */
	void *userdata;

	enum app_state state;
	struct restart_state restarts;
	uint64_t backoff_usec;	/* delay of the restart that is due */
	struct relay_sink sink; /* where its worker's output goes: set between init and start */
	int exit_code;		/* of the last end: what `pysbx run` ends with */
	int stop_signal;
	bool stop_requested, killed_by_us;
	int forwarded_signal;

	/* one life: from spawn to conclusion */
	int leaf_fd;
	struct launcher launcher;
	int worker_pidfd;
	pid_t worker_pid;
	char worker_cgroup[512];	  /* as the kernel's log names it */
	uint64_t spawned_usec;		  /* CLOCK_MONOTONIC */
	struct launch_message last_words; /* LAUNCH_FAILED or LAUNCH_ENDED, type 0 before */
	struct relay relay;
	struct watch watch;
	struct process_table processes;
	struct event_deltas base;      /* counters when it started */
	struct event_deltas explained; /* deltas that incidents of this life have told about */
	struct watch_reading last;     /* newest reading in which no unexplained OOM kill shows */
	uint64_t pressure_noted_usec, pids_noted_usec;
	uint64_t table_usec;	  /* when the processes were last looked at */
	uint64_t pids_moved_usec; /* when pids.max was last seen to refuse a fork */
	uint64_t child_window_usec;
	unsigned child_reports;	   /* in this window */
	uint64_t child_unreported; /* kills that were only counted */

	sd_event_source *socket_source, *exit_source, *timer, *sampler, *oom_timer, *deadline;
};

/* plan is taken over. */
void instance_init(struct instance *instance, const struct instance_host *host,
		   const struct app_spec *spec, struct plan *plan, int filter_fd,
		   int app_cgroup_fd);
void instance_clear(struct instance *instance);

void instance_start(struct instance *instance);
/* Asks it to end with this signal; SIGKILL when the grace is over. Asked twice: at once. */
void instance_stop(struct instance *instance, int signal);
/* Passes a signal on to the worker, if there is one. */
void instance_signal(struct instance *instance, int signal);

/* instance_incident.c: judges a death and reports it if it is an incident. `child`: the main
 * process lives. */
void instance_judge(struct instance *instance, bool child, struct verdict *ret);
