/* SPDX-License-Identifier: MIT */
/* What the filter refuses: told with its arguments, once, and answered whoever is there. */
#include "sandbox/denials.h"

#include "policy/own.h"
#include "tests/sandbox/harness.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define ON(number, action)                             \
	{ BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (number) }, \
	{                                              \
		BPF_RET | BPF_K, 0, 0, (action)        \
	}
#define REFUSE(errnum) (SECCOMP_RET_ERRNO | (errnum))

static struct sandbox box;

/* sethostname is dangerous, uname unknown; clone3 is what libraries do without. */
static struct sock_filter program[] = {
	{ BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr) },
	ON(SYS_sethostname, REFUSE(EPERM)),
	ON(SYS_chroot, REFUSE(EPERM)),
	ON(SYS_uname, REFUSE(ENOSYS)),
	ON(SYS_clone3, REFUSE(ENOSYS)),
	{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW },
};
static const struct sock_fprog filter = { ARRAY_SIZE(program), program };

static void tear_down(void)
{
	sandbox_clear(&box);
}

TestSuite(denials, .init = sandbox_require, .fini = tear_down);

static uint64_t now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A Python worker: `call(number, ...)` returns 0 or the errno. */
static void init_python(enum refusals refusals, const char *script)
{
	static const char prologue[] = "import ctypes, os, sys, time\n"
				       "libc = ctypes.CDLL(None, use_errno=True)\n"
				       "def call(*a):\n"
				       "    r = libc.syscall(*[ctypes.c_long(x) for x in a])\n"
				       "    return ctypes.get_errno() if r < 0 else 0\n"
				       "chroot, sethostname, uname, clone3 = %d, %d, %d, %d\n%s";
	static char text[4096];

	snprintf(text, sizeof(text), prologue, SYS_chroot, SYS_sethostname, SYS_uname, SYS_clone3,
		 script);
	sandbox_init(&box, NULL);
	sandbox_set_argv(&box, (const char *const[]){ "/usr/bin/python3", "-c", text, NULL });
	box.filter = &filter;
	box.plan->refusals = refusals;
}

static void run_python(enum refusals refusals, const char *script)
{
	init_python(refusals, script);
	sandbox_run(&box);
	cr_assert_eq(box.last.type, LAUNCH_ENDED, "%s", box.last.text);
	cr_assert_eq(box.last.wait_status, 0, "%s", box.text[1]);
}

Test(denials, a_refused_call_is_told_with_its_arguments_and_fails)
{
	run_python(REFUSALS_EXPLAINED, "print(call(sethostname, 0x1234, 7))");
	cr_expect_str_eq(box.text[0], "1\n");
	cr_assert_eq(box.denial_count, 1);
	cr_expect_eq(box.denials[0].number, SYS_sethostname);
	cr_expect_eq(box.denials[0].arguments[0], 0x1234);
	cr_expect_eq(box.denials[0].arguments[1], 7);
	cr_expect_eq(box.denials[0].errnum, EPERM);
	cr_expect_eq(box.denials[0].untold, 0);
	cr_expect_eq(box.denials[0].held, 1);
	cr_expect_gt(box.denials[0].thread, 1, "1 is the launcher");
	cr_expect_neq(box.denials[0].instruction_pointer, 0);
	cr_expect_neq(box.denials[0].architecture, 0);
}

Test(denials, one_call_is_told_once_and_another_one_too)
{
	run_python(REFUSALS_EXPLAINED, "print([call(sethostname, i, i) for i in range(50)] == "
				       "[1] * 50, call(chroot, 0), call(chroot, 0))");
	cr_expect_str_eq(box.text[0], "True 1 1\n");
	cr_assert_eq(box.denial_count, 2);
	cr_expect_eq(box.denials[0].number, SYS_sethostname);
	cr_expect_eq(box.denials[1].number, SYS_chroot);
}

Test(denials, what_is_unknown_is_refused_without_a_word)
{
	run_python(REFUSALS_EXPLAINED, "print(call(uname, 0), call(clone3, 0, 0))");
	cr_expect_str_eq(box.text[0], "38 38\n");
	cr_expect_eq(box.denial_count, 0);
}

Test(denials, a_silent_plan_has_no_listener)
{
	run_python(REFUSALS_SILENT, "print(call(sethostname, 0, 0))");
	cr_expect_str_eq(box.text[0], "1\n");
	cr_expect_eq(box.denial_count, 0);
}

Test(denials, permitted_calls_are_made_and_told)
{
	run_python(REFUSALS_PERMITTED, "print(os.uname().sysname, call(chroot, 0), "
				       "call(clone3, 0, 0))");
	/* chroot is made: the kernel finds no path at 0 */
	cr_expect_str_eq(box.text[0], "Linux 14 38\n");
	cr_assert_eq(box.denial_count, 2, "%zu", box.denial_count);
	cr_expect_eq(box.denials[0].number, SYS_uname);
	cr_expect_eq(box.denials[0].errnum, 0);
	cr_expect_eq(box.denials[1].number, SYS_chroot);
}

Test(denials, watched_calls_fail_until_they_are_permitted)
{
	init_python(REFUSALS_WATCHED, "print(call(uname, 0), flush=True)\n"
				      "while call(uname, 0) == 38: time.sleep(0.01)\n"
				      "print(os.uname().sysname)");
	sandbox_start(&box);
	sandbox_wait_for_text(&box, "38\n");
	cr_assert_eq(box.denial_count, 1);
	cr_expect_eq(box.denials[0].errnum, ENOSYS);
	sandbox_send(&box, LAUNCH_PERMIT, 0);
	sandbox_finish(&box);
	cr_expect_str_eq(box.text[0], "38\nLinux\n");
}

Test(denials, what_is_enforced_cannot_be_permitted)
{
	init_python(REFUSALS_EXPLAINED, "time.sleep(0.2)\nprint(call(chroot, 0))\n"
					"print(call(uname, 0))");
	sandbox_start(&box);
	sandbox_send(&box, LAUNCH_PERMIT, 0);
	sandbox_finish(&box);
	cr_expect_str_eq(box.text[0], "1\n38\n");
	cr_expect_eq(box.denials[0].errnum, EPERM);
}

Test(denials, the_caller_waits_to_be_looked_at_and_not_for_long)
{
	uint64_t began;

	init_python(REFUSALS_EXPLAINED, "print('ready', flush=True)\nsys.stdin.read()\n"
					"call(chroot, 0)\nprint('done', flush=True)\n"
					"time.sleep(60)");
	box.looks_on = true;
	sandbox_start(&box);
	sandbox_wait_for_message(&box, LAUNCH_DENIED);
	began = now_msec();
	sandbox_wait_for_text(&box, "done");
	cr_expect_geq(now_msec() - began, LAUNCH_DENIAL_USEC / 1000 - 20);
	cr_expect_lt(now_msec() - began, 5000);
	kill(box.launcher, SIGTERM);
	sandbox_finish(&box);
}

Test(denials, nobody_waits_for_a_supervisor_that_is_gone)
{
	init_python(REFUSALS_EXPLAINED, "print('ready', flush=True)\n"
					"time.sleep(0.5)\n"
					"begin = time.monotonic()\n"
					"codes = {call(sethostname, 0, 0) for i in range(20)}\n"
					"took = time.monotonic() - begin\n"
					"time.sleep(0.5)\n"
					"codes.add(call(sethostname, 0, 0))\n"
					"print(codes, took < 0.15, flush=True)");
	sandbox_keep(&box);
	sandbox_start(&box);
	sandbox_wait_for_text(&box, "ready");
	sandbox_hang_up(&box);
	usleep(800000);
	/* told now that there is somebody, with the number of those that were not */
	sandbox_connect(&box, LAUNCH_DENIED);
	cr_expect_eq(box.denials[0].untold, 20);
	sandbox_wait_for_message(&box, LAUNCH_ENDED);
	sandbox_finish(&box);
	cr_expect(strstr(box.text[0], "{1} True") != NULL, "%s %s", box.text[0], box.text[1]);
}

/* The launcher is outside the worker's limits, so a flood must cost the worker, not us. */
Test(denials, a_flood_of_refused_calls_is_slowed_down)
{
	run_python(REFUSALS_EXPLAINED, "begin = time.monotonic()\n"
				       "for i in range(1500): call(sethostname, 0, 0)\n"
				       "took = time.monotonic() - begin\n"
				       "print('slow' if took > 1.5 else took)");
	cr_expect_str_eq(box.text[0], "slow\n");
	cr_expect_eq(box.denial_count, 1);
}

Test(denials, are_answered_for_a_share_of_a_processor)
{
	const uint64_t at_most = DENIALS_BUDGET_NSEC * DENIALS_MEASURED;

	cr_expect_eq(denials_rate(0), DENIALS_PER_SECOND);
	cr_expect_eq(denials_rate(DENIALS_MEASURED * UINT64_C(17000)), DENIALS_PER_SECOND);
	cr_expect_eq(denials_rate(DENIALS_MEASURED * UINT64_C(250000)), 200);
	cr_expect_eq(denials_rate(DENIALS_MEASURED * UINT64_C(250000)) * 250000,
		     DENIALS_BUDGET_NSEC);
	cr_expect_eq(denials_rate(at_most), DENIALS_PER_SECOND_MIN);
	cr_expect_eq(denials_rate(UINT64_MAX), DENIALS_PER_SECOND_MIN, "a few always");
}

Test(denials, killed_callers_hold_up_nothing)
{
	run_python(REFUSALS_EXPLAINED, "import signal, subprocess\n"
				       "for i in range(10):\n"
				       "    pid = os.fork()\n"
				       "    if pid == 0:\n"
				       "        while True: call(chroot, 0)\n"
				       "    time.sleep(0.02)\n"
				       "    os.kill(pid, signal.SIGKILL)\n"
				       "    os.waitpid(pid, 0)\n"
				       "print(call(chroot, 0))");
	cr_expect_str_eq(box.text[0], "1\n");
}

/* As a profile for which explaining can't work: it is loaded as it is. */
Test(denials, a_profile_that_refuses_the_handing_over_still_holds)
{
	static struct sock_filter no_sendmsg[] = {
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr) },
		ON(SYS_sendmsg, REFUSE(EPERM)),
		ON(SYS_chroot, REFUSE(EPERM)),
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW },
	};
	static const struct sock_fprog refuses = { ARRAY_SIZE(no_sendmsg), no_sendmsg };

	init_python(REFUSALS_EXPLAINED, "print(call(chroot, 0))");
	box.filter = &refuses;
	sandbox_run(&box);
	cr_expect_str_eq(box.text[0], "1\n");
	cr_expect_eq(box.denial_count, 0);
}

/* The listener is nothing that the worker could get hold of, and answer itself. */
Test(denials, the_worker_does_not_have_the_listener)
{
	run_python(REFUSALS_EXPLAINED, "print(sorted(os.listdir('/proc/self/fd'))[:4])");
	cr_expect_str_eq(box.text[0], "['0', '1', '2', '3']\n", "3 is listdir's own");
}

Test(denials, what_has_been_told_already_is_counted)
{
	run_python(REFUSALS_EXPLAINED, "for i in range(21): call(chroot, 0)\ntime.sleep(1.5)");
	cr_expect_eq(box.denial_count, 1);
	cr_expect_eq(box.counted, 20);
}

Test(denials, nothing_is_counted_for_nobody)
{
	init_python(REFUSALS_EXPLAINED,
		    "print('ready', flush=True)\ncall(chroot, 0)\n"
		    "time.sleep(0.5)\nfor i in range(5): call(chroot, 0)\n"
		    "time.sleep(1.5)\nprint('done', flush=True)\ntime.sleep(2)");
	sandbox_keep(&box);
	sandbox_start(&box);
	sandbox_wait_for_message(&box, LAUNCH_DENIED);
	sandbox_hang_up(&box);
	usleep(1000000);
	sandbox_connect(&box, LAUNCH_COUNTED);
	cr_expect_eq(box.counted, 5);
	cr_expect_eq(box.denial_count, 1);
	sandbox_wait_for_message(&box, LAUNCH_ENDED);
	sandbox_finish(&box);
}

/* What is permitted is made all the time: it must not wait like a flood of what is refused. */
Test(denials, permitted_calls_are_hardly_slowed_down)
{
	run_python(REFUSALS_PERMITTED, "begin = time.monotonic()\n"
				       "for i in range(3000): call(uname, 0)\n"
				       "took = time.monotonic() - begin\n"
				       "print('fast' if took < 3 else took)");
	cr_expect_str_eq(box.text[0], "fast\n");
}

/* Nothing could be permitted where nobody is asked: such a start would lie. */
Test(denials, a_profile_that_refuses_the_handing_over_cannot_be_permitted)
{
	static struct sock_filter no_sendmsg[] = {
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr) },
		ON(SYS_sendmsg, REFUSE(EPERM)),
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW },
	};
	static const struct sock_fprog refuses = { ARRAY_SIZE(no_sendmsg), no_sendmsg };

	init_python(REFUSALS_PERMITTED, "print('never')");
	box.filter = &refuses;
	sandbox_run(&box);
	cr_assert_eq(box.last.type, LAUNCH_FAILED);
	cr_expect_eq(box.last.stage, STAGE_SECCOMP, "%s", box.last.text);
	cr_expect_not_null(strstr(box.last.text, "can't be permitted"), "%s", box.last.text);
}
