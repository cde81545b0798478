/* SPDX-License-Identifier: MIT */
/*
 * Made-up servers: a process with a server's command line that catches a master's signals, and its
 * children. The leaf is a directory with a file cgroup.procs. Python makes them, since a name and
 * what is caught is all that counts.
 */
#include "supervisor/recycle.h"

#include "policy/own.h"
#include "tests/supervisor/tree.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS_MAX 4
#define MIB	    (UINT64_C(1) << 20)

static pid_t master, workers[WORKERS_MAX];
static int leaf = -1, from_master = -1;

static void end_server(void)
{
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		if (workers[i] > 0)
			(void)kill(workers[i], SIGKILL);
	if (master > 0) {
		(void)kill(master, SIGKILL);
		(void)waitpid(master, NULL, 0);
	}
	close_and_clear(&leaf);
	close_and_clear(&from_master);
	tree_remove();
}

TestSuite(recycle, .init = tree_make, .fini = end_server, .timeout = 30);

/* The master says the pids of its workers, then each that has ended, and by which signal it was
 * asked ("-": it was killed). */
static const char program[] =
	"import os, signal, sys, time\n"
	"caught, worker_signals, sizes = sys.argv[1:4]\n"
	"def number(name): return getattr(signal, 'SIG' + name)\n"
	"for name in caught.split(): signal.signal(number(name), lambda *_: None)\n"
	"pids = []\n"
	"for size in sizes.split():\n"
	"    pid = os.fork()\n"
	"    if pid == 0:\n"
	"        asked = []\n"
	"        for name in worker_signals.split():\n"
	"            signal.signal(number(name), lambda n, f: os._exit(n))\n"
	"        held = bytearray(b'x' * int(size))\n"
	"        os.write(int(sys.argv[4]), b'r')\n"
	"        while True: time.sleep(1000)\n"
	"    pids.append(pid)\n"
	"out = int(sys.argv[5])\n"
	"os.read(int(sys.argv[6]), 0)\n"
	"n = 0\n"
	"while n < len(pids): n += len(os.read(int(sys.argv[6]), 100))\n"
	"os.write(out, (' '.join(map(str, pids)) + '\\n').encode())\n"
	"while True:\n"
	"    pid, status = os.wait()\n"
	"    how = str(os.WEXITSTATUS(status)) if os.WIFEXITED(status) else '-'\n"
	"    os.write(out, f'{pid} {how}\\n'.encode())\n";

static const char *read_line(void)
{
	static char line[256];
	size_t length = 0;

	while (length + 1 < sizeof(line) && read(from_master, &line[length], 1) == 1 &&
	       line[length] != '\n')
		length++;
	line[length] = '\0';
	return line;
}

/* sizes: bytes that each worker holds, apart by blanks. */
static void start_server(const char *script, const char *caught, const char *worker_signals,
			 const char *sizes)
{
	_cleanup_free_ char *path = strdup(tree_path(script)), *list = NULL;
	_cleanup_fclose_ FILE *file = fopen(path, "we"), *procs = NULL;
	char numbers[3][12], *end;
	int out[2], ready[2];

	cr_assert_not_null(file);
	fputs(program, file);
	fclose(TAKE_PTR(file));
	cr_assert_eq(pipe(out), 0);
	cr_assert_eq(pipe(ready), 0);
	snprintf(numbers[0], sizeof(numbers[0]), "%d", ready[1]);
	snprintf(numbers[1], sizeof(numbers[1]), "%d", out[1]);
	snprintf(numbers[2], sizeof(numbers[2]), "%d", ready[0]);
	master = fork();
	if (master == 0) {
		execlp("python3", "python3", path, caught, worker_signals, sizes, numbers[0],
		       numbers[1], numbers[2], NULL);
		_exit(127);
	}
	(void)close(out[1]), (void)close(ready[0]), (void)close(ready[1]);
	from_master = out[0];
	list = strdup(read_line());
	cr_assert_neq(list[0], '\0', "no python3?");
	procs = fopen(tree_path("cgroup.procs"), "we");
	fprintf(procs, "%d\n", (int)master);
	end = list;
	for (unsigned i = 0; i < WORKERS_MAX && *end != '\0'; i++) {
		workers[i] = (pid_t)strtol(end, &end, 10);
		fprintf(procs, "%d\n", (int)workers[i]);
	}
	leaf = open(tree_path(""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(leaf, 0);
}

static const char *recycle_worth(uint64_t worth_bytes)
{
	static char result[CHORE_RESULT_MAX];
	const struct recycle recycle = { master, worth_bytes };

	result[0] = '\0';
	recycle_largest(leaf, &recycle, result);
	return result;
}

static void expect_ended(unsigned worker, int signal)
{
	char expected[64];

	snprintf(expected, sizeof(expected), "%d %d", (int)workers[worker], signal);
	cr_expect_str_eq(read_line(), expected);
}

Test(recycle, asks_the_largest_worker_of_gunicorn)
{
	const char *result;

	start_server("gunicorn", "TTIN TTOU TERM", "TERM", "1000 30000000 2000000");
	result = recycle_worth(8 * MIB);
	cr_expect_not_null(strstr(result, "asked gunicorn's worker"), "%s", result);
	cr_expect_not_null(strstr(result, "the largest of 3, to end (SIGTERM)"), "%s", result);
	expect_ended(1, SIGTERM);
}

Test(recycle, asks_uwsgi_by_its_own_signal)
{
	const char *result;

	start_server("uwsgi", "TSTP HUP TERM", "HUP TERM", "20000000 1000");
	result = recycle_worth(8 * MIB);
	cr_expect_not_null(strstr(result, "(SIGHUP)"), "%s", result);
	expect_ended(0, SIGHUP);
}

Test(recycle, leaves_alone_what_would_die_of_it)
{
	const char *result;

	start_server("gunicorn", "TTIN", "", "30000000");
	result = recycle_worth(8 * MIB);
	cr_expect_str_eq(result, "skipped: gunicorn has no worker now");
	cr_expect_eq(kill(workers[0], 0), 0);
}

Test(recycle, leaves_alone_where_nobody_would_start_another)
{
	start_server("uvicorn", "INT TERM", "TERM", "30000000");
	cr_expect_str_eq(recycle_worth(8 * MIB),
			 "skipped: this uvicorn starts no other worker for one that ends (too "
			 "old, or without a master)");
	cr_expect_eq(kill(workers[0], 0), 0);
}

Test(recycle, knows_of_no_way_with_hypercorn)
{
	start_server("hypercorn", "TTIN TTOU TERM", "TERM", "30000000");
	cr_expect_str_eq(recycle_worth(8 * MIB),
			 "skipped: of hypercorn no single worker can be asked to end");
}

Test(recycle, leaves_alone_what_it_does_not_know)
{
	start_server("server.py", "TTIN TTOU TERM", "TERM", "30000000");
	cr_expect_str_eq(recycle_worth(8 * MIB),
			 "skipped: of an unknown server no single worker can be asked to end");
}

Test(recycle, leaves_alone_workers_that_hold_little)
{
	const char *result;

	start_server("gunicorn", "TTIN TERM", "TERM", "1000 1000");
	result = recycle_worth(512 * MIB);
	cr_expect_not_null(strstr(result, "skipped: the largest of its 2 workers has"), "%s",
			   result);
	cr_expect_not_null(strstr(result, "less than 512M"), "%s", result);
}

/* A process that is in the leaf, but another's child: here ours. */
Test(recycle, asks_no_other_than_children_of_the_main_process)
{
	pid_t stranger;
	FILE *procs;
	int status;

	start_server("gunicorn", "TTIN TERM", "TERM", "1000");
	stranger = fork();
	if (stranger == 0) {
		static char held[64 << 20];

		memset(held, 1, sizeof(held));
		pause();
		_exit(held[0]);
	}
	procs = fopen(tree_path("cgroup.procs"), "ae");
	fprintf(procs, "%d\n%d\n", (int)stranger, 1);
	fclose(procs);
	(void)recycle_worth(1);
	expect_ended(0, SIGTERM);
	cr_expect_eq(waitpid(stranger, &status, WNOHANG), 0);
	(void)kill(stranger, SIGKILL);
	(void)waitpid(stranger, NULL, 0);
}

Test(recycle, survives_a_master_that_is_gone)
{
	struct recycle recycle = { 0x3fffffff, 1 };
	char result[CHORE_RESULT_MAX] = "";

	start_server("gunicorn", "TTIN TERM", "TERM", "1000");
	recycle_largest(leaf, &recycle, result);
	cr_expect_not_null(strstr(result, "skipped"), "%s", result);
}
