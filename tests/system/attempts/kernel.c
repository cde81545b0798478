/* SPDX-License-Identifier: MIT */
/*
 * Parts of the kernel that exploits like best, and the machine itself.
 */
#include "tests/system/attempts/attempt.h"

#include "policy/own.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <mqueue.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/quota.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

#define RING_ENTRIES 4
#define HANDLE_BYTES 128
#define ROOT_INODE   2 /* of ext4 */
#define KEXEC_NONE   0

static char scratch[4096];

/* --- programs in the kernel ------------------------------------------------------------------- */

static int bpf_map(void)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4 };

	attr.max_entries = 1;
	return answer(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)));
}

static int bpf_program(void)
{
	static const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insn_cnt = 2 };

	attr.insns = (uintptr_t)program;
	attr.license = (uintptr_t) "GPL";
	return answer(syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr)));
}

static int perf_event(void)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(attr) };

	attr.config = PERF_COUNT_SW_CPU_CLOCK;
	attr.exclude_kernel = 1;
	return answer(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0));
}

static int io_uring(void)
{
	struct io_uring_params params = { 0 };

	return answer(syscall(SYS_io_uring_setup, RING_ENTRIES, &params));
}

/* --- keys: not divided by namespaces ---------------------------------------------------------- */

static int key_add(void)
{
	return answer(
		syscall(SYS_add_key, "user", "attempt", "value", 5, KEY_SPEC_PROCESS_KEYRING));
}

static int key_session_of_others(void)
{
	return answer(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_SESSION_KEYRING, 1));
}

/* ATTEMPT_KEY: the serial number of a key of the host that everybody may read. */
static int key_read(void)
{
	long key = bait_number("ATTEMPT_KEY");

	if (key == 0)
		return NOT_TRIED;
	return answer(syscall(SYS_keyctl, KEYCTL_READ, key, scratch, sizeof(scratch)));
}

/* --- files by their number: behind all mounts (CVE-2014-3519) --------------------------------- */

struct handle {
	struct file_handle head;
	unsigned char bytes[HANDLE_BYTES];
};

static int handle_of_directory(void)
{
	struct handle handle = { .head.handle_bytes = HANDLE_BYTES };
	int mount;

	return answer(name_to_handle_at(AT_FDCWD, "/usr", &handle.head, &mount, 0));
}

static int open_root_by_handle(void)
{
	struct handle handle = { .head = { .handle_bytes = 8, .handle_type = 1 } };
	_cleanup_close_ int mount = open("/usr", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint32_t inode = ROOT_INODE;

	memcpy(handle.head.f_handle, &inode, sizeof(inode));
	return answer(open_by_handle_at(mount, &handle.head, O_RDONLY));
}

/* --- clocks: set to what they say, so that nothing changes where it succeeds ------------------ */

static int clock_set(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return answer(clock_settime(CLOCK_REALTIME, &now));
}

static int day_set(void)
{
	struct timeval now;

	gettimeofday(&now, NULL);
	return answer(syscall(SYS_settimeofday, &now, NULL));
}

static int clock_adjust(void)
{
	struct timex change = { .modes = ADJ_ESTERROR, .esterror = 16000000 };

	return answer(adjtimex(&change));
}

static int clock_adjust_by_id(void)
{
	struct timex change = { .modes = ADJ_ESTERROR, .esterror = 16000000 };

	return answer(clock_adjtime(CLOCK_REALTIME, &change));
}

/* --- the rest --------------------------------------------------------------------------------- */

static int shared_queue(void)
{
	mqd_t queue = mq_open("/attempt", O_CREAT | O_RDWR, 0600, NULL);

	(void)mq_unlink("/attempt");
	return answer(queue);
}

/* --- the table -------------------------------------------------------------------------------- */

static const struct attempt attempts[] = {
	{ .name = "bpf_map", .about = "bpf", .control = true, .door = true, .act = bpf_map },
	{ .name = "bpf_program",
	  .about = "bpf",
	  .control = true,
	  .door = true,
	  .act = bpf_program },
	{ .name = "perf_event_open",
	  .about = "perf",
	  .control = true,
	  .door = true,
	  .act = perf_event },
	{ .name = "userfaultfd",
	  .control = true,
	  .door = true,
	  CALL(SYS_userfaultfd, UFFD_USER_MODE_ONLY) },
	{ .name = "io_uring_setup",
	  .about = "io_uring",
	  .control = true,
	  .door = true,
	  .act = io_uring },
	{ .name = "io_uring_enter",
	  .about = "io_uring",
	  .door = true,
	  CALL(SYS_io_uring_enter, -1) },
	{ .name = "io_uring_register",
	  .about = "io_uring",
	  .door = true,
	  CALL(SYS_io_uring_register, -1) },
	{ .name = "fanotify_init", .control = true, .door = true, CALL(SYS_fanotify_init) },
	{ .name = "lookup_dcookie", .door = true, CALL(SYS_lookup_dcookie) },
	{ .name = "add_key", .about = "keyrings", .control = true, .door = true, .act = key_add },
	{ .name = "request_key",
	  .about = "keyrings: a helper, run by the kernel as root",
	  .door = true,
	  CALL(SYS_request_key, P("user"), P("none")) },
	{ .name = "keyctl_join",
	  .about = "keyrings",
	  .control = true,
	  .door = true,
	  CALL(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING) },
	{ .name = "keyctl_user_session",
	  .about = "keyrings",
	  .control = true,
	  .act = key_session_of_others },
	{ .name = "keyctl_read",
	  .about = "keyrings: a key of others",
	  .control = true,
	  .act = key_read },
	{ .name = "name_to_handle_at",
	  .about = "file handles, CVE-2014-3519",
	  .control = true,
	  .door = true,
	  .act = handle_of_directory },
	{ .name = "open_by_handle_at",
	  .about = "file handles, CVE-2014-3519",
	  .control = true,
	  .door = true,
	  .act = open_root_by_handle },
	{ .name = "init_module",
	  .about = "kernel modules",
	  .door = true,
	  CALL(SYS_init_module, P(scratch), sizeof(scratch), P("")) },
	{ .name = "finit_module",
	  .about = "kernel modules",
	  .door = true,
	  CALL(SYS_finit_module, -1, P("")) },
	{ .name = "delete_module",
	  .about = "kernel modules",
	  .door = true,
	  CALL(SYS_delete_module, P("none"), O_NONBLOCK) },
	{ .name = "kexec_load",
	  .about = "another kernel",
	  .control = true,
	  .door = true,
	  CALL(SYS_kexec_load, KEXEC_NONE) },
	{ .name = "kexec_file_load",
	  .about = "another kernel",
	  .door = true,
	  CALL(SYS_kexec_file_load, -1, -1, 1, P("")) },
	{ .name = "reboot", .door = true, CALL(SYS_reboot, 0xfee1dead, 672274793, 0x89abcdef) },
	{ .name = "clock_settime",
	  .about = "the clock",
	  .control = true,
	  .door = true,
	  .act = clock_set },
	{ .name = "settimeofday", .about = "the clock", .control = true, .act = day_set },
	{ .name = "adjtimex",
	  .about = "the clock",
	  .control = true,
	  .door = true,
	  .act = clock_adjust },
	{ .name = "clock_adjtime",
	  .about = "the clock",
	  .control = true,
	  .act = clock_adjust_by_id },
	{ .name = "sethostname",
	  .about = "host name",
	  .control = true,
	  .door = true,
	  CALL(SYS_sethostname, P("attempt"), 7) },
	{ .name = "setdomainname",
	  .about = "host name",
	  .control = true,
	  CALL(SYS_setdomainname, P("attempt"), 7) },
	{ .name = "swapon", .about = "swap", .door = true, CALL(SYS_swapon, P("/tmp/none")) },
	{ .name = "swapoff", .about = "swap", .door = true, CALL(SYS_swapoff, P("/tmp/none")) },
	{ .name = "acct",
	  .about = "process accounting, written by the kernel as root",
	  .door = true,
	  CALL(SYS_acct, P("/tmp/none")) },
	{ .name = "quotactl",
	  .about = "quotas",
	  .control = true,
	  .door = true,
	  CALL(SYS_quotactl, QCMD(Q_SYNC, USRQUOTA)) },
	{ .name = "quotactl_fd", .about = "quotas", .door = true, CALL(SYS_quotactl_fd, -1) },
	{ .name = "sync",
	  .about = "waits for the disk of all",
	  .control = true,
	  .door = true,
	  CALL(SYS_sync) },
	{ .name = "syslog",
	  .about = "the kernel's log",
	  .control = true,
	  .door = true,
	  CALL(SYS_syslog, 3, P(scratch), sizeof(scratch)) },
	{ .name = "vhangup", .door = true, CALL(SYS_vhangup) },
	{ .name = "personality_no_randomize",
	  .about = "personality",
	  .control = true,
	  .door = true,
	  CALL(SYS_personality, ADDR_NO_RANDOMIZE) },
	{ .name = "personality_read_implies_exec",
	  .about = "personality",
	  .control = true,
	  CALL(SYS_personality, READ_IMPLIES_EXEC) },
	{ .name = "personality_with_high_bits",
	  .about = "personality",
	  .control = true,
	  CALL(SYS_personality, ADDR_NO_RANDOMIZE | 1L << 32) },
	{ .name = "mbind",
	  .about = "placement of memory",
	  .door = true,
	  CALL(SYS_mbind, P(scratch), 0, 99) },
	{ .name = "set_mempolicy",
	  .about = "placement of memory",
	  .control = true,
	  .door = true,
	  CALL(SYS_set_mempolicy) },
	{ .name = "shmget",
	  .about = "System V memory",
	  .control = true,
	  .door = true,
	  CALL(SYS_shmget, 0, 4096, 0600) },
	{ .name = "msgget",
	  .about = "System V queues",
	  .control = true,
	  .door = true,
	  CALL(SYS_msgget, 0, 0600) },
	{ .name = "semget",
	  .about = "System V semaphores",
	  .control = true,
	  .door = true,
	  CALL(SYS_semget, 0, 1, 0600) },
	{ .name = "mq_open",
	  .about = "POSIX queues",
	  .control = true,
	  .door = true,
	  .act = shared_queue },
#ifdef __x86_64__
	{ .name = "iopl",
	  .about = "ports of the machine",
	  .control = true,
	  .door = true,
	  CALL(SYS_iopl, 3) },
	{ .name = "ioperm",
	  .about = "ports of the machine",
	  .control = true,
	  .door = true,
	  CALL(SYS_ioperm, 0x80, 1, 1) },
	{ .name = "modify_ldt",
	  .control = true,
	  .door = true,
	  CALL(SYS_modify_ldt, 0, P(scratch), sizeof(scratch)) },
#endif
};

const struct attempt_group group_kernel = { "kernel",
					    "parts of the kernel that a worker does not need",
					    attempts, ARRAY_SIZE(attempts) };
