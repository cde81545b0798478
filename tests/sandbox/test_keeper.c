/* SPDX-License-Identifier: MIT */
/* The launcher without a supervisor, and with the next one: nothing is lost, nobody is blocked. */
#include "policy/own.h"
#include "tests/sandbox/harness.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static struct sandbox box;

static void tear_down(void)
{
	sandbox_clear(&box);
}

TestSuite(keeper, .init = sandbox_require, .fini = tear_down);

static void start_kept(const char *script, const char *text)
{
	sandbox_init(&box, script);
	sandbox_keep(&box);
	sandbox_start(&box);
	cr_assert(box.seen & (1U << LAUNCH_RUNNING), "%s", box.last.text);
	if (text != NULL)
		sandbox_wait_for_text(&box, text);
}

/* A worker that runs `script` when it is told to by write_now, and then ends. */
static void start_writer(const char *script)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "trap '%s; exit 0' USR1; echo ready; while :; do sleep 0.01; done", script);
	start_kept(text, "ready\n");
	box.text[0][0] = '\0';
}

static void write_now(void)
{
	sandbox_send(&box, LAUNCH_SIGNAL, SIGUSR1);
}

/* Hangs up and comes back when the worker has ended. */
static void be_away_for_the_end(void)
{
	struct pollfd worker = { .fd = box.worker_pidfd, .events = POLLIN };

	box.worker_pidfd = -1;
	sandbox_hang_up(&box);
	cr_assert_eq(poll(&worker, 1, 60000), 1, "the worker does not end");
	close(worker.fd);
	sandbox_connect(&box, LAUNCH_ENDED);
}

static bool is_pidfd_of(int pidfd, pid_t pid)
{
	char path[64], text[512];
	const char *at;
	size_t n;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	n = file != NULL ? fread(text, 1, sizeof(text) - 1, file) : 0;
	text[n] = '\0';
	at = strstr(text, "Pid:");
	return at != NULL && atoi(at + 4) == pid;
}

Test(keeper, tells_the_next_supervisor_what_there_is)
{
	start_kept("trap 'echo usr1; exit 5' USR1; echo ready; while :; do sleep 0.01; done",
		   "ready");
	cr_expect(is_pidfd_of(box.own_pidfd, box.launcher));
	sandbox_connect(&box, LAUNCH_RUNNING);
	cr_assert_eq(box.order_count, 2);
	cr_expect_eq(box.order[0], LAUNCH_PIPES);
	cr_expect_eq(box.order[1], LAUNCH_RUNNING);
	cr_expect(is_pidfd_of(box.own_pidfd, box.launcher));
	sandbox_send(&box, LAUNCH_SIGNAL, SIGUSR1);
	sandbox_finish(&box);
	cr_expect_str_eq(box.text[0], "usr1\n");
	cr_expect_eq(box.last.wait_status, W_EXITCODE(5, 0));
	cr_expect_eq(box.exit_status, 0);
}

Test(keeper, takes_one_supervisor_after_the_other)
{
	start_kept("trap 'exit 7' TERM; trap 'echo hup' HUP; echo ready; "
		   "while :; do sleep 0.01; done",
		   "ready");
	for (int i = 0; i < 5; i++) {
		sandbox_hang_up(&box);
		sandbox_connect(&box, LAUNCH_RUNNING);
		sandbox_send(&box, LAUNCH_SIGNAL, SIGHUP);
		sandbox_wait_for_text(&box, "hup\n");
	}
	sandbox_send(&box, LAUNCH_STOP, 0);
	sandbox_finish(&box);
	cr_expect_eq(box.last.wait_status, W_EXITCODE(7, 0));
}

Test(keeper, closes_the_older_connection_for_a_newer_one)
{
	char record[sizeof(struct launch_message)];
	int older;

	start_kept("trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done", "ready");
	older = fcntl(box.socket, F_DUPFD_CLOEXEC, 0);
	sandbox_connect(&box, LAUNCH_RUNNING);
	cr_expect_eq(recv(older, record, sizeof(record), 0), 0, "it is still open");
	close(older);
	sandbox_send(&box, LAUNCH_STOP, 0);
	sandbox_finish(&box);
	cr_expect_eq(box.last.wait_status, W_EXITCODE(3, 0));
}

Test(keeper, keeps_the_end_until_somebody_comes)
{
	start_kept("echo ready; sleep 0.2; i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done; "
		   "exit 9",
		   "ready");
	be_away_for_the_end();
	cr_expect_not(sandbox_wait_launcher(&box, 100));
	cr_expect_eq(box.last.wait_status, W_EXITCODE(9, 0));
	cr_expect_gt(box.last.user_usec, 5000);
	cr_expect_gt(box.last.maxrss_bytes, 500000);
	cr_expect_gt(box.last.ended_nsec, box.last.started_nsec);
	sandbox_connect(&box, LAUNCH_ENDED); /* it was told, but not collected */
	sandbox_finish(&box);
	cr_expect_eq(box.last.wait_status, W_EXITCODE(9, 0));
}

Test(keeper, hands_over_what_was_written_meanwhile_in_its_order)
{
	_cleanup_free_ char *expected = calloc(1, 200000);
	size_t length = 0;

	start_writer("seq 20000; echo oops >&2");
	for (int i = 1; i <= 20000; i++)
		length += (size_t)sprintf(expected + length, "%d\n", i);
	write_now();
	be_away_for_the_end();
	cr_assert_eq(box.order_count, 4);
	cr_expect(box.order[0] == LAUNCH_PIPES && box.order[1] == LAUNCH_SPOOL &&
		  box.order[2] == LAUNCH_RUNNING && box.order[3] == LAUNCH_ENDED);
	sandbox_send(&box, LAUNCH_TAKEN, 0);
	sandbox_finish(&box);
	cr_expect_eq(strlen(box.spooled[0]) + strlen(box.text[0]), length);
	cr_expect_eq(strncmp(expected, box.spooled[0], strlen(box.spooled[0])), 0);
	cr_expect_str_eq(box.text[0], expected + strlen(box.spooled[0]));
	cr_expect_str_eq(box.spooled[1], "oops\n");
	cr_expect_eq(box.spool[0].dropped_bytes, 0);
}

Test(keeper, keeps_the_newest_output_and_counts_what_it_dropped)
{
	_cleanup_free_ char *expected = calloc(1, 900000);
	size_t length = 0, dropped;
	uint64_t lines = 0;

	start_writer("seq 100000");
	for (int i = 1; i <= 100000; i++)
		length += (size_t)sprintf(expected + length, "%d\n", i);
	write_now();
	be_away_for_the_end();
	sandbox_wait_for_message(&box, LAUNCH_SPOOL);
	sandbox_finish(&box);
	/* what the launcher had no time to drain is still in the pipe, and newer */
	length -= strlen(box.text[0]);
	cr_expect_str_eq(box.text[0], expected + length);
	expected[length] = '\0';
	dropped = length - LAUNCH_RING_BYTES;
	for (size_t i = 0; i < dropped; i++)
		lines += expected[i] == '\n';
	cr_expect_eq(box.spool[0].length, LAUNCH_RING_BYTES);
	cr_expect_eq(box.spool[0].dropped_bytes, dropped);
	cr_expect_eq(box.spool[0].dropped_lines, lines);
	cr_expect_str_eq(box.spooled[0], expected + dropped);
	cr_expect_eq(box.spool[1].length, 0);
}

Test(keeper, tells_a_spool_again_until_it_is_taken)
{
	start_kept("trap 'exit 1' TERM; trap 'echo one' USR1; echo ready; "
		   "while :; do sleep 0.01; done",
		   "ready");
	write_now();
	sandbox_hang_up(&box);
	usleep(600000);
	sandbox_connect(&box, LAUNCH_RUNNING);
	cr_assert(box.seen & (1U << LAUNCH_SPOOL));
	cr_expect_str_eq(box.spooled[0], "one\n");
	sandbox_connect(&box, LAUNCH_RUNNING);
	cr_assert(box.seen & (1U << LAUNCH_SPOOL), "it was not taken");
	cr_expect_str_eq(box.spooled[0], "one\n");
	sandbox_send(&box, LAUNCH_TAKEN, 0);
	sandbox_connect(&box, LAUNCH_RUNNING);
	cr_expect_not(box.seen & (1U << LAUNCH_SPOOL), "it was taken");
	sandbox_send(&box, LAUNCH_STOP, 0);
	sandbox_finish(&box);
}

/* As another user: what the launcher answers, 0 for a connection that it closes. */
static ssize_t ask_as_nobody(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char record[sizeof(struct launch_message)];
	int fd, status = -1;
	pid_t child = fork();

	if (child == 0) {
		snprintf(address.sun_path, sizeof(address.sun_path), "%s", box.keeper_path);
		fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0 ||
		    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
			_exit(99);
		_exit(recv(fd, record, sizeof(record), 0) == 0 ? 0 : 1);
	}
	waitpid(child, &status, 0);
	return status;
}

Test(keeper, lets_nobody_in_but_root)
{
	start_kept("trap 'exit 4' TERM; echo ready; while :; do sleep 0.01; done", "ready");
	cr_expect_eq(ask_as_nobody(), 0);
	sandbox_send(&box, LAUNCH_STOP, 0); /* and ours is as it was */
	sandbox_finish(&box);
	cr_expect_eq(box.last.wait_status, W_EXITCODE(4, 0));
}

Test(keeper, keeps_a_failed_start_until_somebody_comes)
{
	uint64_t ended_nsec;

	sandbox_init(&box, NULL);
	sandbox_keep(&box);
	sandbox_set_argv(&box, (const char *const[]){ "no-such-program", NULL });
	sandbox_start(&box);
	cr_expect_eq(box.last.stage, STAGE_EXEC);
	ended_nsec = box.last.ended_nsec;
	cr_expect_gt(ended_nsec, 0);
	for (int i = 0; i < 2; i++) {
		memset(&box.last, 0, sizeof(box.last));
		sandbox_connect(&box, LAUNCH_FAILED);
		cr_expect_eq(box.order_count, 1);
		cr_expect(box.last.stage == STAGE_EXEC && box.last.errnum == ENOENT, "%s",
			  box.last.text);
		cr_expect_eq(box.last.ended_nsec, ended_nsec);
		cr_expect_not(sandbox_wait_launcher(&box, 50));
	}
	sandbox_finish(&box);
	cr_expect_eq(box.exit_status, W_EXITCODE(1, 0));
}

Test(keeper, keeps_a_failure_to_read_the_plan)
{
	sandbox_init(&box, "true");
	sandbox_keep(&box);
	box.plan_text = "{}";
	sandbox_start(&box);
	sandbox_connect(&box, LAUNCH_FAILED);
	cr_expect_eq(box.last.stage, STAGE_PLAN);
	kill(box.launcher, SIGTERM); /* told, and nothing to wait for: but we are here to collect */
	cr_expect_not(sandbox_wait_launcher(&box, 100));
	sandbox_hang_up(&box);
	cr_expect(sandbox_wait_launcher(&box, 10000));
}

Test(keeper, ends_at_sigterm_when_nobody_is_there)
{
	start_kept("trap 'exit 2' TERM; echo ready; while :; do sleep 0.01; done", "ready");
	sandbox_hang_up(&box);
	cr_expect_not(sandbox_wait_launcher(&box, 200));
	kill(box.launcher, SIGTERM);
	cr_expect(sandbox_wait_launcher(&box, 20000));
	cr_expect_eq(sandbox_process_count(&box), 0);
}

Test(keeper, drains_for_a_supervisor_that_does_not_read)
{
	_cleanup_free_ char *expected = calloc(1, 300000);
	size_t length = 0;

	start_writer("seq 40000");
	for (int i = 1; i <= 40000; i++)
		length += (size_t)sprintf(expected + length, "%d\n", i);
	write_now();
	/* connected, but reads no pipe */
	sandbox_wait_for_message(&box, LAUNCH_STALLED);
	cr_expect_not(box.seen & (1U << LAUNCH_ENDED), "a full pipe blocks");
	sandbox_wait_for_message(&box, LAUNCH_ENDED);
	sandbox_send(&box, LAUNCH_TAKE, 0);
	sandbox_wait_for_message(&box, LAUNCH_SPOOL);
	cr_assert(box.spooled[0] != NULL);
	sandbox_send(&box, LAUNCH_TAKEN, 0);
	sandbox_finish(&box);
	cr_expect_eq(box.spool[0].dropped_bytes, 0);
	cr_expect_eq(strlen(box.spooled[0]) + strlen(box.text[0]), length);
	cr_expect_eq(strncmp(expected, box.spooled[0], strlen(box.spooled[0])), 0);
	cr_expect_str_eq(box.text[0], expected + strlen(box.spooled[0]));
}

Test(keeper, leaves_the_output_to_a_supervisor_that_answers)
{
	start_writer("seq 40000");
	write_now();
	sandbox_wait_for_message(&box, LAUNCH_STALLED);
	sandbox_send(&box, LAUNCH_TAKE, 0);
	sandbox_wait_for_message(&box, LAUNCH_SPOOL);
	cr_expect(box.spool[0].length == 0 && box.spool[0].dropped_bytes == 0);
	cr_expect(box.spooled[0] == NULL);
	sandbox_finish(&box);
	cr_expect_eq(strlen(box.text[0]), SANDBOX_TEXT_MAX - 1);
}

Test(keeper, sleeps_while_the_worker_writes_nothing)
{
	long before;

	start_kept("echo ready; exec sleep 1000", "ready");
	usleep(2500000); /* it has looked once at what was written */
	before = sandbox_count_waits(&box);
	usleep(1500000);
	cr_expect_eq(sandbox_count_waits(&box), before);
}

Test(keeper, wakes_rarely_for_a_worker_that_writes_much)
{
	long before;

	start_kept("while :; do echo line; sleep 0.005; done", "line");
	before = sandbox_count_waits(&box);
	for (int i = 0; i < 100; i++) {
		sandbox_wait_for_text(&box, "line");
		box.text[0][0] = '\0';
	}
	cr_expect_lt(sandbox_count_waits(&box) - before, 60, "once for each sleep, and a few");
}

static long kilobytes(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	cr_assert(at != NULL, "%s", text);
	return strtol(at + strlen(key), NULL, 10);
}

Test(keeper, is_small_while_the_worker_sleeps)
{
	char text[4096];

	start_kept("echo ready; exec sleep 1000", "ready");
	usleep(1500000);
	sandbox_read_proc(&box, "smaps_rollup", text, sizeof(text));
	/* code and constants are shared by all launchers */
	cr_expect_leq(kilobytes(text, "\nAnonymous:"), 50, "%s", text);
	cr_expect_leq(kilobytes(text, "\nRss:"), 220, "%s", text);
}
