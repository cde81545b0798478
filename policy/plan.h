/* SPDX-License-Identifier: MIT */
/*
 * The sandbox plan: one start of one instance, as typed data. The supervisor builds it from spec
 * and host facts (policy/plan_build.h), encodes it onto a sealed memfd, and pysbx-launch decodes
 * and carries it out: privileged code runs a list, it takes no decision. `pysbx run --print-plan`
 * shows it as JSON.
 *
 * The launcher's file descriptors are fixed numbers (LAUNCH_FD_*), so that nothing in the plan can
 * point at a wrong one.
 */
#pragma once

#include "policy/bytes.h"
#include "policy/error.h"
#include "policy/strings.h"

#include <stdint.h>
#include <sys/types.h>

#define PLAN_VERSION	    3
#define PLAN_SIZE_MAX	    (4U << 20) /* bytes encoded; argv and environment are most of it */
#define PLAN_MOUNTS_MAX	    512
#define PLAN_RLIMITS_MAX    16
#define PLAN_GROUPS_MAX	    32
#define PLAN_PATH_BYTES_MAX 4095
#define PLAN_HOST_DIRECTORY "/host"
#define PLAN_RULES_MAX	    (PLAN_MOUNTS_MAX + 3) /* one a mount, and /, /etc, /dev */

/* What the launcher finds open when it starts; all else is closed. stdin is /dev/null, stdout and
 * stderr are the supervisor's own (for a last word if the socket is gone). */
enum {
	LAUNCH_FD_SOCKET =
		3,	    /* SOCK_SEQPACKET to the supervisor: struct launch_message both ways */
	LAUNCH_FD_PLAN = 4, /* sealed memfd with the encoded plan, offset 0 */
	LAUNCH_FD_FILTER =
		5, /* sealed memfd with the BPF program: an array of struct sock_filter */
	LAUNCH_FD_CGROUP =
		6, /* O_PATH or O_RDONLY directory: the instance's leaf, for CLONE_INTO_CGROUP */
	/* a listening SOCK_SEQPACKET socket of the unix family, for `keep`; else not open */
	LAUNCH_FD_LISTEN = 7,
	LAUNCH_FD_FIRST_FREE = 8,
	LAUNCH_FD_HIGH = 64, /* from here on: what must not be in the way of the worker's fds */
};

/* One step of building the root file system, carried out in order below a fresh tmpfs. Parents of
 * `target` are made as needed (root-owned, 0755). The whole root but its tmpfs, proc and writable
 * binds is read-only when all steps are done. */
enum mount_kind {
	MOUNT_BIND,  /* source (absolute, canonical: opened without following any symlink) on target
		      */
	MOUNT_TMPFS, /* size bytes, mode, owned by the worker's uid and gid */
	MOUNT_PROC,  /* hidepid=invisible,subset=pid */
	MOUNT_DEVPTS,  /* a new instance, ptmxmode=0666 */
	MOUNT_DEVICE,  /* bind of one device node of the host: source and target name a node in /dev
			*/
	MOUNT_SYMLINK, /* target -> source */
	MOUNT_FILE,    /* a read-only file with `content` */
	MOUNT_DIRECTORY, /* an empty directory with mode */
	MOUNT_CGROUP, /* the app's own cgroup, read-only: source (see plan_set_cgroup) has to be the
		       * parent of LAUNCH_FD_CGROUP */
	/* a socket of the launcher's, at which it tells the app that memory is short */
	MOUNT_PRESSURE,
	MOUNT_KIND_COUNT,
};

enum mount_flags {
	MOUNT_READ_ONLY = 1 << 0,
	MOUNT_NOEXEC = 1 << 1,
	MOUNT_OPTIONAL = 1 << 2, /* a source that is missing is passed over */
				 /* nosuid and nodev are always set (nodev not for MOUNT_DEVICE) */
	MOUNT_FLAGS_ALL = MOUNT_READ_ONLY | MOUNT_NOEXEC | MOUNT_OPTIONAL,
};

/* Which members a step has beside kind and target. */
enum mount_members {
	MOUNT_HAS_SOURCE = 1 << 0,
	MOUNT_HAS_CONTENT = 1 << 1,
	MOUNT_HAS_SIZE = 1 << 2,
	MOUNT_HAS_MODE = 1 << 3,
	MOUNT_HAS_OPTIONS = 1 << 4, /* flags */
};

struct mount_step {
	enum mount_kind kind;
	char *source; /* owned; NULL where the kind has none */
	char *target; /* owned; absolute path inside, normal form: no "." or "..", no double slash
		       */
	char *content;
	uint64_t size; /* bytes */
	uint32_t mode;
	uint32_t flags;
};

/* What becomes of a call that the seccomp filter refuses with an errno. */
enum refusals { /* from WATCHED on nothing else will do: without a listener the start fails */
		REFUSALS_SILENT,    /* the kernel answers, and nobody hears of it */
		REFUSALS_EXPLAINED, /* those with EPERM, which no program expects, are told first */
		REFUSALS_WATCHED,   /* all of them, until LAUNCH_PERMIT says that they are made */
		REFUSALS_PERMITTED, /* all are told, and made */
		REFUSALS_COUNT,
};

/* What a Landlock rule lets through at its path and all below it. Each right stands for those of
 * the kernel that it takes (sandbox/landlock.c), as far as the kernel knows them. */
enum plan_access {
	ACCESS_LIST = 1 << 0,	 /* directories: their entries */
	ACCESS_READ = 1 << 1,	 /* files: what is in them */
	ACCESS_EXECUTE = 1 << 2, /* files: execve */
	ACCESS_WRITE = 1 << 3,	 /* files that are there, and ioctls of devices */
	ACCESS_CHANGE = 1 << 4,	 /* directories: make, remove, rename, link */
	ACCESS_ALL = (1 << 5) - 1,
};

struct plan_rule {
	char *path;	 /* owned; absolute path inside, normal form */
	uint32_t access; /* enum plan_access */
};

/* The second wall, for the case that the first one has a hole: Landlock. Everything that no rule
 * allows is refused. */
struct plan_landlock {
	/* of the kernel's Landlock, at the least: 0 = what there is will do, also none at all */
	unsigned required_abi;
	struct plan_rule rules[PLAN_RULES_MAX];
	size_t rule_count; /* 0: no such wall */
};

/* From ABI 2 on (Linux 5.19) files can be moved between directories under Landlock; ABI 6 (6.12)
 * bounds abstract unix sockets and signals as well. */
#define PLAN_LANDLOCK_ABI_FILES	 2
#define PLAN_LANDLOCK_ABI_SCOPES 6

struct plan_rlimit {
	int resource; /* RLIMIT_* */
	uint64_t soft, hard;
};

struct plan {
	char *app;
	unsigned instance;
	char *hostname;
	struct strings argv; /* argv[0] is executed as found through PATH of environment, inside */
	struct strings environment;
	char *directory; /* working directory, inside */
	uid_t uid;
	gid_t gid;
	gid_t groups[PLAN_GROUPS_MAX];
	size_t group_count;
	bool network_none;	  /* a network namespace with nothing but loopback (up) */
	unsigned listeners;	  /* sockets that come with LAUNCH_LISTENERS, at most LISTEN_MAX */
	bool end_with_supervisor; /* `pysbx run`: the supervisor's end is the sandbox's end */
	/* the launcher outlives its supervisor, and the next one finds it at LAUNCH_FD_LISTEN;
	 * excludes end_with_supervisor */
	bool keep;
	/* the launcher starts in a mount namespace whose root is an empty directory, with the
	 * host's tree at PLAN_HOST_DIRECTORY (supervisor/host_view.h); else the host's tree is the
	 * root */
	bool host_view;
	enum refusals refusals;
	int stop_signal;	  /* sent to the worker then ... */
	uint64_t stop_grace_usec; /* ... and SIGKILL after this long */
	int oom_score_adj;
	uint32_t umask_bits;
	struct plan_rlimit rlimits[PLAN_RLIMITS_MAX];
	size_t rlimit_count;
	struct mount_step mounts[PLAN_MOUNTS_MAX];
	size_t mount_count;
	struct plan_landlock landlock;
};

/* A plan is large: allocate it. plan_free(NULL) is fine. */
struct plan *plan_new(void);
void plan_free(struct plan *plan);

/* Appends one step with copies of the strings given (NULL where the kind has none).
 * ERROR_INVALID when the plan is full or target is not in normal form. */
int plan_add_mount(struct plan *plan, const struct mount_step *step, struct error *err);
/* Where the app's own cgroup is, once it is made: before, a plan says where all of them are. The
 * path of a directory, not a descriptor: one on a mount of a supervisor that is killed has no path
 * any more. A plan that doesn't show it stays as it is. */
int plan_set_cgroup(struct plan *plan, const char *path, struct error *err);
int plan_add_rule(struct plan *plan, const char *path, uint32_t access, struct error *err);
int plan_add_rlimit(struct plan *plan, int resource, uint64_t soft, uint64_t hard,
		    struct error *err);

/* As the launcher gets it: bytes for a program of the same version on this machine, with the values
 * of the environment. ERROR_INVALID for a plan that plan_decode would refuse. *ret is the caller's
 * to clear. */
int plan_encode(const struct plan *plan, struct bytes *ret, struct error *err);

/* Strict: everything is there, within its bounds, and nothing else; the error names the place as
 * plan_to_json would show it ("plan: mounts[3].target: ..."). */
int plan_decode(const char *data, size_t length, struct plan **ret_plan, struct error *err);

/* The same plan for people: JSON, indented, owned by the caller. ERROR_INVALID for one that
 * plan_encode refuses, and for text that is not UTF-8. */
int plan_to_json(const struct plan *plan, char **ret_text, struct error *err);

/* Of enum mount_members; 0 for what is no kind. */
uint32_t mount_kind_members(enum mount_kind kind);

/* "RLIMIT_NOFILE"; "unknown" if there is no such resource. */
const char *plan_rlimit_name(int resource);

/* True if path is absolute and has no empty, "." or ".." component and no trailing slash but "/".
 */
bool plan_path_is_normal(const char *path);

static inline void cleanup_plan_free(struct plan **plan)
{
	plan_free(*plan);
}
#define _cleanup_plan_ __attribute__((cleanup(cleanup_plan_free)))
