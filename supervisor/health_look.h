/* SPDX-License-Identifier: MIT */
/*
 * A close look at an app that is unhealthy: half a second in which its threads are watched, with
 * its Python stacks at both ends. It takes what it gets: without stacks (no Python, no time) the
 * rest is still known.
 */
#pragma once

#include "supervisor/health_reading.h"
#include "supervisor/stacks.h"

#include <jansson.h>
#include <systemd/sd-event.h>

struct health_look;

/* What it has seen; all is borrowed. */
struct health_sight {
	struct health_facts facts; /* look_cpu_usec and look_busiest_usec alone are set */
	struct health_reading begun;
	pid_t busiest;		/* thread; 0: none ran */
	json_t *first, *second; /* stacks (supervisor/stacks.h); NULL: none */
};

typedef void health_look_done(struct health_sight *sight, void *userdata);

/* What is looked at; none of it is kept. */
struct health_scene {
	int leaf; /* directory */
	pid_t main;
	struct stacks_readers *stacks; /* NULL: they are not read; those of `main` come last */
	const char *app, *tenant;      /* whose they are; tenant: NULL if it is nobody's */
};

/* done is called once, from the loop; the look is gone afterwards. */
int health_look_start(sd_event *event, const struct health_scene *scene,
		      const struct health_reading *begun, health_look_done *done, void *userdata,
		      struct health_look **ret, struct error *err);
/* done is not called. NULL is fine. */
void health_look_cancel(struct health_look *look);

/* Where the thread that matters is: "views.py:42 in get()". That of `busiest`; else one in the
 * app's own code (below `directory`), rather of a worker than of the main process; as it was last
 * seen. NULL if no stack tells. */
const char *health_look_place(const struct health_sight *sight, pid_t busiest, pid_t main,
			      const char *directory, char *text, size_t size);
