/* SPDX-License-Identifier: MIT */
/* What a profile refuses under `pysbx run`: explained, looked at, tried, and learnt. */
#include "tests/system/harness.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

TestSuite(denials, .timeout = TEST_TIMEOUT_SEC);

static size_t count_of(const char *text, const char *part)
{
	size_t count = 0;

	for (; (text = strstr(text, part)) != NULL; text++)
		count++;
	return count;
}

static void expect_once(struct run *run, const char *part)
{
	cr_expect_eq(count_of(run_stderr(run), part), 1, "\"%s\"%s", part, run_story(run));
}

Test(denials, a_refused_call_is_explained_once)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "denials");
	cr_assert_eq(
		run_through(&run, &bench,
			    WORDS("--restart", "never", "--", "python3", "denials.py", "once")),
		0, "%s", run_story(&run));
	cr_expect_str_eq(run_stdout(&run), "chroot EPERM\nalg EPERM\nunshare EPERM\nbatch EPERM\n"
					   "chroot EPERM\nalg EPERM\nunshare EPERM\nbatch EPERM\n");
	expect_once(&run, "seccomp refused chroot(0x");
	expect_once(&run, "seccomp refused socket(AF_ALG, SOCK_SEQPACKET");
	expect_once(&run, "seccomp refused unshare(CLONE_NEWUSER): EPERM at denials.py:51 in "
			  "once(); caller: pid ");
	expect_once(&run, ": EPERM at denials.py:44 in leave(); caller: pid ");
	expect_once(&run, "seccomp refused sched_setscheduler(0, 3, 0x");
	expect_once(&run, "the profile needs {\"names\": [\"chroot\"], \"action\": "
			  "\"SCMP_ACT_ALLOW\"}");
	expect_once(&run, "the profile needs {\"names\": [\"socket\"], \"action\": "
			  "\"SCMP_ACT_ALLOW\", \"args\": [{\"index\": 0, \"value\": 4294967295, "
			  "\"valueTwo\": 38, \"op\": \"SCMP_CMP_MASKED_EQ\"}, {\"index\": 1, ");
	cr_expect_eq(count_of(run_stderr(&run), ", of \"/usr/bin/python3"), 4, "%s",
		     run_story(&run));
	bench_close(&bench);
}

Test(denials, in_log_mode_calls_are_made_and_told)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "log-mode");
	cr_assert_eq(run_through(&run, &bench,
				 WORDS("--restart", "never", "--syscalls-mode", "log", "--",
				       "python3", "denials.py", "once")),
		     0, "%s", run_story(&run));
	/* it fails for want of a privilege, until unshare has given one: so much hangs on the
	 * filter
	 */
	cr_expect_eq(count_of(run_stdout(&run), "chroot EPERM\n"), 1, "%s", run_story(&run));
	cr_expect_eq(count_of(run_stdout(&run), "batch made\n"), 2, "%s", run_story(&run));
	expect_once(&run, "seccomp would refuse sched_setscheduler(0, 3, 0x");
	bench_close(&bench);
}

Test(denials, a_canary_is_lifted_and_stays_so_over_a_crash)
{
	struct bench bench;
	const char *beats;
	struct run run;
	size_t made;

	bench_open(&bench, "canary");
	beats = bench_format(&bench, "%s/beats", bench.data);
	run_start(&run, &bench,
		  WORDS("--syscalls-mode", "canary", "--backoff", "100ms", "--rw", bench.data, "--",
			"python3", "denials.py", "beat", bench.data));
	run_await_stderr(&run, "its canary has failed", START_MSEC);
	run_await_stderr(
		&run,
		"to fit, the profile needs {\"names\": [\"sched_setscheduler\"], \"action\": "
		"\"SCMP_ACT_ALLOW\", \"args\": [{\"index\": 1, \"value\": 4294967295, "
		"\"valueTwo\": 3,",
		REACTION_MSEC);
#define BEATS()                                                \
	({                                                     \
		_cleanup_free_ char *text_ = read_text(beats); \
		count_of(text_, "made");                       \
	})
	cr_expect(AWAIT(BEATS() > 0, REACTION_MSEC), "%s", run_story(&run));
	{
		_cleanup_free_ char *text = read_text(beats);

		cr_expect_geq(count_of(text, "EPERM"), 5, "%s", text);
		cr_expect_gt(strstr(text, "made"), strstr(text, "EPERM"));
	}
	/* its next life is not tried again */
	free(read_text(beats));
	{
		pid_t pids[BENCH_PIDS_MAX];

		run_await_pids(&run, 1, REACTION_MSEC);
		cr_assert_eq(run_pids(&run, pids), 1);
		write_text(beats, "", 0666);
		cr_assert_eq(kill(pids[0], SIGKILL), 0);
	}
	run_await_times(&run, bench_format(&bench, "pysbx: %s: started", bench.name), 2,
			START_MSEC);
	made = BEATS();
	cr_expect(AWAIT(BEATS() > made + 5, START_MSEC), "%s", run_story(&run));
	{
		_cleanup_free_ char *text = read_text(beats);

		cr_expect_eq(count_of(text, "EPERM"), 0, "%s", text);
	}
	expect_once(&run, "its canary has failed");
	run_signal(&run, SIGTERM);
	run_wait(&run, START_MSEC);
	bench_close(&bench);
}

static void learn(struct run *run, struct bench *bench, const char *const *words)
{
	run_start_with(run, bench, &(struct run_setup){ .learn = true }, words);
}

Test(denials, what_is_learnt_of_a_server_is_enough_for_it)
{
	struct bench bench;
	struct reply reply;
	const char *profile, *address;
	struct run run;

	bench_open(&bench, "learn");
	profile = bench_format(&bench, "%s/learnt.json", bench.data);
	address = bench_format(&bench, "127.0.0.1:%d", bench.port);
	learn(&run, &bench,
	      WORDS("--output", profile, "--", "gunicorn", "-w", "1", "-b", address,
		    "wsgi_app:app"));
	http_await(&run, "/", &reply, START_MSEC);
	run_signal(&run, SIGTERM);
	run_wait(&run, START_MSEC);
	expect_once(&run, "different system calls were seen");
	cr_expect_eq(count_of(run_stderr(&run), "left out"), 0, "%s", run_story(&run));
	cr_expect_eq(count_of(run_stderr(&run), "seccomp would refuse"), 0, "%s", run_story(&run));

	run_start(&run, &bench,
		  WORDS("--syscalls", profile, "--", "gunicorn", "-w", "1", "-b", address,
			"wsgi_app:app"));
	http_await(&run, "/", &reply, START_MSEC);
	cr_expect_eq(reply.status, 200);
	cr_expect_eq(count_of(run_stderr(&run), "seccomp refused"), 0, "%s", run_story(&run));
	run_signal(&run, SIGTERM);
	cr_expect_eq(run_wait(&run, START_MSEC), 0, "%s", run_story(&run));
	bench_close(&bench);
}

Test(denials, what_is_dangerous_is_learnt_only_when_asked)
{
	struct bench bench;
	struct run run;
	json_t *profile;

	bench_open(&bench, "dangerous");
	learn(&run, &bench, WORDS("--", "python3", "denials.py", "once"));
	cr_assert_eq(run_wait(&run, START_MSEC), 0, "%s", run_story(&run));
	/* stdout is the profile's, and the command's own words are on stderr */
	profile = json_loads(run_stdout(&run), JSON_REJECT_DUPLICATES, NULL);
	cr_expect_str_eq(field_text(profile, "defaultAction"), "SCMP_ACT_ERRNO");
	json_decref(profile);
	expect_once(&run,
		    "used, and left out, since python-web refuses it: sched_setscheduler(0, 3, 0x");
	cr_expect_eq(count_of(run_stderr(&run), "batch made"), 2, "%s", run_story(&run));

	learn(&run, &bench,
	      WORDS("--allow-dangerous", "--output",
		    bench_format(&bench, "%s/all.json", bench.data), "--", "python3", "denials.py",
		    "once"));
	cr_assert_eq(run_wait(&run, START_MSEC), 0, "%s", run_story(&run));
	cr_expect_eq(count_of(run_stdout(&run), "batch made"), 2, "%s", run_story(&run));
	expect_once(&run, "refused by python-web, and taken in: sched_setscheduler(0, 3, 0x");
	cr_assert_eq(run_through(&run, &bench,
				 WORDS("--restart", "never", "--syscalls",
				       bench_format(&bench, "%s/all.json", bench.data), "--",
				       "python3", "denials.py", "once")),
		     0, "%s", run_story(&run));
	cr_expect_eq(count_of(run_stdout(&run), "batch made"), 2, "%s", run_story(&run));
	bench_close(&bench);
}

Test(denials, of_a_command_that_does_not_start_nothing_is_learnt)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "unlearnt");
	learn(&run, &bench, WORDS("--", "./nosuch"));
	cr_expect_eq(run_wait(&run, START_MSEC), 127, "%s", run_story(&run));
	cr_expect_str_eq(run_stdout(&run), "", "%s", run_story(&run));
	bench_close(&bench);
}
