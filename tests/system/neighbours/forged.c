/* SPDX-License-Identifier: MIT */
/*
 * What a worker says that is not for it to say: log lines that look like something else, fields of
 * the journal, names with escape sequences; and a pid that once was a worker's.
 */
#include "tests/system/harness_daemon.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FORGED_ID "0123456789abcdef0123456789abcdef"

TestSuite(forged, .timeout = TEST_TIMEOUT_SEC);

static const char *open_bench(struct bench *bench, const char *word)
{
	daemon_reset();
	bench_open(bench, word);
	daemon_start();
	return bench_format(bench, "app-%s", bench->name);
}

static void finish(struct bench *bench)
{
	daemon_reset();
	bench_close(bench);
}

static void apply_once(struct bench *bench, const char *name, const char *const *words)
{
	json_t *app = app_object(bench, name, words);

	json_object_set_new(app, "restart", json_pack("{s:s}", "mode", "never"));
	app_apply(app);
}

/* Lines that try to be fields, priorities and terminal sequences, and one that has no end. */
#define FORGERY                                                                                  \
	"printf 'first\\nPRIORITY=0\\nMESSAGE_ID=" FORGED_ID "\\n_PID=1\\nPYSBX_APP=other\\n'; " \
	"printf 'MESSAGE\\n\\005\\000\\000\\000\\000\\000\\000\\000forge\\n'; "                  \
	"printf '<0>emergency\\n'; printf '\\033]0;title\\007\\033[2Jred\\r\\n'; "               \
	"printf '\\000\\377\\376\\n'; head -c 300000 /dev/zero | tr '\\0' x; printf "            \
	"'\\nlast\\n'; "                                                                         \
	"exec sleep 600"

static void expect_plain_entries(struct bench *bench, const char *name)
{
	_cleanup_json_ json_t *entries =
		journal_await("",
			      WORDS(bench_format(bench, "PYSBX_APP=%s", name),
				    "PYSBX_STREAM=stdout", "MESSAGE=last"),
			      1, REACTION_MSEC);
	_cleanup_json_ json_t *all = journal_read(
		"", WORDS(bench_format(bench, "PYSBX_APP=%s", name), "PYSBX_STREAM=stdout"));
	const char *priority = journal_text(json_array_get(entries, 0), "PRIORITY");

	cr_expect_geq(json_array_size(all), 9);
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *entry = json_array_get(all, i);

		bool emergency = strcmp(journal_text(entry, "MESSAGE"), "emergency") == 0;

		/* one would be written to all terminals */
		cr_expect_str_eq(journal_text(entry, "PRIORITY"), emergency ? "2" : priority);
		cr_expect_str_eq(journal_text(entry, "SYSLOG_IDENTIFIER"), name);
		cr_expect_str_eq(journal_text(entry, "MESSAGE_ID"), "");
		cr_expect_str_eq(journal_text(entry, "_COMM"), "pysbxd");
	}
	cr_expect_eq(journal_count("", WORDS("MESSAGE_ID=" FORGED_ID)), 0);
	cr_expect_eq(journal_count("", WORDS("PYSBX_APP=other")), 0);
	cr_expect_eq(journal_count("", WORDS(bench_format(bench, "PYSBX_APP=%s", name),
					     "MESSAGE=PRIORITY=0")),
		     1, "a line is a line");
}

static void expect_no_control_characters(const char *what, const char *text)
{
	for (const char *at = text; *at != '\0'; at++)
		if (((unsigned char)*at < ' ' && *at != '\n' && *at != '\t') || *at == 0x7f) {
			cr_expect_fail("%s prints a control character, %#x, in: %.60s", what,
				       (unsigned char)*at, at + 1);
			return;
		}
}

Test(forged, log_lines_are_lines_and_nothing_else)
{
	_cleanup_free_ char *logs = NULL, *status = NULL;
	struct bench bench;
	const char *name = open_bench(&bench, "forged");

	apply_once(&bench, name, WORDS("sh", "-c", FORGERY));
	expect_plain_entries(&bench, name);
	logs = shell_output("pysbx logs %s", name);
	cr_expect_not_null(strstr(logs, "last"), "%s", logs);
	expect_no_control_characters("pysbx logs", logs);
	status = shell_output("pysbx status %s", name);
	expect_no_control_characters("pysbx status", status);
	finish(&bench);
}

/* The worker's name, its arguments and its last words are in the report of its death. */
Test(forged, a_death_is_told_without_escape_sequences)
{
	_cleanup_json_ json_t *incident = NULL;
	_cleanup_free_ char *shown = NULL, *listed = NULL;
	struct bench bench;
	const char *name = open_bench(&bench, "lastwords");

	apply_once(&bench, name,
		   WORDS("python3", "-c",
			 "import ctypes, os, sys\n"
			 "ctypes.CDLL(None).prctl(15, b'\\x1b[31mred\\n', 0, 0, 0)\n"
			 "os.write(2, b'\\x1b[2JTraceback\\r\\x1b]0;title\\x07\\nfatal: all is "
			 "well\\n')\n"
			 "os.kill(os.getpid(), 11)",
			 "\033[31margument\nsecond line"));
	incident = app_await_incident(name, 1, START_MSEC);
	cr_assert_not_null(incident);
	shown = shell_output("pysbx incident %s", field_text(incident, "id"));
	cr_expect_not_null(strstr(shown, "fatal: all is well"), "%s", shown);
	expect_no_control_characters("pysbx incident", shown);
	listed = shell_output("pysbx incidents; pysbx status %s", name);
	expect_no_control_characters("pysbx incidents", listed);
	finish(&bench);
}

/* A process that gets this very pid, as happens by itself after four million others. */
static pid_t start_with_pid(pid_t pid)
{
	struct clone_args args = { .exit_signal = SIGCHLD, .set_tid_size = 1 };
	pid_t child;

	args.set_tid = (__u64)(uintptr_t)&pid;
	child = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	cr_assert_geq(child, 0, "clone3: %s", strerror(errno));
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	cr_assert_eq(child, pid);
	return child;
}

static bool is_gone(pid_t pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}

Test(forged, a_pid_that_is_used_again_is_no_worker)
{
	struct bench bench;
	const char *name = open_bench(&bench, "reuse");
	json_t *app = app_object(&bench, name, WORDS("sleep", "600"));
	pid_t pids[BENCH_PIDS_MAX], pid, bystander;
	int status = 0;

	json_object_set_new(app, "restart",
			    json_pack("{s:s, s:s, s:s}", "mode", "always", "backoff", "10min",
				      "backoff_max", "10min"));
	app_apply(app);
	cr_assert_eq(app_pids(name, pids), 1);
	pid = pids[0];
	cr_assert_eq(kill(pid, SIGKILL), 0);
	app_await_state(name, "backoff", START_MSEC);
	cr_assert(AWAIT(is_gone(pid), REACTION_MSEC));
	bystander = start_with_pid(pid);
	/* whatever is done to the app is done to nobody else */
	json_decref(daemon_try("app.signal",
			       json_pack("{s:s, s:s}", "name", name, "signal", "KILL"), CALL_MSEC));
	daemon_restart();
	json_decref(daemon_try("app.suspend", json_pack("{s:s}", "name", name), CALL_MSEC));
	daemon_do("app.stop", "{s:s}", "name", name);
	daemon_do("app.start", "{s:s}", "name", name);
	daemon_do("app.remove", "{s:s}", "name", name);
	cr_expect_eq(waitpid(bystander, &status, WNOHANG), 0, "it died with status %#x", status);
	kill(bystander, SIGKILL);
	waitpid(bystander, NULL, 0);
	finish(&bench);
}
