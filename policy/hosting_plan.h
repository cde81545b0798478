/* SPDX-License-Identifier: MIT */
/*
 * Hosting plans: what a hosting package gives. An app of a plan gets its limits and its
 * egress where it says nothing itself, may tighten them, and never exceeds them. (The code says
 * "hosting plan" because struct plan is what the launcher is given.)
 *
 *   {"name": "basic", "limits": {"memory": "256M", "cpu": "100%", "pids": 128},
 *    "isolation": {"egress": ["dns", "10.0.0.5:5432"]}, "syscalls": ["python-web"], "apps": 10}
 */
#pragma once

#include "policy/spec.h"

#include <jansson.h>

#define HOSTING_PLAN_SYSCALLS_MAX 32
#define HOSTING_PLAN_APPS_LIMIT	  1000000

struct hosting_plan {
	char *name;
	struct limits limits;	 /* of each app; unset: nothing given, nothing bounded */
	struct strings egress;	 /* where its apps may connect to, of which each may name a part
				    (policy/egress.h); empty: nothing given, nothing bounded */
	struct strings syscalls; /* the profiles its apps may name, the first is the default; none:
				    any */
	uint64_t apps;		 /* how many apps a tenant of this plan may have; LIMIT_UNSET = any
				    number */
};

/* Its keys, for the check of the manual page. */
#define HOSTING_PLAN_KEYS 5
extern const char *const hosting_plan_keys[HOSTING_PLAN_KEYS];

/* ERROR_INVALID "PATH: TEXT". `ret` need not be initialised; hosting_plan_clear(). */
int hosting_plan_from_json(const json_t *object, struct hosting_plan *ret, struct error *err);
/* Canonical, what is unset left out. *ret is a new reference. */
int hosting_plan_to_json(const struct hosting_plan *plan, json_t **ret, struct error *err);
void hosting_plan_clear(struct hosting_plan *plan);

/* Between spec_from_json() and spec_fill_defaults(): refuses what is above the plan
 * ("limits.memory: 512M is above what plan basic gives, 256M"), then fills what the app left open.
 * A plan that limits memory and says nothing of swap gives none; of egress the app's whole list is
 * given, or the app's own holds ("isolation.egress[0]: any is not within what plan basic gives").
 * spec->plan is not looked at. On failure spec is as it was. */
int hosting_plan_apply(const struct hosting_plan *plan, struct app_spec *spec, struct error *err);

#define _cleanup_hosting_plan_ __attribute__((cleanup(hosting_plan_clear)))
