/* SPDX-License-Identifier: MIT */
/*
 * Two looks at the shipped profile: what its program answers, run by our own interpreter and held
 * against its text, and what the kernel does with it loaded, in a child.
 *
 * The hostile calls have arguments that do no harm and get another answer if the filter lets them
 * through, also to root: so these tests fail, and nothing else happens.
 */
#include "policy/own.h"
#include "supervisor/file.h"
#include "supervisor/filter_syscall.h"
#include "tests/supervisor/filter_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* --- the shipped profile, rule by rule against its program --- */

static bool holds(const struct profile_rule *rule, const uint64_t args[6])
{
	for (size_t i = 0; i < rule->argument_count; i++) {
		const struct profile_argument *argument = &rule->arguments[i];
		if ((args[argument->index] & argument->mask) != argument->value)
			return false;
	}
	return true;
}

static uint32_t to_answer(enum profile_action action, uint16_t errnum)
{
	return action == PROFILE_ALLOW ? SECCOMP_RET_ALLOW : ERRNO(errnum);
}

/* What the profile's text says: arguments first, then the rest, then the default. */
static uint32_t expect(const struct profile *profile, int number, const uint64_t args[6])
{
	const struct profile_rule *rest = NULL;

	for (size_t i = 0; i < profile->rule_count; i++) {
		const struct profile_rule *rule = &profile->rules[i];
		for (size_t name = 0; name < rule->name_count; name++) {
			int resolved;
			cr_assert(filter_syscall_resolve(rule->names[name], NATIVE, &resolved));
			if (resolved != number || !holds(rule, args))
				continue;
			if (rule->argument_count > 0)
				return to_answer(rule->action, rule->errnum);
			rest = rule;
		}
	}
	return rest != NULL ? to_answer(rest->action, rest->errnum)
			    : to_answer(profile->default_action, profile->default_errnum);
}

static uint64_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

/* Values that sit on the edges of the rules: a rule's own, one bit beside it, a high bit on top. */
static uint64_t pick_value(const struct profile *profile, unsigned index, uint64_t *state)
{
	const struct profile_rule *rule = &profile->rules[next_random(state) % profile->rule_count];
	uint64_t value = next_random(state) % 20;

	for (size_t i = 0; i < rule->argument_count; i++) {
		if (rule->arguments[i].index == index)
			value = rule->arguments[i].value;
	}
	switch (next_random(state) % 6) {
	case 0:
		return value ^ UINT64_C(1) << next_random(state) % 64;
	case 1:
		return value | HIGH;
	default:
		return value;
	}
}

static size_t collect_conditional(const struct profile *profile, int *numbers)
{
	size_t count = 0;

	for (size_t i = 0; i < profile->rule_count; i++) {
		int number;
		if (profile->rules[i].argument_count == 0)
			continue;
		cr_assert(filter_syscall_resolve(profile->rules[i].names[0], NATIVE, &number));
		if (number >= 0)
			numbers[count++] = number;
	}
	return count;
}

Test(python_web, answers_as_its_rules_say_for_a_hundred_thousand_calls)
{
	_cleanup_profile_ struct profile *profile = NULL;
	_cleanup_free_ char *text = NULL;
	struct program program = compile_shipped();
	char path[PATH_MAX];
	int numbers[PROFILE_RULES_MAX];
	struct error err;
	uint64_t state = 1;
	size_t length, conditional, allowed = 0;

	cr_assert_eq(file_read_whole(shipped_path(path), PROFILE_SIZE_MAX, &text, &length, &err),
		     0);
	profile = parse(text);
	conditional = collect_conditional(profile, numbers);
	for (int i = 0; i < 100000; i++) {
		uint64_t args[6];
		int number = i % 4 == 0 ? i / 4 % 600 : numbers[next_random(&state) % conditional];
		for (unsigned index = 0; index < 6; index++)
			args[index] = pick_value(profile, index, &state);
		uint32_t answer = ask(&program, number, args);
		cr_assert_eq(answer, expect(profile, number, args),
			     "call %d (%#llx, %#llx, %#llx, %#llx): %#x", number,
			     (unsigned long long)args[0], (unsigned long long)args[1],
			     (unsigned long long)args[2], (unsigned long long)args[3], answer);
		allowed += answer == SECCOMP_RET_ALLOW;
	}
	cr_expect_gt(allowed, 20000, "%zu", allowed);
	cr_expect_lt(allowed, 80000, "%zu", allowed);
	free(program.items);
}

Test(python_web, kills_on_every_foreign_abi_and_knows_no_call_that_is_not_there)
{
	static const uint32_t foreign[] = { AUDIT_ARCH_I386, AUDIT_ARCH_ARM, AUDIT_ARCH_RISCV64 };
	struct program program = compile_shipped();

	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
		struct seccomp_data data = { .nr = SYS_getpid, .arch = foreign[i] };
		cr_expect_eq(bpf_run(program.items, &data, NULL), SECCOMP_RET_KILL_PROCESS, "%#x",
			     foreign[i]);
	}
#ifdef __x86_64__
	cr_expect_eq(ask(&program, 0x40000000 | SYS_getpid, NULL), SECCOMP_RET_KILL_PROCESS);
#endif
	cr_expect_eq(ask(&program, -1, NULL), ERRNO(ENOSYS));
	cr_expect_eq(ask(&program, 999, NULL), ERRNO(ENOSYS), "a call of a kernel to come");
	free(program.items);
}

/* --- the shipped profile, loaded --- */

static void load(const struct program *program)
{
	const struct sock_fprog fprog = { .len = (unsigned short)program->count,
					  .filter = program->items };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog) < 0)
		_exit(250);
}

static int wait_for(pid_t child)
{
	int status;

	cr_assert_gt(child, 0);
	cr_assert_eq(waitpid(child, &status, 0), child);
	return status;
}

/* The errno of the call in a child under the filter; 0 if it went well. */
static int try_call(const struct program *program, long number, const long args[6])
{
	pid_t child = fork();

	if (child == 0) {
		setsid(); /* vhangup(2) would find no terminal */
		load(program);
		long r = syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
		_exit(r < 0 ? errno : 0);
	}
	int status = wait_for(child);
	cr_assert(WIFEXITED(status), "call %ld: status %#x", number, (unsigned)status);
	return WEXITSTATUS(status);
}

#define BAD 1 /* a pointer into nothing: EFAULT, if the call were let through */

struct call_row {
	const char *name;
	long number;
	long args[6];
	int expected;
};

static const struct call_row hostile[] = {
	{ "mount", SYS_mount, { BAD, BAD, BAD }, EPERM },
	{ "umount2", SYS_umount2, { BAD }, EPERM },
	{ "pivot_root", SYS_pivot_root, { BAD, BAD }, EPERM },
	{ "chroot", SYS_chroot, { BAD }, EPERM },
	{ "fsopen", SYS_fsopen, { BAD }, EPERM },
	{ "fsconfig", SYS_fsconfig, { -1 }, EPERM },
	{ "fsmount", SYS_fsmount, { -1 }, EPERM },
	{ "fspick", SYS_fspick, { -1, BAD }, EPERM },
	{ "open_tree", SYS_open_tree, { -1, BAD }, EPERM },
	{ "open_tree_attr", 467, { -1, BAD }, EPERM },
	{ "move_mount", SYS_move_mount, { -1, BAD, -1, BAD }, EPERM },
	{ "mount_setattr", 442, { -1, BAD }, EPERM },
	{ "setns", SYS_setns, { -1 }, EPERM },
	{ "unshare(CLONE_NEWUSER)", SYS_unshare, { CLONE_NEWUSER }, EPERM },
	{ "unshare(0)", SYS_unshare, { 0 }, EPERM },
	{ "clone(CLONE_NEWUSER)", SYS_clone, { CLONE_NEWUSER | SIGCHLD }, EPERM },
	{ "clone(CLONE_NEWNS)", SYS_clone, { CLONE_NEWNS | SIGCHLD }, EPERM },
	{ "clone(CLONE_NEWNET)", SYS_clone, { CLONE_NEWNET | SIGCHLD }, EPERM },
	{ "clone(CLONE_NEWPID)", SYS_clone, { CLONE_NEWPID | SIGCHLD }, EPERM },
	{ "clone(CLONE_NEWUSER) with a high bit",
	  SYS_clone,
	  { (long)(HIGH | CLONE_NEWUSER | SIGCHLD) },
	  EPERM },
	{ "clone3", SYS_clone3, { BAD, 88 }, ENOSYS },
	{ "openat2", SYS_openat2, { -1, BAD }, ENOSYS },
	{ "io_uring_setup", SYS_io_uring_setup, { 1, BAD }, ENOSYS },
	{ "io_uring_enter", SYS_io_uring_enter, { -1 }, ENOSYS },
	{ "io_uring_register", SYS_io_uring_register, { -1 }, ENOSYS },
	{ "ptrace", SYS_ptrace, { 0 }, EPERM },
	{ "process_vm_readv", SYS_process_vm_readv, { 1 }, EPERM },
	{ "process_vm_writev", SYS_process_vm_writev, { 1 }, EPERM },
	{ "pidfd_getfd", SYS_pidfd_getfd, { -1 }, EPERM },
	{ "kcmp", SYS_kcmp, { 1, 1, 99 }, EPERM },
	{ "bpf", SYS_bpf, { 0, BAD, 0 }, EPERM },
	{ "perf_event_open", SYS_perf_event_open, { BAD }, EPERM },
	{ "userfaultfd", SYS_userfaultfd, { 0 }, EPERM },
	{ "seccomp", SYS_seccomp, { SECCOMP_SET_MODE_FILTER, 0, BAD }, EPERM },
	{ "keyctl", SYS_keyctl, { 999 }, EPERM },
	{ "add_key", SYS_add_key, { BAD }, EPERM },
	{ "request_key", SYS_request_key, { BAD }, EPERM },
	{ "open_by_handle_at", SYS_open_by_handle_at, { -1, BAD }, EPERM },
	{ "name_to_handle_at", SYS_name_to_handle_at, { -1, BAD }, EPERM },
	{ "fanotify_init", SYS_fanotify_init, { -1 }, EPERM },
	{ "init_module", SYS_init_module, { BAD, 1, BAD }, EPERM },
	{ "finit_module", SYS_finit_module, { -1, BAD }, EPERM },
	{ "delete_module", SYS_delete_module, { BAD }, EPERM },
	{ "kexec_load", SYS_kexec_load, { 0, 9999, BAD }, EPERM },
	{ "reboot", SYS_reboot, { 0, 0 }, EPERM },
	{ "swapon", SYS_swapon, { BAD }, EPERM },
	{ "swapoff", SYS_swapoff, { BAD }, EPERM },
	{ "quotactl", SYS_quotactl, { -1, BAD }, EPERM },
	{ "acct", SYS_acct, { BAD }, EPERM },
	{ "syslog", SYS_syslog, { 99 }, EPERM },
	{ "vhangup", SYS_vhangup, { 0 }, EPERM },
	{ "sethostname", SYS_sethostname, { BAD, 3 }, EPERM },
	{ "setdomainname", SYS_setdomainname, { BAD, 3 }, EPERM },
	{ "clock_settime", SYS_clock_settime, { 0, BAD }, EPERM },
	{ "settimeofday", SYS_settimeofday, { BAD }, EPERM },
	{ "adjtimex", SYS_adjtimex, { BAD }, EPERM },
	{ "move_pages", SYS_move_pages, { 0, 1, BAD }, EPERM },
	{ "sched_setscheduler", SYS_sched_setscheduler, { 0, 0, BAD }, EPERM },
	{ "personality(ADDR_NO_RANDOMIZE)", SYS_personality, { 0x40000 }, EPERM },
	{ "personality(READ_IMPLIES_EXEC)", SYS_personality, { 0x400000 }, EPERM },
	{ "socket(AF_PACKET)", SYS_socket, { AF_PACKET, SOCK_RAW, 0 }, EPERM },
	{ "socket(AF_VSOCK)", SYS_socket, { AF_VSOCK, SOCK_STREAM, 0 }, EPERM },
	{ "socket(AF_VSOCK) with a high bit",
	  SYS_socket,
	  { (long)(HIGH | AF_VSOCK), SOCK_STREAM, 0 },
	  EPERM },
	{ "socket(AF_ALG)", SYS_socket, { AF_ALG, SOCK_SEQPACKET, 0 }, EPERM },
	{ "socket(AF_INET, SOCK_RAW)", SYS_socket, { AF_INET, SOCK_RAW, 1 }, EPERM },
	{ "socket(AF_INET, SOCK_RAW) with a high bit",
	  SYS_socket,
	  { AF_INET, (long)(HIGH | SOCK_RAW), 1 },
	  EPERM },
	{ "socket(AF_INET, SCTP)", SYS_socket, { AF_INET, SOCK_STREAM, 132 }, EPERM },
	{ "socket(AF_INET, MPTCP)", SYS_socket, { AF_INET, SOCK_STREAM, 262 }, EPERM },
	{ "socket(AF_INET6, ping)", SYS_socket, { AF_INET6, SOCK_DGRAM, 58 }, EPERM },
	{ "socket(NETLINK_NETFILTER)", SYS_socket, { AF_NETLINK, SOCK_RAW, 12 }, EPERM },
	{ "socket(NETLINK_KOBJECT_UEVENT)", SYS_socket, { AF_NETLINK, SOCK_RAW, 15 }, EPERM },
	{ "socketpair(AF_TIPC)", SYS_socketpair, { AF_TIPC, SOCK_STREAM, 0, BAD }, EPERM },
	{ "ioctl(TIOCSTI)", SYS_ioctl, { -1, TIOCSTI, BAD }, EPERM },
	{ "ioctl(TIOCSTI) with a high bit", SYS_ioctl, { -1, (long)(HIGH | TIOCSTI), BAD }, EPERM },
	{ "ioctl(TIOCLINUX)", SYS_ioctl, { -1, TIOCLINUX, BAD }, EPERM },
	{ "ioctl(TIOCSETD)", SYS_ioctl, { -1, TIOCSETD, BAD }, EPERM },
	{ "ioctl(TIOCCONS)", SYS_ioctl, { -1, TIOCCONS }, EPERM },
	{ "ioctl(FS_IOC_SETFLAGS)", SYS_ioctl, { -1, 0x40086602, BAD }, EPERM },
	{ "ioctl(NS_GET_USERNS)", SYS_ioctl, { -1, 0xb701 }, EPERM },
	{ "prctl(PR_SET_SECCOMP)", SYS_prctl, { PR_SET_SECCOMP, 2, BAD }, EPERM },
	{ "prctl(PR_SET_MM)", SYS_prctl, { PR_SET_MM, 99 }, EPERM },
	{ "prctl(PR_SET_PTRACER)", SYS_prctl, { PR_SET_PTRACER, -1 }, EPERM },
	{ "prctl(PR_SET_MM) with a high bit", SYS_prctl, { (long)(HIGH | PR_SET_MM), 99 }, EPERM },
	{ "mknodat(S_IFCHR)", SYS_mknodat, { AT_FDCWD, BAD, S_IFCHR | 0600, 259 }, EPERM },
	{ "mknodat(S_IFBLK)", SYS_mknodat, { AT_FDCWD, BAD, S_IFBLK | 0600, 259 }, EPERM },
	{ "mknodat(S_ISUID)", SYS_mknodat, { AT_FDCWD, BAD, S_IFREG | 04755 }, EPERM },
	{ "fchmod(04755)", SYS_fchmod, { -1, 04755 }, EPERM },
	{ "fchmodat(06755)", SYS_fchmodat, { AT_FDCWD, BAD, 06755 }, EPERM },
	{ "fchmodat2(04755)", 452, { AT_FDCWD, BAD, 04755 }, EPERM },
	{ "openat(O_CREAT, 02755)", SYS_openat, { AT_FDCWD, BAD, O_CREAT, 02755 }, EPERM },
	{ "openat(O_CREAT, 04755)", SYS_openat, { AT_FDCWD, BAD, O_CREAT, 04755 }, EPERM },
	{ "openat(O_TMPFILE, 04755)", SYS_openat, { AT_FDCWD, BAD, O_TMPFILE, 04755 }, EPERM },
	{ "setrlimit(RLIMIT_CORE)", SYS_setrlimit, { RLIMIT_CORE, BAD }, EPERM },
	{ "setrlimit(RLIMIT_CORE) with a high bit",
	  SYS_setrlimit,
	  { (long)(HIGH | RLIMIT_CORE), BAD },
	  EPERM },
	{ "prlimit(RLIMIT_CORE)", SYS_prlimit64, { 0, RLIMIT_CORE, BAD, 0 }, EPERM },
	{ "prlimit(RLIMIT_CORE) with a high bit",
	  SYS_prlimit64,
	  { 0, (long)(HIGH | RLIMIT_CORE), BAD, 0 },
	  EPERM },
	{ "prlimit(RLIMIT_CORE) with a pointer whose low half is 0",
	  SYS_prlimit64,
	  { 0, RLIMIT_CORE, (long)HIGH, 0 },
	  EPERM },
	{ "setsockopt(TCP_ULP)", SYS_setsockopt, { -1, 6, 31, BAD, 4 }, EPERM },
	{ "setsockopt(TCP_ULP) with high bits",
	  SYS_setsockopt,
	  { -1, (long)(HIGH | 6), (long)(HIGH | 31), BAD, 4 },
	  EPERM },
	{ "setsockopt(SO_ATTACH_FILTER)", SYS_setsockopt, { -1, 1, 26, BAD, 16 }, EPERM },
	{ "setsockopt(SO_ATTACH_BPF)", SYS_setsockopt, { -1, 1, 50, BAD, 4 }, EPERM },
	{ "setsockopt(SO_ATTACH_REUSEPORT_CBPF)", SYS_setsockopt, { -1, 1, 51, BAD, 16 }, EPERM },
	{ "setsockopt(SO_ATTACH_REUSEPORT_EBPF)", SYS_setsockopt, { -1, 1, 52, BAD, 4 }, EPERM },
	{ "setsockopt(UDP_ENCAP)", SYS_setsockopt, { -1, 17, 100, BAD, 4 }, EPERM },
	{ "a call that no kernel has", 999, { 0 }, ENOSYS },
#ifdef __x86_64__
	{ "modify_ldt", SYS_modify_ldt, { 99 }, EPERM },
	{ "iopl", SYS_iopl, { 99 }, EPERM },
	{ "ioperm", SYS_ioperm, { 99999, 1, 1 }, EPERM },
	{ "arch_prctl(ARCH_SET_CPUID)", SYS_arch_prctl, { 0x1012, 1 }, EPERM },
	{ "chmod(04755)", SYS_chmod, { BAD, 04755 }, EPERM },
	{ "creat(04755)", SYS_creat, { BAD, 04755 }, EPERM },
	{ "mknod(S_IFCHR)", SYS_mknod, { BAD, S_IFCHR | 0600, 259 }, EPERM },
#endif
};

Test(python_web, refuses_what_is_dangerous_with_the_right_errno)
{
	struct program program = compile_shipped();

	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
		int errnum = try_call(&program, hostile[i].number, hostile[i].args);
		cr_expect_eq(errnum, hostile[i].expected, "%s: errno %d, expected %d",
			     hostile[i].name, errnum, hostile[i].expected);
		/* the kernel's own EPERM must not pass for the filter's */
		cr_expect_eq(
			ask(&program, (int)hostile[i].number, (const uint64_t *)hostile[i].args),
			ERRNO((unsigned)hostile[i].expected), "%s", hostile[i].name);
	}
	free(program.items);
}

/* Calls that must get through: either they go well, or the kernel itself finds the bad argument. */
static const struct call_row needed[] = {
	{ "getpid", SYS_getpid, { 0 }, 0 },
	{ "setuid(-1)", SYS_setuid, { -1 }, EINVAL },
	{ "socket(AF_UNIX)", SYS_socket, { AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0 }, 0 },
	{ "socket(AF_INET)", SYS_socket, { AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0 }, 0 },
	{ "socket(AF_INET, TCP)", SYS_socket, { AF_INET, SOCK_STREAM, 6 }, 0 },
	{ "socket(AF_INET, UDP)", SYS_socket, { AF_INET, SOCK_DGRAM, 17 }, 0 },
	{ "socket(NETLINK_ROUTE)", SYS_socket, { AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0 }, 0 },
	{ "socketpair", SYS_socketpair, { AF_UNIX, SOCK_STREAM, 0, BAD }, EFAULT },
	{ "ioctl(TCGETS)", SYS_ioctl, { -1, TCGETS, BAD }, EBADF },
	{ "ioctl(FIOCLEX)", SYS_ioctl, { -1, FIOCLEX }, EBADF },
	{ "ioctl(FIONBIO)", SYS_ioctl, { -1, FIONBIO, BAD }, EBADF },
	{ "ioctl(FIONREAD)", SYS_ioctl, { -1, FIONREAD, BAD }, EBADF },
	{ "ioctl(TIOCGPTN)", SYS_ioctl, { -1, (long)TIOCGPTN, BAD }, EBADF },
	{ "prctl(PR_SET_NAME)", SYS_prctl, { PR_SET_NAME, BAD }, EFAULT },
	{ "prctl(PR_GET_DUMPABLE)", SYS_prctl, { PR_GET_DUMPABLE }, 0 },
	{ "personality(query)", SYS_personality, { 0xffffffff }, 0 },
	{ "memfd_create", SYS_memfd_create, { BAD, 0 }, EFAULT },
	{ "pidfd_open", SYS_pidfd_open, { -1 }, EINVAL },
	{ "statx", SYS_statx, { AT_FDCWD, BAD }, EFAULT },
	{ "faccessat2", SYS_faccessat2, { AT_FDCWD, BAD, 0, 0 }, EFAULT },
	{ "close_range", SYS_close_range, { 9, 8 }, EINVAL },
	{ "membarrier(query)", SYS_membarrier, { 0 }, 0 },
	{ "openat", SYS_openat, { AT_FDCWD, BAD, O_RDONLY }, EFAULT },
	{ "openat, junk mode", SYS_openat, { AT_FDCWD, BAD, O_RDONLY, 07777 }, EFAULT },
	{ "openat(O_CREAT, 0644)", SYS_openat, { AT_FDCWD, BAD, O_CREAT, 0644 }, EFAULT },
	{ "mknodat(S_IFIFO)", SYS_mknodat, { AT_FDCWD, BAD, S_IFIFO | 0600 }, EFAULT },
	{ "fchmodat(03777)", SYS_fchmodat, { AT_FDCWD, BAD, 03777 }, EFAULT },
	{ "fchmod(02755)", SYS_fchmod, { -1, 02755 }, EBADF },
	{ "setrlimit(RLIMIT_NOFILE)", SYS_setrlimit, { RLIMIT_NOFILE, BAD }, EFAULT },
	{ "setrlimit(RLIMIT_DATA)", SYS_setrlimit, { RLIMIT_DATA, BAD }, EFAULT },
	{ "prlimit(RLIMIT_CORE), asking only", SYS_prlimit64, { 0, RLIMIT_CORE, 0, BAD }, EFAULT },
	{ "setsockopt(TCP_NODELAY)", SYS_setsockopt, { -1, 6, 1, BAD, 4 }, EBADF },
	{ "setsockopt(SO_REUSEPORT)", SYS_setsockopt, { -1, 1, SO_REUSEPORT, BAD, 4 }, EBADF },
	{ "setsockopt(SOL_SOCKET, 31)", SYS_setsockopt, { -1, 1, 31, BAD, 4 }, EBADF },
	{ "setsockopt(IPPROTO_TCP, 26)", SYS_setsockopt, { -1, 6, 26, BAD, 4 }, EBADF },
	{ "getrandom", SYS_getrandom, { BAD, 1 }, EFAULT },
	{ "execve", SYS_execve, { BAD }, EFAULT },
};

Test(python_web, lets_through_what_python_needs)
{
	struct program program = compile_shipped();

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		int errnum = try_call(&program, needed[i].number, needed[i].args);
		cr_expect_eq(errnum, needed[i].expected, "%s: errno %d, expected %d",
			     needed[i].name, errnum, needed[i].expected);
	}
	free(program.items);
}

Test(python_web, lets_every_limit_be_set_but_the_one_on_core_dumps)
{
	struct program program = compile_shipped();

	for (uint64_t resource = 0; resource < RLIM_NLIMITS; resource++) {
		const uint64_t set[6] = { 0, resource, BAD, 0 }, get[6] = { 0, resource, 0, BAD };

		cr_expect_eq(ask(&program, SYS_prlimit64, set),
			     resource == RLIMIT_CORE ? ERRNO(EPERM) : SECCOMP_RET_ALLOW, "%d",
			     (int)resource);
		cr_expect_eq(ask(&program, SYS_prlimit64, get), SECCOMP_RET_ALLOW, "%d",
			     (int)resource);
	}
	free(program.items);
}

static void *return_argument(void *argument)
{
	return argument;
}

Test(python_web, lets_threads_and_children_start)
{
	struct program program = compile_shipped();
	pid_t child = fork();

	if (child == 0) {
		pthread_t thread;
		load(&program);
		if (pthread_create(&thread, NULL, return_argument, NULL) != 0 ||
		    pthread_join(thread, NULL) != 0)
			_exit(1);
		pid_t grandchild = fork();
		if (grandchild == 0)
			_exit(7);
		int status;
		if (waitpid(grandchild, &status, 0) != grandchild)
			_exit(2);
		_exit(WEXITSTATUS(status));
	}
	int status = wait_for(child);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 7, "status %#x", (unsigned)status);
	free(program.items);
}

#ifdef __x86_64__
/* getpid by i386's door and number. A kernel without it answers with SIGSEGV. */
static void enter_i386(void)
{
	long number = 20;

	__asm__ volatile("int $0x80" : "+a"(number) : : "memory");
}

static void enter_x32(void)
{
	syscall(0x40000000 | SYS_getpid);
}

static int status_of(const struct program *program, void (*enter)(void))
{
	pid_t child = fork();

	if (child == 0) {
		signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would exit */
		signal(SIGSYS, SIG_DFL);
		if (program != NULL)
			load(program);
		enter();
		_exit(0);
	}
	return wait_for(child);
}

Test(python_web, kills_a_process_that_enters_by_the_i386_door)
{
	struct program program = compile_shipped();
	int bare = status_of(NULL, enter_i386), status = status_of(&program, enter_i386);

	cr_expect(WIFSIGNALED(status));
	cr_expect_eq(WTERMSIG(status), WIFSIGNALED(bare) ? SIGSEGV : SIGSYS);
	free(program.items);
}

Test(python_web, kills_a_process_that_enters_by_the_x32_door)
{
	struct program program = compile_shipped();
	int status = status_of(&program, enter_x32);

	cr_expect(WIFSIGNALED(status));
	cr_expect_eq(WTERMSIG(status), SIGSYS);
	free(program.items);
}
#endif
