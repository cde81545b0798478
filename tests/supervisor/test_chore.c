/* SPDX-License-Identifier: MIT */
#include "supervisor/chore.h"

#include "policy/own.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_USEC UINT64_C(20000000)

static sd_event *event;
static unsigned calls;
static char heard[CHORE_RESULT_MAX];

static void set_up(void)
{
	cr_assert_geq(sd_event_new(&event), 0);
	calls = 0;
}

static void leave_nothing(void)
{
	sd_event_unref(event);
	errno = 0;
	cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1, "a child is left");
}

TestSuite(chore, .init = set_up, .fini = leave_nothing, .timeout = 30);

static void on_done(const char *result, void *userdata)
{
	cr_assert_eq(userdata, &calls);
	snprintf(heard, sizeof(heard), "%s", result);
	calls++;
}

static struct chore *start(chore_function *function, const void *argument, uint64_t patience_usec)
{
	_cleanup_close_ int dir = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct chore *chore = NULL;
	struct error err = { 0 };

	cr_assert_eq(chore_start(event, dir, function, argument, patience_usec, on_done, &calls,
				 &chore, &err),
		     0, "%s", err.text);
	return chore;
}

static void run_until_called(void)
{
	for (unsigned turns = 0; calls == 0 && turns < 100; turns++)
		cr_assert_geq(sd_event_run(event, 1000000), 0);
	cr_assert_eq(calls, 1);
}

static void repeat(int dir, const void *argument, char result[static CHORE_RESULT_MAX])
{
	struct stat there;

	if (fstat(dir, &there) == 0 && S_ISDIR(there.st_mode))
		snprintf(result, CHORE_RESULT_MAX, "%s", (const char *)argument);
}

Test(chore, hands_over_what_it_says)
{
	(void)start(repeat, "well done", PATIENCE_USEC);
	run_until_called();
	cr_expect_str_eq(heard, "well done");
}

static void count_descriptors(int dir, const void *argument, char result[static CHORE_RESULT_MAX])
{
	unsigned others = 0;
	(void)argument;

	for (int fd = STDERR_FILENO + 1; fd < 100; fd++)
		others += fcntl(fd, F_GETFD) >= 0 && fd != dir ? 1 : 0;
	snprintf(result, CHORE_RESULT_MAX, "%u", others);
}

/* one more than the directory: what it answers by */
Test(chore, holds_nothing_of_ours_open)
{
	_cleanup_close_ int one = open("/dev/null", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int other = fcntl(one, F_DUPFD_CLOEXEC, 50);

	cr_assert_geq(other, 50);
	(void)start(count_descriptors, NULL, PATIENCE_USEC);
	run_until_called();
	cr_expect_str_eq(heard, "1");
}

static void sleep_on(int dir, const void *argument, char result[static CHORE_RESULT_MAX])
{
	(void)dir, (void)argument;
	snprintf(result, CHORE_RESULT_MAX, "never said");
	sleep(1000);
}

Test(chore, is_killed_when_it_takes_too_long_and_says_nothing)
{
	(void)start(sleep_on, NULL, 100000);
	run_until_called();
	cr_expect_str_eq(heard, "");
}

Test(chore, is_cancelled_without_a_word)
{
	chore_cancel(start(sleep_on, NULL, PATIENCE_USEC));
	chore_cancel(NULL);
	cr_assert_geq(sd_event_run(event, 100000), 0);
	cr_expect_eq(calls, 0);
}

static void fill(int dir, const void *argument, char result[static CHORE_RESULT_MAX])
{
	(void)dir, (void)argument;
	memset(result, 'x', CHORE_RESULT_MAX - 1);
	result[CHORE_RESULT_MAX - 1] = '\0';
}

Test(chore, may_say_as_much_as_fits)
{
	(void)start(fill, NULL, PATIENCE_USEC);
	run_until_called();
	cr_expect_eq(strlen(heard), CHORE_RESULT_MAX - 1);
}
