/* SPDX-License-Identifier: MIT */
/* Crashes, exits, signals and shortages: what a process does to itself, or has done to it. */
#include "tests/system/harness_deaths.h"

#include <criterion/criterion.h>

TestSuite(deaths, .timeout = TEST_TIMEOUT_SEC);

#define CRASH(mode, name) .command = PYTHON(mode), .cause = "signal", .ended = name

static const struct death crashes[] = {
	{ "segv", "a wild pointer", CRASH("read_nowhere", "SIGSEGV"),
	  .log = "Fatal Python error: Segmentation fault" },
	{ "stack", "a stack overflow in C", CRASH("overflow_stack", "SIGSEGV") },
	{ "recursion", "a recursion that is too deep", CRASH("recurse", "SIGSEGV"),
	  .log = "deaths.py\", line" },
	{ "bus", "a mapped file that was truncated", CRASH("read_truncated_map", "SIGBUS"),
	  .log = "in read_truncated_map" },
	{ "abort", "abort()", CRASH("abort", "SIGABRT"), .log = "in abort" },
	{ "fpe", "a division by zero in C", CRASH("divide", "SIGFPE") },
	{ "ill", "bytes that are no instruction", CRASH("run_garbage", "SIGILL") },
	{ "kill", "kill -9 from outside", PYTHON("wait_for_signal"), .act = death_by_kill,
	  .cause = "signal", .ended = "SIGKILL", .sentence = "so someone else did" },
	{ "term", "SIGTERM from outside, without a stop", PYTHON("wait_for_signal"),
	  .act = death_by_term, .cause = "signal", .ended = "SIGTERM",
	  .sentence = "no stop was asked for" },
	{ "suicide", "kill -9 by itself", CRASH("kill_itself 9", "SIGKILL") },
	{ "chroot", "a refused call that nobody catches", PYTHON("when_told change_root"),
	  .act = death_by_word, .cause = "exit", .ended = "exit 1", .sentence = "in change_root()",
	  .log = "PermissionError: [Errno 1]" },
	{ "profile", "a call that the profile kills for", PYTHON("ask_priority"),
	  "{\"syscalls\": \"@apps/kills.json\"}", .cause = "seccomp", .ended = "SIGSYS" },
	{ "forks", "a fork bomb, until a fork is refused", PYTHON("fork_bomb"),
	  "{\"limits\": {\"pids\": 12}}", .cause = "pids", .ended = "exit 1",
	  .sentence = "after the limit of 12 processes" },
	{ "threads", "threads without end", PYTHON("start_threads"), "{\"limits\": {\"pids\": 12}}",
	  .cause = "pids", .ended = "exit 1", .log = "can't start new thread" },
};

Test(deaths, by_crashes_signals_and_refusals)
{
	DEATHS_PLAY("crash", crashes);
}

#define EXIT(mode, code) .command = PYTHON(mode), .cause = "exit", .ended = "exit " code

static const struct death exits[] = {
	{ "code", "sys.exit(3)", EXIT("exit_with_code 3", "3") },
	{ "zero", "sys.exit(0), with \"restart\": \"always\", once too often",
	  PYTHON("exit_with_code 0"), "{\"restart\": {\"mode\": \"always\", \"max_restarts\": 0}}",
	  .cause = "exit", .ended = "exit 0", .decision = "gave-up" },
	{ "words", "sys.exit(\"...\")", EXIT("exit_with_words", "1"),
	  .log = "no database is configured" },
	{ "by-137", "os._exit(137): not a kill", EXIT("exit_at_once", "137"),
	  .sentence = "as shells do" },
	{ "exception", "an exception that nobody catches", EXIT("raise_key_error", "1"),
	  .log = "KeyError: 'SECRET_KEY'" },
	{ "in-thread", "one in a thread, and sys.exit(4)", EXIT("raise_in_thread_and_exit", "4"),
	  .log = "Exception in thread" },
	{ "module", "a module that is missing", EXIT("import_missing", "1"),
	  .log = "No module named 'no_such_module'" },
	{ "import", "a module that fails to import", EXIT("import_broken", "1"),
	  .log = "ImportError: cannot import name" },
	{ "syntax", "a syntax error", EXIT("import_syntax_error", "1"), .log = "SyntaxError" },
	{ "script", "the script is missing", "python3 no-such-script.py", .cause = "exit",
	  .ended = "exit 2", .log = "No such file or directory" },
	{ "port", "the port is in use", EXIT("bind_used_port", "1"),
	  .log = "Address already in use" },
	{ "child", "a subprocess that fails", EXIT("fail_subprocess", "1"),
	  .log = "CalledProcessError" },
	{ "files", "too many open files", PYTHON("open_files"), "{\"limits\": {\"nofile\": 32}}",
	  .cause = "exit", .ended = "exit 1", .log = "Too many open files" },
	{ "disk", "a full disk", PYTHON("fill_disk @full"),
	  "{\"isolation\": {\"writable\": [\"@data\", \"@full\"]}}", .cause = "exit",
	  .ended = "exit 1", .log = "No space left on device" },
	{ "tmp-full", "a full /tmp", PYTHON("fill_small_tmp"),
	  "{\"limits\": {\"tmp_size\": \"2M\"}}", .cause = "exit", .ended = "exit 1",
	  .log = "No space left on device" },
	{ "boot", "gunicorn: the app does not import",
	  "gunicorn -b 127.0.0.1:@port no_such_module:app", .cause = "exit", .ended = "exit 3",
	  .sentence = "a worker failed to boot", .log = "No module named 'no_such_module'" },
	{ "busy", "gunicorn: the port is in use", "gunicorn -b 127.0.0.1:@busy deadly_app:app",
	  .cause = "exit", .ended = "exit 1", .log = "Connection in use" },
};

Test(deaths, by_exit_codes)
{
	DEATHS_PLAY("exit", exits);
}
