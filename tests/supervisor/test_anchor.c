/* SPDX-License-Identifier: MIT */
/* The real pysbx-anchor as a keeper, with a sleeper in the place of a launcher. */
#include "policy/own.h"
#include "supervisor/anchor.h"
#include "supervisor/cgroup.h"
#include "tests/supervisor/cgroup_fixture.h"
#include "tests/supervisor/program.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

static int root = -1, run = -1, init = -1;
static char name[64], path[64];
static struct anchor anchor = { .pidfd = -1, .socket = -1 };
static pid_t sleeper;

static bool readable(int fd, int msec)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };

	return poll(&poller, 1, msec) == 1;
}

static void start_keeper(void)
{
	char program[PROGRAM_PATH_MAX];
	struct error err;
	sigset_t stop;

	/* as a daemon has it: a SIGTERM to an anchor that is not yet one waits */
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	if (!cgroup_fixture_open(&root))
		cr_skip_test("needs root and a mounted cgroup v2");
	cr_assert(program_find("pysbx-anchor", program), "pysbx-anchor is not built: make all");
	snprintf(name, sizeof(name), "pysbx-anchor-test-%d", (int)getpid());
	snprintf(path, sizeof(path), "/tmp/pysbx-anchor-test-%d.sock", (int)getpid());
	cr_assert_eq(cgroup_make(root, name, &run, &err), 0, "%s", err.text);
	cr_assert_eq(cgroup_make(run, ANCHOR_INIT_CGROUP, &init, &err), 0, "%s", err.text);
	cr_assert_eq(anchor_spawn(program, -1, &anchor, &err), 0, "%s", err.text);
	cr_assert_eq(cgroup_move(init, anchor.pid, &err), 0, "%s", err.text);
	cr_assert_eq(anchor_charge_keep(&anchor, run, path, &err), 0, "%s", err.text);
	sleeper = fork();
	if (sleeper == 0) {
		execl("/bin/sleep", "sleep", "1000", (char *)NULL);
		_exit(1);
	}
	cr_assert_eq(cgroup_move(init, sleeper, &err), 0, "%s", err.text);
}

static void end_sleeper(void)
{
	if (sleeper > 0) {
		kill(sleeper, SIGKILL);
		waitpid(sleeper, NULL, 0);
	}
	sleeper = 0;
}

static void leave_nothing(void)
{
	struct error err;

	end_sleeper();
	if (anchor.pid > 0)
		kill(anchor.pid, SIGKILL);
	anchor_finish(&anchor, 1000);
	if (name[0] != '\0')
		cr_assert_eq(cgroup_destroy(root, name, 5000, &err), 0, "%s", err.text);
	(void)unlink(path);
}

/* The timeout is that of the suites around it: criterion 2.4.1 leaks its timer for a longer one. */
TestSuite(anchor, .init = start_keeper, .fini = leave_nothing, .timeout = 30);

static bool is_told_to_stop(const struct anchor *told)
{
	char word;

	return readable(told->socket, 10000) && recv(told->socket, &word, 1, 0) == 1 && word == 'T';
}

Test(anchor, outlives_its_supervisor_and_waits_for_the_next)
{
	struct anchor next;
	struct error err;

	close_and_clear(&anchor.socket);
	cr_expect_not(readable(anchor.pidfd, 300), "it has ended");
	cr_expect_eq(waitpid(sleeper, NULL, WNOHANG), 0, "it has killed a launcher");
	cr_assert_eq(anchor_adopt(path, &next, &err), 0, "%s", err.text);
	cr_expect_not(readable(next.socket, 200), "it hangs up");
	anchor_leave(&next);
	cr_expect_not(readable(anchor.pidfd, 200), "it has ended");
}

Test(anchor, listens_to_the_newest_supervisor)
{
	struct anchor next;
	struct error err;
	char word;

	cr_assert_eq(anchor_adopt(path, &next, &err), 0, "%s", err.text);
	cr_assert(readable(anchor.socket, 10000), "the older one is still connected");
	cr_expect_eq(recv(anchor.socket, &word, 1, 0), 0);
	kill(anchor.pid, SIGTERM);
	cr_expect(is_told_to_stop(&next));
	anchor_leave(&next);
}

Test(anchor, stays_until_the_last_launcher_has_ended)
{
	struct anchor next;
	struct error err;

	kill(anchor.pid, SIGTERM);
	cr_expect(is_told_to_stop(&anchor));
	close_and_clear(&anchor.socket);
	cr_expect_not(readable(anchor.pidfd, 400), "a launcher lives");
	cr_assert_eq(anchor_adopt(path, &next, &err), 0, "%s", err.text);
	cr_expect(is_told_to_stop(&next), "who comes late must hear of it as well");
	anchor_leave(&next);
	end_sleeper();
	cr_expect(readable(anchor.pidfd, 10000), "the scope cannot end");
}

Test(anchor, is_not_there_when_it_has_ended)
{
	struct anchor next = { .pidfd = -1, .socket = -1 };
	struct error err;

	kill(anchor.pid, SIGKILL);
	cr_assert(readable(anchor.pidfd, 10000));
	cr_expect_lt(anchor_adopt(path, &next, &err), 0);
	cr_expect_eq(err.kind, ERROR_NOT_FOUND);
	cr_expect_eq(next.socket, -1);
}
