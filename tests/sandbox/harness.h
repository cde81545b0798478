/* SPDX-License-Identifier: MIT */
/*
 * Starts the real pysbx-launch the way the supervisor does, with a plan of the test's own, and
 * plays the supervisor's part on the socket. Needs root and cgroup v2 (with no controller): a test
 * begins with sandbox_require(), which skips it elsewhere, saying why.
 */
#pragma once

#include "policy/launch_message.h"
#include "policy/listen.h"
#include "policy/plan.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

#define SANDBOX_UID	 61234
#define SANDBOX_GID	 61235
#define SANDBOX_GROUP	 61236
#define SANDBOX_TEXT_MAX 131072 /* more than a pipe holds */

struct sandbox_mount { /* struct mount_step with strings that are literals */
	enum mount_kind kind;
	const char *source, *target, *content;
	uint64_t size;
	uint32_t mode, flags;
};

struct sandbox {
	struct plan *plan;
	const struct sock_fprog *filter; /* NULL: allow all */
	const char *plan_text;		 /* sent in place of the plan if it is not NULL */
	bool unsealed;			 /* plan and filter without seals */
	bool no_landlock;		 /* else the plan gets the rules that its mounts ask for */
	int listeners[LISTEN_MAX];	 /* sent before the start, if there are any */
	size_t listener_count;
	int told_listeners[LISTEN_MAX]; /* as received */
	size_t told_listener_count;
	bool no_listener; /* LAUNCH_FD_LISTEN is not open, whatever the plan says */
	pid_t launcher;
	int socket;
	struct launch_message running;
	int output[2];	  /* read ends, as received; -1 before */
	int worker_pidfd; /* as received; -1 before */
	int cgroup;
	char cgroup_path[256];
	char text[2][SANDBOX_TEXT_MAX]; /* what the worker wrote to stdout and stderr */
	struct launch_message last; /* the message that ended it: LAUNCH_FAILED or LAUNCH_ENDED */
	struct launch_denial denials[8]; /* LAUNCH_DENIED, in their order */
	size_t denial_count;
	uint64_t counted; /* LAUNCH_COUNTED */
	uint32_t told;	  /* LAUNCH_TOLD: the newest */
	bool looks_on;	  /* does not answer a held one: LAUNCH_HEARD is the test's to send */
	unsigned seen;	  /* bit set of the types that came, in order of `order` */
	unsigned order[16];
	size_t order_count;
	int exit_status; /* the launcher's wait status */
	/* with plan->keep */
	char keeper_path[128];
	int own_pidfd;		      /* the launcher's, as received; -1 before */
	struct launch_spool spool[2]; /* as told last ... */
	char *spooled[2];	      /* ... and its bytes, NUL-terminated; NULL before */
};

/* cr_skip_test() unless this process may make namespaces and cgroups. */
void sandbox_require(void);
/* Where cgroup v2 is mounted, in which the leaf is made. */
const char *sandbox_hierarchy(void);

/* A plan with a small working root: /usr and its links, proc, dev, /tmp of 1 MiB, passwd; argv is
 * sh -c SCRIPT (or empty if script is NULL). */
void sandbox_init(struct sandbox *sandbox, const char *script);
void sandbox_clear(struct sandbox *sandbox);

/* The plan says keep: the launcher outlives us, and listens. */
void sandbox_keep(struct sandbox *sandbox);
/* Closes all that was received, and the socket. */
void sandbox_hang_up(struct sandbox *sandbox);
/* Connects anew, and returns once this was said; what was seen before is forgotten. */
void sandbox_connect(struct sandbox *sandbox, enum launch_message_type until);
/* Takes messages until one of this type came. */
void sandbox_wait_for_message(struct sandbox *sandbox, enum launch_message_type type);

void sandbox_add(struct sandbox *sandbox, const struct sandbox_mount *mount);
void sandbox_set_argv(struct sandbox *sandbox, const char *const *argv);

/* Starts; returns once LAUNCH_RUNNING or LAUNCH_FAILED came. */
void sandbox_start(struct sandbox *sandbox);
/* The same, but nothing of the output is read meanwhile; only for what does start. */
void sandbox_start_unread(struct sandbox *sandbox);
/* Waits for the end, reading the output; says LAUNCH_COLLECTED; waits for the launcher's end. */
void sandbox_finish(struct sandbox *sandbox);
/* Both. */
void sandbox_run(struct sandbox *sandbox);
/* The same with sandbox_init; the worker must have run. */
void sandbox_run_script(struct sandbox *sandbox, const char *script);
/* The same, where the start must fail in this stage with this errno. */
void sandbox_expect_failure(struct sandbox *sandbox, enum launch_stage stage, int errnum);

void sandbox_send(struct sandbox *sandbox, enum launch_message_type type, int signal);
/* Reads stdout until `text` is in it; fails the test after a time. */
void sandbox_wait_for_text(struct sandbox *sandbox, const char *text);
/* Waits for the launcher's end, at most this long; false if it still lives. */
bool sandbox_wait_launcher(struct sandbox *sandbox, int msec);
/* How many processes are in the worker's cgroup. */
size_t sandbox_process_count(const struct sandbox *sandbox);
/* A file of the launcher in /proc, NUL-terminated. */
void sandbox_read_proc(const struct sandbox *sandbox, const char *file, char *text, size_t size);
/* How often the launcher has waited for something. */
long sandbox_count_waits(const struct sandbox *sandbox);
