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
