/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "supervisor/instance.h"

#include <criterion/criterion.h>

TestSuite(instance_denial, .timeout = 30);

/* An app that was declared anew while it waited for its next start must not run without the filter
 * that the new declaration asks for. */
Test(instance_denial, a_lifted_filter_is_that_of_a_canary_alone)
{
	static const struct {
		enum syscalls_mode mode;
		bool lifted, permits;
	} rows[] = {
		{ SYSCALLS_ENFORCE, false, false }, { SYSCALLS_ENFORCE, true, false },
		{ SYSCALLS_CANARY, false, false },  { SYSCALLS_CANARY, true, true },
		{ SYSCALLS_LOG, false, true },	    { SYSCALLS_LOG, true, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct app_spec spec = { .syscalls.mode = rows[i].mode };
		struct instance instance = { .spec = &spec, .lifted = rows[i].lifted };

		cr_expect_eq(instance_permits(&instance), rows[i].permits, "row %zu", i);
	}
}

#define SEC UINT64_C(1000000)

/* A worker with a twentieth of a processor takes long to end of what it was refused. */
Test(instance_denial, a_refused_call_matters_for_so_long_as_the_app_could_run)
{
	char name[] = "chroot(0x7ffd)";
	struct instance_denials denials = { .newest = name, .newest_at = { 100 * SEC, 60 * SEC } };
	struct instance instance = { .spawned_usec = 99 * SEC };
	const struct moment soon = { 104 * SEC, 60 * SEC }, late = { 105 * SEC, 60 * SEC },
			    waited = { 140 * SEC, 96 * SEC };

	cr_expect_null(instance_refused_call(&instance, &soon));
	instance.denials = &denials;
	cr_expect_str_eq(instance_refused_call(&instance, &soon), name);
	cr_expect_null(instance_refused_call(&instance, &late));
	cr_expect_str_eq(instance_refused_call(&instance, &waited), name);
	instance.spawned_usec = 101 * SEC; /* that was another life */
	cr_expect_null(instance_refused_call(&instance, &soon));
}
