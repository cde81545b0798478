/* SPDX-License-Identifier: MIT */
/*
 * The health check of one instance: asks at its interval, and when the app is unhealthy finds out
 * why. policy/health.h decides; this runs.
 *
 *   on a failure      the first of a row: what the app has used so far is read
 *   when unhealthy    a close look of HEALTH_LOOK_USEC: which thread runs, and what the stacks are
 * at both ends of it; then policy judges hung              the instance is ended for it, with the
 * stacks and the history of the checks throttled         one warning, with the number that the plan
 * would need else              said as it is
 *
 * A thousand apps may have one: nothing blocks, each has one question and one look under way, and
 * they begin at random times.
 */
#pragma once

#include "policy/health.h"

#include <jansson.h>

#define HEALTH_LOOK_USEC UINT64_C(500000)
/* Stacks of an app that is unhealthy are read at most so often, unless it is ended for what they
 * show. */
#define HEALTH_STACKS_INTERVAL_USEC UINT64_C(30000000)
/* Warnings about one app, at most so often: that it is throttled, that it is unhealthy. What comes
 * in between is an event, and in its status. */
#define HEALTH_THROTTLED_INTERVAL_USEC UINT64_C(600000000)
#define HEALTH_UNHEALTHY_INTERVAL_USEC UINT64_C(60000000)

struct instance;
struct health;

/* For instance->spec->health, whose http is set, and which stays; of an instance that runs. */
int health_new(struct instance *instance, struct health **ret, struct error *err);
/* NULL is fine. */
void health_free(struct health *health);

/* It has stood still by somebody's order: what was found before is forgotten, and what was asked is
 * not waited for. NULL is fine. */
void health_forget(struct health *health);

const struct health_tracker *health_tracker(const struct health *health);
/* health_to_json() with {last?, reason?, why?}. NULL if there is no memory. */
json_t *health_describe(const struct health *health);
