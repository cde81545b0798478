/* SPDX-License-Identifier: MIT */
#include "tests/system/harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX   80
#define STORY_MAX   6000 /* bytes of each output that a failing test shows: its end */
#define CGROUP_ROOT "/sys/fs/cgroup"

/* --- start and end ---------------------------------------------------------------------------- */

static size_t add_words(const char **argv, size_t count, const char *const *words)
{
	for (; words != NULL && *words != NULL; words++) {
		cr_assert_lt(count, WORDS_MAX);
		argv[count++] = *words;
	}
	return count;
}

static void compose(const struct bench *bench, const struct run_setup *setup,
		    const char *const *words, const char *argv[static WORDS_MAX + 1])
{
	size_t count = 0;

	if (setup->prepare != NULL) {
		count = add_words(argv, count, WORDS("unshare", "--mount", "sh", "-ec"));
		count = add_words(argv, count, WORDS(setup->prepare, "sh"));
	}
	count = add_words(argv, count, setup->wrap);
	count = add_words(argv, count,
			  setup->learn ? WORDS("pysbx", "syscalls", "learn")
				       : WORDS("pysbx", "run"));
	if (!setup->bare)
		count = add_words(argv, count,
				  WORDS("--name", bench->name, "--report", bench->report));
	count = add_words(argv, count, words);
	argv[count] = NULL;
}

/* In the forked child: the files or fds it writes to, and its end with the test's end. */
static void become(const struct run *run, const struct run_setup *setup, char *const *argv)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int out = setup->own_stdout
			  ? setup->stdout_fd
			  : open(run->out_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	int err = open(run->err_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(null, STDIN_FILENO);
	if (out >= 0)
		dup2(out, STDOUT_FILENO);
	else
		close(STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	if (chdir(run->bench->apps) == 0)
		execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "harness: %s: %s\n", argv[0], strerror(errno));
	_exit(99);
}

void run_start_with(struct run *run, struct bench *bench, const struct run_setup *setup,
		    const char *const *words)
{
	const char *argv[WORDS_MAX + 1];
	_cleanup_free_ char *prepare = NULL;
	struct run_setup own = *setup;

	/* the count of texts only grows: each run's files have names of their own */
	*run = (struct run){ .bench = bench };
	run->out_path = bench_format(bench, "%s/stdout.%zu", bench->directory, bench->texts.count);
	run->err_path = bench_format(bench, "%s/stderr.%zu", bench->directory, bench->texts.count);
	if (setup->prepare != NULL) {
		cr_assert_geq(asprintf(&prepare, "%s\nexec \"$@\"", setup->prepare), 0);
		own.prepare = prepare;
	}
	compose(bench, &own, words, argv);
	run->pid = fork();
	cr_assert_geq(run->pid, 0, "fork: %s", strerror(errno));
	if (run->pid == 0)
		become(run, &own, (char *const *)argv);
}

void run_start(struct run *run, struct bench *bench, const char *const *words)
{
	run_start_with(run, bench, &(struct run_setup){ 0 }, words);
}

bool run_has_ended(struct run *run)
{
	int status = 0;

	if (!run->ended && waitpid(run->pid, &status, WNOHANG) == run->pid) {
		run->ended = true;
		run->code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
	}
	return run->ended;
}

int run_wait(struct run *run, int msec)
{
	cr_assert(AWAIT(run_has_ended(run), msec), "pysbx has not ended after %d ms%s", msec,
		  run_story(run));
	return run->code;
}

int run_through(struct run *run, struct bench *bench, const char *const *words)
{
	run_start(run, bench, words);
	return run_wait(run, START_MSEC);
}

void run_signal(const struct run *run, int signal)
{
	cr_assert(!run->ended);
	cr_assert_eq(kill(run->pid, signal), 0, "kill: %s", strerror(errno));
}

/* --- output ----------------------------------------------------------------------------------- */

static const char *keep(struct bench *bench, const char *path)
{
	_cleanup_free_ char *text = read_text(path);

	return bench_format(bench, "%s", text);
}

const char *run_stdout(struct run *run)
{
	return keep(run->bench, run->out_path);
}

const char *run_stderr(struct run *run)
{
	return keep(run->bench, run->err_path);
}

static const char *tail_of(const char *text)
{
	size_t length = strlen(text);

	return length > STORY_MAX ? text + length - STORY_MAX : text;
}

const char *run_story(struct run *run)
{
	return bench_format(run->bench, "\n--- stdout\n%s\n--- stderr\n%s\n--- exit %s%d",
			    tail_of(run_stdout(run)), tail_of(run_stderr(run)),
			    run->ended ? "" : "not yet ", run->code);
}

static bool file_has(const char *path, const char *text)
{
	_cleanup_free_ char *content = read_text(path);

	return strstr(content, text) != NULL;
}

static void await_text(struct run *run, const char *path, const char *text, int msec)
{
	bool ended = false;

	(void)AWAIT(file_has(path, text) || (ended = run_has_ended(run)), msec);
	cr_assert(file_has(path, text), "%s, and \"%s\" was not said%s",
		  ended ? "ended" : "waited for it", text, run_story(run));
}

void run_await_stdout(struct run *run, const char *text, int msec)
{
	await_text(run, run->out_path, text, msec);
}

void run_await_stderr(struct run *run, const char *text, int msec)
{
	await_text(run, run->err_path, text, msec);
}

/* Lines that begin with text: an incident on stderr quotes them, indented. */
static size_t times_said(const char *path, const char *text)
{
	_cleanup_free_ char *content = read_text(path);
	size_t count = 0;

	for (const char *at = content; (at = strstr(at, text)) != NULL; at += strlen(text))
		count += at == content || at[-1] == '\n';
	return count;
}

void run_await_times(struct run *run, const char *text, size_t count, int msec)
{
	cr_assert(AWAIT(times_said(run->err_path, text) == count, msec),
		  "\"%s\" %zu times, not %zu%s", text, times_said(run->err_path, text), count,
		  run_story(run));
}

/* --- cgroups ---------------------------------------------------------------------------------- */

/* NAME.slice below a scope of systemd's, or below a --cgroup-root: wherever it is. */
static bool find_slice(const struct bench *bench, const char *below, int depth, char *ret_path,
		       size_t size)
{
	DIR *directory = depth > 0 ? opendir(below) : NULL;
	bool found = false;
	struct dirent *entry;
	char path[600];

	if (directory == NULL)
		return false;
	snprintf(ret_path, size, "%s/%s.slice", below, bench->name);
	found = access(ret_path, F_OK) == 0;
	while (!found && (entry = readdir(directory)) != NULL) {
		if (entry->d_type != DT_DIR || strstr(entry->d_name, "pysbx") == NULL)
			continue;
		snprintf(path, sizeof(path), "%s/%s", below, entry->d_name);
		found = find_slice(bench, path, depth - 1, ret_path, size);
	}
	closedir(directory);
	return found;
}

const char *run_slice(struct run *run)
{
	char path[700] = "";
	bool found = false;

	(void)AWAIT((found = find_slice(run->bench, CGROUP_ROOT, 3, path, sizeof(path))) ||
			    run_has_ended(run),
		    REACTION_MSEC);
	cr_assert(found, "the app has no cgroup%s", run_story(run));
	return bench_format(run->bench, "%s", path);
}

const char *run_limit(struct run *run, const char *file)
{
	const char *path = bench_format(run->bench, "%s/%s", run_slice(run), file);
	_cleanup_free_ char *text = read_text(path);

	text[strcspn(text, "\n")] = '\0';
	return bench_format(run->bench, "%s", text);
}

uint64_t run_counter(struct run *run, const char *file, const char *key)
{
	const char *path = bench_format(run->bench, "%s/%s", run_slice(run), file);
	_cleanup_free_ char *text = read_text(path);
	size_t length = strlen(key);

	for (const char *line = text; line != NULL && *line != '\0';) {
		if (strncmp(line, key, length) == 0 && line[length] == ' ')
			return strtoull(line + length, NULL, 10);
		line = strchr(line, '\n');
		line = line != NULL ? line + 1 : NULL;
	}
	cr_assert_fail("%s has no %s:\n%s", path, key, text);
	return 0;
}

size_t run_pids(struct run *run, pid_t pids[static BENCH_PIDS_MAX])
{
	const char *path = bench_format(run->bench, "%s/0/cgroup.procs", run_slice(run));
	_cleanup_free_ char *text = read_text(path);
	char *rest = text;
	size_t count = 0;

	for (char *line; (line = strsep(&rest, "\n")) != NULL && count < BENCH_PIDS_MAX;)
		if (line[0] != '\0')
			pids[count++] = (pid_t)strtol(line, NULL, 10);
	return count;
}

static size_t count_pids(struct run *run)
{
	pid_t pids[BENCH_PIDS_MAX];

	return run_pids(run, pids);
}

void run_await_pids(struct run *run, size_t count, int msec)
{
	cr_assert(AWAIT(count_pids(run) == count, msec), "%zu processes, not %zu%s",
		  count_pids(run), count, run_story(run));
}

pid_t pid_inside(pid_t pid)
{
	_cleanup_free_ char *status = NULL;
	char path[64], *line, *last;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	status = read_text(path);
	line = strstr(status, "\nNSpid:");
	if (line == NULL)
		return 0;
	line++;
	line[strcspn(line, "\n")] = '\0';
	last = strrchr(line, '\t');
	return last != NULL ? (pid_t)strtol(last, NULL, 10) : 0;
}
