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
