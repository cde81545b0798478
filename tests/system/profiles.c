/* SPDX-License-Identifier: MIT */
/* The shipped profiles besides the default one, around a worker. */
#include "tests/system/harness.h"

#include <criterion/criterion.h>
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
