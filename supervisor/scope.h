/* SPDX-License-Identifier: MIT */
/*
 * A delegated cgroup from systemd: a transient scope in pysbx.slice with Delegate=yes, asked for
 * over D-Bus. systemd delegates services and scopes only, never slices; within the scope
 * we are the one writer. It lives as long as a process is in it: the anchor.
 */
#pragma once

#include "policy/error.h"

#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#define SCOPE_SLICE	   "pysbx.slice"
#define SCOPE_TIMEOUT_USEC UINT64_C(20000000) /* in all: a service's watchdog is at 30 s */
#define SCOPE_CONNECT_USEC UINT64_C(5000000)  /* until the bus has taken us in */

/* after: a unit that it is stopped before, NULL if none.
 * Starts `unit` ("pysbx-run-web-1a2b.scope") with process pid in it and waits until it is there.
 * stop_usec: how long systemd waits at `systemctl stop` before SIGKILL.
 * ERROR_UNREACHABLE if the bus or systemd does not answer; -EEXIST if there is such a unit. */
int scope_start(const char *unit, const char *description, pid_t pid, uint64_t stop_usec,
		const char *after, struct error *err);

/* The same in two parts, between which systemd works and so can we. scope_finish waits for the
 * scope and frees start; scope_abandon only frees it: the scope comes all the same, and goes when
 * the process that it was asked for ends. */
struct scope_start;
int scope_begin(sd_bus *bus, const char *unit, const char *description, pid_t pid,
		uint64_t stop_usec, const char *after, struct scope_start **ret, struct error *err);
int scope_finish(struct scope_start *start, struct error *err);
void scope_abandon(struct scope_start *start);

/* A connection to systemd that is being made meanwhile, for scope_begin (which makes one if bus is
 * NULL). NULL: there is none to be had in this way. */
sd_bus *scope_connect(void);
void scope_disconnect(sd_bus *bus);
