/* SPDX-License-Identifier: MIT */
/*
 * What supervisor and launcher say to each other: records on a SOCK_SEQPACKET socket, one record a
 * packet.
 *
 * A supervisor that was exchanged must go on with the launchers that it finds running, whichever of
 * both is newer. So a release that has more to say adds fields behind the last one, and types
 * behind the last one, and both sides live with it: what a shorter record lacks is zero, what a
 * longer one has more is not looked at, and a type that is not known is not heard. What can't be
 * said so is another LAUNCH_MESSAGE_VERSION: a launcher of that is ended by a supervisor that finds
 * it, and its app with it, which is then started again as after any other loss.
 *
 *   launcher -> supervisor
 *     LAUNCH_PIPES    the worker runs; with the read ends of its stdout and stderr (SCM_RIGHTS, in
 *                     this order)
 *     LAUNCH_RUNNING  execve succeeded; started_nsec; with the worker's pidfd and the launcher's
 *                     own (SCM_RIGHTS, in this order); landlock_*
 *     LAUNCH_FAILED   no worker: stage, errno, text
 *     LAUNCH_ENDED    the worker's wait status and rusage (its waited-for children included). What
 *                     was left in its PID namespace has been killed and reaped. signal is
 *                     SIGTERM if that was sent to the launcher: its scope is being stopped
 *     LAUNCH_SPOOL    what the launcher read off the pipes while nobody else did, older than
 *                     anything still in them: spool[] says how much of it, with one memfd a stream
 *                     (SCM_RIGHTS, stdout first), or with none if nothing is kept
 *     LAUNCH_STALLED  a pipe has been nearly full for a while: is anybody reading?
 *     LAUNCH_DENIED   the filter has refused a call (plan->refusals): denial. If denial.held is
 *                     true, the caller still waits in it, until HEARD comes or
 *                     LAUNCH_DENIAL_USEC have passed
 *     LAUNCH_TOLD     the answer to LAUNCH_PRESSURE: so many (told) listen
 *     LAUNCH_COUNTED  denial.untold refusals, since the last such message, of calls that have been
 *                     told already, or that are too many to be remembered
 *   supervisor -> launcher
 *     LAUNCH_SIGNAL   send `signal` to the worker
 *     LAUNCH_STOP     stop_signal now, SIGKILL to all after the plan's grace
 *     LAUNCH_COLLECTED  the end (or the failure) has been taken note of: the launcher may exit (one
 *                     that does not `keep` has, and does not hear it)
 *     LAUNCH_TAKE     the answer to LAUNCH_STALLED: I am here, give me the spool
 *     LAUNCH_TAKEN    the spool's lines are where they belong: the launcher may forget them
 *     LAUNCH_HEARD    the caller of the refused call has been looked at, and may go on
 *     LAUNCH_PERMIT   from now on calls are made that would be refused (REFUSALS_WATCHED)
 *     LAUNCH_PRESSURE  memory is short: tell those who listen at the plan's MOUNT_PRESSURE
 *     LAUNCH_LISTENERS  with the sockets that the worker is to listen on (SCM_RIGHTS, in their
 *                     order): the first record, if the plan has any, and there before the launcher
 *                     is. A launcher says it too, with the same, to a supervisor that comes later
 *
 * With a plan that says `keep`, the launcher outlives its supervisor, and takes connections on a
 * listening socket. The newest connection is the one that counts; an older one is closed. Each is
 * told, in this order: PIPES; LISTENERS if there are any; SPOOL if something was spooled or
 * dropped; RUNNING; and ENDED if the worker has ended; or, where the start failed, FAILED alone.
 * End and failure are kept until they are COLLECTED, the spool until it is TAKEN: a supervisor that
 * is killed in between loses nothing, the next one may hear things twice.
 *
 * Two readers would tear a pipe's lines apart, so a supervisor that adopts reads no pipe before
 * RUNNING came (the spool, which is older, has come by then), and none from LAUNCH_STALLED,
 * which it answers at once with TAKE, until the SPOOL that answers that. Its loop handles this
 * socket before the pipes. If no TAKE comes within LAUNCH_STALL_USEC, the launcher drains the pipes
 * into the spool, so that a supervisor that hangs doesn't block the worker.
 */
#pragma once

#include "policy/error.h"

#include <stdint.h>

#define LAUNCH_MESSAGE_VERSION 3
#define LAUNCH_MESSAGE_MIN     720 /* bytes: a record as it was when this version came */
#define LAUNCH_TEXT_MAX	       512
#define LAUNCH_STREAMS	       2	    /* stdout, stderr */
#define LAUNCH_RING_BYTES      (256U << 10) /* kept of each stream: the newest */
/* How long a pipe may be nearly full, and LAUNCH_STALLED may stay without an answer. */
#define LAUNCH_STALL_USEC UINT64_C(2000000)
#define LAUNCH_CALL_ARGS  6
/* How long a refused call waits for somebody to look at its caller: some 10 ms, on a machine that
 * is not overrun. */
#define LAUNCH_DENIAL_USEC UINT64_C(1000000)
/* Different calls that are told where they are permitted: more than there are. */
#define LAUNCH_LEARN_MAX 1024

enum launch_message_type {
	LAUNCH_PIPES = 1,
	LAUNCH_RUNNING,
	LAUNCH_FAILED,
	LAUNCH_ENDED,
	LAUNCH_SIGNAL,
	LAUNCH_STOP,
	LAUNCH_COLLECTED,
	LAUNCH_SPOOL,
	LAUNCH_STALLED,
	LAUNCH_TAKE,
	LAUNCH_TAKEN,
	LAUNCH_DENIED,
	LAUNCH_HEARD,
	LAUNCH_PERMIT,
	LAUNCH_LISTENERS,
	LAUNCH_COUNTED,
	LAUNCH_PRESSURE,
	LAUNCH_TOLD,
	LAUNCH_TYPE_END,
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
	STAGE_LANDLOCK,
	STAGE_SECCOMP,
	STAGE_EXEC,    /* errno ENOENT: not found, EACCES/ENOEXEC: not executable */
	STAGE_PREPARE, /* before all of these, and never said by a launcher: there is none yet */
	STAGE_COUNT,
};

/* One stream's ring, in a memfd of at most LAUNCH_RING_BYTES: `length` bytes from offset `start`,
 * going on at offset 0 after the ring's last byte. What was dropped is older than all that is kept;
 * if anything was, the first line kept may lack its beginning. */
struct launch_spool {
	uint32_t start;
	uint32_t length;
	uint64_t dropped_bytes;
	uint64_t dropped_lines; /* line ends among the dropped bytes */
};

/* A refused call: struct seccomp_data, and what became of it. */
struct launch_denial {
	int32_t number;	       /* of the system call */
	uint32_t architecture; /* AUDIT_ARCH_* */
	uint64_t instruction_pointer;
	uint64_t arguments[LAUNCH_CALL_ARGS];
	int32_t thread; /* id of the caller, as its PID namespace numbers it */
	int32_t errnum; /* positive errno that the call fails with; 0: it is made */
	uint32_t held;	/* 0 or 1: see LAUNCH_DENIED */
	uint32_t reserved;
	uint64_t
		untold; /* refusals before this one that were not told: too many, or nobody there */
};

struct launch_message {
	uint32_t version;
	uint32_t type;
	uint32_t stage;
	int32_t errnum; /* positive errno */
	union {
		int32_t wait_status;
		uint32_t told; /* LAUNCH_TOLD */
	};
	int32_t signal;
	/* rusage of the worker, LAUNCH_ENDED */
	uint64_t user_usec;
	uint64_t system_usec;
	uint64_t maxrss_bytes;
	/* CLOCK_MONOTONIC. ended: the same each time that one end is told; of LAUNCH_FAILED only
	 * where the failure is kept, else 0 */
	uint64_t started_nsec, ended_nsec;
	/* LAUNCH_RUNNING: the kernel's Landlock ABI, 0 if there is none or the plan has no rules;
	 * and the errno that said that there is none */
	uint32_t landlock_abi;
	int32_t landlock_errnum;
	struct launch_spool spool[LAUNCH_STREAMS]; /* LAUNCH_SPOOL */
	struct launch_denial denial;		   /* LAUNCH_DENIED */
	/* NUL-terminated; LAUNCH_FAILED: what was tried, on what. What errnum means is for the
	 * supervisor to say, whose libc has the usual words */
	char text[LAUNCH_TEXT_MAX];
};

const char *launch_stage_name(enum launch_stage stage);

/* Checks a received record: size, version, bounds, termination of the text. Of one that was longer
 * than the buffer for it, all that is in there. ERROR_UNSUPPORTED: it is of another version. A type
 * that is LAUNCH_TYPE_END or more is of a newer one, and to be left alone. */
int launch_message_check(const void *data, size_t size, struct launch_message *ret,
			 struct error *err);
