/* SPDX-License-Identifier: MIT */
/*
 * The launcher's one value, handed from step to step. pysbx-launch.c holds the table of the steps;
 * each module of this room offers one or two of them: read the plan, make the root, seal what may
 * be gained, start the worker, be its init.
 */
#pragma once

#include "policy/error.h"
#include "policy/launch_message.h"
#include "policy/listen.h"
#include "policy/plan.h"

#include <linux/filter.h>

/* What stdout and stderr of the worker go through. The launcher keeps the read ends: they outlive
 * the supervisor, which reads from duplicates. */
enum { OUTPUT_STDOUT, OUTPUT_STDERR, OUTPUT_COUNT };

struct launcher {
	struct plan *plan;	  /* until the worker runs */
	struct sock_fprog filter; /* until the worker runs, or as long as there is a listener */
	int listener;		  /* of the refused calls (seccomp_unotify(2)); -1: none */
	bool mounts_private;	  /* what is mounted or unmounted here does not reach the host */
	bool keep; /* LAUNCH_FD_LISTEN is there: this launcher outlives its supervisor */
	int output_read[OUTPUT_COUNT];
	int output_write[OUTPUT_COUNT]; /* closed once the worker has them */
	int listeners[LISTEN_MAX];
	unsigned listener_count;
	int pressure;	       /* listens at the plan's MOUNT_PRESSURE; -1: there is none */
	int landlock_ruleset;  /* until the worker runs; -1: it is under none */
	unsigned landlock_abi; /* of the kernel; 0: none, or the plan has no rules */
	int landlock_errnum;   /* that said so */
	pid_t worker;	       /* as this PID namespace numbers it; 0 = none */
	int worker_pidfd;
	uint64_t started_nsec;	 /* CLOCK_MONOTONIC */
	enum launch_stage stage; /* of the step at work; a failing worker names its own */
	int wait_status;	 /* of a worker that was killed before it could execute */
};
