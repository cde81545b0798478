/* SPDX-License-Identifier: MIT */
/* What the launcher refuses to begin with. */
#include "policy/own.h"
#include "tests/sandbox/harness.h"

#include <criterion/criterion.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/wait.h>

static struct sandbox box;

static void tear_down(void)
{
	sandbox_clear(&box);
}

TestSuite(plan_read, .init = sandbox_require, .fini = tear_down);

Test(plan_read, refuses_a_plan_that_is_not_sealed)
{
	sandbox_init(&box, "true");
	box.unsealed = true;
	sandbox_expect_failure(&box, STAGE_PLAN, EPERM);
	cr_expect_str_eq(box.last.text, "plan: the memfd is not sealed");
}

Test(plan_read, tells_what_is_wrong_with_a_plan)
{
	sandbox_init(&box, "true");
	box.plan_text = "{\"version\": 1}";
	sandbox_expect_failure(&box, STAGE_PLAN, 0);
	cr_expect_str_eq(box.last.text, "plan: version: must be 3: pysbx and pysbx-launch are of "
					"different versions");
}

Test(plan_read, refuses_an_empty_plan)
{
	sandbox_init(&box, "true");
	box.plan_text = "";
	sandbox_expect_failure(&box, STAGE_PLAN, EFBIG);
}

Test(plan_read, refuses_an_empty_filter)
{
	static struct sock_filter none[1];
	static const struct sock_fprog filter = { 0, none };

	sandbox_init(&box, "true");
	box.filter = &filter;
	sandbox_expect_failure(&box, STAGE_PLAN, EFBIG);
	cr_expect(strstr(box.last.text, "seccomp filter: 0 bytes") == box.last.text, "%s",
		  box.last.text);
}

Test(plan_read, refuses_a_filter_longer_than_the_kernel_takes)
{
	static struct sock_filter many[BPF_MAXINSNS + 1];
	static const struct sock_fprog filter = { BPF_MAXINSNS + 1, many };

	sandbox_init(&box, "true");
	box.filter = &filter;
	sandbox_expect_failure(&box, STAGE_PLAN, EFBIG);
}

Test(plan_read, refuses_to_keep_without_a_listening_socket)
{
	sandbox_init(&box, "true");
	box.plan->keep = true;
	box.plan->end_with_supervisor = false;
	box.no_listener = true;
	sandbox_expect_failure(&box, STAGE_PLAN, EBADF);
	cr_expect(strstr(box.last.text, "fd 7: no listening socket") == box.last.text, "%s",
		  box.last.text);
}
