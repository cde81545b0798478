/* SPDX-License-Identifier: MIT */
/* The client with the real pysbx-stacks, on interpreters that this machine has, and with programs
 * that do not answer as they should. */
#include "policy/own.h"
#include "supervisor/clock.h"
#include "supervisor/stacks.h"
#include "tests/supervisor/program.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static sd_event *event;
static struct stacks_readers readers;
static int leaf = -1;
static char program[PROGRAM_PATH_MAX], script[64];
static pid_t child;

/* What came back. */
static struct {
	unsigned calls;
	json_t *result;
	struct error err;
} answer;

static void setup(void)
{
	if (!program_find("pysbx-stacks", program))
		cr_skip_test("pysbx-stacks is not built: make all");
	cr_assert_geq(sd_event_new(&event), 0);
	stacks_readers_init(&readers, event);
	snprintf(script, sizeof(script), "/tmp/pysbx-stacks-test-%d", (int)getpid());
}

static void leave(void)
{
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	(void)unlink(script);
	close_and_clear(&leaf);
	json_decref(answer.result);
	sd_event_unref(event);
	stacks_readers_clear(&readers);
}

TestSuite(stacks, .init = setup, .fini = leave, .timeout = 30);

static void on_done(json_t *result, const struct error *err, void *userdata)
{
	cr_assert_eq(userdata, &answer);
	answer.calls++;
	answer.result = json_incref(result);
	answer.err = *err;
}

/* Runs the loop until there is an answer, and whatever comes in the 100 ms after it. */
static void await_answer(void)
{
	int64_t end = clock_monotonic_msec() + 10000;

	while (answer.calls == 0 && clock_monotonic_msec() < end)
		cr_assert_geq(sd_event_run(event, 100000), 0);
	while (sd_event_run(event, 100000) > 0)
		;
	cr_assert_eq(answer.calls, 1);
}

static int ask_for(const char *app, pid_t pid, struct stacks_request **ret, struct error *err)
{
	const struct stacks_question question = {
		.pids = &pid, .count = 1, .leaf = leaf, .app = app, .tenant = app
	};

	return stacks_read(&readers, &question, on_done, &answer, ret, err);
}

static void ask_by(const char *path, pid_t pid)
{
	struct stacks_request *request = NULL;
	struct error err;

	readers.program = path;
	cr_assert_eq(ask_for(NULL, pid, &request, &err), 0, "%s", err.text);
	cr_assert_not_null(request);
	cr_assert_eq(answer.calls, 0);
	await_answer();
}

static void write_script(const char *text)
{
	FILE *file = fopen(script, "w");

	cr_assert_not_null(file);
	fprintf(file, "#!/bin/sh\n%s\n", text);
	fclose(file);
	cr_assert_eq(chmod(script, 0700), 0);
}

/* The Python program in `code`, which says "ready" when it is where it is to be. */
static void start_python(const char *code)
{
	char word[6] = "";
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		dup2(fds[1], 1);
		execlp("python3", "python3", "-c", code, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	if (read(fds[0], word, 5) != 5 || strcmp(word, "ready") != 0)
		cr_skip_test("needs python3");
	close(fds[0]);
}

static const json_t *process(void)
{
	cr_assert_not_null(answer.result, "%s", answer.err.text);
	return json_array_get(json_object_get(answer.result, "processes"), 0);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

Test(stacks, reads_a_python_that_waits)
{
	const json_t *thread, *frame;

	start_python("import os, time\n"
		     "def wait():\n"
		     "    os.write(1, b'ready')\n"
		     "    time.sleep(100)\n"
		     "wait()\n");
	usleep(20000); /* from the word to the sleep */
	ask_by(program, child);
	thread = json_array_get(json_object_get(process(), "threads"), 0);
	frame = json_array_get(json_object_get(thread, "frames"), 0);
	cr_assert_eq(json_integer_value(json_object_get(process(), "pid")), child);
	cr_assert_eq(json_integer_value(json_object_get(thread, "tid")), child);
	cr_assert_str_eq(text_of(thread, "state"), "S");
	cr_assert_str_eq(text_of(frame, "function"), "wait");
	cr_assert_str_eq(text_of(frame, "file"), "<string>");
	cr_assert_eq(json_integer_value(json_object_get(frame, "line")), 4);
	cr_assert_eq(json_array_size(json_object_get(thread, "frames")), 2);
}

/* Beside the tests where these are installed, else in the sources. */
static void find_compare(char path[PROGRAM_PATH_MAX])
{
	char self[3000];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	cr_assert_gt(n, 0);
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	snprintf(path, PROGRAM_PATH_MAX, "%s/stacks/compare", self);
	if (access(path, X_OK) < 0)
		snprintf(path, PROGRAM_PATH_MAX, "tests/stacks/compare");
}

/* On python3, or on the interpreters in PYSBX_PYTHONS. */
Test(stacks, agrees_with_faulthandler_on_every_frame)
{
	const char *interpreters = getenv("PYSBX_PYTHONS");
	char path[PROGRAM_PATH_MAX], command[3 * PROGRAM_PATH_MAX], line[256] = "";
	unsigned frames = 0, wrong = 1;
	FILE *output;

	if (system("python3 -c 'import faulthandler'") != 0)
		cr_skip_test("needs python3");
	find_compare(path);
	snprintf(command, sizeof(command), "%s %s %s", path, program,
		 interpreters != NULL ? interpreters : "python3");
	output = popen(command, "r");
	cr_assert_not_null(output);
	while (fgets(line, sizeof(line), output) != NULL)
		fputs(line, stderr);
	cr_expect_eq(pclose(output), 0);
	cr_assert_eq(sscanf(line, "%u frames compared, %u wrong", &frames, &wrong), 2, "%s", line);
	cr_expect_geq(frames, 1000);
	cr_expect_eq(wrong, 0);
}

Test(stacks, tells_of_a_process_that_is_no_python)
{
	child = fork();
	if (child == 0) {
		execlp("sleep", "sleep", "100", (char *)NULL);
		_exit(127);
	}
	usleep(50000);
	ask_by(program, child);
	cr_assert(json_is_null(json_object_get(process(), "python")));
	cr_assert_str_eq(text_of(process(), "error"), "no Python in it");
	cr_assert_eq(json_array_size(json_object_get(process(), "threads")), 1);
}

Test(stacks, tells_of_a_process_that_is_gone)
{
	pid_t gone = fork();

	if (gone == 0)
		_exit(0);
	waitpid(gone, NULL, 0);
	ask_by(program, gone);
	cr_assert_neq(text_of(process(), "error")[0], '\0');
	cr_assert_eq(json_array_size(json_object_get(process(), "threads")), 0);
}

/* A directory that looks like a cgroup with these processes. */
static void make_leaf(const char *processes)
{
	char path[] = "/tmp/pysbx-stacks-leaf-XXXXXX";
	int fd;

	cr_assert_not_null(mkdtemp(path));
	leaf = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(leaf, "cgroup.procs", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(write(fd, processes, strlen(processes)), (ssize_t)strlen(processes));
	close(fd);
}

static void remove_leaf(void)
{
	char link[64], path[256];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", leaf);
	length = readlink(link, path, sizeof(path) - 1);
	cr_assert_gt(length, 0);
	path[length] = '\0';
	(void)unlinkat(leaf, "cgroup.procs", 0);
	(void)rmdir(path);
	close_and_clear(&leaf);
}

/* Its number was another process's when it was asked for. */
Test(stacks, tells_nothing_of_a_process_that_lives_elsewhere)
{
	static const struct {
		const char *before, *after;
		bool lives_there;
	} cases[] = {
		{ "", "", true },
		{ "1\n23\n", "\n99\n", true },
		{ "1", "", false },
		{ "", "0\n", false },
	};

	start_python("import os, time\nos.write(1, b'ready')\ntime.sleep(100)\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char processes[64];

		snprintf(processes, sizeof(processes), "%s%d%s", cases[i].before, (int)child,
			 cases[i].after);
		make_leaf(processes);
		answer.calls = 0;
		ask_by(program, child);
		remove_leaf();
		cr_expect_eq(json_array_size(json_object_get(process(), "threads")) > 0,
			     cases[i].lives_there, "in {%s}", processes);
		cr_expect_str_eq(text_of(process(), "error"),
				 cases[i].lives_there ? "" : "it has ended: No such process");
		json_decref(answer.result);
		answer.result = NULL;
	}
}

Test(stacks, tells_nothing_where_nobody_lives)
{
	start_python("import os, time\nos.write(1, b'ready')\ntime.sleep(100)\n");
	make_leaf("");
	ask_by(program, child);
	remove_leaf();
	cr_expect_str_eq(text_of(process(), "error"), "it has ended: No such process");
	cr_expect_eq(json_array_size(json_object_get(process(), "threads")), 0);
}

Test(stacks, has_no_answer_from_a_program_that_is_late)
{
	int64_t start = clock_monotonic_msec();

	write_script("exec sleep 100");
	ask_by(script, 1);
	cr_assert_null(answer.result);
	cr_assert_str_eq(answer.err.text, "stacks: not read in time: Connection timed out");
	cr_assert_lt(clock_monotonic_msec() - start, 5000);
}

/* Our own loop was late: the program was not. */
Test(stacks, takes_an_answer_that_is_there_although_the_time_is_up)
{
	struct stacks_request *request = NULL;
	struct error err;

	write_script("echo '{}'");
	readers.program = script;
	cr_assert_eq(ask_for(NULL, 1, &request, &err), 0, "%s", err.text);
	usleep(STACKS_PATIENCE_USEC + 200000);
	await_answer();
	cr_expect_not_null(answer.result, "%s", answer.err.text);
}

Test(stacks, refuses_an_answer_that_makes_no_sense)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "echo '{'", "stacks: the answer of pysbx-stacks: line " },
		{ "exit 0", "stacks: the answer of pysbx-stacks: line " },
		{ "exit 3", "stacks: pysbx-stacks failed with status 3" },
		{ "kill -SEGV $$", "stacks: pysbx-stacks died of signal 11" },
		{ "kill -ALRM $$", "stacks: not read in time" },
		{ "yes '[[[[[[[[[[[[[[[[['", "stacks: an answer of more than " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		write_script(cases[i].text);
		answer.calls = 0;
		ask_by(script, 1);
		cr_assert_null(answer.result);
		cr_assert_eq(strncmp(answer.err.text, cases[i].error, strlen(cases[i].error)), 0,
			     "%s: %s", cases[i].text, answer.err.text);
	}
}

Test(stacks, says_so_when_the_program_is_missing)
{
	ask_by("/nonexistent/pysbx-stacks", 1);
	cr_assert_null(answer.result);
	cr_assert_eq(answer.err.kind, ERROR_UNSUPPORTED);
}

Test(stacks, does_not_call_back_when_cancelled)
{
	struct stacks_request *request = NULL;
	struct error err;

	write_script("exec sleep 100");
	readers.program = script;
	cr_assert_eq(ask_for(NULL, getpid(), &request, &err), 0);
	stacks_cancel(request);
	stacks_cancel(NULL);
	while (sd_event_run(event, 300000) > 0)
		;
	cr_assert_eq(answer.calls, 0);
	cr_assert_lt(waitpid(-1, NULL, WNOHANG), 0, "the program was not reaped");
}

Test(stacks, needs_a_process)
{
	struct stacks_request *request = NULL;
	struct error err;

	cr_assert_lt(stacks_read(&readers, &(struct stacks_question){ .leaf = -1 }, on_done,
				 &answer, &request, &err),
		     0);
	cr_assert_eq(err.kind, ERROR_NOT_FOUND);
	cr_assert_null(request);
}

Test(stacks, says_so_where_nobody_reads)
{
	struct stacks_request *request = NULL;
	struct error err;

	cr_assert_lt(stacks_read(NULL, &(struct stacks_question){ .count = 0 }, on_done, &answer,
				 &request, &err),
		     0);
	cr_assert_eq(err.kind, ERROR_UNSUPPORTED);
}

/* Whoever has cancelled does not ask for more as long as what was started is still there. */
Test(stacks, has_so_many_readings_of_an_app_at_a_time)
{
	struct stacks_request *requests[BUDGET_APP_AT_ONCE + 1];
	struct error err;

	write_script("exec sleep 100");
	readers.program = script;
	for (size_t i = 0; i < BUDGET_APP_AT_ONCE; i++)
		cr_assert_eq(ask_for("web", 1, &requests[i], &err), 0, "%s", err.text);
	cr_assert_lt(ask_for("web", 1, &requests[BUDGET_APP_AT_ONCE], &err), 0);
	cr_expect_eq(err.kind, ERROR_TOO_MANY);
	cr_expect_str_eq(err.text, "readings of stacks: 2 of app web at a time are enough");
	cr_assert_eq(ask_for("api", 1, &requests[BUDGET_APP_AT_ONCE], &err), 0, "%s", err.text);
	for (size_t i = 0; i <= BUDGET_APP_AT_ONCE; i++)
		stacks_cancel(requests[i]);
	cr_assert_lt(ask_for("web", 1, &requests[0], &err), 0);
	while (sd_event_run(event, 300000) > 0)
		;
	cr_assert_eq(ask_for("web", 1, &requests[0], &err), 0, "%s", err.text);
	stacks_cancel(requests[0]);
	while (sd_event_run(event, 300000) > 0)
		;
	cr_assert_eq(answer.calls, 0);
}

/* One reading after the other: it has used up what was its own, and another one has not. */
Test(stacks, are_read_at_the_expense_of_whose_they_are)
{
	struct stacks_request *request;
	struct error err;
	unsigned readings = 0;

	/* it ends by itself, whoever is killed before */
	write_script("timeout 0.4 sh -c 'while :; do :; done'; echo {}");
	readers.program = script;
	while (readings < 50 && ask_for("web", 1, &request, &err) == 0) {
		answer.calls = 0;
		while (answer.calls == 0)
			cr_assert_geq(sd_event_run(event, 100000), 0);
		json_decref(answer.result);
		answer.result = NULL;
		readings++;
	}
	cr_assert_lt(readings, 50, "nothing was charged");
	cr_expect_str_eq(err.text,
			 "readings of stacks: app web has used up its 10 % of a processor");
	cr_assert_eq(ask_for("api", 1, &request, &err), 0, "%s", err.text);
	stacks_cancel(request);
	while (sd_event_run(event, 300000) > 0)
		;
}
