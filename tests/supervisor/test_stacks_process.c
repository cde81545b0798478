/* SPDX-License-Identifier: MIT */
/* What pysbx-stacks makes of /proc, and what it is allowed to do. */
#include "policy/own.h"
#include "supervisor/stacks_confine.h"
#include "supervisor/stacks_process.h"
#include "tests/supervisor/program.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(stacks_process, .timeout = 30);

/* --- /proc/PID/maps -------------------------------------------------------------------------- */

Test(stacks_process, files_that_may_be_a_python_are_found_in_maps)
{
	static const struct {
		const char *line;
		uint64_t base; /* 0: is none */
	} cases[] = {
		{ "55d0c0a00000-55d0c0a01000 r--p 00000000 08:01 1 /usr/bin/server\n",
		  0x55d0c0a00000 },
		{ "55d0c0a01000-55d0c0a02000 r-xp 00001000 08:01 1 /usr/bin/server\n", 0 },
		{ "7f0000000000-7f0000001000 r--p 00000000 08:01 2 /usr/lib/libpython3.9.so.1.0\n",
		  0x7f0000000000 },
		{ "7f0000000000-7f0000001000 r--p 00000000 08:01 2 /a b/python3 (deleted)\n",
		  0x7f0000000000 },
		{ "7f0000000000-7f0000001000 r--p 00000000 08:01 2 /usr/lib/libc.so.6\n", 0 },
		{ "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 [heap]\n", 0 },
		{ "7f0000000000-7f0000001000 rw-p 00000000 00:00 0\n", 0 },
		{ "/usr/bin/server\n", 0 },
		{ "zz /usr/bin/server\n", 0 },
		{ "", 0 },
	};
	static struct stacks_candidates candidates;
	char line[128];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		candidates.count = 0;
		snprintf(line, sizeof(line), "%s", cases[i].line);
		stacks_candidates_add(&candidates, line, "/usr/bin/server");
		cr_assert_eq(candidates.count, cases[i].base != 0, "%s", cases[i].line);
		if (cases[i].base != 0)
			cr_expect_eq(candidates.items[0].base, cases[i].base);
	}
	cr_expect(!candidates.is_pypy);
	snprintf(line, sizeof(line), "1000-2000 r--p 00000000 08:01 1 /opt/libpypy3.9-c.so\n");
	stacks_candidates_add(&candidates, line, "");
	cr_expect(candidates.is_pypy);
	snprintf(line, sizeof(line),
		 "1000-2000 r--p 00001000 08:01 1 /x/_ssl.cpython-310-x86_64-linux-gnu.so\n");
	stacks_candidates_add(&candidates, line, "");
	cr_expect_eq(candidates.named_minor, 10);
}

Test(stacks_process, more_candidates_than_there_is_room_for_are_left_out)
{
	static struct stacks_candidates candidates;
	char line[STACKS_PATH_MAX + 200];

	for (unsigned i = 0; i < STACKS_CANDIDATES_MAX + 5; i++) {
		snprintf(line, sizeof(line), "%x000-%x000 r--p 00000000 08:01 1 /lib/python%u\n",
			 i + 1, i + 2, i);
		stacks_candidates_add(&candidates, line, "");
	}
	cr_expect_eq(candidates.count, STACKS_CANDIDATES_MAX);
	candidates.count = 0;
	snprintf(line, sizeof(line), "1000-2000 r--p 00000000 08:01 1 /%0*d/python3\n",
		 STACKS_PATH_MAX, 0);
	stacks_candidates_add(&candidates, line, "");
	cr_expect_eq(candidates.count, 0);
}

Test(stacks_process, versions_are_read_from_names)
{
	cr_expect_eq(stacks_minor_in_name("/usr/lib/libpython3.9.so.1.0"), 9);
	cr_expect_eq(stacks_minor_in_name("/usr/bin/python3.10 (deleted)"), 10);
	cr_expect_eq(stacks_minor_in_name("/opt/python3.11/bin/python3"), 0);
	cr_expect_eq(stacks_minor_in_name("/usr/bin/python3"), 0);
	cr_expect_eq(stacks_minor_in_name("/usr/bin/python3."), 0);
	cr_expect_eq(stacks_minor_in_name("/usr/bin/python3.-5"), 0);
	cr_expect_eq(stacks_minor_in_name("/usr/bin/python3.99999999999999999999"), 0);
}

/* --- /proc/PID/task/TID/stat ------------------------------------------------------------------ */

Test(stacks_process, a_task_is_read_from_its_line)
{
	struct stacks_task task = { .tid = 0 };
	long ticks = sysconf(_SC_CLK_TCK);

	cr_assert(stacks_task_parse("42 (a) (b)) S 1 2 3 4 5 6 1234 8 9 10 7 3 0 0 20 0\n", &task));
	cr_expect_str_eq(task.name, "a) (b)");
	cr_expect_eq(task.state, 'S');
	cr_expect_eq(task.minor_faults, 1234);
	cr_expect_eq(task.cpu_usec, 10 * (uint64_t)(1000000 / ticks));
	cr_expect(stacks_task_parse("1 () R", &task));
	cr_expect_str_eq(task.name, "");
	for (const char *const *text =
		     (const char *const[]){ "", "1 (a", "1 a) S", ")(", "1 (a)S", "1 (a) ", NULL };
	     *text != NULL; text++)
		cr_expect(!stacks_task_parse(*text, &task), "%s", *text);
}

/* --- what it may do --------------------------------------------------------------------------- */

static void read_status(pid_t pid, char *text, size_t size)
{
	char path[64];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, text, size - 1) : 0;
	text[n > 0 ? n : 0] = '\0';
}

static bool status_has(const char *status, const char *key, const char *value)
{
	const char *at = strstr(status, key);

	return at != NULL && strncmp(at + strlen(key), value, strlen(value)) == 0;
}

/* It waits for pids on its input, with all given up that it gives up. */
static pid_t start_waiting(int *ret_input)
{
	char program[PROGRAM_PATH_MAX];
	int fds[2];
	pid_t pid;

	if (!program_find("pysbx-stacks", program))
		cr_skip_test("pysbx-stacks is not built: make all");
	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fds[0], 0);
		execl(program, program, (char *)NULL);
		_exit(127);
	}
	close(fds[0]);
	*ret_input = fds[1];
	return pid;
}

Test(stacks_process, it_keeps_one_capability_and_has_a_filter)
{
	bool has_ptrace = prctl(PR_CAPBSET_READ, 19, 0, 0, 0) == 1 && geteuid() == 0;
	const char *kept = has_ptrace ? "0000000000080000\n" : "0000000000000000\n";
	char status[8192] = "";
	int input, wait_status;
	pid_t pid = start_waiting(&input);

	for (int i = 0; i < 400 && !status_has(status, "\nSeccomp:\t", "2\n"); i++) {
		usleep(1000);
		read_status(pid, status, sizeof(status));
	}
	cr_expect(status_has(status, "\nSeccomp:\t", "2\n"), "%s", status);
	cr_expect(status_has(status, "\nNoNewPrivs:\t", "1\n"), "%s", status);
	cr_expect(status_has(status, "\nCapPrm:\t", kept), "%s", status);
	cr_expect(status_has(status, "\nCapEff:\t", kept), "%s", status);
	cr_expect(status_has(status, "\nCapInh:\t", "0000000000000000\n"), "%s", status);
	close(input);
	cr_assert_eq(waitpid(pid, &wait_status, 0), pid);
	cr_expect_eq(wait_status, 0);
}

Test(stacks_process, it_ends_when_its_time_is_over)
{
	int input, wait_status;
	pid_t pid = start_waiting(&input);

	cr_assert_eq(waitpid(pid, &wait_status, 0), pid);
	cr_expect(WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGALRM);
	close(input);
}

Test(stacks_process, its_filter_refuses_what_it_has_no_need_of)
{
	static const struct {
		const char *what;
		long number, first, second, third;
	} calls[] = {
		{ "socket", SYS_socket, 1, 1, 0 },
		{ "kill", SYS_kill, 0, 0, 0 },
		{ "open for writing", SYS_openat, AT_FDCWD, (long)"/dev/null", O_WRONLY },
		{ "create", SYS_openat, AT_FDCWD, (long)"/nonexistent/x", O_CREAT },
		{ "executable memory", SYS_mmap, 0, 4096, 4 },
		{ "write memory", SYS_process_vm_writev, 1, 0, 0 },
		{ "ptrace", SYS_ptrace, 0, 0, 0 },
		{ "execve", SYS_execve, (long)"/bin/true", 0, 0 },
		{ "fork", SYS_clone, SIGCHLD, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		int wait_status;
		pid_t pid = fork();

		if (pid == 0) {
			struct error err;

			if (stacks_confine(&err) < 0)
				_exit(3);
			(void)syscall(calls[i].number, calls[i].first, calls[i].second,
				      calls[i].third, 0x22, -1, 0);
			_exit(4);
		}
		cr_assert_eq(waitpid(pid, &wait_status, 0), pid);
		cr_expect(WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGSYS, "%s: %d",
			  calls[i].what, wait_status);
	}
}

/* --- the files below its root ---------------------------------------------------------------- */

TestSuite(stacks_find, .timeout = 30);

/* A root with a file, and an outside with a secret. */
static const char *const made[] = { "root", "root/usr", "root/usr/lib", NULL };

static int make_root(char base[static 64])
{
	char path[128];
	int fd;

	snprintf(base, 64, "/tmp/pysbx-stacks-root-XXXXXX");
	cr_assert_not_null(mkdtemp(base));
	for (size_t i = 0; made[i] != NULL; i++) {
		snprintf(path, sizeof(path), "%s/%s", base, made[i]);
		cr_assert_eq(mkdir(path, 0700), 0);
	}
	snprintf(path, sizeof(path), "%s/root", base);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	close(openat(fd, "usr/lib/libpython3.11.so", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	close(openat(fd, "../secret", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	cr_assert_eq(mkfifoat(fd, "usr/lib/fifo", 0600), 0);
	cr_assert_eq(symlinkat("libpython3.11.so", fd, "usr/lib/link"), 0);
	cr_assert_eq(symlinkat("../../../secret", fd, "usr/lib/out"), 0);
	cr_assert_eq(symlinkat("../..", fd, "usr/up"), 0);
	cr_assert_eq(symlinkat("/proc/self/root", fd, "usr/magic"), 0);
	return fd;
}

static void remove_root(const char *base)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", base);
	cr_assert_eq(system(command), 0);
}

Test(stacks_find, opens_a_file_below_the_root)
{
	static const char *const paths[] = { "/usr/lib/libpython3.11.so",
					     "usr/lib/libpython3.11.so",
					     "//usr//lib/libpython3.11.so",
					     "/usr/./lib/libpython3.11.so" };
	char base[64];
	int root = make_root(base);

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		int fd = stacks_open_below(root, paths[i]);

		cr_expect_geq(fd, 0, "%s", paths[i]);
		cr_expect_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
		cr_expect_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
		close(fd);
	}
	close(root);
	remove_root(base);
}

Test(stacks_find, follows_no_link_and_never_goes_up)
{
	static const char *const paths[] = {
		"/usr/lib/link",
		"/usr/lib/out",
		"/usr/up/secret",
		"/usr/up/root/usr/lib/libpython3.11.so",
		"/usr/magic/etc/passwd",
		"/../secret",
		"/usr/../usr/lib/libpython3.11.so",
		"/usr/lib/fifo",
		"/usr/lib",
		"/usr/lib/",
		"/",
		"",
		"/usr/lib/libpython3.11.so/more",
		"/usr/lib/libpython3.11.so (deleted)",
	};
	char base[64], name[600];
	int root = make_root(base);

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		cr_expect_eq(stacks_open_below(root, paths[i]), -1, "%s", paths[i]);
	memset(name, 'a', sizeof(name) - 1);
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	cr_expect_eq(stacks_open_below(root, name), -1);
	close(root);
	remove_root(base);
}
