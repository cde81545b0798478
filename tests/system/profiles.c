/* SPDX-License-Identifier: MIT */
/* The shipped profiles besides the default one, around a worker. */
#include "tests/system/harness.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

TestSuite(profiles, .timeout = TEST_TIMEOUT_SEC);

Test(profiles, strict_starts_the_command_and_then_no_other_and_listens_nowhere)
{
	static const struct {
		const char *path, *expected;
	} texts[] = {
		{ "execv", "EPERM" },	    { "subprocess", "EPERM" },
		{ "fexecve", "EPERM" },	    { "bind", "EPERM" },
		{ "accept", "EINVAL" },	    { "connect", "ECONNREFUSED" },
		{ "fork", "from a child" }, { "thread", "from a thread" },
	};
	_cleanup_json_ json_t *results = NULL;
	struct bench bench;
	struct run run;

	bench_open(&bench, "strict");
	cr_assert_eq(run_through(&run, &bench,
				 WORDS("--syscalls", "python-strict", "--restart", "never", "--",
				       "python3", "strict.py")),
		     0, "%s", run_story(&run));
	results = json_loads(run_stdout(&run), JSON_REJECT_DUPLICATES, NULL);
	cr_assert_not_null(results, "%s", run_story(&run));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		cr_expect_str_eq(field_text(results, texts[i].path), texts[i].expected, "%s: %s",
				 texts[i].path, field_text(results, texts[i].path));
	cr_expect_eq(field_number(results, "port"), 0, "no port was opened");
	cr_expect_neq(field_number(results, "system"), 0, "no shell was started");
	bench_close(&bench);
}

static void expect_refused_to_the_app(struct run *run)
{
	static const char *const tried[] = { "listen", "listen_unix", "subprocess", "execv" };
	_cleanup_json_ json_t *results = NULL;
	struct reply reply;

	http_get(run->bench, "/try", &reply, REACTION_MSEC);
	results = json_loads(reply.body, JSON_REJECT_DUPLICATES, NULL);
	cr_assert_not_null(results, "%s%s", reply.body, run_story(run));
	for (size_t i = 0; i < ARRAY_SIZE(tried); i++)
		cr_expect_str_eq(field_text(results, tried[i]), "EPERM", "%s: %s", tried[i],
				 reply.body);
	run_await_stderr(run, "seccomp refused bind(", REACTION_MSEC);
	run_await_stderr(run, "seccomp refused execve(", REACTION_MSEC);
	cr_expect_not_null(strstr(run_stderr(run), "EPERM at strict_app.py:"), "%s",
			   run_story(run));
}

/* Its socket is handed to it, and so it needs no call that the profile refuses: neither bind nor,
 * for its workers, execve. */
Test(profiles, strict_serves_on_a_held_listener_and_makes_no_other)
{
	struct bench bench;
	struct reply reply;
	struct run run;

	bench_open(&bench, "strict-held");
	run_start(&run, &bench,
		  WORDS("--syscalls", "python-strict", "--network", "private",
			bench_format(&bench, "--listen=127.0.0.1:%d", bench.port), "--", "gunicorn",
			"-w", "2", "--timeout", "120", "strict_app:app"));
	http_await(&run, "/", &reply, START_MSEC);
	cr_expect_str_eq(reply.body, "hello from strict\n");
	cr_expect_null(strstr(run_stderr(&run), "seccomp refused"), "%s", run_story(&run));
	expect_refused_to_the_app(&run);
	/* a refused call is no end: it serves on */
	http_get(&bench, "/", &reply, REACTION_MSEC);
	cr_expect_str_eq(reply.body, "hello from strict\n");
	run_signal(&run, SIGTERM);
	run_wait(&run, START_MSEC);
	bench_close(&bench);
}

/* #! lines are the kernel's own: the interpreter of a script is part of the one start. */
Test(profiles, strict_starts_a_script)
{
	struct bench bench;
	const char *script;
	struct run run;

	bench_open(&bench, "strict-script");
	script = bench_format(&bench, "%s/hello", bench.apps);
	write_text(script, "#!/usr/bin/python3\nprint('hello')\n", 0755);
	cr_expect_eq(run_through(&run, &bench,
				 WORDS("--syscalls", "python-strict", "--restart", "never", "--",
				       script)),
		     0, "%s", run_story(&run));
	cr_expect_str_eq(run_stdout(&run), "hello\n");
	bench_close(&bench);
}

Test(profiles, compat_has_system_v_memory_and_still_no_way_out)
{
	static const char script[] =
		"import ctypes, os\n"
		"libc = ctypes.CDLL(None, use_errno=True)\n"
		"print(libc.shmget(0, 4096, 0o1600) >= 0)\n"
		"for call in (lambda: libc.unshare(0x10000000), lambda: libc.ptrace(0, 0, 0, 0)):\n"
		"    print(call(), ctypes.get_errno())\n";
	struct bench bench;
	struct run run;

	bench_open(&bench, "compat");
	cr_expect_eq(run_through(&run, &bench,
				 WORDS("--syscalls", "python-compat", "--restart", "never", "--",
				       "python3", "-c", script)),
		     0, "%s", run_story(&run));
	cr_expect_str_eq(run_stdout(&run), "True\n-1 1\n-1 1\n");
	bench_close(&bench);
}
