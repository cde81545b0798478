/* SPDX-License-Identifier: MIT */
/*
 * What the cgroup's counters of events are compared with: what they said when this life began, and
 * how much of what has moved since is told already. Of most instances nothing ever moves, so both
 * are allocated only when there is something to remember.
 */
#include "policy/own.h"
#include "supervisor/clock.h"
#include "supervisor/instance.h"

#include <stdlib.h>
#include <string.h>

static const struct event_deltas nothing;

static const struct event_deltas *or_nothing(const struct event_deltas *counters)
{
	return counters != NULL ? counters : &nothing;
}

static int remember(struct event_deltas **slot, const struct event_deltas *counters,
		    struct error *err)
{
	/* nothing but numbers, without padding: app_record.c asserts it */
	if (memcmp(counters, &nothing, sizeof(nothing)) == 0) {
		free(TAKE_PTR(*slot));
		return 0;
	}
	if (*slot == NULL)
		*slot = malloc(sizeof(**slot));
	if (*slot == NULL)
		return error_no_memory(err);
	**slot = *counters;
	return 0;
}

const struct event_deltas *instance_base(const struct instance *instance)
{
	return or_nothing(instance->base);
}

const struct event_deltas *instance_explained(const struct instance *instance)
{
	return or_nothing(instance->explained);
}

int instance_set_base(struct instance *instance, const struct event_deltas *counters,
		      struct error *err)
{
	return remember(&instance->base, counters, err);
}

void instance_explain(struct instance *instance, const struct event_deltas *deltas)
{
	struct error err;

	if (remember(&instance->explained, deltas, &err) < 0)
		log_message(instance->host->log, LOG_LEVEL_ERROR, instance->spec->name,
			    "%s: what was told of its memory may be told again", err.text);
}

void instance_read_deltas(const struct instance *instance, const struct watch_reading *reading,
			  struct event_deltas *ret)
{
	watch_subtract(&reading->counters, instance_base(instance), ret);
}

void instance_forget_counters(struct instance *instance)
{
	free(TAKE_PTR(instance->base));
	free(TAKE_PTR(instance->explained));
}

struct moment instance_moment(const struct watch_reading *reading)
{
	return (struct moment){ .usec = clock_monotonic_usec(),
				.cpu_wait_usec = reading->cpu_pressure.some_total_usec };
}

bool instance_pids_matter(const struct instance *instance, const struct event_deltas *deltas,
			  const struct moment *now)
{
	return deltas->pids_max > instance->pids_seen ||
	       moment_matters(&instance->pids_moved_at, now, INSTANCE_PIDS_MATTER_USEC);
}
