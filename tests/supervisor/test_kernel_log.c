/* SPDX-License-Identifier: MIT */
/* /dev/kmsg gives one record a read(2), as a datagram socket does: one stands in for it here. */
#include "policy/own.h"
#include "supervisor/kernel_log.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>

#define CGROUP "/pysbx.slice/web.slice/0"
#define NAMES_CGROUP(path, pid)                                                  \
	"6,0,2,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/," \
	"mems_allowed=0,oom_memcg=/x,task_memcg=" path ",task=python3,pid=" #pid ",uid=33\n"
#define NAMES_SIZES(pid)                                            \
	"3,0,2,-;Memory cgroup out of memory: Killed process " #pid \
	" (python3) total-vm:1kB, anon-rss:1kB\n"

static int sockets[2];
static struct kernel_log kernel_log = { .fd = -1 };

static void open_sockets(void)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sockets),
		     0);
	kernel_log.fd = sockets[0];
}

static void close_sockets(void)
{
	kernel_log_close(&kernel_log);
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

	log_record("6,0,2,-;usb 1-1: new device\n");
	log_record(NAMES_CGROUP(CGROUP, 41));
	log_record(NAMES_SIZES(41));
	log_record("6,0,2,-;something else about " CGROUP "\n");
	cr_assert_eq(kernel_log_read_oom(&kernel_log, CGROUP, lines, 8), 2);
	cr_expect_eq(lines[0].pid, 41);
	cr_expect_str_eq(lines[0].task_memcg, CGROUP);
	cr_expect_eq(lines[1].pid, 41);
	cr_expect_eq(strncmp(lines[1].text, "Memory cgroup out of memory", 27), 0);

	/* what was read is read */
	cr_expect_eq(kernel_log_read_oom(&kernel_log, CGROUP, lines, 8), 0);
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
	cr_expect_eq(kernel_log_read_oom(&kernel_log, CGROUP, lines, 8), 0);

	/* and keeps them for those */
	cr_assert_eq(kernel_log_read_oom(&kernel_log, "/other" CGROUP, lines, 8), 1);
	cr_expect_eq(lines[0].pid, 43);
	cr_expect_eq(kernel_log_read_oom(&kernel_log, "/other" CGROUP, lines, 8), 0);
}

Test(kernel_log, takes_a_cgroup_below_for_its_own)
{
	struct kernel_line lines[8];

	log_record(NAMES_CGROUP(CGROUP "/sub/dir", 41));
	cr_expect_eq(kernel_log_read_oom(&kernel_log, CGROUP, lines, 8), 1);
	log_record(NAMES_CGROUP(CGROUP "/sub/dir", 41));
	cr_expect_eq(kernel_log_read_oom(&kernel_log, CGROUP "/", lines, 8), 1);
	log_record(NAMES_CGROUP(CGROUP, 41));
	cr_expect_eq(kernel_log_read_oom(&kernel_log, "/", lines, 8), 1);
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
	cr_assert_eq(kernel_log_read_oom(&kernel_log, CGROUP, lines, 3), 3);
	cr_expect_eq(lines[0].pid, 38);
	cr_expect_eq(lines[1].pid, 39);
	cr_expect_eq(lines[2].pid, 40);
	cr_expect_eq(lines[3].pid, 77, "wrote beyond max");

	log_record(NAMES_CGROUP(CGROUP, 41));
	cr_expect_eq(kernel_log_read_oom(&kernel_log, CGROUP, lines, 0), 0);
}

Test(kernel_log, survives_records_that_are_none)
{
	struct kernel_line lines[8];

	log_record("garbage");
	log_record("\n");
	log_record(NAMES_CGROUP(CGROUP, 41));
	cr_expect_eq(kernel_log_read_oom(&kernel_log, CGROUP, lines, 8), 1);
	kernel_log_close(&kernel_log);
	cr_expect_eq(kernel_log_read_oom(&kernel_log, CGROUP, lines, 8), 0);
}

Test(kernel_log, ends_at_the_end_of_the_log)
{
	struct kernel_line lines[8];

	log_record(NAMES_CGROUP(CGROUP, 41));
	close_and_clear(&sockets[1]);
	cr_expect_eq(kernel_log_read_oom(&kernel_log, CGROUP, lines, 8), 1);
}

Test(kernel_log, keeps_a_bounded_number_for_others)
{
	struct kernel_line lines[2 * KERNEL_LOG_WAITING];
	char record[300];

	for (int pid = 1; pid <= KERNEL_LOG_WAITING + 10; pid++) {
		snprintf(record, sizeof(record),
			 "6,%d,2,-;oom-kill:constraint=C,task_memcg=/other,task=x,pid=%d,uid=1\n",
			 pid, pid);
		log_record(record);
		if (pid % 20 == 0)
			cr_expect_eq(kernel_log_read_oom(&kernel_log, CGROUP, lines, 8), 0);
	}
	cr_assert_eq(kernel_log_read_oom(&kernel_log, "/other", lines, ARRAY_SIZE(lines)),
		     KERNEL_LOG_WAITING);
	cr_expect_eq(lines[0].pid, 11);
}

Test(kernel_log, passes_over_what_an_earlier_life_has_seen)
{
	struct kernel_line lines[8];

	kernel_log.sequence = 7;
	log_record("6,7,2,-;oom-kill:constraint=C,task_memcg=" CGROUP ",task=x,pid=41,uid=1\n");
	log_record("6,8,2,-;oom-kill:constraint=C,task_memcg=" CGROUP ",task=x,pid=42,uid=1\n");
	cr_assert_eq(kernel_log_read_oom(&kernel_log, CGROUP, lines, 8), 1);
	cr_expect_eq(lines[0].pid, 42);
	cr_expect_eq(kernel_log.sequence, 8);
}

Test(kernel_log, opens_at_the_end_or_says_why_not)
{
	struct kernel_line lines[8];
	struct error err = { 0 };
	struct kernel_log log;

	if (kernel_log_open(&log, 0, &err) < 0) {
		cr_expect_eq(log.fd, -1);
		cr_expect_eq(err.kind, ERROR_UNSUPPORTED);
		cr_expect_not_null(strstr(err.text, "/dev/kmsg"), "%s", err.text);
	}
	cr_expect_eq(kernel_log_read_oom(&log, "/no/such/cgroup", lines, 8), 0);
	kernel_log_close(&log);
}
