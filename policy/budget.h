/* SPDX-License-Identifier: MIT */
/*
 * Who may have one more of something that we do for apps and that costs processor time: so many at
 * a time, of each app, of each tenant and of all; and so much time on average, of each app and each
 * tenant. So whoever brings about one after the other uses up what is its own, and what is left to
 * others stays theirs: it takes BUDGET_ALL_AT_ONCE / BUDGET_TENANT_AT_ONCE tenants in league to
 * keep another one waiting.
 *
 * Nobody queues: who asks can do without, and would rather know at once. Pure: the time is an
 * argument (any clock that does not go back, microseconds).
 */
#pragma once

#include "policy/error.h"
#include "policy/spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUDGET_ALL_AT_ONCE    32
#define BUDGET_TENANT_AT_ONCE 4
#define BUDGET_APP_AT_ONCE    2
/* Of one processor, on average; and what may be saved up of it, for a time when much happens. */
#define BUDGET_TENANT_PERCENT	 25
#define BUDGET_TENANT_SAVED_USEC UINT64_C(5000000)
#define BUDGET_APP_PERCENT	 10
#define BUDGET_APP_SAVED_USEC	 UINT64_C(2000000)
/* What one costs at least, whatever it is said to have used: fork and exec count elsewhere. */
#define BUDGET_LEAST_USEC UINT64_C(5000)

struct budget_party; /* an app or a tenant that has not all of its credit */

struct budget { /* zero-initialised: nobody has anything */
	struct budget_party *parties;
	unsigned running;
};

/* One that was granted. */
struct budget_place {
	struct budget_party *app, *tenant; /* NULL: it is nobody's */
};

void budget_clear(struct budget *budget);

/* app and tenant are copied; NULL: nobody's, bounded by what all may have alone. ERROR_TOO_MANY
 * says what is used up. */
int budget_take(struct budget *budget, const char *app, const char *tenant, uint64_t now_usec,
		struct budget_place *ret, struct error *err);
/* It is over, and has used so much processor time. */
void budget_give_back(struct budget *budget, const struct budget_place *place, uint64_t used_usec,
		      uint64_t now_usec);

/* Of how many apps and tenants something is kept. */
size_t budget_parties(const struct budget *budget);
