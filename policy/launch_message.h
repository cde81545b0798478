/* SPDX-License-Identifier: MIT */
/*
 * What supervisor and launcher say to each other: fixed-size records on a SOCK_SEQPACKET pair, one
 * record a packet. A record of another size or version is refused by both sides: an upgraded
 * supervisor must keep reading the records of launchers that it finds running.
 *
 *   launcher -> supervisor
 *     LAUNCH_PIPES    first, with the read ends of the worker's stdout and stderr (SCM_RIGHTS, in
 *                     this order)
 *     LAUNCH_RUNNING  execve succeeded; with the worker's pidfd (SCM_RIGHTS)
 *     LAUNCH_FAILED   no worker: stage, errno, text. The launcher exits after it.
 *     LAUNCH_ENDED    the worker's wait status and rusage (its waited-for children included). What
 *                     was left in its PID namespace has been killed and reaped.
 *   supervisor -> launcher
 *     LAUNCH_SIGNAL   send `signal` to the worker
 *     LAUNCH_STOP     stop_signal now, SIGKILL to all after the plan's grace
 *     LAUNCH_COLLECTED  the end has been taken note of: the launcher may exit
 */
#pragma once

#include "policy/error.h"

#include <stdint.h>

#define LAUNCH_MESSAGE_VERSION 1
#define LAUNCH_TEXT_MAX	       512

enum launch_message_type {
	LAUNCH_PIPES = 1,
	LAUNCH_RUNNING,
	LAUNCH_FAILED,
	LAUNCH_ENDED,
	LAUNCH_SIGNAL,
	LAUNCH_STOP,
	LAUNCH_COLLECTED,
};

/* Where a start failed: named in messages, "stage" in JSON. The order is that of the work. */
enum launch_stage {
	STAGE_NONE,
	STAGE_PLAN,	  /* reading and decoding the plan */
	STAGE_NAMESPACES, /* hostname, network, private mounts */
	STAGE_ROOT,	  /* the root file system */
	STAGE_CGROUP,	  /* clone3 into the leaf, cgroup namespace */
	STAGE_LIMITS,	  /* rlimits, oom_score_adj, umask, session, keyring */
	STAGE_IDENTITY,	  /* groups, gid, uid */
	STAGE_CAPABILITIES,
	STAGE_DIRECTORY, /* chdir to the working directory */
	STAGE_SECCOMP,
	STAGE_EXEC, /* errno ENOENT: not found, EACCES/ENOEXEC: not executable */
	STAGE_COUNT,
};

struct launch_message {
	uint32_t version;
	uint32_t type;
	uint32_t stage;
	int32_t errnum; /* positive errno */
	int32_t wait_status;
	int32_t signal;
	/* rusage of the worker, LAUNCH_ENDED */
	uint64_t user_usec;
	uint64_t system_usec;
	uint64_t maxrss_bytes;
	uint64_t started_nsec, ended_nsec; /* CLOCK_MONOTONIC */
	char text[LAUNCH_TEXT_MAX]; /* NUL-terminated; LAUNCH_FAILED: what was tried, on what */
};

const char *launch_stage_name(enum launch_stage stage);

/* Checks a received record: size, version, type, bounds, termination of the text. */
int launch_message_check(const void *data, size_t size, struct launch_message *ret,
			 struct error *err);
