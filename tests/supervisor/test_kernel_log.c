/* SPDX-License-Identifier: MIT */
/* /dev/kmsg gives one record a read(2), as a datagram socket does: one stands in for it here. */
#include "policy/own.h"
#include "supervisor/kernel_log.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>

#define CGROUP "/pysbx.slice/web.slice/0"
#define NAMES_CGROUP(path, pid)                                                  \
	"6,1,2,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/," \
	"mems_allowed=0,oom_memcg=/x,task_memcg=" path ",task=python3,pid=" #pid ",uid=33\n"
#define NAMES_SIZES(pid)                                            \
	"3,1,2,-;Memory cgroup out of memory: Killed process " #pid \
	" (python3) total-vm:1kB, anon-rss:1kB\n"

static int sockets[2];

static void open_sockets(void)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sockets),
		     0);
}

static void close_sockets(void)
{
	close_and_clear(&sockets[0]);
	close_and_clear(&sockets[1]);
}

static void log_record(const char *record)
{
	size_t length = strlen(record);

	cr_assert_eq(send(sockets[1], record, length, 0), (ssize_t)length);
}

TestSuite(kernel_log, .init = open_sockets, .fini = close_sockets);

Test(kernel_log, keeps_the_kills_of_the_cgroup_in_order)
{
	struct kernel_line lines[8];

	log_record("6,1,2,-;usb 1-1: new device\n");
	log_record(NAMES_CGROUP(CGROUP, 41));
	log_record(NAMES_SIZES(41));
	log_record("6,1,2,-;something else about " CGROUP "\n");
	cr_assert_eq(kernel_log_read_oom(sockets[0], CGROUP, lines, 8), 2);
	cr_expect_eq(lines[0].pid, 41);
	cr_expect_str_eq(lines[0].task_memcg, CGROUP);
	cr_expect_eq(lines[1].pid, 41);
	cr_expect_eq(strncmp(lines[1].text, "Memory cgroup out of memory", 27), 0);

	/* what was read is read */
	cr_expect_eq(kernel_log_read_oom(sockets[0], CGROUP, lines, 8), 0);
}

Test(kernel_log, passes_over_the_kills_of_others)
{
	struct kernel_line lines[8];

	log_record(NAMES_CGROUP("/pysbx.slice/web.slice/01", 41));
	log_record(NAMES_SIZES(41));
	log_record(NAMES_CGROUP("/pysbx.slice/web.slice", 42));
	log_record(NAMES_SIZES(42));
	log_record(NAMES_CGROUP("/other" CGROUP, 43));
	log_record(NAMES_SIZES(44));
	cr_expect_eq(kernel_log_read_oom(sockets[0], CGROUP, lines, 8), 0);
}

Test(kernel_log, takes_a_cgroup_below_for_its_own)
{
	struct kernel_line lines[8];

	log_record(NAMES_CGROUP(CGROUP "/sub/dir", 41));
	cr_expect_eq(kernel_log_read_oom(sockets[0], CGROUP, lines, 8), 1);
	log_record(NAMES_CGROUP(CGROUP "/sub/dir", 41));
	cr_expect_eq(kernel_log_read_oom(sockets[0], CGROUP "/", lines, 8), 1);
	log_record(NAMES_CGROUP(CGROUP, 41));
	cr_expect_eq(kernel_log_read_oom(sockets[0], "/", lines, 8), 1);
}

Test(kernel_log, keeps_the_newest_when_there_are_too_many)
{
	struct kernel_line lines[4] = { [3].pid = 77 };
	char record[300];

	for (int pid = 1; pid <= 40; pid++) {
		snprintf(record, sizeof(record),
			 "6,%d,2,-;oom-kill:constraint=C,task_memcg=%s,task=x,pid=%d,uid=1\n", pid,
			 CGROUP, pid);
		log_record(record);
	}
	cr_assert_eq(kernel_log_read_oom(sockets[0], CGROUP, lines, 3), 3);
	cr_expect_eq(lines[0].pid, 38);
	cr_expect_eq(lines[1].pid, 39);
	cr_expect_eq(lines[2].pid, 40);
	cr_expect_eq(lines[3].pid, 77, "wrote beyond max");

	log_record(NAMES_CGROUP(CGROUP, 41));
	cr_expect_eq(kernel_log_read_oom(sockets[0], CGROUP, lines, 0), 0);
}

Test(kernel_log, survives_records_that_are_none)
{
	struct kernel_line lines[8];

	log_record("garbage");
	log_record("\n");
	log_record(NAMES_CGROUP(CGROUP, 41));
	cr_expect_eq(kernel_log_read_oom(sockets[0], CGROUP, lines, 8), 1);
	cr_expect_eq(kernel_log_read_oom(-1, CGROUP, lines, 8), 0);
}

Test(kernel_log, ends_at_the_end_of_the_log)
{
	struct kernel_line lines[8];

	log_record(NAMES_CGROUP(CGROUP, 41));
	close_and_clear(&sockets[1]);
	cr_expect_eq(kernel_log_read_oom(sockets[0], CGROUP, lines, 8), 1);
}

Test(kernel_log, opens_at_the_end_or_says_why_not)
{
	struct kernel_line lines[8];
	struct error err = { 0 };
	int fd = -1;

	if (kernel_log_open(&fd, &err) < 0) {
		cr_expect_eq(fd, -1);
		cr_expect_eq(err.kind, ERROR_UNSUPPORTED);
		cr_expect_not_null(strstr(err.text, "/dev/kmsg"), "%s", err.text);
		return;
	}
	cr_expect_eq(kernel_log_read_oom(fd, "/no/such/cgroup", lines, 8), 0);
	close_and_clear(&fd);
}
