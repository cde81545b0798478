/* SPDX-License-Identifier: MIT */
/*
 * A program of the administrator's that is told of each incident: mail, a ticket, a chat. It gets
 * the incident's JSON as its standard input and runs while pysbx goes on.
 *
 * It is as unprivileged as a program can be that shall reach the network: a uid without anything
 * (or a user that the administrator names, never root), no capability and none to be gained, a PID
 * namespace that ends with it, so that nothing of it is left, no descriptor of ours, limits on what
 * it uses, and INCIDENT_HOOK_DEADLINE_USEC to be done. What a worker has written is in what it
 * reads, and nowhere else: not in its arguments, and of its environment only names are.
 *
 * INCIDENT_HOOK_RUNNING of them run at once and INCIDENT_HOOK_WAITING wait; beyond that incidents
 * are not passed on, each of which is told. Tenants (and apps that are no tenant's) share that: one
 * has INCIDENT_HOOK_PARTY running, whoever has fewest of them is next, and what is too much is the
 * newest of whoever has most waiting. So a crash loop delays, and loses, its own.
 */
#pragma once

#include "policy/error.h"
#include "policy/strings.h"
#include "supervisor/log.h"

#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#define INCIDENT_HOOK_DEADLINE_USEC UINT64_C(30000000)
#define INCIDENT_HOOK_RUNNING	    4
#define INCIDENT_HOOK_WAITING	    32
#define INCIDENT_HOOK_PARTY	    2 /* of the running, for one tenant */

struct incident_hook;

int incident_hook_new(sd_event *event, struct log *log, struct incident_hook **ret,
		      struct error *err);
/* Kills what runs. NULL is fine. */
void incident_hook_free(struct incident_hook *hook);

/* command: with an absolute path; copied; empty or NULL: none. user: as in identity_resolve();
 * NULL: IDENTITY_HOOK_UID. On failure all is as it was. */
int incident_hook_configure(struct incident_hook *hook, const struct strings *command,
			    const char *user, struct error *err);

/* Never blocks. What goes wrong is logged. */
void incident_hook_run(struct incident_hook *hook, const struct log_subject *subject,
		       const char *json);

/* Waits for all that runs or waits, without the loop: for who ends after an incident. */
void incident_hook_finish(struct incident_hook *hook);

/* For tests. */
void incident_hook_set_deadline(struct incident_hook *hook, uint64_t usec);
