/* SPDX-License-Identifier: MIT */
/* The launcher as init and keeper: how a worker's life and end are told, and who may end it. */
#include "policy/own.h"
#include "tests/sandbox/harness.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static struct sandbox box;

static void tear_down(void)
{
	sandbox_clear(&box);
}

TestSuite(init, .init = sandbox_require, .fini = tear_down);

static uint64_t now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool worker_has_ended(int msec)
{
	struct pollfd watched = { .fd = box.worker_pidfd, .events = POLLIN };

	return poll(&watched, 1, msec) == 1;
}

static void start_script(const char *script)
{
	sandbox_start(&box);
	cr_assert(box.seen & (1U << LAUNCH_RUNNING), "%s", box.last.text);
	sandbox_wait_for_text(&box, script);
}

Test(init, passes_stdout_and_stderr_on)
{
	sandbox_run_script(&box, "echo out; echo err >&2");
	cr_expect_str_eq(box.text[0], "out\n");
	cr_expect_str_eq(box.text[1], "err\n");
}

Test(init, tells_pipes_then_running_then_the_end)
{
	sandbox_run_script(&box, "exit 3");
	cr_assert_eq(box.order_count, 3);
	cr_expect_eq(box.order[0], LAUNCH_PIPES);
	cr_expect_eq(box.order[1], LAUNCH_RUNNING);
	cr_expect_eq(box.order[2], LAUNCH_ENDED);
	cr_expect_eq(box.last.wait_status, W_EXITCODE(3, 0));
	cr_expect_eq(box.exit_status, 0);
}

Test(init, tells_the_signal_that_ended_the_worker)
{
	sandbox_run_script(&box, "kill -SEGV $$");
	cr_expect(WIFSIGNALED(box.last.wait_status));
	cr_expect_eq(WTERMSIG(box.last.wait_status), SIGSEGV);
}

Test(init, tells_times_and_memory_of_the_worker_and_its_children)
{
	sandbox_run_script(&box, "sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done'");
	cr_expect_gt(box.last.user_usec, 5000);
	cr_expect_gt(box.last.maxrss_bytes, 500000);
	cr_expect_lt(box.last.maxrss_bytes, 100000000);
	cr_expect_gt(box.last.ended_nsec - box.last.started_nsec, 5000000);
	cr_expect_lt(box.last.ended_nsec - box.last.started_nsec, 60000000000);
}

Test(init, kills_what_the_worker_leaves_behind)
{
	sandbox_run_script(&box, "(trap '' TERM HUP; sleep 1000 & setsid sleep 1000 & wait) & "
				 "sleep 0.1; exit 4");
	cr_expect_eq(box.last.wait_status, W_EXITCODE(4, 0));
	cr_expect_eq(sandbox_process_count(&box), 0);
}

Test(init, reaps_orphans_while_the_worker_runs)
{
	sandbox_run_script(&box, "for i in $(seq 200); do (true &); done; for i in $(seq 100); do "
				 "sleep 0.1; cat /proc/[0-9]*/stat | grep -q ' Z ' || break; done; "
				 "[ $i -lt 100 ] && echo none is left");
	cr_expect_str_eq(box.text[0], "none is left\n");
}

Test(init, forwards_signals)
{
	sandbox_init(&box, "trap 'echo usr1' USR1; trap 'echo hup; exit 5' HUP; echo ready; "
			   "while :; do sleep 0.01; done");
	start_script("ready");
	sandbox_send(&box, LAUNCH_SIGNAL, SIGUSR1);
	sandbox_wait_for_text(&box, "usr1");
	sandbox_send(&box, LAUNCH_SIGNAL, SIGHUP);
	sandbox_finish(&box);
	cr_expect_str_eq(box.text[0], "ready\nusr1\nhup\n");
	cr_expect_eq(box.last.wait_status, W_EXITCODE(5, 0));
}

Test(init, stops_with_the_plans_signal)
{
	sandbox_init(&box, "trap 'exit 6' INT; trap 'exit 7' TERM; echo ready; "
			   "while :; do sleep 0.01; done");
	box.plan->stop_signal = SIGINT;
	start_script("ready");
	sandbox_send(&box, LAUNCH_STOP, 0);
	sandbox_finish(&box);
	cr_expect_eq(box.last.wait_status, W_EXITCODE(6, 0));
}

Test(init, kills_all_after_the_grace)
{
	uint64_t before;

	sandbox_init(&box, "trap '' TERM; echo ready; while :; do sleep 0.01; done");
	box.plan->stop_grace_usec = 300000;
	start_script("ready");
	before = now_msec();
	sandbox_send(&box, LAUNCH_STOP, 0);
	sandbox_send(&box, LAUNCH_STOP, 0);
	sandbox_finish(&box);
	cr_expect_eq(box.last.wait_status, SIGKILL);
	cr_expect_geq(now_msec() - before, 300);
	cr_expect_lt(now_msec() - before, 20000);
}

Test(init, takes_sigterm_for_a_stop)
{
	sandbox_init(&box, "trap 'exit 8' TERM; echo ready; while :; do sleep 0.01; done");
	start_script("ready");
	kill(box.launcher, SIGTERM);
	sandbox_finish(&box);
	cr_expect_eq(box.last.wait_status, W_EXITCODE(8, 0));
}

Test(init, ignores_other_signals)
{
	static const int signals[] = { SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGPIPE, SIGALRM };

	sandbox_init(&box, "echo ready; sleep 0.3; exit 9");
	start_script("ready");
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		kill(box.launcher, signals[i]);
	sandbox_finish(&box);
	cr_expect_eq(box.last.wait_status, W_EXITCODE(9, 0));
	cr_expect_eq(box.exit_status, 0);
}

Test(init, drops_messages_that_make_no_sense)
{
	static const char long_one[4096];

	sandbox_init(&box, "trap 'exit 5' HUP; echo ready; while :; do sleep 0.01; done");
	start_script("ready");
	send(box.socket, "abc", 3, 0);
	send(box.socket, long_one, sizeof(long_one), 0);
	sandbox_send(&box, LAUNCH_RUNNING, 0);
	sandbox_send(&box, LAUNCH_SIGNAL, 0);
	sandbox_send(&box, LAUNCH_COLLECTED, 0); /* before the end: nothing to collect yet */
	sandbox_send(&box, LAUNCH_SIGNAL, SIGHUP);
	sandbox_finish(&box);
	cr_expect_eq(box.last.wait_status, W_EXITCODE(5, 0));
}

Test(init, keeps_the_end_until_it_is_collected)
{
	sandbox_init(&box, "echo ready");
	sandbox_keep(&box);
	start_script("ready");
	cr_assert(worker_has_ended(10000));
	cr_expect_not(sandbox_wait_launcher(&box, 300));
	sandbox_finish(&box);
	cr_expect_eq(box.last.wait_status, 0);
}

Test(init, ends_with_its_worker_where_nobody_else_could_ask)
{
	sandbox_init(&box, "echo ready; exit 4");
	start_script("ready");
	cr_assert(worker_has_ended(10000));
	cr_expect(sandbox_wait_launcher(&box, 10000));
	sandbox_wait_for_message(&box, LAUNCH_ENDED);
	cr_expect_eq(box.last.wait_status, W_EXITCODE(4, 0));
}

Test(init, ends_the_sandbox_when_the_supervisor_is_gone)
{
	sandbox_init(&box, "trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done");
	start_script("ready");
	close_and_clear(&box.socket);
	cr_expect(sandbox_wait_launcher(&box, 20000));
	cr_expect(worker_has_ended(0));
	cr_expect_eq(sandbox_process_count(&box), 0);
}

Test(init, ends_a_worker_that_ignores_the_stop_when_the_supervisor_is_gone)
{
	sandbox_init(&box, "trap '' TERM; echo ready; while :; do sleep 0.01; done");
	box.plan->stop_grace_usec = 200000;
	start_script("ready");
	close_and_clear(&box.socket);
	cr_expect(sandbox_wait_launcher(&box, 20000));
	cr_expect_eq(sandbox_process_count(&box), 0);
}

Test(init, drains_the_output_when_the_supervisor_is_gone)
{
	/* far more than a pipe holds: without a reader it would block until the grace is over */
	sandbox_init(&box, "trap '' TERM; echo ready; sleep 0.2; head -c 3000000 /dev/zero; "
			   "head -c 3000000 /dev/zero >&2");
	box.plan->stop_grace_usec = 600000000;
	start_script("ready");
	close_and_clear(&box.socket);
	cr_expect(sandbox_wait_launcher(&box, 30000), "the worker is blocked on its output");
}

Test(init, leaves_the_output_to_a_supervisor_that_is_there)
{
	sandbox_init(&box, "head -c 300000 /dev/zero | tr '\\0' x; echo; echo end >&2");
	sandbox_start_unread(&box);
	usleep(200000); /* nobody reads, and nothing may get lost */
	cr_expect_not(worker_has_ended(0), "a full pipe blocks");
	sandbox_finish(&box);
	cr_expect_eq(strlen(box.text[0]), SANDBOX_TEXT_MAX - 1);
	cr_expect_str_eq(box.text[1], "end\n");
}

Test(init, lives_on_without_a_supervisor_if_the_plan_says_so)
{
	sandbox_init(&box, "echo ready; sleep 0.6");
	box.plan->end_with_supervisor = false;
	start_script("ready");
	close_and_clear(&box.socket);
	cr_expect_not(worker_has_ended(300));
	cr_expect(sandbox_wait_launcher(&box, 20000));
}

Test(init, takes_the_worker_along_when_it_is_killed)
{
	sandbox_init(&box, "setsid sleep 1000 & echo ready; sleep 1000");
	start_script("ready");
	kill(box.launcher, SIGKILL);
	cr_expect(worker_has_ended(10000));
	cr_expect(sandbox_wait_launcher(&box, 10000));
	cr_expect_eq(sandbox_process_count(&box), 0);
}

Test(init, keeps_no_privilege_but_kill)
{
	static const char *const lines[] = {
		"\nCapInh:\t0000000000000000\n", "\nCapPrm:\t0000000000000020\n",
		"\nCapEff:\t0000000000000020\n", "\nCapBnd:\t0000000000000000\n",
		"\nCapAmb:\t0000000000000000\n", "\nNoNewPrivs:\t1\n",
	};
	char text[4096], path[64], link[256];
	ssize_t n;

	sandbox_init(&box, "echo ready; sleep 1000");
	start_script("ready");
	sandbox_read_proc(&box, "status", text, sizeof(text));
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		cr_expect(strstr(text, lines[i]) != NULL, "no %s in:\n%s", lines[i], text);
	/* it holds the socket, two pipes, the worker's pidfd, its own and its signals: nothing of
	 * the supervisor's own, and no file or directory */
	for (int fd = 0; fd < 32; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", box.launcher, fd);
		n = readlink(path, link, sizeof(link) - 1);
		link[n < 0 ? 0 : n] = '\0';
		cr_expect(n < 0 || (fd > STDERR_FILENO && link[0] != '/'), "fd %d is %s", fd, link);
	}
	sandbox_send(&box, LAUNCH_SIGNAL, SIGKILL);
	sandbox_finish(&box);
}

Test(init, sleeps_through_stops_of_the_worker)
{
	long before;

	sandbox_init(&box, "echo ready; exec sleep 1000");
	start_script("ready");
	usleep(100000); /* it goes to sleep */
	before = sandbox_count_waits(&box);
	for (int i = 0; i < 20; i++) {
		syscall(SYS_pidfd_send_signal, box.worker_pidfd, i % 2 ? SIGCONT : SIGSTOP, NULL,
			0);
		usleep(10000);
	}
	cr_expect_lt(sandbox_count_waits(&box) - before, 5);
	sandbox_send(&box, LAUNCH_SIGNAL, SIGKILL);
	sandbox_finish(&box);
	cr_expect_eq(box.last.wait_status, SIGKILL);
}

Test(init, survives_a_flood_of_orphans)
{
	sandbox_init(&box, "trap 'exit 2' TERM; echo ready; while :; do (true &); done");
	start_script("ready");
	usleep(300000);
	sandbox_send(&box, LAUNCH_STOP, 0);
	sandbox_finish(&box);
	cr_expect_eq(box.last.wait_status, W_EXITCODE(2, 0));
	cr_expect_eq(sandbox_process_count(&box), 0);
}

#define ORPHANS_PYTHON                                       \
	"import glob, os, time\n"                            \
	"def orphans(count):\n"                              \
	"    for _ in range(count // 50):\n"                 \
	"        child = os.fork()\n"                        \
	"        if child == 0:\n"                           \
	"            for _ in range(50):\n"                  \
	"                os.fork() or os._exit(0)\n"         \
	"            os._exit(0)\n"                          \
	"        os.waitpid(child, 0)\n"                     \
	"def zombies():\n"                                   \
	"    count = 0\n"                                    \
	"    for path in glob.glob('/proc/[0-9]*/stat'):\n"  \
	"        try:\n"                                     \
	"            count += ') Z ' in open(path).read()\n" \
	"        except OSError: pass\n"                     \
	"    return count\n"

/* To bury them is work outside the worker's limits, so a flood costs the worker and not us. */
Test(init, buries_a_flood_of_orphans_in_pieces)
{
	sandbox_run_script(&box, "exec python3 -c \"" ORPHANS_PYTHON "begin = time.monotonic()\n"
				 "orphans(2500)\n"
				 "while zombies(): time.sleep(0.05)\n"
				 "took = time.monotonic() - begin\n"
				 "print('slow' if took > 1.8 else took)\"");
	cr_expect_str_eq(box.text[0], "slow\n", "%s", box.text[1]);
}

Test(init, tells_the_workers_end_before_the_orphans_are_buried)
{
	uint64_t ended;

	sandbox_init(&box, "exec python3 -c \"" ORPHANS_PYTHON
			   "orphans(2500)\nprint('ready', flush=True)\nos._exit(6)\"");
	start_script("ready");
	cr_assert(worker_has_ended(10000));
	ended = now_msec();
	sandbox_finish(&box);
	cr_expect_lt(now_msec() - ended, 800);
	cr_expect_eq(box.last.wait_status, W_EXITCODE(6, 0));
	cr_expect_eq(sandbox_process_count(&box), 0);
}
