/* SPDX-License-Identifier: MIT */
#include "policy/budget.h"

#include "policy/own.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define NOW UINT64_C(7000000000)
#define SEC UINT64_C(1000000)

static struct budget budget;
static struct error err;

static void clear(void)
{
	budget_clear(&budget);
}

TestSuite(budget, .fini = clear);

static bool take(const char *app, const char *tenant, uint64_t now, struct budget_place *ret)
{
	err.text[0] = '\0';
	return budget_take(&budget, app, tenant, now, ret, &err) == 0;
}

static void use(const char *app, const char *tenant, uint64_t used, uint64_t now)
{
	struct budget_place place;

	cr_assert(take(app, tenant, now, &place), "%s", err.text);
	budget_give_back(&budget, &place, used, now);
}

Test(budget, gives_an_app_so_many_at_a_time)
{
	struct budget_place places[BUDGET_APP_AT_ONCE], place;

	for (size_t i = 0; i < BUDGET_APP_AT_ONCE; i++)
		cr_assert(take("web", NULL, NOW, &places[i]));
	cr_assert_not(take("web", NULL, NOW, &place));
	cr_expect_eq(err.kind, ERROR_TOO_MANY);
	cr_expect_str_eq(err.text, "2 of app web at a time are enough");
	cr_assert(take("api", NULL, NOW, &place));
	budget_give_back(&budget, &places[0], 0, NOW);
	cr_assert(take("web", NULL, NOW, &place));
}

/* Its apps have what each may have, until the tenant has. */
Test(budget, gives_a_tenant_so_many_at_a_time_whichever_its_apps)
{
	struct budget_place place;
	unsigned given = 0;

	for (unsigned i = 0; i < 50; i++) {
		char app[16];

		snprintf(app, sizeof(app), "app%u", i);
		given += take(app, "acme", NOW, &place);
	}
	cr_expect_eq(given, BUDGET_TENANT_AT_ONCE);
	cr_expect_str_eq(err.text, "4 of tenant acme at a time are enough");
	cr_expect(take("web", "other", NOW, &place), "%s", err.text);
}

Test(budget, gives_all_so_many_at_a_time)
{
	struct budget_place place;
	unsigned given = 0;

	for (unsigned i = 0; i < 100; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%u", i);
		given += take(name, name, NOW, &place);
	}
	cr_expect_eq(given, BUDGET_ALL_AT_ONCE);
	cr_assert_not(take(NULL, NULL, NOW, &place));
	cr_expect_str_eq(err.text, "32 at a time are enough");
}

Test(budget, lets_an_app_use_what_it_has_saved_and_then_its_share)
{
	struct budget_place place;
	uint64_t used = 0, now = NOW;

	while (take("web", "acme", now, &place)) {
		budget_give_back(&budget, &place, SEC / 10, now);
		used += SEC / 10;
	}
	cr_expect_eq(used, BUDGET_APP_SAVED_USEC);
	cr_expect_str_eq(err.text, "app web has used up its 10 % of a processor");
	/* an hour of asking all the time */
	for (used = 0; now < NOW + 3600 * SEC; now += SEC / 10)
		if (take("web", "acme", now, &place)) {
			budget_give_back(&budget, &place, SEC / 10, now);
			used += SEC / 10;
		}
	cr_expect_leq(used, 360 * SEC + SEC / 10);
	cr_expect_geq(used, 359 * SEC);
}

/* A hundred apps of one tenant are bounded as one, and another tenant's are not. */
Test(budget, lets_nobody_use_what_is_anothers)
{
	struct budget_place place;
	uint64_t used = 0;

	for (uint64_t now = NOW; now < NOW + 100 * SEC; now += SEC / 100) {
		char app[16];

		snprintf(app, sizeof(app), "app%llu", (unsigned long long)(now / 10000 % 100));
		if (take(app, "acme", now, &place)) {
			budget_give_back(&budget, &place, SEC / 10, now);
			used += SEC / 10;
		}
		cr_assert(now % SEC != 0 || take("web", "other", now, &place), "%s", err.text);
		if (now % SEC == 0)
			budget_give_back(&budget, &place, SEC / 20, now);
	}
	cr_expect_leq(used, BUDGET_TENANT_SAVED_USEC + 25 * SEC + SEC / 10);
	cr_expect_geq(used, 25 * SEC);
}

Test(budget, takes_a_small_thing_for_more_than_nothing)
{
	struct budget_place place;
	unsigned times = 0;

	while (take("web", NULL, NOW, &place)) {
		budget_give_back(&budget, &place, 1, NOW);
		times++;
	}
	cr_expect_eq(times, BUDGET_APP_SAVED_USEC / BUDGET_LEAST_USEC);
}

Test(budget, has_a_debt_paid_before_it_gives_more)
{
	struct budget_place places[2], place;

	use("web", NULL, BUDGET_APP_SAVED_USEC - 1000, NOW);
	cr_assert(take("web", NULL, NOW, &places[0]));
	cr_assert(take("web", NULL, NOW, &places[1]));
	budget_give_back(&budget, &places[0], SEC, NOW);
	budget_give_back(&budget, &places[1], SEC, NOW);
	cr_expect_not(take("web", NULL, NOW + 19 * SEC, &place));
	cr_expect(take("web", NULL, NOW + 20 * SEC, &place));
}

Test(budget, forgets_whom_it_owes_all_and_nobody_else)
{
	struct budget_place place;

	cr_assert(take("held", "acme", NOW, &place));
	for (unsigned i = 0; i < 1000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%u", i);
		use(name, NULL, 0, NOW + i * SEC);
	}
	cr_expect_leq(budget_parties(&budget), 2U + 2U);
	budget_give_back(&budget, &place, 0, NOW);
	use("web", NULL, 0, NOW + 2000 * SEC);
	cr_expect_eq(budget_parties(&budget), 1);
}

Test(budget, is_not_upset_by_a_name_that_is_too_long_or_a_clock_that_jumps)
{
	char name[200];

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	use(name, name, UINT64_MAX, NOW);
	use("web", "acme", 0, UINT64_MAX);
	use("web", "acme", 0, 0);
}
