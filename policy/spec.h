/* SPDX-License-Identifier: MIT */
/*
 * The app spec: everything a user may say about one app, from whichever door it came (options of
 * `pysbx run`, a JSON file, the socket). It holds what was said, not yet what the machine makes of
 * it: LIMIT_UNSET and NULL mean "not said". spec_validate() checks it as a whole, purely; what
 * needs the machine (does the user exist, has the path a disk) is checked by the supervisor
 * afterwards.
 *
 * Error texts name the field: by its JSON path ("limits.memory_high: 300M is above limits.memory,
 * 256M"), or by the labels of the door that the spec came through ("--mem-high: 300M is above
 * --mem, 256M").
 */
#pragma once

#include "policy/error.h"
#include "policy/pressure.h"
#include "policy/quantity.h"
#include "policy/strings.h"

#include <stdbool.h>
#include <stdint.h>

/* Bounds. Every list and text of a spec has one. */
#define SPEC_NAME_MAX	     64	    /* bytes: HOST_NAME_MAX; with a suffix still a cgroup name */
#define SPEC_USER_MAX	     255    /* bytes: LOGIN_NAME_MAX - 1 */
#define SPEC_ARGV_MAX	     1024   /* arguments of the command */
#define SPEC_STRING_MAX	     131072 /* one argument or variable with its NUL: MAX_ARG_STRLEN */
#define SPEC_PATHS_MAX	     64	    /* readable, writable, environment files: each */
#define SPEC_GROUPS_MAX	     32
#define SPEC_IO_MAX	     16
#define SPEC_ENVIRONMENT_MAX 1024

/* Ranges of values. */
#define SPEC_MEMORY_MIN	    (UINT64_C(4) << 20) /* below this exec of any program is OOM-killed */
#define SPEC_CPU_WEIGHT_MAX 10000		/* cpu.weight, cgroup-v2.rst */
#define SPEC_IO_BPS_MIN	    4096		/* a page a second; io.max itself refuses 0 and 1 */
#define SPEC_IO_IOPS_MIN    2			/* io.max itself refuses 0 and 1 */
#define SPEC_IO_IOPS_LIMIT                                                    \
	(UINT32_MAX - 1) /* the kernel cuts to 32 bits; UINT32_MAX is its max \
			  */
#define SPEC_NOFILE_MIN	    16
#define SPEC_NOFILE_LIMIT   1048576 /* fs.nr_open's default */
#define SPEC_PIDS_LIMIT	    4194304 /* PID_MAX_LIMIT */
#define SPEC_TMP_SIZE_MIN   65536   /* a tmpfs of size 0 would have no limit */
#define SPEC_RESTARTS_LIMIT 1000000
#define SPEC_BACKOFF_MIN    (10 * USEC_PER_MSEC) /* none at all would be a busy loop */
#define SPEC_STABLE_MIN	    (100 * USEC_PER_MSEC)
#define SPEC_WAIT_LIMIT	    (86400 * USEC_PER_SEC) /* backoff, stable time, grace */
#define SPEC_LOG_SIZE_MIN   (UINT64_C(64) << 10)   /* less would rotate at every traceback */
#define SPEC_LOG_SIZE_LIMIT (UINT64_C(1) << 30)	   /* of all files of one app: disks are finite */
#define SPEC_LOG_KEEP_LIMIT 1000
#define SPEC_LOG_RATE_LIMIT 1000000
/* Of the health check: a thousand apps are asked, and each answer is work for the app. */
#define SPEC_HEALTH_INTERVAL_MIN (1 * USEC_PER_SEC)
#define SPEC_HEALTH_TIMEOUT_MIN	 (10 * USEC_PER_MSEC)
#define SPEC_HEALTH_TIMEOUT_MAX	 (300 * USEC_PER_SEC)
#define SPEC_HEALTH_FAILURES_MAX 100

/* Defaults of what need not be said. */
#define SPEC_SYSCALLS_DEFAULT "python-web"
/* A fork bomb must end somewhere, and honest apps must fit: 16 async workers with anyio's 40
 * threads each are 656 tasks. */
#define SPEC_PIDS_DEFAULT 1024
/* Room for many connections; not so much that select(2) loops or uWSGI's table of all possible fds
 * (8 bytes each) weigh. */
#define SPEC_NOFILE_DEFAULT 65536
/* Pages of /tmp are charged to the app: 64M, but no more than a quarter of its memory. */
#define SPEC_TMP_SIZE_DEFAULT	 (UINT64_C(64) << 20)
#define SPEC_TMP_SIZE_SHARE	 4
#define SPEC_RESTARTS_DEFAULT	 5
#define SPEC_BACKOFF_DEFAULT	 (1 * USEC_PER_SEC)
#define SPEC_BACKOFF_MAX_DEFAULT (60 * USEC_PER_SEC)
#define SPEC_STABLE_DEFAULT	 (60 * USEC_PER_SEC)
#define SPEC_LOG_SIZE_DEFAULT	 (UINT64_C(10) << 20)
#define SPEC_LOG_KEEP_DEFAULT	 5
/* systemd's own for a service, 10,000 lines in 30 s: it is journald that has to cope, outside of
 * the app's limits, for several times what a line costs the app. More would also push all others'
 * lines out of the journal. */
#define SPEC_LOG_RATE_DEFAULT 333
/* gunicorn gives its workers 30 s (graceful_timeout) and then needs a moment of its own. */
#define SPEC_GRACE_DEFAULT	     (35 * USEC_PER_SEC)
#define SPEC_HEALTH_INTERVAL_DEFAULT (10 * USEC_PER_SEC)
#define SPEC_HEALTH_TIMEOUT_DEFAULT  (2 * USEC_PER_SEC)
#define SPEC_HEALTH_FAILURES_DEFAULT 3
/* Large applications import for half a minute on a small share of a CPU. The first answer ends it.
 */
#define SPEC_HEALTH_START_DEFAULT (60 * USEC_PER_SEC)

enum network { NETWORK_HOST, NETWORK_NONE, NETWORK_PRIVATE, NETWORK_COUNT };
enum restart_mode { RESTART_ALWAYS, RESTART_ON_FAILURE, RESTART_NEVER, RESTART_MODE_COUNT };
enum oom_policy { OOM_WORKER, OOM_APP, OOM_POLICY_COUNT };
enum log_target { LOG_TO_JOURNAL, LOG_TO_FILE, LOG_TARGET_COUNT };
/* What becomes of a call that the profile refuses: it fails; it is made, and told; it fails until
 * that has happened too often, and is made from then on (policy/canary.h). */
enum syscalls_mode { SYSCALLS_ENFORCE, SYSCALLS_LOG, SYSCALLS_CANARY, SYSCALLS_MODE_COUNT };
/* What ends an app whose health check fails: that it makes no progress; that it isn't well,
 * whatever the reason; nothing. */
enum health_restart {
	HEALTH_RESTART_HUNG,
	HEALTH_RESTART_UNHEALTHY,
	HEALTH_RESTART_NEVER,
	HEALTH_RESTART_COUNT
};

/* The door that a spec came through: what its user calls the fields (policy/setting.h). */
enum spec_door {
	DOOR_OPTIONS, /* of `pysbx run` */
	DOOR_FILE,    /* an administrator's, read by the daemon */
	DOOR_SOCKET,  /* of the daemon */
};

/* Where the daemon puts a worker's output; `pysbx run` passes it on to its own. */
struct log_policy {
	enum log_target target;
	uint64_t max_size; /* bytes of a log file before it is rotated */
	uint64_t keep;	   /* rotated files that are kept */
	uint64_t rate;	   /* lines a second that are taken; LIMIT_MAX = no bound */
};

/* One value: who names a profile also says how it is meant, and neither is taken from elsewhere. */
struct syscalls_policy {
	char *profile; /* its name or absolute path; never NULL after spec_complete */
	enum syscalls_mode mode;
};

/* One io.max line, by path; the supervisor resolves the path to its disk. Bytes/s and operations/s.
 */
struct io_limit {
	char *path; /* owned, absolute */
	uint64_t rbps, wbps, riops, wiops;
};

struct limits {
	uint64_t memory_max;	  /* bytes */
	uint64_t memory_high;	  /* bytes */
	uint64_t memory_swap_max; /* bytes */
	uint64_t cpu_max;	  /* thousandths of a core */
	uint64_t cpu_weight;	  /* 1 to 10000 */
	uint64_t pids_max;
	uint64_t nofile;     /* RLIMIT_NOFILE, soft and hard */
	uint64_t tmp_size;   /* bytes of tmpfs on /tmp; never LIMIT_MAX */
	struct io_limit *io; /* owned, at most SPEC_IO_MAX; NULL if there is none */
	size_t io_count;
};

struct restart_policy {
	enum restart_mode mode;
	uint64_t max_restarts;	   /* in a row, before the app is given up; LIMIT_MAX = no end */
	uint64_t backoff_usec;	   /* delay before the first restart; doubles after each */
	uint64_t backoff_max_usec; /* upper end of the delay */
	uint64_t stable_usec;	   /* a run this long sets delay and count back */
};

struct health_policy {
	char *http;		/* policy/health_target.h; NULL: no check */
	char *host;		/* for the Host header; NULL: what http names */
	uint64_t interval_usec; /* from one check to the next */
	uint64_t timeout_usec;	/* until the answer's status; at most an interval */
	uint64_t failures;	/* in a row, until it is unhealthy */
	uint64_t start_usec;	/* in which failures don't count, until the first that is well */
	enum health_restart restart;
};

struct app_spec {
	enum spec_door door;
	char *name;
	char *tenant; /* NULL: none; daemon only, as are the three that follow */
	char *plan; /* name of a hosting plan (policy/hosting_plan.h), NULL: the tenant's, if any */
	bool enabled; /* started at boot */
	struct log_policy log;
	struct strings command; /* argv, [0] as typed */
	char *directory;	/* absolute */
	char *user;		/* "name", "uid" or "uid:gid"; NULL = a dynamic uid */
	struct strings groups;	/* supplementary ones, names */
	struct strings
		environment; /* "NAME=value", or "NAME": the caller's own value; later wins */
	struct strings
		environment_files; /* absolute paths; later ones win, environment wins over all */
	struct limits limits;
	struct {
		struct strings readable; /* absolute, canonical in form */
		struct strings writable;
		struct strings sockets; /* absolute, or the name of a service */
		struct strings require; /* names of walls (policy/wall.h) */
		enum network network;
		struct strings egress; /* policy/egress.h; empty: nothing is filtered */
	} isolation;
	struct strings listen; /* policy/listen.h */
	struct syscalls_policy syscalls;
	struct restart_policy restart;
	enum oom_policy oom;
	bool tripwire; /* policy/tripwire.h */
	struct pressure_policy pressure;
	struct {
		int signal; /* SIGTERM by default */
		uint64_t grace_usec;
	} stop;
	struct health_policy health;
};

/* The fields that messages name. */
enum spec_field {
	FIELD_NONE,
	FIELD_NAME,
	FIELD_TENANT,
	FIELD_PLAN,
	FIELD_ENABLED,
	FIELD_LOG_TARGET,
	FIELD_LOG_MAX_SIZE,
	FIELD_LOG_KEEP,
	FIELD_LOG_RATE,
	FIELD_COMMAND,
	FIELD_DIRECTORY,
	FIELD_USER,
	FIELD_GROUPS,
	FIELD_ENVIRONMENT,
	FIELD_ENVIRONMENT_FILES,
	FIELD_MEMORY,
	FIELD_MEMORY_HIGH,
	FIELD_MEMORY_SWAP,
	FIELD_CPU,
	FIELD_CPU_WEIGHT,
	FIELD_IO,
	FIELD_PIDS,
	FIELD_NOFILE,
	FIELD_TMP_SIZE,
	FIELD_READABLE,
	FIELD_WRITABLE,
	FIELD_SOCKETS,
	FIELD_NETWORK,
	FIELD_EGRESS,
	FIELD_LISTEN,
	FIELD_REQUIRE,
	FIELD_SYSCALLS,
	FIELD_RESTART,
	FIELD_MAX_RESTARTS,
	FIELD_BACKOFF,
	FIELD_BACKOFF_MAX,
	FIELD_STABLE,
	FIELD_OOM,
	FIELD_TRIPWIRE,
	FIELD_PRESSURE_NOTIFY,
	FIELD_PRESSURE_RECLAIM,
	FIELD_PRESSURE_RECYCLE,
	FIELD_PRESSURE_RESTART,
	FIELD_PRESSURE_KILL,
	FIELD_PRESSURE_COOLDOWN,
	FIELD_STOP_SIGNAL,
	FIELD_STOP_GRACE,
	FIELD_HEALTH_HTTP,
	FIELD_HEALTH_HOST,
	FIELD_HEALTH_INTERVAL,
	FIELD_HEALTH_TIMEOUT,
	FIELD_HEALTH_FAILURES,
	FIELD_HEALTH_START,
	FIELD_HEALTH_RESTART,
	FIELD_COUNT,
};

/* What the messages of a validation call each field. */
struct spec_labels {
	const char *of[FIELD_COUNT];
	bool indexed; /* "isolation.readable[2]", not only "isolation.readable" */
};

/* The JSON path of each field: "limits.memory". */
extern const struct spec_labels spec_json_labels;

/* Sets every default but those that spec_complete fills in. */
int spec_init(struct app_spec *spec, struct error *err);
void spec_clear(struct app_spec *spec);

/* A copy of its own; `ret` need not be initialised. */
int spec_copy(const struct app_spec *from, struct app_spec *ret, struct error *err);

/* The same for the limits alone; all of them unset; and the limit on this very path, NULL if there
 * is none. */
extern const struct limits spec_no_limits;
int spec_copy_limits(const struct limits *from, struct limits *ret, struct error *err);
void spec_clear_limits(struct limits *limits);
struct io_limit *spec_find_io(struct limits *limits, const char *path);
/* The limit on `path`, added with all four unset where there is none. Either moves when another is
 * added. */
int spec_add_io(struct limits *limits, const char *path, struct io_limit **ret, struct error *err);

/* Fills what nothing was said about and what follows from the rest: the name from the command;
 * memory_swap_max = 0 where memory_max is a limit (with swap behind it, a leak would thrash the
 * disk long before it meets the limit); tmp_size from memory_max; pids_max, nofile and syscalls,
 * which a hosting plan may give before; a health check's timeout of 2s, or of a shorter interval.
 * Other limits may stay LIMIT_UNSET: the kernel's own default holds. */
int spec_complete(struct app_spec *spec, struct error *err);

/* Checks the whole, as spec_complete leaves it; the first error found is raised. */
int spec_validate(const struct app_spec *spec, struct error *err);
int spec_validate_labelled(const struct app_spec *spec, const struct spec_labels *labels,
			   struct error *err);

/* Only the limits: each in its range, and in order among each other. */
int spec_validate_limits(const struct limits *limits, struct error *err);

/* A name as useradd(8) takes it, a uid, or uid:gid; never root. The text names no field. */
int spec_validate_user(const char *user, struct error *err);

/* [a-z0-9] first and last, then also '-' '_' '.': usable as cgroup, unit and host name. */
int spec_validate_name(const char *name, struct error *err);
/* Makes a valid name of any command ("/usr/bin/Gunicorn3" -> "gunicorn3"); "app" if nothing is
 * left. */
int spec_name_from_command(const char *command, char **ret_name, struct error *err);

/* Why the app may not be given this path (in normal form), NULL if it may. Completes "PATH ...".
 * spec_validate asks for the paths as written; who has followed their symbolic links asks again. */
const char *spec_path_objection(const char *path, bool writable);

/* Where the unix sockets of a service are that isolation.sockets knows by name: a directory. NULL
 * if there is no such name. */
const char *spec_socket_directory(const char *name);

/* "/srv/app=20M/10M", "/=max/10M/-/200": '-' leaves one unset. Appends to limits->io, with the path
 * as it is written. */
int spec_parse_io(const char *text, struct limits *limits, struct error *err);

/* Enum names as users write them; the parsers raise ERROR_INVALID naming the choices. */
const char *spec_network_name(enum network network);
int spec_network_parse(const char *text, enum network *ret, struct error *err);
const char *spec_restart_mode_name(enum restart_mode mode);
int spec_restart_mode_parse(const char *text, enum restart_mode *ret, struct error *err);
const char *spec_oom_policy_name(enum oom_policy policy);
int spec_oom_policy_parse(const char *text, enum oom_policy *ret, struct error *err);
const char *spec_log_target_name(enum log_target target);
int spec_log_target_parse(const char *text, enum log_target *ret, struct error *err);
const char *spec_syscalls_mode_name(enum syscalls_mode mode);
int spec_syscalls_mode_parse(const char *text, enum syscalls_mode *ret, struct error *err);
const char *spec_health_restart_name(enum health_restart restart);
int spec_health_restart_parse(const char *text, enum health_restart *ret, struct error *err);

/* The same by field: FIELD_NETWORK, FIELD_RESTART, FIELD_OOM, FIELD_LOG_TARGET; FIELD_SYSCALLS for
 * the modes; FIELD_HEALTH_RESTART. */
const char *spec_choice_name(enum spec_field field, unsigned value);
int spec_choice_parse(enum spec_field field, const char *text, unsigned *ret, struct error *err);

/* "TERM", "SIGTERM", "15", "RTMIN+3". */
int spec_signal_parse(const char *text, int *ret_signal, struct error *err);
/* "SIGTERM"; "SIGRTMIN+3"; "signal 99" for the unknown. Writes into text of 32 bytes, returns it.
 */
const char *spec_signal_name(int number, char *text);
