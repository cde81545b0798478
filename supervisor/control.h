/* SPDX-License-Identifier: MIT */
/*
 * The control socket: JSON-RPC 2.0 for many clients at once, on the caller's event loop. It knows
 * nothing of apps: methods come in tables, who is who comes from a callback.
 *
 * Who is at the other end is found out before a byte is read (SO_PEERCRED, SO_PEERGROUPS). Whether
 * that one may call a method is a flag in the table, and nowhere else.
 *
 * Nobody waits for one client: per turn of the loop each gets a bounded share, then it is the next
 * one's turn. Who asks too much is slowed down (not read from), who reads too slowly is cut off.
 */
#pragma once

#include "policy/error.h"
#include "policy/rpc.h"
#include "policy/rpc_params.h"
#include "supervisor/client.h"
#include "supervisor/log.h"

#include <jansson.h>
#include <systemd/sd-event.h>

#define CONTROL_CLIENTS_MAX	 256
#define CONTROL_CLIENTS_PER_UID	 16 /* root has no such bound */
#define CONTROL_CLIENTS_RESERVED 16 /* of all, for admins: tenants can't lock them out */
/* Beyond all, for uid 0: whoever is called at night gets in, whatever the machine is full of. */
#define CONTROL_CLIENTS_ROOT	  8
#define CONTROL_PENDING_MAX	  64 /* calls of one client that wait for their answer: then it waits */
#define CONTROL_RATE_PER_SEC	  1000 /* requests of one tenant's uid; admins are not limited */
#define CONTROL_RATE_BYTES	  1024 /* that a line may have as one request: longer ones count more */
#define CONTROL_RATE_BURST	  2000
#define CONTROL_LINE_TIMEOUT_USEC UINT64_C(30000000) /* for an unfinished line */
#define CONTROL_STALL_USEC	  UINT64_C(60000000) /* that a client reads nothing of what waits */
#define CONTROL_TABLES_MAX	  16
#define CONTROL_GROUPS_MAX	  65536 /* of a peer: NGROUPS_MAX */

struct call;

enum control_flag {
	METHOD_ADMIN = 1 << 0,	/* admins only */
	METHOD_TENANT = 1 << 1, /* admins and tenants */
};

/* Returns 0 when it has answered (call_reply, call_fail) or will: then it keeps `call`. Negative:
 * err is the answer, and call is gone. params was checked against the table, and is an object,
 * borrowed for the time of this function. */
typedef int control_handler(struct call *call, const json_t *params, void *userdata,
			    struct error *err);

struct control_method {
	const char *name;
	const char *summary; /* one sentence, without its full stop */
	const char *result;  /* what the answer holds, in words */
	unsigned flags;	     /* one of enum control_flag */
	const struct rpc_param *params;
	size_t param_count;
	control_handler *handle;
};

/* A module's methods, and what its handlers get as userdata. */
struct control_table {
	const struct control_method *methods;
	size_t count;
	void *userdata;
};

/* Who is at the other end; borrowed. */
struct peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	const gid_t *groups; /* supplementary */
	size_t group_count;
};

/* 0 with *ret_tenant NULL: an admin; a name (copied at once): that tenant. Negative: refused, and
 * err (ERROR_DENIED) is what the peer gets as its one line. */
typedef int control_identify(const struct peer *peer, void *userdata, const char **ret_tenant,
			     struct error *err);

struct control_config {
	int listen_fd;	  /* a listening SOCK_STREAM, taken over on success; -1: bind `path` */
	const char *path; /* stale socket removed, mode 0666, removed at the end */
	const struct control_table *tables; /* copied; the methods themselves are not */
	size_t table_count;
	control_identify *identify;
	void *userdata;	 /* of identify */
	struct log *log; /* outlives the control; NULL: silent */
	/* 0: the constants above */
	unsigned clients_max, clients_per_uid, rate_per_sec, rate_burst;
	uint64_t line_timeout_usec, stall_usec;
};

struct control;

/* rpc.discover is there of itself. */
int control_start(struct control **ret, sd_event *event, const struct control_config *config,
		  struct error *err);
/* Closes all; answers that wait in a queue get one try. Subscriptions are ended, calls that are
 * still kept stay valid. Not from a handler: its call's answer would be lost. NULL is fine. */
void control_stop(struct control *control);
size_t control_client_count(const struct control *control);

/* Clients of this tenant are closed: it has gone, or its users are others now. */
void control_drop_tenant(struct control *control, const char *tenant);

/*
 * A call, from its handler until its answer. One answer each, by call_reply or call_fail; after it
 * the call is gone. A call whose client has gone stays valid until then: the answer is dropped.
 */
const char *call_method(const struct call *call);
const char *call_tenant(const struct call *call); /* NULL: an admin */
uid_t call_uid(const struct call *call);
struct client *call_client(const struct call *call); /* never NULL; may be gone */
void call_reply(struct call *call, json_t *result);  /* stolen; NULL: no memory for it */
void call_fail(struct call *call, const struct error *error);
