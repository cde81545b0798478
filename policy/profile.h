/* SPDX-License-Identifier: MIT */
/*
 * A seccomp profile: OCI runtime-spec `linux.seccomp` JSON, or Docker's dialect of it, as rules in
 * memory. Strict, and pure: names of system calls are checked by supervisor/filter.c, which knows
 * libseccomp's tables.
 *
 * Only equality and masked equality of arguments come out of here. "Less than" a small number, as
 * in Docker's own profile, is written out as that many equalities; "not" a number, in a rule that
 * allows, as one for each of the 32 bits that may differ. Every other comparison is refused, with
 * the JSON path and what to write instead.
 *
 * Docker's conditions are decided here for a worker that holds no capability: a rule that
 * includes.caps asks for is left out, one that excludes.caps forbids is kept.
 *
 * Podman's names of errnos ("errno", "defaultErrno") are taken beside numbers. Of `flags`, those
 * that change nothing here are taken: TSYNC (a worker has one thread when its filter is loaded),
 * WAIT_KILLABLE_RECV (there are no notifications), SPEC_ALLOW (without it the kernel keeps its
 * mitigations, which is the safe side). Refused are LOG, which would be forgotten in silence, and
 * the listener of notifications.
 */
#pragma once

#include "policy/error.h"

#include <stdbool.h>
#include <stdint.h>

#define PROFILE_SIZE_MAX    (1U << 20) /* bytes of JSON */
#define PROFILE_RULES_MAX   1024       /* after "less than" and "not" are written out */
#define PROFILE_NAMES_MAX   4096       /* over all rules, likewise */
#define PROFILE_NAME_MAX    40	       /* bytes of one name */
#define PROFILE_COMMENT_MAX 1000       /* bytes of one comment */
#define PROFILE_ARGS_MAX    6
#define PROFILE_LESS_MAX    64	 /* equalities that one "less than" may become */
#define PROFILE_ERRNO_MAX   4094 /* libseccomp takes no more; the kernel one more */

enum profile_action {
	PROFILE_ALLOW,
	PROFILE_ERRNO,
	PROFILE_KILL_PROCESS,
	PROFILE_KILL_THREAD,
	PROFILE_TRAP,
	PROFILE_LOG,
	PROFILE_ACTION_COUNT,
};

enum profile_architecture { PROFILE_X86_64, PROFILE_AARCH64, PROFILE_ARCHITECTURE_COUNT };

struct profile_argument {
	unsigned index;
	uint64_t mask;	/* all ones for plain equality */
	uint64_t value; /* (argument & mask) == value; never a bit outside mask */
};

struct profile_rule {
	char **names;
	size_t name_count; /* at least 1 */
	enum profile_action action;
	uint16_t errnum; /* PROFILE_ERRNO: up to PROFILE_ERRNO_MAX; 0 is a call that is not made and
			    says it was. Else 0 */
	struct profile_argument arguments[PROFILE_ARGS_MAX]; /* all must hold; an index at most once
							      */
	size_t argument_count;				     /* 0: whatever the arguments are */
	unsigned position; /* index in the JSON array, for messages: "syscalls[3].names[2]" */
	char *comment;	   /* NULL if there is none */
};

struct profile {
	enum profile_action default_action;
	uint16_t default_errnum;    /* PROFILE_ERRNO: 1 to PROFILE_ERRNO_MAX; else 0 */
	unsigned architectures;	    /* bits 1 << enum profile_architecture: those that the document
				       names,     all of them if it names none; the machine's alone if a
				       rule     depended on it */
	struct profile_rule *rules; /* those that hold under the facts */
	size_t rule_count;
};

/* What Docker's conditions (arches, minKernel) and `architectures` are held against. */
struct profile_facts {
	enum profile_architecture architecture;
	unsigned kernel_major, kernel_minor;
};

/* text need not end in NUL. ERROR_INVALID names the JSON path, or line and column where it is not
 * JSON. *ret_profile is the caller's: profile_free(), for which NULL is fine. */
int profile_parse(const char *text, size_t length, const struct profile_facts *facts,
		  struct profile **ret_profile, struct error *err);
void profile_free(struct profile *profile);

/* "SCMP_ACT_ALLOW". Never NULL. */
const char *profile_action_name(enum profile_action action);

/* "SCMP_ARCH_X86_64". */
const char *profile_architecture_name(enum profile_architecture architecture);

static inline void cleanup_profile_free(struct profile **profile)
{
	profile_free(*profile);
}
#define _cleanup_profile_ __attribute__((cleanup(cleanup_profile_free)))
