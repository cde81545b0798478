/* SPDX-License-Identifier: MIT */
/*
 * The walls between a worker and the rest of the machine, as they can be asked for
 * (isolation.require) and asked about (`pysbx status`). Most are up or there is no start: a step of
 * the launcher that fails ends it. Some depend on the kernel (Landlock) or on the spec (network,
 * memory), and are told of as they are.
 *
 * A wall is judged by what the kernel shows of the running worker, where it shows it, and else by
 * what its launcher has said.
 */
#pragma once

#include "policy/error.h"
#include "policy/spec.h"

#include <jansson.h>

enum wall_id {
	WALL_NAMESPACES,
	WALL_ROOT,
	WALL_LANDLOCK,
	WALL_ABSTRACT_SOCKETS,
	WALL_SECCOMP,
	WALL_NO_NEW_PRIVILEGES,
	WALL_CAPABILITIES,
	WALL_IDENTITY,
	WALL_SESSION,
	WALL_PROC,
	WALL_CORE_DUMPS,
	WALL_LIMITS,
	WALL_NETWORK,
	WALL_COUNT,
};

#define WALL_DETAIL_MAX 256

struct wall {
	enum wall_state { WALL_DOWN, WALL_UP, WALL_UNKNOWN } state;
	char detail[WALL_DETAIL_MAX]; /* what it is made of, or why it is down; never empty */
};

/* What /proc/PID/status says of a worker. */
struct wall_status {
	uint32_t uid, gid;     /* all four of each are the same; else uid is 0 */
	uint64_t capabilities; /* of all five sets together */
	unsigned seccomp;      /* 2 = a filter */
	bool no_new_privileges;
};

struct wall_facts {
	const struct app_spec *spec;
	bool permits;	       /* what the profile refuses is made, and only logged */
	bool started;	       /* the launcher has said that the worker runs, and of Landlock: */
	unsigned landlock_abi; /* the kernel's; 0: there is none, or the plan has no rules */
	int landlock_errnum;   /* why there is none */
	const struct wall_status *status; /* NULL: there is none to be had */
};

/* "landlock", "abstract-sockets" ...; as in isolation.require. */
const char *wall_name(enum wall_id wall);
/* ERROR_INVALID with the nearest name. */
int wall_parse(const char *name, enum wall_id *ret, struct error *err);

/* Why this spec can't have the wall that it requires, whatever the kernel; NULL if it can. */
const char *wall_objection(enum wall_id wall, const struct app_spec *spec);

void wall_judge(const struct wall_facts *facts, struct wall ret[static WALL_COUNT]);

/* Why there is no Landlock of ABI `wanted`, from the kernel's answer: an ABI (0: none), or an
 * errno. Completes "Landlock ...", and says what to do. */
void wall_landlock_absence(unsigned wanted, unsigned abi, int errnum,
			   char text[static WALL_DETAIL_MAX]);

/* The text of /proc/PID/status. ERROR_INVALID if a line that is needed is missing. */
int wall_status_parse(const char *text, struct wall_status *ret, struct error *err);

/* What a worker that has just been started as uid must have, and hasn't: "no seccomp filter"; NULL
 * if it has all. */
const char *wall_status_lack(const struct wall_status *status, uint32_t uid);

/* [{"name","state":"up|down|unknown","detail"}]; NULL: no memory. */
json_t *walls_to_json(const struct wall walls[static WALL_COUNT]);
