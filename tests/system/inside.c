/* SPDX-License-Identifier: MIT */
/*
 * The sandbox, seen by the worker: apps/inside.py looks round and tries things, and what it reports
 * is compared here.
 */
#include "tests/system/harness.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(inside, .timeout = TEST_TIMEOUT_SEC);

static json_t *parse_stdout(struct run *run)
{
	json_error_t error;
	json_t *object = json_loads(run_stdout(run), JSON_REJECT_DUPLICATES, &error);

	cr_assert_not_null(object, "%s%s", error.text, run_story(run));
	return object;
}

static json_t *look(struct run *run, struct bench *bench, const char *const *words)
{
	cr_assert_eq(run_through(run, bench, words), 0, "%s", run_story(run));
	return parse_stdout(run);
}

static void expect_text(const json_t *object, const char *path, const char *expected)
{
	cr_expect_str_eq(field_text(object, path), expected, "%s: %s, not %s", path,
			 field_text(object, path), expected);
}

static bool list_has(const json_t *list, const char *word)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (strcmp(json_string_value(json_array_get(list, i)), word) == 0)
			return true;
	return false;
}

/* A list of names: nothing but these (separated by blanks); or not there, or not to be read. */
static void expect_only(const json_t *object, const char *path, const char *names)
{
	const json_t *list = field(object, path);

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *name = json_string_value(json_array_get(list, i));
		_cleanup_free_ char *padded = NULL, *wanted = NULL;

		cr_assert(asprintf(&padded, " %s ", names) >= 0 &&
			  asprintf(&wanted, " %s ", name) >= 0);
		cr_expect_not_null(strstr(padded, wanted), "%s shows %s", path, name);
	}
}

static void expect_errno_of(const json_t *object, const char *path, const char *one,
			    const char *or_other)
{
	const char *answer = field_text(object, path);

	cr_expect(strcmp(answer, one) == 0 || strcmp(answer, or_other) == 0, "%s: %s", path,
		  answer);
}

/* --- who it is, what it sees ------------------------------------------------------------------ */

static void expect_no_privileges(const json_t *seen)
{
	static const char *const sets[] = { "caps.CapInh", "caps.CapPrm", "caps.CapEff",
					    "caps.CapBnd", "caps.CapAmb" };

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		expect_text(seen, sets[i], "0000000000000000");
	for (size_t i = 0; i < 3; i++) {
		cr_expect_gt(json_integer_value(json_array_get(field(seen, "uid"), i)), 0);
		cr_expect_gt(json_integer_value(json_array_get(field(seen, "gid"), i)), 0);
	}
	cr_expect_eq(json_array_size(field(seen, "groups")), 0);
	expect_text(seen, "no_new_privs", "1");
	expect_text(seen, "seccomp", "2");
	expect_text(seen, "setuid", "EPERM");
	expect_text(seen, "mknod", "EPERM");
	cr_expect_neq(strcmp(field_text(seen, "kill_all"), "allowed"), 0, "it may kill its init");
}

static void expect_own_namespaces(const json_t *seen)
{
	static const char *const own[] = { "pid", "mnt", "ipc", "uts", "cgroup" };
	char link[64], host[64];
	ssize_t length;

	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		_cleanup_free_ char *path = NULL;

		snprintf(link, sizeof(link), "/proc/self/ns/%s", own[i]);
		length = readlink(link, host, sizeof(host) - 1);
		cr_assert_gt(length, 0);
		host[length] = '\0';
		cr_assert_geq(asprintf(&path, "namespaces.%s", own[i]), 0);
		cr_expect_neq(strcmp(field_text(seen, path), host), 0, "%s namespace is the host's",
			      own[i]);
	}
	/* its own cgroup is the root of what it sees */
	expect_text(seen, "cgroup", "0::/\n");
}

static void expect_other_processes_are_invisible(const json_t *seen)
{
	const json_t *pids = field(seen, "pids");

	/* itself, and no more than its init beside it */
	cr_expect_leq(json_array_size(pids), 2);
	for (size_t i = 0; i < json_array_size(pids); i++)
		cr_expect_leq(json_integer_value(json_array_get(pids, i)), 2);
	cr_expect_leq(field_number(seen, "pid"), 2);
	cr_expect_neq(strcmp(field_text(seen, "read.pid1_environ"), "allowed"), 0);
	cr_expect_neq(strcmp(field_text(seen, "read.pid1_exe"), "allowed"), 0);
}

static void expect_a_bare_file_system(struct bench *bench, const json_t *seen)
{
	expect_only(seen, "root",
		    "bin dev etc lib lib32 lib64 libx32 proc run sbin srv sys tmp usr var");
	expect_only(seen, "root_home", "");
	expect_only(seen, "tmp", "");
	expect_only(seen, "shm", "");
	expect_only(seen, "run", "");
	expect_only(seen, "sys", "fs");
	expect_only(seen, "srv", strrchr(bench->directory, '/') + 1);
	expect_only(
		seen, "dev",
		"fd full memory-pressure null ptmx pts random shm stderr stdin stdout tty urandom "
		"zero");
	cr_expect(list_has(field(seen, "here"), "inside.py"));
	expect_errno_of(seen, "read.shadow", "ENOENT", "EACCES");
	expect_errno_of(seen, "read.kmsg", "ENOENT", "EPERM");
	expect_errno_of(seen, "read.kcore", "ENOENT", "EACCES");
	expect_errno_of(seen, "read.sysrq", "ENOENT", "EACCES");
	expect_only(seen, "cgroupfs.directories", "0");
}

static void expect_only_scratch_is_writable(const json_t *seen)
{
	static const char *const read_only[] = { "write.code", "write.etc", "write.usr",
						 "write.root" };

	for (size_t i = 0; i < ARRAY_SIZE(read_only); i++)
		expect_errno_of(seen, read_only[i], "EROFS", "EACCES");
	expect_text(seen, "write.code", "EROFS"); /* even where its modes would allow it */
	expect_errno_of(seen, "write.passwd", "EROFS", "EACCES");
	expect_errno_of(seen, "write.dev", "EROFS", "EACCES");
	expect_text(seen, "write.tmp", "allowed");
	expect_text(seen, "write.shm", "allowed");
	expect_text(seen, "write.null", "allowed");
}

static void expect_no_inherited_fds(const json_t *seen)
{
	const json_t *fds = field(seen, "fds");

	expect_text(seen, "fds.0", "/dev/null");
	cr_expect_eq(strncmp(field_text(seen, "fds.1"), "pipe:", 5), 0);
	cr_expect_eq(strncmp(field_text(seen, "fds.2"), "pipe:", 5), 0);
	cr_expect_eq(json_object_size(fds), 3, "%zu open files", json_object_size(fds));
}

Test(inside, a_worker_is_nobody_and_sees_itself_alone)
{
	_cleanup_json_ json_t *seen = NULL;
	struct bench bench;
	struct run run;
	const char *told;

	bench_open(&bench, "look");
	/* modes that would let anybody write: it is the mount that says no */
	cr_assert_eq(chmod(bench.apps, 0777), 0);
	/* fd 9 is open in pysbx, and must not be in the worker */
	run_start_with(&run, &bench,
		       &(struct run_setup){ .prepare = "exec 9</etc/shadow\n"
						       "export SECRET=of-the-administrator\n" },
		       WORDS("--mem", "128M", "--quiet", "--", "python3", "inside.py"));
	cr_assert_eq(run_wait(&run, START_MSEC), 0, "%s", run_story(&run));
	seen = parse_stdout(&run);
	expect_no_privileges(seen);
	expect_own_namespaces(seen);
	expect_other_processes_are_invisible(seen);
	expect_a_bare_file_system(&bench, seen);
	expect_only_scratch_is_writable(seen);
	expect_no_inherited_fds(seen);
	expect_text(seen, "directory", bench.apps);
	expect_text(seen, "hostname", bench.name);
	cr_expect_null(json_object_get(field(seen, "environment"), "SECRET"));
	cr_expect_eq(field_number(seen, "session"), field_number(seen, "pid"));
	cr_expect_eq(field_number(seen, "oom_score_adj"), 0);
	/* of all that it has tried, one call is of the kind that is explained */
	told = run_stderr(&run);
	cr_expect_not_null(strstr(told, ": seccomp refused mknodat("), "%s", run_story(&run));
	cr_expect_str_eq(strchrnul(told, '\n'), "\n", "a quiet end has nothing to tell%s",
			 run_story(&run));
	bench_close(&bench);
}

Test(inside, capsh_prints_no_capability)
{
	struct bench bench;
	struct run run;
	const char *text;

	bench_open(&bench, "capsh");
	cr_assert_eq(run_through(&run, &bench, WORDS("--", "/usr/sbin/capsh", "--print")), 0, "%s",
		     run_story(&run));
	text = run_stdout(&run);
	cr_expect_not_null(strstr(text, "Current: =\n"), "%s", text);
	cr_expect_not_null(strstr(text, "Bounding set =\n"), "%s", text);
	cr_expect_not_null(strstr(text, "Ambient set =\n"), "%s", text);
	/* "!cap_chown" says that it is not even in the bounding set */
	cr_expect_not_null(strstr(text, "Current IAB: !cap_chown,"), "%s", text);
	cr_expect_null(strstr(text, ",cap_"), "%s", text);
	cr_expect_not_null(strstr(text, "Guessed mode: NOPRIV"), "%s", text);
	cr_expect_null(strstr(text, "uid=0("), "%s", text);
	cr_expect_not_null(strstr(text, "no-new-privs=1"), "%s", text);
	bench_close(&bench);
}

/* --- what it may not do ----------------------------------------------------------------------- */

/* Refused with EPERM, or unknown: never a kill, and never carried out. */
static const char *const refused[] = {
	"mount",
	"umount2",
	"bind",
	"remount_rw",
	"open_tree",
	"fsopen",
	"move_mount",
	"pivot_root",
	"chroot",
	"ptrace_traceme",
	"ptrace_attach",
	"ptrace_seize",
	"ptrace_init",
	"unshare_user",
	"unshare_mount",
	"setns",
	"bpf",
	"perf_event_open",
	"userfaultfd",
	"io_uring_setup",
	"keyctl",
	"add_key",
	"init_module",
	"open_by_handle_at",
	"kexec_load",
	"reboot",
	"swapon",
	"sethostname",
	"clock_settime",
	"syslog",
	"acct",
	"iopl",
	"process_vm_readv",
};

/* Families and requests may be refused with an errno of their own kind. */
static const char *const not_allowed[] = { "tiocsti",  "tiocsti_high_bits", "tioclinux", "af_alg",
					   "af_vsock", "af_packet",	    "raw_inet" };

Test(inside, what_a_worker_has_no_business_with_is_refused)
{
	_cleanup_json_ json_t *answers = NULL;
	struct bench bench;
	struct run run;

	bench_open(&bench, "attempts");
	answers = look(&run, &bench, WORDS("--", "python3", "inside.py", "attempts"));
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		expect_errno_of(answers, refused[i], "EPERM", "ENOSYS");
	for (size_t i = 0; i < ARRAY_SIZE(not_allowed); i++)
		cr_expect_neq(strcmp(field_text(answers, not_allowed[i]), "allowed"), 0,
			      "%s is allowed", not_allowed[i]);
	/* EPERM here, and glibc would start no thread */
	expect_text(answers, "clone3", "ENOSYS");
	expect_text(answers, "af_unix", "allowed");
	expect_text(answers, "af_inet", "allowed");
	expect_text(answers, "af_inet6", "allowed");
	bench_close(&bench);
}

Test(inside, what_python_programs_need_works)
{
	_cleanup_json_ json_t *results = NULL;
	_cleanup_free_ char *threads = NULL, *pool = NULL;
	struct bench bench;
	struct run run;

	bench_open(&bench, "threads");
	results = look(&run, &bench, WORDS("--", "python3", "inside.py", "threads"));
	threads = json_dumps(field(results, "threads"), JSON_COMPACT);
	cr_expect_str_eq(threads, "[45,4950,499500,49995000]");
	pool = json_dumps(field(results, "pool"), JSON_COMPACT);
	cr_expect_str_eq(pool, "[1,2,3]");
	expect_text(results, "loop", "from a child\n");
	expect_text(results, "shell", "42");
	cr_expect_eq(field_number(results, "callback"), 42);
	cr_expect_eq(field_number(results, "sqlite"), 7);
	cr_expect_eq(field_number(results, "random"), 16);
	bench_close(&bench);
}

/* --- what the user chooses -------------------------------------------------------------------- */

Test(inside, named_paths_are_visible_and_only_writable_where_it_was_said)
{
	struct bench bench;
	struct run run;
	const char *shared;
	_cleanup_free_ char *written = NULL;

	bench_open(&bench, "paths");
	shared = bench_format(&bench, "%s/shared", bench.directory);
	cr_assert_eq(mkdir(shared, 0777), 0);
	cr_assert_eq(chmod(shared, 0777), 0);
	write_text(bench_format(&bench, "%s/word", shared), "from outside\n", 0644);
	cr_expect_eq(run_through(&run, &bench,
				 WORDS("--ro", shared, "--rw", bench.data, "--restart", "never",
				       "--", "sh", "-c",
				       bench_format(&bench,
						    "cat %s/word; echo from inside >%s/answer; "
						    "echo no >%s/answer",
						    shared, bench.data, shared))),
		     2, "%s", run_story(&run));
	cr_expect_str_eq(run_stdout(&run), "from outside\n");
	cr_expect_not_null(strstr(run_stderr(&run), "Read-only file system"), "%s",
			   run_story(&run));
	written = read_text(bench_format(&bench, "%s/answer", bench.data));
	cr_expect_str_eq(written, "from inside\n");
	bench_close(&bench);
}

Test(inside, the_user_is_the_one_that_was_named)
{
	static const struct {
		const char *user, *id;
	} cases[] = {
		{ "nobody", "65534 65534 nobody\n" },
		{ "4242", "4242 4242 " }, /* no entry in passwd: the name is ours to choose */
		{ "4242:4343", "4242 4343 " },
	};
	struct bench bench;
	struct run run;

	bench_open(&bench, "user");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_expect_eq(run_through(&run, &bench,
					 WORDS("--user", cases[i].user, "--", "sh", "-c",
					       "echo $(id -u) $(id -g) $(id -un)")),
			     0, "%s", run_story(&run));
		cr_expect_eq(strncmp(run_stdout(&run), cases[i].id, strlen(cases[i].id)), 0, "%s",
			     run_stdout(&run));
	}
	bench_close(&bench);
}

Test(inside, files_of_the_system_have_an_owner_by_name_and_nobody_can_become_it)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "owners");
	cr_expect_eq(run_through(&run, &bench,
				 WORDS("--", "python3", "-c",
				       "import pathlib, pwd, grp\n"
				       "usr = pathlib.Path('/usr')\n"
				       "print(usr.owner(), usr.group())\n"
				       "print(len(pwd.getpwall()))\n"
				       "for name in 'root', 'nobody':\n"
				       "    e = pwd.getpwnam(name)\n"
				       "    print(e.pw_passwd, e.pw_uid, e.pw_shell)\n"
				       "print(grp.getgrgid(0).gr_mem)")),
		     0, "%s", run_story(&run));
	cr_expect_str_eq(run_stdout(&run),
			 "root root\n"
			 "3\n"
			 "x 0 /usr/sbin/nologin\nx 65534 /usr/sbin/nologin\n"
			 "[]\n",
			 "%s", run_story(&run));
	bench_close(&bench);
}

static int listen_on_host(const struct bench *bench)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)bench->port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fd, 8), 0);
	return fd;
}

Test(inside, without_a_network_there_is_loopback_and_nobody_else)
{
	_cleanup_json_ json_t *alone = NULL, *shared = NULL;
	struct bench bench;
	struct run run;
	const char *port;
	int listener;

	bench_open(&bench, "network");
	listener = listen_on_host(&bench);
	port = bench_format(&bench, "%d", bench.port);
	alone = look(&run, &bench, WORDS("--network", "none", "--", "python3", "connect.py", port));
	cr_expect_eq(json_array_size(field(alone, "interfaces")), 1);
	expect_only(alone, "interfaces", "lo");
	expect_text(alone, "own", "connected"); /* its loopback is up */
	expect_text(alone, "host", "ECONNREFUSED");
	expect_text(alone, "outside", "ENETUNREACH");
	/* the probe can tell: with the host's network the same listener is reached */
	shared =
		look(&run, &bench, WORDS("--network", "host", "--", "python3", "connect.py", port));
	expect_text(shared, "host", "connected");
	close(listener);
	bench_close(&bench);
}

/* --- environment ------------------------------------------------------------------------------ */

static void expect_variable(struct run *run, const char *name, const char *value)
{
	const char *text = bench_format(run->bench, "\n%s", run_stdout(run));
	const char *entry = bench_format(run->bench, "\n%s=%s\n", name, value != NULL ? value : "");

	if (value != NULL)
		cr_expect_not_null(strstr(text, entry), "%s is not %s in:%s", name, value, text);
	else
		cr_expect_null(strstr(text, bench_format(run->bench, "\n%s=", name)),
			       "%s is set in:%s", name, text);
}

/* A program named gunicorn that shows what gunicorn would see. */
static void start_env_as_gunicorn(struct run *run, struct bench *bench, const char *const *words)
{
	write_text(bench_format(bench, "%s/gunicorn", bench->apps), "#!/bin/sh\nexec env\n", 0755);
	run_start_with(run, bench,
		       &(struct run_setup){ .prepare = "export SECRET=s3cret PASSED=on LANG=C" },
		       words);
	cr_assert_eq(run_wait(run, START_MSEC), 0, "%s", run_story(run));
}

Test(inside, the_limits_are_told_to_python_where_nothing_else_was_said)
{
	struct bench bench;
	struct run run;

	bench_open(&bench, "env");
	start_env_as_gunicorn(
		&run, &bench,
		WORDS("--mem", "1G", "--cpu", "150%", "--env", "PASSED", "--", "./gunicorn"));
	expect_variable(&run, "PYTHONUNBUFFERED", "1");
	expect_variable(&run, "PYTHONFAULTHANDLER", "1");
	expect_variable(&run, "MALLOC_ARENA_MAX", "2");
	expect_variable(&run, "PYTHON_CPU_COUNT", "2");
	expect_variable(&run, "OMP_NUM_THREADS", "2");
	expect_variable(&run, "WEB_CONCURRENCY", "5"); /* 2 cores: gunicorn's 2 * n + 1 */
	expect_variable(&run, "PASSED", "on");
	expect_variable(&run, "SECRET", NULL);
	bench_close(&bench);
}

Test(inside, what_the_user_says_wins_over_files_and_those_over_us)
{
	struct bench bench;
	struct run run;
	const char *file;

	bench_open(&bench, "envfile");
	file = bench_format(&bench, "%s/env", bench.directory);
	write_text(file, "# as for systemd\nFROM_FILE='one word'\nBOTH=file\nMALLOC_ARENA_MAX=7\n",
		   0600);
	start_env_as_gunicorn(&run, &bench,
			      WORDS("--mem", "1G", "--env-file", file, "--env", "BOTH=option",
				    "--env", "PYTHONUNBUFFERED=", "--env", "WEB_CONCURRENCY=9",
				    "--", "./gunicorn"));
	expect_variable(&run, "FROM_FILE", "one word");
	expect_variable(&run, "BOTH", "option");
	expect_variable(&run, "MALLOC_ARENA_MAX", "7");
	expect_variable(&run, "PYTHONUNBUFFERED", "");
	expect_variable(&run, "WEB_CONCURRENCY", "9");
	expect_variable(&run, "PYTHON_CPU_COUNT", NULL); /* no --cpu, nothing to follow from */
	bench_close(&bench);
}

/* --- the plan --------------------------------------------------------------------------------- */

Test(inside, print_plan_shows_the_sandbox_and_starts_nothing)
{
	_cleanup_json_ json_t *plan = NULL;
	struct bench bench;
	struct run run;
	const char *mark;

	bench_open(&bench, "plan");
	mark = bench_format(&bench, "%s/started", bench.data);
	cr_assert_eq(run_through(&run, &bench,
				 WORDS("--mem", "64M", "--rw", bench.data, "--print-plan", "--",
				       "touch", mark)),
		     0, "%s", run_story(&run));
	plan = parse_stdout(&run);
	cr_expect(json_is_object(plan));
	cr_expect_not_null(strstr(run_stdout(&run), mark), "the command is not in the plan");
	cr_expect_neq(access(mark, F_OK), 0, "it was started");
	cr_expect_str_eq(run_stderr(&run), "");
	bench_close(&bench);
}
