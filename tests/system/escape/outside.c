/* SPDX-License-Identifier: MIT */
/*
 * A worker and its launcher after a start, looked at from outside: what the kernel says of them,
 * not what they say of themselves.
 */
#include "tests/system/harness.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_LENGTH 128
#define LINK_LENGTH 256
#define STAT_FIELDS 52
#define WORKER_UID  4242
#define CAP_OF_INIT "0000000000000020" /* CAP_KILL */
#define NO_CAP	    "0000000000000000"

TestSuite(outside, .timeout = TEST_TIMEOUT_SEC);

/* The values behind "key:" in /proc/PID/status, separated by single blanks; owned by the caller. */
static char *status_of(pid_t pid, const char *key)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_LENGTH], *value = NULL;
	size_t length = strlen(key);

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	text = read_text(path);
	for (char *line = text; line != NULL && value == NULL;
	     line = strchr(line, '\n') != NULL ? strchr(line, '\n') + 1 : NULL)
		if (strncmp(line, key, length) == 0 && line[length] == ':')
			value = strndup(line + length + 1, strcspn(line + length + 1, "\n"));
	cr_assert_not_null(value, "%s has no %s", path, key);
	for (char *at = value; *at != '\0'; at++)
		if (*at == '\t')
			*at = ' ';
	return value;
}

static void expect_status(pid_t pid, const char *key, const char *expected)
{
	_cleanup_free_ char *value = status_of(pid, key);
	const char *text = value + strspn(value, " ");
	size_t length = strlen(text);

	while (length > 0 && text[length - 1] == ' ')
		length--;
	cr_expect(strlen(expected) == length && strncmp(text, expected, length) == 0,
		  "%s of process %d: \"%s\", not \"%s\"", key, (int)pid, text, expected);
}

/* Field number `index` of /proc/PID/stat, counted as in proc(5). */
static long stat_of(pid_t pid, int index)
{
	char path[PATH_LENGTH], *at;
	_cleanup_free_ char *text = NULL;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	text = read_text(path);
	at = strrchr(text, ')');
	cr_assert_not_null(at);
	for (int i = 2; i < index && at != NULL; i++)
		at = strchr(at + 1, ' ');
	cr_assert_not_null(at);
	return strtol(at, NULL, 10);
}

static void read_link(pid_t pid, const char *name, char text[static LINK_LENGTH])
{
	char path[PATH_LENGTH];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	length = readlink(path, text, LINK_LENGTH - 1);
	cr_assert_gt(length, 0, "%s", path);
	text[length] = '\0';
}

static void expect_own_namespaces(pid_t pid, const char *const *own)
{
	char theirs[LINK_LENGTH], ours[LINK_LENGTH];

	for (; *own != NULL; own++) {
		read_link(pid, *own, theirs);
		read_link(getpid(), *own, ours);
		cr_expect_str_neq(theirs, ours, "process %d is in the host's %s", (int)pid, *own);
	}
}

/* The first of its open files that is none of these kinds, in `link`; false: there is none. */
static bool has_other_file(pid_t pid, const char *const *kinds, char link[static LINK_LENGTH])
{
	char path[PATH_LENGTH];
	struct dirent *entry;
	bool known = true;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	directory = opendir(path);
	cr_assert_not_null(directory);
	while (known && (entry = readdir(directory)) != NULL) {
		ssize_t length = readlinkat(dirfd(directory), entry->d_name, link, LINK_LENGTH - 1);

		if (length < 0) /* "." and "..", and what has been closed since */
			continue;
		link[length] = '\0';
		known = false;
		for (const char *const *kind = kinds; *kind != NULL && !known; kind++)
			known = strncmp(link, *kind, strlen(*kind)) == 0;
	}
	closedir(directory);
	return !known;
}

/* No directory, no file of the host; once a program that starts has loaded its libraries. */
static void expect_open_files(pid_t pid, const char *const *kinds)
{
	char link[LINK_LENGTH] = "";

	cr_expect(AWAIT(!has_other_file(pid, kinds, link), REACTION_MSEC), "process %d has %s open",
		  (int)pid, link);
}

static void expect_no_capability(pid_t pid, const char *permitted)
{
	expect_status(pid, "CapInh", NO_CAP);
	expect_status(pid, "CapPrm", permitted);
	expect_status(pid, "CapEff", permitted);
	expect_status(pid, "CapBnd", NO_CAP);
	expect_status(pid, "CapAmb", NO_CAP);
	expect_status(pid, "NoNewPrivs", "1");
}

static void start_family(struct run *run, struct bench *bench)
{
	run_start(run, bench,
		  WORDS("--mem", "64M", "--user", "4242", "--", "sh", "-c",
			"sleep 600 & setsid sleep 600 & echo out; wait"));
	run_await_stdout(run, "out", START_MSEC);
	run_await_pids(run, 3, REACTION_MSEC);
}

static void expect_confined(pid_t pid, pid_t first)
{
	expect_status(pid, "Uid", "4242 4242 4242 4242");
	expect_status(pid, "Gid", "4242 4242 4242 4242");
	expect_status(pid, "Groups", "");
	expect_status(pid, "Seccomp", "2");
	expect_status(pid, "TracerPid", "0");
	expect_no_capability(pid, NO_CAP);
	expect_own_namespaces(pid, WORDS("ns/pid", "ns/mnt", "ns/ipc", "ns/uts", "ns/cgroup"));
	cr_expect_neq(stat_of(pid, 6), getsid(0), "process %d is in our session", (int)pid);
	cr_expect_eq(stat_of(pid, 7), 0, "process %d has a controlling terminal", (int)pid);
	if (pid == first)
		cr_expect_eq(stat_of(pid, 6), pid, "it leads no session of its own");
}

Test(outside, every_process_of_a_worker_is_confined)
{
	static const char *const kinds[] = { "/dev/null", "pipe:", NULL };
	pid_t pids[BENCH_PIDS_MAX];
	struct bench bench;
	struct run run;
	size_t count;

	bench_open(&bench, "outside");
	start_family(&run, &bench);
	count = run_pids(&run, pids);
	cr_assert_eq(count, 3);
	for (size_t i = 0; i < count; i++) {
		expect_confined(pids[i], pids[0]);
		expect_open_files(pids[i], kinds);
	}
	run_signal(&run, SIGTERM);
	run_wait(&run, START_MSEC);
	bench_close(&bench);
}

/* It is pid 1 inside, so what it holds is what a hole in it would give. */
Test(outside, a_launcher_keeps_cap_kill_alone_and_nothing_of_the_host_open)
{
	static const char *const kinds[] = { "/dev/null",   "pipe:",   "socket:",
					     "anon_inode:", "/memfd:", NULL };
	pid_t pids[BENCH_PIDS_MAX], launcher;
	char path[PATH_LENGTH];
	struct stat root, ours;
	struct bench bench;
	struct run run;

	bench_open(&bench, "launcher");
	start_family(&run, &bench);
	cr_assert_geq(run_pids(&run, pids), 1);
	launcher = (pid_t)stat_of(pids[0], 4);
	cr_assert_eq(pid_inside(launcher), 1);
	expect_no_capability(launcher, CAP_OF_INIT);
	expect_status(launcher, "Groups", "");
	/* its cgroup is the app's business no more than it is in the app's namespace */
	expect_own_namespaces(launcher, WORDS("ns/pid", "ns/mnt", "ns/ipc", "ns/uts"));
	expect_open_files(launcher, kinds);
	snprintf(path, sizeof(path), "/proc/%d/root", (int)launcher);
	cr_assert_eq(stat(path, &root), 0);
	cr_assert_eq(stat("/", &ours), 0);
	cr_expect(root.st_dev != ours.st_dev || root.st_ino != ours.st_ino,
		  "its root is the host's");
	run_signal(&run, SIGTERM);
	run_wait(&run, START_MSEC);
	bench_close(&bench);
}

static bool can_write_program(pid_t launcher)
{
	char path[PATH_LENGTH];
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)launcher);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd >= 0;
}

/* It is on a mount of its own that is read-only, or in a sealed memfd (CVE-2019-5736). Not even
 * root can, so neither can a worker by whatever way. */
Test(outside, nobody_can_write_to_the_program_of_a_launcher)
{
	pid_t pids[BENCH_PIDS_MAX];
	struct bench bench;
	struct run run;

	bench_open(&bench, "sealed");
	start_family(&run, &bench);
	cr_assert_geq(run_pids(&run, pids), 1);
	cr_expect_not(can_write_program((pid_t)stat_of(pids[0], 4)));
	run_signal(&run, SIGTERM);
	run_wait(&run, START_MSEC);
	bench_close(&bench);
}
