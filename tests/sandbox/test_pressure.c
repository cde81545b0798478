/* SPDX-License-Identifier: MIT */
/* The socket at which the launcher tells an app that memory is short. */
#include "policy/own.h"
#include "sandbox/pressure.h"
#include "tests/sandbox/harness.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PLACE "/dev/memory-pressure"

static struct sandbox box;

static void tear_down(void)
{
	sandbox_clear(&box);
}

TestSuite(pressure, .init = sandbox_require, .fini = tear_down);

#define PRELUDE                                                        \
	"import os, signal, socket, time\n"                            \
	"signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])\n" \
	"def watch():\n"                                               \
	"    s = socket.socket(socket.AF_UNIX)\n"                      \
	"    s.connect('" PLACE "')\n"                                 \
	"    return s\n"                                               \
	"def say(*words):\n"                                           \
	"    print(*words, flush=True)\n"                              \
	"def wait_for_a_sign():\n"                                     \
	"    signal.sigwait([signal.SIGUSR1])\n"

static void start(const char *script)
{
	static char text[4096];

	snprintf(text, sizeof(text), PRELUDE "%s", script);
	sandbox_init(&box, NULL);
	sandbox_set_argv(&box, (const char *const[]){ "/usr/bin/python3", "-c", text, NULL });
	sandbox_add(&box, &(struct sandbox_mount){ .kind = MOUNT_PRESSURE, .target = PLACE });
}

/* Asks until so many are told: they come when they come. */
static void expect_told(uint32_t count)
{
	const struct timespec pause = { .tv_nsec = 50000000 };

	for (int tries = 0; tries < 200; tries++) {
		box.order_count = 0;
		box.seen &= ~(1U << LAUNCH_TOLD);
		sandbox_send(&box, LAUNCH_PRESSURE, 0);
		sandbox_wait_for_message(&box, LAUNCH_TOLD);
		if (box.told == count)
			return;
		nanosleep(&pause, NULL);
	}
	cr_assert_eq(box.told, count, "%u are told, not %u: %s", box.told, count, box.text[0]);
}

Test(pressure, tells_every_process_that_watches)
{
	start("one, other = watch(), watch()\n"
	      "child = os.fork()\n"
	      "if child == 0:\n"
	      "    third = watch()\n"
	      "    say('child waits')\n"
	      "    third.recv(1)\n"
	      "    os._exit(0)\n"
	      "one.recv(1), other.recv(1)\n"
	      "os.waitpid(child, 0)\n"
	      "say('all were told')\n");
	sandbox_start(&box);
	sandbox_wait_for_text(&box, "child waits");
	expect_told(3);
	sandbox_finish(&box);
	cr_expect_str_eq(box.text[0], "child waits\nall were told\n");
}

Test(pressure, is_silent_when_nobody_watches)
{
	start("say('ready')\ntime.sleep(1000)\n");
	sandbox_start(&box);
	sandbox_wait_for_text(&box, "ready");
	expect_told(0);
	sandbox_send(&box, LAUNCH_SIGNAL, 9);
	sandbox_finish(&box);
}

Test(pressure, waits_for_nobody_who_does_not_read)
{
	start("held = [watch() for i in range(3)]\nsay('ready')\ntime.sleep(1000)\n");
	sandbox_start(&box);
	sandbox_wait_for_text(&box, "ready");
	expect_told(3);
	for (int i = 0; i < 40; i++) {
		box.order_count = 0;
		box.seen &= ~(1U << LAUNCH_TOLD);
		sandbox_send(&box, LAUNCH_PRESSURE, 0);
		sandbox_wait_for_message(&box, LAUNCH_TOLD);
	}
	cr_expect_eq(box.told, 3);
	sandbox_send(&box, LAUNCH_SIGNAL, 9);
	sandbox_finish(&box);
}

/* It may have filled its socket before it was seen: a send that waits is told, a poll for room is
 * not. */
Test(pressure, takes_nothing_from_a_watcher)
{
	start("s = watch()\n"
	      "try:\n"
	      "    while True: s.send(b'x' * 65536); time.sleep(0.01)\n"
	      "except BrokenPipeError:\n"
	      "    say('refused')\n");
	sandbox_run(&box);
	cr_expect_str_eq(box.text[0], "refused\n", "%s", box.text[1]);
}

Test(pressure, forgets_who_has_gone)
{
	start("held = [watch() for i in range(5)]\n"
	      "say('five')\n"
	      "wait_for_a_sign()\n"
	      "del held[1:]\n"
	      "say('one')\n"
	      "time.sleep(1000)\n");
	sandbox_start(&box);
	sandbox_wait_for_text(&box, "five");
	expect_told(5);
	sandbox_send(&box, LAUNCH_SIGNAL, SIGUSR1);
	sandbox_wait_for_text(&box, "one");
	expect_told(1);
	sandbox_send(&box, LAUNCH_SIGNAL, 9);
	sandbox_finish(&box);
}

Test(pressure, keeps_its_watchers_when_the_supervisor_is_another)
{
	start("s = watch()\nsay('ready')\ns.recv(1)\nsay('told')\n");
	sandbox_keep(&box);
	sandbox_start(&box);
	sandbox_wait_for_text(&box, "ready");
	sandbox_hang_up(&box);
	sandbox_connect(&box, LAUNCH_RUNNING);
	expect_told(1);
	sandbox_finish(&box);
	cr_expect(strstr(box.text[0], "told") != NULL, "%s", box.text[0]);
}

/* It is outside the app's limits, so what it does for the app is bounded. */
Test(pressure, is_not_kept_busy_by_one_that_connects_without_end)
{
	long waits;

	start("s = watch()\n"
	      "say('ready')\n"
	      "end = time.monotonic() + 3\n"
	      "s.setblocking(False)\n"
	      "while time.monotonic() < end:\n"
	      "    try:\n"
	      "        t = socket.socket(socket.AF_UNIX); t.setblocking(False)\n"
	      "        t.connect('" PLACE "')\n"
	      "    except OSError: pass\n"
	      "say('tired')\n"
	      "time.sleep(1000)\n");
	sandbox_start(&box);
	sandbox_wait_for_text(&box, "ready");
	sandbox_wait_for_text(&box, "tired");
	waits = sandbox_count_waits(&box);
	cr_expect_lt(waits, 2L * (PRESSURE_WATCHERS_MAX + 5 * PRESSURE_PER_SECOND), "%ld", waits);
	expect_told(1);
	sandbox_send(&box, LAUNCH_SIGNAL, 9);
	sandbox_finish(&box);
}

/* With the backlog full, one that does not block is refused. */
Test(pressure, takes_so_many_and_lets_the_others_wait)
{
	start("held, refused = [], 0\n"
	      "while refused < 40:\n"
	      "    t = socket.socket(socket.AF_UNIX)\n"
	      "    t.setblocking(False)\n"
	      "    try: t.connect('" PLACE "')\n"
	      "    except BlockingIOError: refused += 1; time.sleep(0.05)\n"
	      "    else: held.append(t); refused = 0\n"
	      "say('full')\n"
	      "wait_for_a_sign()\n"
	      "for t in held[1:]: t.close()\n"
	      "say('left')\n"
	      "time.sleep(1000)\n");
	for (size_t i = 0; i < box.plan->rlimit_count; i++)
		if (strcmp(plan_rlimit_name(box.plan->rlimits[i].resource), "RLIMIT_NOFILE") == 0)
			box.plan->rlimits[i].soft = box.plan->rlimits[i].hard = 4096;
	sandbox_start(&box);
	sandbox_wait_for_text(&box, "full");
	expect_told(PRESSURE_WATCHERS_MAX);
	sandbox_send(&box, LAUNCH_SIGNAL, SIGUSR1);
	sandbox_wait_for_text(&box, "left");
	expect_told(1);
	sandbox_send(&box, LAUNCH_SIGNAL, 9);
	sandbox_finish(&box);
}

Test(pressure, can_be_made_once)
{
	start("pass\n");
	sandbox_add(&box, &(struct sandbox_mount){ .kind = MOUNT_PRESSURE, .target = "/dev/b" });
	sandbox_expect_failure(&box, STAGE_ROOT, 0);
}
