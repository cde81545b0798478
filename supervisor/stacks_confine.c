/* SPDX-License-Identifier: MIT */
#include "supervisor/stacks_confine.h"

#include "policy/own.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "which AUDIT_ARCH_ is this?"
#endif

/* --- capabilities --------------------------------------------------------------------------- */

static int keep_ptrace_alone(struct error *err)
{
	const cap_value_t ptrace = CAP_SYS_PTRACE;
	cap_t had = cap_get_proc(), kept = cap_init();
	cap_flag_value_t permitted = CAP_CLEAR;
	int r = 0;

	if (had == NULL || kept == NULL ||
	    cap_get_flag(had, CAP_SYS_PTRACE, CAP_PERMITTED, &permitted) < 0)
		r = error_no_memory(err);
	for (int cap = 0; r >= 0 && cap <= CAP_LAST_CAP; cap++)
		(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* as far as we may */
	if (r >= 0 && permitted == CAP_SET) {
		(void)cap_set_flag(kept, CAP_PERMITTED, 1, &ptrace, CAP_SET);
		(void)cap_set_flag(kept, CAP_EFFECTIVE, 1, &ptrace, CAP_SET);
	}
	if (r >= 0 && cap_set_proc(kept) < 0)
		r = error_set(err, ERROR_SYSTEM, errno, "capabilities");
	(void)cap_free(had);
	(void)cap_free(kept);
	return r;
}

/* --- the filter ----------------------------------------------------------------------------- */

#define LOAD(field) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, field))
#define LOAD_LOW(index) /* little-endian */ \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS,  \
		 (unsigned)(offsetof(struct seccomp_data, args) + (index)*8UL))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))
#define ALLOW(name)   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), RETURN(SECCOMP_RET_ALLOW)
/* allowed if none of these bits is in argument `index`; the number is gone then, so it decides */
#define ALLOW_WITHOUT(name, index, bits)                                                       \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 4), LOAD_LOW(index),                \
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (bits), 1, 0), RETURN(SECCOMP_RET_ALLOW), \
		RETURN(SECCOMP_RET_KILL_PROCESS)

static const struct sock_filter filter[] = {
	LOAD(arch),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
	RETURN(SECCOMP_RET_KILL_PROCESS),
	LOAD(nr),
	ALLOW(process_vm_readv),
	ALLOW(read),
	ALLOW(pread64),
	ALLOW(close),
	ALLOW_WITHOUT(openat, 2, O_ACCMODE | O_CREAT | O_TRUNC),
	ALLOW(readlinkat),
	ALLOW(getdents64),
	ALLOW(newfstatat),
	ALLOW(fstat),
	ALLOW(lseek),
	ALLOW(pidfd_open),
	ALLOW(fcntl),
#ifdef SYS_poll
	ALLOW(poll),
#endif
	ALLOW(ppoll),
	ALLOW(write),
	ALLOW(brk),
	ALLOW_WITHOUT(mmap, 2, PROT_EXEC),
	ALLOW(munmap),
	ALLOW(mremap),
	ALLOW(clock_gettime),
	ALLOW(getpid), /* jansson's seed, where there is no /dev/urandom */
	ALLOW(exit_group),
	RETURN(SECCOMP_RET_KILL_PROCESS),
};

static int load_filter(struct error *err)
{
	const struct sock_fprog program = { .len = ARRAY_SIZE(filter),
					    .filter = (struct sock_filter *)filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "no_new_privs");
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "seccomp");
	return 0;
}

int stacks_confine(struct error *err)
{
	const struct rlimit memory = { STACKS_MEMORY_MAX, STACKS_MEMORY_MAX }, none = { 0, 0 };
	int r;

	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (setrlimit(RLIMIT_AS, &memory) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "setrlimit");
	r = keep_ptrace_alone(err);
	return r < 0 ? r : load_filter(err);
}
