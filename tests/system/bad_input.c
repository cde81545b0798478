/* SPDX-License-Identifier: MIT */
/*
 * Wrong words, and a machine that lacks something: one line on stderr that names what and says what
 * to do, exit code 125 (126, 127 for the command itself), and nothing made.
 */
#include "tests/system/harness.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CASE_WORDS	  8
#define BUS_PATIENCE_MSEC 60000

TestSuite(bad_input, .timeout = TEST_TIMEOUT_SEC);

static const struct bad_case {
	const char *words[CASE_WORDS];
	int code;
	const char *says; /* what the line names */
} bad_cases[] = {
	/* words that are none */
	{ { "--frobnicate", "--", "true" }, 125, "--frobnicate" },
	{ { "--mme=64M", "--", "true" }, 125, "--mem" }, /* what was meant */
	{ { "-m", "64M", "--", "true" }, 125, "-m" },
	{ { "--mem" }, 125, "--mem" },
	{ { "--quiet=1", "--", "true" }, 125, "--quiet" },
	{ { "--mem", "64M" }, 125, "command" },
	{ { "--mem", "64M", "--" }, 125, "command" },
	{ { "--", "" }, 125, "COMMAND" },
	/* limits */
	{ { "--mem", "0", "--", "true" }, 125, "--mem" },
	{ { "--mem", "1M", "--", "true" }, 125, "--mem" }, /* no program starts in that */
	{ { "--mem", "99999999999999999999", "--", "true" }, 125, "--mem" },
	{ { "--mem", "9999999999999T", "--", "true" }, 125, "--mem" },
	{ { "--mem", "-64M", "--", "true" }, 125, "--mem" },
	{ { "--mem", "64Q", "--", "true" }, 125, "64Q" },
	{ { "--mem", "", "--", "true" }, 125, "--mem" },
	{ { "--cpu", "0", "--", "true" }, 125, "--cpu" },
	{ { "--cpu-weight", "10001", "--", "true" }, 125, "--cpu-weight" },
	{ { "--pids", "0", "--", "true" }, 125, "--pids" },
	{ { "--pids", "18446744073709551617", "--", "true" }, 125, "--pids" },
	{ { "--nofile", "3", "--", "true" }, 125, "--nofile" },
	{ { "--grace", "soon", "--", "true" }, 125, "--grace" },
	{ { "--io", "/", "--", "true" }, 125, "--io" },
	{ { "--io", "/proc=1M/1M", "--", "true" }, 125, "/proc" }, /* no disk below it */
	{ { "--io", "/no/such/place=1M/1M", "--", "true" }, 125, "/no/such/place" },
	/* what contradicts itself */
	{ { "--mem", "64M", "--mem-high", "128M", "--", "true" }, 125, "--mem-high" },
	{ { "--mem", "64M", "--mem", "128M", "--", "true" }, 125, "--mem" },
	{ { "--quiet", "--verbose", "--", "true" }, 125, "--verbose" },
	{ { "--restart", "never", "--backoff", "5s", "--", "true" }, 125, "--backoff" },
	{ { "--ro", "/srv", "--rw", "/srv", "--", "true" }, 125, "/srv" },
	/* words that are not among the choices */
	{ { "--restart", "sometimes", "--", "true" }, 125, "on-failure" },
	{ { "--oom", "nobody", "--", "true" }, 125, "worker" },
	{ { "--network", "bridge", "--", "true" }, 125, "none" },
	{ { "--kill-signal", "BOGUS", "--", "true" }, 125, "BOGUS" },
	/* places */
	{ { "--chdir", "/no/such/directory", "--", "true" }, 125, "/no/such/directory" },
	{ { "--chdir", "/etc/passwd", "--", "true" }, 125, "/etc/passwd" },
	{ { "--ro", "/no/such/place", "--", "true" }, 125, "/no/such/place" },
	{ { "--rw", "/no/such/place", "--", "true" }, 125, "/no/such/place" },
	{ { "--rw", "/etc", "--", "true" }, 125, "/etc" },
	{ { "--env-file", "/no/such/file", "--", "true" }, 125, "/no/such/file" },
	{ { "--env-file", "./broken.env", "--", "true" }, 125, "line 2" },
	{ { "--env", "1A=b", "--", "true" }, 125, "1A" },
	{ { "--env", "NOT_SET_ANYWHERE", "--", "true" }, 125, "NOT_SET_ANYWHERE" },
	/* users */
	{ { "--user", "no-such-user", "--", "true" }, 125, "no-such-user" },
	{ { "--user", "root", "--", "true" }, 125, "root" },
	{ { "--user", "0", "--", "true" }, 125, "root" },
	{ { "--user", "0day", "--", "true" }, 125, "0day" },
	{ { "--user", "-1", "--", "true" }, 125, "--user" },
	{ { "--user", "4294967295", "--", "true" }, 125, "4294967295" },
	{ { "--user", "4294967296", "--", "true" }, 125, "4294967296" },
	/* profiles */
	{ { "--syscalls", "./not-json.json", "--", "true" }, 125, "not-json.json" },
	{ { "--syscalls", "./unknown-call.json", "--", "true" }, 125, "openn" },
	{ { "--syscalls", "no-such-profile", "--", "true" }, 125, "no-such-profile" },
	{ { "--syscalls", "../../etc/passwd", "--", "true" }, 125, "passwd" },
	/* cgroup roots */
	{ { "--cgroup-root", "/no/such/cgroup", "--", "true" }, 125, "/no/such/cgroup" },
	{ { "--cgroup-root", "/usr", "--", "true" }, 125, "/usr" },
	/* the command itself */
	{ { "--", "no-such-command-anywhere" }, 127, "no-such-command-anywhere" },
	{ { "--", "./no-such-file" }, 127, "no-such-file" },
	{ { "--", "/no/such/directory/command" }, 127, "/no/such/directory/command" },
	{ { "--", "./not-executable" }, 126, "not-executable" },
	{ { "--", "/etc" }, 126, "/etc" },
};

static bool is_one_line(const char *text)
{
	const char *end = strchr(text, '\n');

	return end != NULL && end[1] == '\0' && end != text;
}

/* What pysbx says of this run: it may have swept what another test's killed run had left. */
static const char *said_of_itself(struct run *run)
{
	static const char sweep[] = "pysbx: swept ";
	const char *text = run_stderr(run);

	while (strncmp(text, sweep, sizeof(sweep) - 1) == 0)
		text += strcspn(text, "\n") + 1;
	return text;
}

static void expect_refused(struct run *run, const char *what, int code, const char *says)
{
	const char *line = said_of_itself(run);

	cr_expect_eq(run->code, code, "%s: %d, not %d%s", what, run->code, code, run_story(run));
	cr_expect(is_one_line(line), "%s: not one line:\n%s", what, line);
	cr_expect_eq(strncmp(line, "pysbx: ", 7), 0, "%s: who says that? %s", what, line);
	cr_expect_not_null(strstr(line, says), "%s: no \"%s\" in: %s", what, says, line);
	cr_expect_str_eq(run_stdout(run), "", "%s", what);
}

static void write_bad_files(struct bench *bench)
{
	static const struct {
		const char *name, *text;
		mode_t mode;
	} files[] = {
		{ "not-json.json", "{\"defaultAction\": \n", 0644 },
		{ "unknown-call.json",
		  "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [{\"names\": [\"read\", "
		  "\"openn\"], \"action\": \"SCMP_ACT_ALLOW\"}]}",
		  0644 },
		{ "broken.env", "GOOD=1\nexport BAD=2\n", 0644 },
		{ "not-executable", "#!/bin/sh\n", 0644 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		write_text(bench_format(bench, "%s/%s", bench->apps, files[i].name), files[i].text,
			   files[i].mode);
}

static const char *join(struct bench *bench, const char *const *words)
{
	const char *text = "pysbx run";

	for (; *words != NULL; words++)
		text = bench_format(bench, "%s %s", text, *words);
	return text;
}

Test(bad_input, is_refused_in_one_line_that_names_it)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "bad");
	write_bad_files(&bench);
	for (size_t i = 0; i < ARRAY_SIZE(bad_cases); i++) {
		const struct bad_case *bad = &bad_cases[i];

		run_through(&run, &bench, bad->words);
		expect_refused(&run, join(&bench, bad->words), bad->code, bad->says);
	}
	bench_close(&bench);
}

/* --- a machine that lacks something ----------------------------------------------------------- */

static void refuse_on(struct bench *bench, const struct run_setup *setup, const char *what,
		      const char *says, int msec)
{
	struct run run;

	run_start_with(&run, bench, setup, WORDS("--mem", "64M", "--", "true"));
	run_wait(&run, msec);
	expect_refused(&run, what, 125, says);
}

Test(bad_input, without_root_it_says_so)
{
	struct bench bench;

	bench_open(&bench, "noroot");
	refuse_on(&bench,
		  &(struct run_setup){ .wrap = WORDS("setpriv", "--reuid", "65534", "--regid",
						     "65534", "--clear-groups") },
		  "as nobody", "root", REACTION_MSEC);
	bench_close(&bench);
}

Test(bad_input, a_machine_that_lacks_something_is_told_what)
{
	static const struct {
		const char *prepare, *says;
	} machines[] = {
		{ "mount -t tmpfs none /sys/fs/cgroup", "cgroup v2" },
		{ "mount -t tmpfs none /usr/libexec/pysbx", "/usr/libexec/pysbx" },
		{ "mount -t tmpfs none /usr/share/pysbx", "python-web" },
		{ "mount -t tmpfs none /run/dbus\nmount --bind /dev/null /run/systemd/private",
		  "D-Bus" },
	};
	struct bench bench;

	bench_open(&bench, "lacking");
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		refuse_on(&bench, &(struct run_setup){ .prepare = machines[i].prepare },
			  machines[i].prepare, machines[i].says, REACTION_MSEC);
	bench_close(&bench);
}

/* Both ways to systemd take the connection and never answer: the end comes, and in bounded time. */
Test(bad_input, a_bus_that_never_answers_is_given_up_on)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct bench bench;
	const char *mounts;

	bench_open(&bench, "deafbus");
	cr_assert_lt(
		snprintf(address.sun_path, sizeof(address.sun_path), "%s/bus", bench.directory),
		(int)sizeof(address.sun_path));
	cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(listener, 8), 0);
	mounts = bench_format(&bench,
			      "mount -t tmpfs none /run/dbus\n"
			      "touch /run/dbus/system_bus_socket\n"
			      "mount --bind %s /run/dbus/system_bus_socket\n"
			      "mount --bind %s /run/systemd/private",
			      address.sun_path, address.sun_path);
	refuse_on(&bench, &(struct run_setup){ .prepare = mounts }, "a deaf bus", "systemd",
		  BUS_PATIENCE_MSEC);
	bench_close(&bench);
}

/* --- cgroup roots ----------------------------------------------------------------------------- */

static const char *make_cgroup(struct bench *bench, const char *parent, const char *name)
{
	const char *path = bench_format(bench, "%s/%s", parent, name);

	cr_assert(mkdir(path, 0755) == 0 || errno == EEXIST, "%s: %s", path, strerror(errno));
	return path;
}

Test(bad_input, a_missing_controller_is_named)
{
	struct bench bench;
	const char *root, *poor;
	struct run run;

	bench_open(&bench, "controller");
	root = make_cgroup(&bench, "/sys/fs/cgroup",
			   bench_format(&bench, "pysbx-test-%d", (int)getpid()));
	poor = make_cgroup(&bench, root, "poor");
	/* its children may have memory and pids, and nothing else */
	write_text(bench_format(&bench, "%s/cgroup.subtree_control", root), "+memory +pids", 0644);
	run_through(&run, &bench,
		    WORDS("--cgroup-root", poor, "--mem", "64M", "--cpu", "50%", "--", "true"));
	expect_refused(&run, "no cpu controller", 125, "cpu");
	cr_expect_eq(rmdir(poor), 0, "%s: %s", poor, strerror(errno));
	cr_expect_eq(rmdir(root), 0, "%s: %s", root, strerror(errno));
	bench_close(&bench);
}

Test(bad_input, a_cgroup_root_with_processes_is_refused)
{
	struct bench bench;
	const char *root;
	struct run run;
	pid_t pid;

	bench_open(&bench, "busyroot");
	root = make_cgroup(&bench, "/sys/fs/cgroup",
			   bench_format(&bench, "pysbx-test-%d", (int)getpid()));
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		write_text(bench_format(&bench, "%s/cgroup.procs", root), "0", 0644);
		pause();
		_exit(0);
	}
	cr_assert(AWAIT(read_text(bench_format(&bench, "%s/cgroup.procs", root))[0] != '\0',
			REACTION_MSEC));
	run_through(&run, &bench, WORDS("--cgroup-root", root, "--mem", "64M", "--", "true"));
	expect_refused(&run, "a root with processes", 125, root);
	cr_assert_eq(kill(pid, SIGKILL), 0);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	cr_expect_eq(rmdir(root), 0, "%s: %s", root, strerror(errno));
	bench_close(&bench);
}
