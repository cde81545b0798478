/* SPDX-License-Identifier: MIT */
#include "policy/budget.h"

#include "policy/own.h"

#include <stdlib.h>
#include <string.h>

/* Credit is in hundredths of a microsecond, so that a percentage of one is a whole number. */
#define HUNDREDTHS 100

struct bound {
	const char *what;
	unsigned at_once;
	int64_t percent, full;
};

static const struct bound app_bound = {
	.what = "app",
	.at_once = BUDGET_APP_AT_ONCE,
	.percent = BUDGET_APP_PERCENT,
	.full = BUDGET_APP_SAVED_USEC * HUNDREDTHS,
};

static const struct bound tenant_bound = {
	.what = "tenant",
	.at_once = BUDGET_TENANT_AT_ONCE,
	.percent = BUDGET_TENANT_PERCENT,
	.full = BUDGET_TENANT_SAVED_USEC * HUNDREDTHS,
};

struct budget_party {
	struct budget_party *next;
	const struct bound *bound;
	char name[SPEC_NAME_MAX + 1];
	unsigned running;
	int64_t credit; /* below 0: it has used more than it had */
	uint64_t usec;	/* when that was counted */
};

static void count_credit(struct budget_party *party, uint64_t now_usec)
{
	uint64_t passed = now_usec > party->usec ? now_usec - party->usec : 0;
	uint64_t lacks = (uint64_t)(party->bound->full - party->credit);

	party->usec = now_usec;
	if (passed >= lacks / (uint64_t)party->bound->percent + 1)
		party->credit = party->bound->full;
	else
		party->credit += (int64_t)passed * party->bound->percent;
}

/* Those of whom there is nothing to remember are forgotten on the way. */
static struct budget_party *find(struct budget *budget, const struct bound *bound, const char *name,
				 uint64_t now_usec)
{
	struct budget_party **link = &budget->parties, *found = NULL, *party;

	while ((party = *link) != NULL) {
		count_credit(party, now_usec);
		if (party->bound == bound && strcmp(party->name, name) == 0) {
			found = party;
		} else if (party->running == 0 && party->credit == party->bound->full) {
			*link = party->next;
			free(party);
			continue;
		}
		link = &party->next;
	}
	return found;
}

/* It is kept, running or not, until nothing of it needs to be remembered. NULL: no memory. */
static struct budget_party *need(struct budget *budget, const struct bound *bound, const char *name,
				 uint64_t now_usec)
{
	struct budget_party *party = find(budget, bound, name, now_usec);

	if (party != NULL)
		return party;
	party = calloc(1, sizeof(*party));
	if (party == NULL)
		return NULL;
	*party = (struct budget_party){
		.next = budget->parties, .bound = bound, .credit = bound->full, .usec = now_usec
	};
	memcpy(party->name, name, strnlen(name, SPEC_NAME_MAX));
	budget->parties = party;
	return party;
}

static int check(const struct budget_party *party, struct error *err)
{
	if (party == NULL)
		return 0;
	if (party->running >= party->bound->at_once)
		return error_set(err, ERROR_TOO_MANY, 0, "%u of %s %s at a time are enough",
				 party->bound->at_once, party->bound->what, party->name);
	if (party->credit <= 0)
		return error_set(err, ERROR_TOO_MANY, 0,
				 "%s %s has used up its %d %% of a processor", party->bound->what,
				 party->name, (int)party->bound->percent);
	return 0;
}

int budget_take(struct budget *budget, const char *app, const char *tenant, uint64_t now_usec,
		struct budget_place *ret, struct error *err)
{
	struct budget_place place = { 0 };
	int r;

	if (budget->running >= BUDGET_ALL_AT_ONCE)
		return error_set(err, ERROR_TOO_MANY, 0, "%d at a time are enough",
				 BUDGET_ALL_AT_ONCE);
	/* the one that is found first has to be there when the other one was looked for */
	if (tenant != NULL &&
	    (place.tenant = need(budget, &tenant_bound, tenant, now_usec)) == NULL)
		return error_no_memory(err);
	r = check(place.tenant, err);
	if (r < 0)
		return r;
	if (place.tenant != NULL)
		place.tenant->running++;
	if (app != NULL && (place.app = need(budget, &app_bound, app, now_usec)) == NULL)
		r = error_no_memory(err);
	if (r >= 0)
		r = check(place.app, err);
	if (r < 0) {
		if (place.tenant != NULL)
			place.tenant->running--;
		return r;
	}
	if (place.app != NULL)
		place.app->running++;
	budget->running++;
	*ret = place;
	return 0;
}

static void charge(struct budget_party *party, uint64_t used_usec, uint64_t now_usec)
{
	if (party == NULL)
		return;
	count_credit(party, now_usec);
	party->running--;
	party->credit -= (int64_t)used_usec * HUNDREDTHS;
}

void budget_give_back(struct budget *budget, const struct budget_place *place, uint64_t used_usec,
		      uint64_t now_usec)
{
	if (used_usec < BUDGET_LEAST_USEC)
		used_usec = BUDGET_LEAST_USEC;
	if (used_usec > BUDGET_TENANT_SAVED_USEC)
		used_usec = BUDGET_TENANT_SAVED_USEC;
	charge(place->app, used_usec, now_usec);
	charge(place->tenant, used_usec, now_usec);
	budget->running--;
}

size_t budget_parties(const struct budget *budget)
{
	size_t count = 0;

	for (const struct budget_party *party = budget->parties; party != NULL; party = party->next)
		count++;
	return count;
}

void budget_clear(struct budget *budget)
{
	struct budget_party *party;

	while ((party = budget->parties) != NULL) {
		budget->parties = party->next;
		free(party);
	}
	budget->running = 0;
}
