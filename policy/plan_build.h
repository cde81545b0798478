/* SPDX-License-Identifier: MIT */
/*
 * Makes the plan of a start from the spec and the facts of the host. Pure: the facts (what exists,
 * where Python lives, which ids) are gathered by supervisor/host.h and are arguments here.
 */
#pragma once

#include "policy/plan.h"
#include "policy/spec.h"

/* A path of the host that exists, as lstat and readlink showed it. */
struct host_entry {
	char *path;
	char *link; /* target text if it is a symlink, else NULL */
	char *real; /* canonical path (realpath), what is bind-mounted */
	bool is_directory;
};

struct host_facts {
	uid_t uid;
	gid_t gid;
	gid_t groups[PLAN_GROUPS_MAX];
	size_t group_count;
	char *user_name; /* for passwd inside */
	char *group_name;
	/* system: those of PLAN_SYSTEM_PATHS that exist, in their order */
	struct host_entry *system;
	size_t system_count;
	/* symlinks crossed on the way to any of the paths below: made again inside where no bind
	 * holds them. path and link are set, the parent of path is canonical. */
	struct host_entry *links;
	size_t link_count;
	/* what the command needs beside the system and the app's directory, canonical: base prefix
	 * of the interpreter, virtualenv, or a single file */
	struct strings python_paths;
	/* the user's --ro and --rw, canonical */
	struct strings readable;
	struct strings writable;
	struct strings sockets; /* directories of unix sockets, or such a socket; canonical */
	char *command;		/* absolute: what argv[0] becomes; exists inside too */
	char *directory;	/* the app's, canonical */
	char *virtual_env;	/* canonical prefix of the virtualenv, NULL if none */
	struct strings caller_environment; /* for "NAME" entries, LANG, TZ; "NAME=value" */
	struct strings file_environment;   /* what the environment files said, in order */
	char *hosts;			   /* /etc/hosts, NULL if it is missing or too large */
	unsigned cpu_count;		   /* cores that are online; 0 = unknown */
};

void host_facts_clear(struct host_facts *facts);

/* Paths that a sandbox sees of the system, where they exist: NULL-terminated. supervisor/host.c
 * looks them up. Directories and files are read-only binds; a symlink into /usr is made again, the
 * target of any other is bound in its place. */
extern const char *const plan_system_paths[];

/* PATH inside, behind the virtualenv's bin, unless the spec says otherwise. */
#define PLAN_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* RLIMIT_NOFILE where the spec is silent: enough for any ordinary worker. */
#define PLAN_DEFAULT_NOFILE 16384
/* RLIMIT_MEMLOCK: the kernel's own default, whatever the caller's shell has. */
#define PLAN_MEMLOCK_BYTES (UINT64_C(8) << 20)
/* RLIMIT_STACK, soft: the kernel's own default. What glibc gives each thread follows from it. */
#define PLAN_STACK_BYTES (UINT64_C(8) << 20)
/* RLIMIT_SIGPENDING: queued signals and POSIX timers of one user. The kernel's default grows with
 * its memory, for users who have the machine to themselves. */
#define PLAN_SIGPENDING 4096

/* Variables that come along from the caller without being asked for. */
bool plan_inherits_variable(const char *name);

/*
 * The environment, later ones winning: defaults (PATH, HOME=/tmp, USER, LOGNAME, LANG), what
 * follows from the limits (policy/python_environment.h), the caller's LANG, LC_*, LANGUAGE and TZ,
 * the environment files, the spec's own entries. Nothing else of the caller comes in.
 *
 * ERROR_INVALID for a wall in isolation.require that this spec can't have, and for an "environment"
 * entry without a value that the caller does not have.
 */
int plan_build(const struct app_spec *spec, unsigned instance, const struct host_facts *facts,
	       struct plan **ret_plan, struct error *err);
