/* SPDX-License-Identifier: MIT */
#include "supervisor/instance.h"

#include <criterion/criterion.h>

TestSuite(instance_counters, .timeout = 30);

static struct instance instance;

static void begin_with(const struct event_deltas *counters)
{
	struct error err;

	cr_assert_eq(instance_set_base(&instance, counters, &err), 0, "%s", err.text);
}

Test(instance_counters, one_that_nothing_happened_to_holds_nothing)
{
	const struct event_deltas none = { 0 }, some = { .pids_max = 1 };

	begin_with(&none);
	instance_explain(&instance, &none);
	cr_expect_null(instance.base);
	cr_expect_null(instance.explained);
	cr_expect_eq(instance_base(&instance)->app.max, 0);
	cr_expect_eq(instance_explained(&instance)->pids_max, 0);
	begin_with(&some);
	instance_explain(&instance, &some);
	cr_expect_eq(instance_base(&instance)->pids_max, 1);
	begin_with(&none);
	instance_explain(&instance, &none);
	cr_expect_null(instance.base);
	cr_expect_null(instance.explained);
}

Test(instance_counters, what_went_before_is_not_of_this_life)
{
	struct watch_reading reading = { .counters.leaf_local.oom_kill = 3,
					 .counters.pids_max = 5 };
	struct event_deltas deltas;

	instance_read_deltas(&instance, &reading, &deltas);
	cr_expect_eq(deltas.pids_max, 5);
	begin_with(&(struct event_deltas){ .leaf_local.oom_kill = 1, .pids_max = 5 });
	instance_read_deltas(&instance, &reading, &deltas);
	cr_expect_eq(deltas.pids_max, 0);
	cr_expect_eq(deltas.leaf_local.oom_kill, 2);
	instance_forget_counters(&instance);
}

Test(instance_counters, a_kill_is_new_until_it_is_told)
{
	struct watch_reading reading = { .counters.leaf_local.oom_kill = 3 };
	struct event_deltas deltas;

	begin_with(&(struct event_deltas){ .leaf_local.oom_kill = 1 });
	cr_expect_eq(instance_new_oom_kills(&instance, &reading), 2);
	instance_read_deltas(&instance, &reading, &deltas);
	instance_explain(&instance, &deltas);
	cr_expect_eq(instance_new_oom_kills(&instance, &reading), 0);
	reading.counters.leaf_local.oom_kill++;
	cr_expect_eq(instance_new_oom_kills(&instance, &reading), 1);
	instance_forget_counters(&instance);
	cr_expect_null(instance.base);
	cr_expect_null(instance.explained);
}

#define SEC UINT64_C(1000000)

Test(instance_counters, a_refused_fork_matters_for_so_long_as_the_app_could_run)
{
	const struct event_deltas seen = { .pids_max = 3 }, one_more = { .pids_max = 4 };
	const struct moment soon = { 109 * SEC, 60 * SEC }, late = { 110 * SEC, 60 * SEC },
			    waited = { 190 * SEC, 141 * SEC };

	instance.pids_seen = 3;
	instance.pids_moved_at = (struct moment){ 100 * SEC, 60 * SEC };
	cr_expect(instance_pids_matter(&instance, &seen, &soon));
	cr_expect_not(instance_pids_matter(&instance, &seen, &late));
	cr_expect(instance_pids_matter(&instance, &seen, &waited));
	/* one that nobody has seen yet is new, and what an earlier daemon has seen is old */
	cr_expect(instance_pids_matter(&instance, &one_more, &late));
	instance.pids_moved_at = (struct moment){ 0 };
	cr_expect_not(instance_pids_matter(&instance, &seen, &soon));
}
