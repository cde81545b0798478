/* SPDX-License-Identifier: MIT */
#include "policy/kernel_line.h"

#include "policy/own.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static bool parse(const char *record, struct kernel_line *ret)
{
	return kernel_line_parse(record, strlen(record), ret);
}

/* As Linux 6.1 and 6.12 print it when a gunicorn worker reaches its app's limit. */
static const char constraint_line[] =
	"6,1234,98765432,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,"
	"mems_allowed=0,oom_memcg=/pysbx.slice/pysbx-run-web.scope/web.slice,"
	"task_memcg=/pysbx.slice/pysbx-run-web.scope/web.slice/0,task=gunicorn,pid=4711,"
	"uid=1879048193\n";
static const char killed_line[] =
	"3,1235,98765433,-;Memory cgroup out of memory: Killed process 4711 (gunicorn) "
	"total-vm:302544kB, anon-rss:251904kB, file-rss:6144kB, shmem-rss:0kB, UID:1879048193 "
	"pgtables:620kB oom_score_adj:0\n SUBSYSTEM=x\n DEVICE=y\n";

Test(kernel_line, reads_the_line_that_names_the_cgroups)
{
	struct kernel_line line;

	cr_assert(parse(constraint_line, &line));
	cr_expect_eq(line.sequence, 1234);
	cr_expect_eq(line.time_usec, 98765432);
	cr_expect(line.is_oom_kill);
	cr_expect_eq(line.pid, 4711);
	cr_expect_str_eq(line.oom_memcg, "/pysbx.slice/pysbx-run-web.scope/web.slice");
	cr_expect_str_eq(line.task_memcg, "/pysbx.slice/pysbx-run-web.scope/web.slice/0");
	cr_expect_str_eq(line.comm, "gunicorn");
	cr_expect_eq(strncmp(line.text, "oom-kill:constraint=CONSTRAINT_MEMCG,", 37), 0);
	cr_expect_str_eq(line.text + strlen(line.text) - 15, ",uid=1879048193");
}

Test(kernel_line, reads_the_line_that_names_the_sizes)
{
	struct kernel_line line;

	cr_assert(parse(killed_line, &line));
	cr_expect_eq(line.sequence, 1235);
	cr_expect(line.is_oom_kill);
	cr_expect_eq(line.pid, 4711);
	cr_expect_str_eq(line.comm, "gunicorn");
	cr_expect_str_eq(line.task_memcg, "");
	cr_expect_str_eq(line.oom_memcg, "");
	/* the first line of the record alone */
	cr_expect_str_eq(line.text + strlen(line.text) - 15, "oom_score_adj:0");
}

Test(kernel_line, reads_a_kill_of_the_whole_host)
{
	struct kernel_line line;

	cr_assert(parse("6,7,8,-;oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,"
			"mems_allowed=0,global_oom,task_memcg=/a/0,task=python3,pid=77,uid=33\n",
			&line));
	cr_expect(line.is_oom_kill);
	cr_expect_eq(line.pid, 77);
	cr_expect_str_eq(line.oom_memcg, "");
	cr_expect_str_eq(line.task_memcg, "/a/0");

	cr_assert(
		parse("3,7,8,-;Out of memory: Killed process 78 (python3) total-vm:1kB, x", &line));
	cr_expect(line.is_oom_kill);
	cr_expect_eq(line.pid, 78);
	cr_assert(parse("3,7,8,-;Out of memory (oom_kill_allocating_task): Killed process 79 (p) "
			"total-vm:1kB",
			&line));
	cr_expect(line.is_oom_kill);
	cr_expect_eq(line.pid, 79);
}

#define FRONT "6,1,2,-;oom-kill:constraint=C,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/A,"

Test(kernel_line, a_process_name_cannot_forge_the_rest)
{
	static const struct {
		const char *record;
		int pid;
		const char *memcg, *comm;
	} rows[] = {
		{ FRONT "task_memcg=/A/0,task=x,pid=1,uid=0,pid=9,uid=5", 9, "/A/0",
		  "x,pid=1,uid=0" },
		{ FRONT "task_memcg=/A/0,task=,task_memcg=/B,pid=9,uid=5", 9, "/A/0",
		  ",task_memcg=/B" },
		{ FRONT "task_memcg=/A/0,task=a,task=b,pid=9,uid=5", 9, "/A/0", "a,task=b" },
		{ FRONT "task_memcg=/A/0,task=,oom_memcg=/B,pid=9,uid=5", 9, "/A/0",
		  ",oom_memcg=/B" },
		{ FRONT "task_memcg=/A/0,task=,pid=9,uid=5", 9, "/A/0", "" },
		{ "3,1,2,-;Memory cgroup out of memory: Killed process 9 (a) b) total-vm:1kB, x", 9,
		  "", "a) b" },
		{ "3,1,2,-;Memory cgroup out of memory: Killed process 9 () total-vm:) "
		  "total-vm:1kB",
		  9, "", ") total-vm:" },
		{ "3,1,2,-;Memory cgroup out of memory: Killed process 9 (\x1b[2J\xff) "
		  "total-vm:1kB",
		  9, "", "?[2J?" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kernel_line line;

		cr_assert(parse(rows[i].record, &line), "row %zu", i);
		cr_expect(line.is_oom_kill, "row %zu", i);
		cr_expect_eq(line.pid, rows[i].pid, "row %zu: %d", i, line.pid);
		cr_expect_str_eq(line.task_memcg, rows[i].memcg, "row %zu: %s", i, line.task_memcg);
		cr_expect_str_eq(line.comm, rows[i].comm, "row %zu: %s", i, line.comm);
		if (line.task_memcg[0] != '\0')
			cr_expect_str_eq(line.oom_memcg, "/A", "row %zu: %s", i, line.oom_memcg);
	}
}

Test(kernel_line, takes_other_lines_for_what_they_are)
{
	static const char *const records[] = {
		"6,1,2,-;usb 1-1: new device",
		"6,1,2,-;",
		"6,1,2,c,caller=T1;x",
		"6,1,2,-;oom-kill:constraint=",
		"6,1,2,-;oom-kill:constraint=C,task_memcg=/A,task=x",
		"6,1,2,-;oom-kill:constraint=C,task_memcg=/A,task=x,pid=1",
		"6,1,2,-;oom-kill:constraint=C,task_memcg=/A,task=x,pid=1,uid=",
		"6,1,2,-;oom-kill:constraint=C,task_memcg=/A,task=x,pid=1,uid=5 ",
		"6,1,2,-;oom-kill:constraint=C,task_memcg=/A,task=x,pid=0,uid=5",
		"6,1,2,-;oom-kill:constraint=C,task_memcg=/A,task=x,pid=-1,uid=5",
		"6,1,2,-;oom-kill:constraint=C,task_memcg=/A,task=x,pid=2147483648,uid=5",
		"6,1,2,-;oom-kill:constraint=C,task_memcg=/A,task=x,pid=99999999999999999999,uid=5",
		"6,1,2,-;oom-kill:constraint=C,task=x,pid=1,uid=5",
		"6,1,2,-;oom-kill:constraint=C,task_memcg=/A,pid=1,uid=5",
		"6,1,2,-;x oom-kill:constraint=C,task_memcg=/A,task=x,pid=1,uid=5",
		"3,1,2,-;Memory cgroup out of memory: Killed process (x) total-vm:1kB",
		"3,1,2,-;Memory cgroup out of memory: Killed process 9",
		"3,1,2,-;Memory cgroup out of memory: Killed process 9 (x)",
		"3,1,2,-;Memory cgroup out of memory: Killed process 9 total-vm:1kB",
		"3,1,2,-;9 (x) total-vm:1kB",
		"3,1,2,-;Killed process 9 (x) total-vm:1kB",
		/* facility 1: some process wrote this to /dev/kmsg */
		"14,1,2,-;Memory cgroup out of memory: Killed process 9 (x) total-vm:1kB",
		"8,1,2,-;oom-kill:constraint=C,task_memcg=/A,task=x,pid=1,uid=5",
	};

	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		struct kernel_line line;

		cr_assert(parse(records[i], &line), "%s", records[i]);
		cr_expect_not(line.is_oom_kill, "%s", records[i]);
		cr_expect_eq(line.pid, 0, "%s", records[i]);
		cr_expect_str_eq(line.task_memcg, "", "%s", records[i]);
		cr_expect_str_eq(line.comm, "", "%s", records[i]);
		cr_expect_str_eq(line.text, strchr(records[i], ';') + 1);
	}
}

Test(kernel_line, refuses_what_is_no_record)
{
	static const char *const records[] = {
		"",
		";",
		"x",
		"6",
		"6,1",
		"6,1,2",
		"6,1,2,-",
		"6,1,2;x",
		",1,2,-;x",
		"6,,2,-;x",
		"6,1,,-;x",
		"-6,1,2,-;x",
		"6,1,2,-\n;x",
		"6,99999999999999999999,2,-;x",
		" SUBSYSTEM=x",
	};

	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		struct kernel_line line = { .pid = 77 };

		cr_expect_not(parse(records[i], &line), "\"%s\"", records[i]);
		cr_expect_eq(line.pid, 77, "\"%s\"", records[i]);
	}
	cr_expect_not(kernel_line_parse(NULL, 0, &(struct kernel_line){ 0 }));
}

Test(kernel_line, keeps_within_its_bounds)
{
	static char record[9000];
	struct kernel_line line;
	size_t used = (size_t)snprintf(record, sizeof(record), "%s", FRONT "task_memcg=/");

	memset(record + used, 'a', 8000);
	snprintf(record + used + 8000, sizeof(record) - used - 8000, ",task=x,pid=9,uid=5");
	cr_assert(parse(record, &line));
	/* pid comes from the end of the whole record, not of the part that is kept */
	cr_expect(line.is_oom_kill);
	cr_expect_eq(line.pid, 9);
	cr_expect_eq(strlen(line.text), KERNEL_LINE_MAX - 1);
	/* half of a path could be another cgroup's */
	cr_expect_str_eq(line.task_memcg, "");

	/* 255 bytes fit, 256 do not */
	snprintf(record, sizeof(record), FRONT "task_memcg=/%0254d,task=x,pid=9,uid=5", 0);
	cr_assert(parse(record, &line));
	cr_expect_eq(strlen(line.task_memcg), 255);
	snprintf(record, sizeof(record), FRONT "task_memcg=/%0255d,task=x,pid=9,uid=5", 0);
	cr_assert(parse(record, &line));
	cr_expect_str_eq(line.task_memcg, "");
}

Test(kernel_line, reads_no_byte_beyond_the_record)
{
	size_t length = sizeof(killed_line) - 1;
	char *copy = malloc(length);
	struct kernel_line line;

	/* every beginning of the record, without a NUL behind it: for the address sanitizer */
	cr_assert_not_null(copy);
	memcpy(copy, killed_line, length);
	for (size_t i = 0; i <= length; i++)
		kernel_line_parse(copy + length - i, i, &line);
	free(copy);
	for (size_t i = 0; i < sizeof(constraint_line); i++) {
		copy = malloc(i + 1);
		cr_assert_not_null(copy);
		memcpy(copy, constraint_line, i);
		kernel_line_parse(copy, i, &line);
		free(copy);
	}
}
