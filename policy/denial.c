/* SPDX-License-Identifier: MIT */
#include "policy/denial.h"

#include "policy/bpf.h"
#include "policy/own.h"
#include "policy/phrase.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define LOW_HALF UINT64_C(0xffffffff) /* what the kernel takes of an int */

#define NAMESPACE_FLAGS                                                                \
	(CLONE_NEWTIME | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | \
	 CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

struct word {
	uint64_t value;
	const char *text;
};

static const struct word families[] = {
	{ AF_UNIX, "AF_UNIX" },
	{ AF_INET, "AF_INET" },
	{ AF_AX25, "AF_AX25" },
	{ AF_INET6, "AF_INET6" },
	{ AF_KEY, "AF_KEY" },
	{ AF_NETLINK, "AF_NETLINK" },
	{ AF_PACKET, "AF_PACKET" },
	{ AF_RDS, "AF_RDS" },
	{ AF_CAN, "AF_CAN" },
	{ AF_TIPC, "AF_TIPC" },
	{ AF_BLUETOOTH, "AF_BLUETOOTH" },
	{ AF_ALG, "AF_ALG" },
	{ AF_VSOCK, "AF_VSOCK" },
	{ AF_XDP, "AF_XDP" },
};

static const struct word socket_types[] = {
	{ SOCK_STREAM, "SOCK_STREAM" },
	{ SOCK_DGRAM, "SOCK_DGRAM" },
	{ SOCK_RAW, "SOCK_RAW" },
	{ SOCK_RDM, "SOCK_RDM" },
	{ SOCK_SEQPACKET, "SOCK_SEQPACKET" },
};

static const struct word clone_flags[] = {
	{ CLONE_NEWNS, "CLONE_NEWNS" },	    { CLONE_NEWCGROUP, "CLONE_NEWCGROUP" },
	{ CLONE_NEWUTS, "CLONE_NEWUTS" },   { CLONE_NEWIPC, "CLONE_NEWIPC" },
	{ CLONE_NEWUSER, "CLONE_NEWUSER" }, { CLONE_NEWPID, "CLONE_NEWPID" },
	{ CLONE_NEWNET, "CLONE_NEWNET" },   { CLONE_NEWTIME, "CLONE_NEWTIME" },
	{ CLONE_VM, "CLONE_VM" },	    { CLONE_VFORK, "CLONE_VFORK" },
	{ CLONE_THREAD, "CLONE_THREAD" },
};

static const struct word requests[] = {
	{ TIOCSTI, "TIOCSTI" },	     { TIOCLINUX, "TIOCLINUX" }, { TIOCSCTTY, "TIOCSCTTY" },
	{ TIOCCONS, "TIOCCONS" },    { TIOCSETD, "TIOCSETD" },	 { TIOCVHANGUP, "TIOCVHANGUP" },
	{ 0x8927, "SIOCGIFHWADDR" },
};

static const struct word prctl_options[] = {
	{ PR_CAPBSET_DROP, "PR_CAPBSET_DROP" },
	{ PR_SET_SECCOMP, "PR_SET_SECCOMP" },
	{ PR_SET_SECUREBITS, "PR_SET_SECUREBITS" },
	{ PR_SET_MM, "PR_SET_MM" },
	{ PR_SET_PTRACER, "PR_SET_PTRACER" },
	{ PR_SET_IO_FLUSHER, "PR_SET_IO_FLUSHER" },
	{ PR_SET_SPECULATION_CTRL, "PR_SET_SPECULATION_CTRL" },
	{ PR_SET_CHILD_SUBREAPER, "PR_SET_CHILD_SUBREAPER" },
};

static const struct word ptrace_requests[] = {
	{ PTRACE_TRACEME, "PTRACE_TRACEME" },
	{ PTRACE_ATTACH, "PTRACE_ATTACH" },
	{ PTRACE_SEIZE, "PTRACE_SEIZE" },
};

/* How an argument is shown: one letter of a signature each. */
enum { AS_INT = 'd', AS_HEX = 'x', AS_POINTER = 'p', AS_MODE = 'o' };

static const struct notation {
	const struct word *words;
	size_t count;
	uint64_t known; /* the bits that the words are about */
	char letter;
	bool flags; /* a set of bits, not one value */
} notations[] = {
	{ families, ARRAY_SIZE(families), LOW_HALF, 'F', false },
	{ socket_types, ARRAY_SIZE(socket_types), 0xf, 'T', false },
	{ clone_flags, ARRAY_SIZE(clone_flags), LOW_HALF, 'C', true },
	{ requests, ARRAY_SIZE(requests), LOW_HALF, 'R', false },
	{ prctl_options, ARRAY_SIZE(prctl_options), LOW_HALF, 'P', false },
	{ ptrace_requests, ARRAY_SIZE(ptrace_requests), LOW_HALF, 'Q', false },
};

#define NO_TELLERS           \
	{                    \
		{            \
			0, 0 \
		}            \
	}
#define SPECIAL_BITS   06000   /* set-user-ID, set-group-ID */
#define FILE_KIND_BITS 0170000 /* S_IFMT */

/* The calls that profiles refuse. Tellers: the arguments that say what the call is about, as far as
 * their masks go. One with none is refused for all that it can be. */
static const struct known {
	long number;
	const char *signature;
	struct denial_teller tellers[DENIAL_TELLERS];
} known_calls[] = {
	{ SYS_socket, "FTd", { { 0, LOW_HALF }, { 1, 0xf }, { 2, LOW_HALF } } },
	{ SYS_socketpair, "FTdp", { { 0, LOW_HALF }, { 1, 0xf }, { 2, LOW_HALF } } },
	{ SYS_setsockopt, "dddpd", { { 1, LOW_HALF }, { 2, LOW_HALF } } },
	{ SYS_ioctl, "dRx", { { 1, LOW_HALF } } },
	{ SYS_prctl, "Pxxxx", { { 0, LOW_HALF } } },
	{ SYS_clone, "C", { { 0, NAMESPACE_FLAGS } } },
	{ SYS_unshare, "C", { { 0, LOW_HALF } } },
	{ SYS_setns, "dC", { { 1, LOW_HALF } } },
	{ SYS_personality, "x", { { 0, LOW_HALF } } },
	{ SYS_ptrace, "Qdxx", { { 0, LOW_HALF } } },
	{ SYS_keyctl, "dxxxx", { { 0, LOW_HALF } } },
	{ SYS_bpf, "dpd", { { 0, LOW_HALF } } },
	{ SYS_prlimit64, "ddpp", { { 1, LOW_HALF } } },
	{ SYS_setrlimit, "dp", { { 0, LOW_HALF } } },
	{ SYS_fchmod, "do", { { 1, SPECIAL_BITS } } },
	{ SYS_fchmodat, "dpo", { { 2, SPECIAL_BITS } } },
	{ SYS_mknodat, "dpox", { { 2, SPECIAL_BITS | FILE_KIND_BITS } } },
	{ SYS_openat, "dpxo", { { 3, SPECIAL_BITS } } },
	{ SYS_chroot, "p", NO_TELLERS },
	{ SYS_mount, "pppxp", NO_TELLERS },
	{ SYS_umount2, "px", NO_TELLERS },
	{ SYS_pivot_root, "pp", NO_TELLERS },
	{ SYS_process_vm_readv, "dpdpdx", NO_TELLERS },
	{ SYS_process_vm_writev, "dpdpdx", NO_TELLERS },
	{ SYS_pidfd_getfd, "ddx", NO_TELLERS },
	{ SYS_perf_event_open, "pdddx", NO_TELLERS },
	{ SYS_userfaultfd, "x", NO_TELLERS },
	{ SYS_seccomp, "dxp", { { 0, LOW_HALF } } },
	{ SYS_add_key, "pppdd", NO_TELLERS },
	{ SYS_request_key, "pppd", NO_TELLERS },
	{ SYS_open_by_handle_at, "dpx", NO_TELLERS },
	{ SYS_name_to_handle_at, "dpppx", NO_TELLERS },
	{ SYS_swapon, "px", NO_TELLERS },
	{ SYS_init_module, "pdp", NO_TELLERS },
	{ SYS_finit_module, "dpx", NO_TELLERS },
	{ SYS_delete_module, "px", NO_TELLERS },
	{ SYS_reboot, "xxxp", NO_TELLERS },
	{ SYS_syslog, "dpd", { { 0, LOW_HALF } } },
	{ SYS_sethostname, "pd", NO_TELLERS },
	{ SYS_clock_settime, "dp", NO_TELLERS },
	{ SYS_clock_adjtime, "dp", NO_TELLERS },
	{ SYS_settimeofday, "pp", NO_TELLERS },
	{ SYS_adjtimex, "p", NO_TELLERS },
	{ SYS_sched_setscheduler, "ddp", { { 1, LOW_HALF } } },
	{ SYS_mbind, "pddpdx", NO_TELLERS },
	{ SYS_set_mempolicy, "dpd", NO_TELLERS },
#ifdef SYS_arch_prctl
	{ SYS_arch_prctl, "xp", { { 0, LOW_HALF } } },
#endif
#ifdef SYS_open
	{ SYS_open, "pxo", { { 2, SPECIAL_BITS } } },
	{ SYS_chmod, "po", { { 1, SPECIAL_BITS } } },
	{ SYS_mknod, "pox", { { 1, SPECIAL_BITS | FILE_KIND_BITS } } },
#endif
};

static const struct known *find_known(const struct seccomp_data *call)
{
	for (size_t i = 0; i < ARRAY_SIZE(known_calls); i++)
		if (known_calls[i].number == call->nr)
			return &known_calls[i];
	return NULL;
}

/* --- the program ------------------------------------------------------------------------------*/

void denial_ask(struct sock_filter *program, size_t count, bool all)
{
	for (size_t i = 0; i < count; i++)
		if (program[i].code == (BPF_RET | BPF_K) &&
		    (program[i].k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO &&
		    (all ? (program[i].k & SECCOMP_RET_DATA) != 0
			 : (program[i].k & SECCOMP_RET_DATA) == EPERM))
			program[i].k = SECCOMP_RET_USER_NOTIF;
}

int denial_errno(const struct sock_filter *program, const struct seccomp_data *call)
{
	uint32_t answer = bpf_run(program, call, NULL);

	return (answer & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO
		       ? (int)(answer & SECCOMP_RET_DATA)
		       : 0;
}

bool denial_is_expected(const struct seccomp_data *call)
{
	switch (call->nr) {
	case SYS_clone3:
	case SYS_openat2:
	case SYS_io_uring_setup:
		return true;
	default:
		return false;
	}
}

/* --- one call or two --------------------------------------------------------------------------*/

bool denial_is_same(const struct seccomp_data *one, const struct seccomp_data *other)
{
	const struct known *known = find_known(one);

	if (one->nr != other->nr || one->arch != other->arch)
		return false;
	for (size_t i = 0; known != NULL && i < DENIAL_TELLERS; i++) {
		const struct denial_teller *teller = &known->tellers[i];

		if (((one->args[teller->index] ^ other->args[teller->index]) & teller->mask) != 0)
			return false;
	}
	return true;
}

size_t denial_tellers(const struct seccomp_data *call, const struct denial_teller **ret)
{
	const struct known *known = find_known(call);
	size_t count = 0;

	if (known == NULL)
		return 0;
	while (count < DENIAL_TELLERS && known->tellers[count].mask != 0)
		count++;
	*ret = known->tellers;
	return count;
}

/* --- words ------------------------------------------------------------------------------------*/

static void add_flags(struct phrase *phrase, const struct notation *notation, uint64_t value)
{
	const char *separator = "";

	for (size_t i = 0; i < notation->count; i++) {
		if ((value & notation->words[i].value) == 0)
			continue;
		phrase_add(phrase, "%s%s", separator, notation->words[i].text);
		value &= ~notation->words[i].value;
		separator = "|";
	}
	if (value != 0 || separator[0] == '\0')
		phrase_add(phrase, "%s0x%" PRIx64, separator, value);
}

static void add_word(struct phrase *phrase, const struct notation *notation, uint64_t value)
{
	uint64_t rest = value & LOW_HALF & ~notation->known;

	for (size_t i = 0; i < notation->count; i++) {
		if (notation->words[i].value != (value & notation->known))
			continue;
		phrase_add(phrase, "%s", notation->words[i].text);
		if (rest != 0)
			phrase_add(phrase, "|0x%" PRIx64, rest);
		return;
	}
	phrase_add(phrase, "0x%" PRIx64, value & LOW_HALF);
}

static void add_argument(struct phrase *phrase, char letter, uint64_t value)
{
	for (size_t i = 0; i < ARRAY_SIZE(notations); i++) {
		if (notations[i].letter != letter)
			continue;
		if (notations[i].flags)
			add_flags(phrase, &notations[i], value & LOW_HALF);
		else
			add_word(phrase, &notations[i], value);
		return;
	}
	switch (letter) {
	case AS_INT:
		phrase_add(phrase, "%" PRId32, (int32_t)(value & LOW_HALF));
		break;
	case AS_MODE:
		phrase_add(phrase, "0%" PRIo64, value & 07777777);
		break;
	case AS_POINTER:
		if (value == 0)
			phrase_add(phrase, "NULL");
		else
			phrase_add(phrase, "0x%" PRIx64, value);
		break;
	default:
		phrase_add(phrase, "0x%" PRIx64, value);
		break;
	}
}

const char *denial_describe(const char *name, const struct seccomp_data *call,
			    char buffer[DENIAL_TEXT_MAX])
{
	const struct known *known = find_known(call);
	struct phrase phrase = phrase_on(buffer, DENIAL_TEXT_MAX);

	if (name == NULL) {
		phrase_add(&phrase, "system call %d", call->nr);
		return buffer;
	}
	phrase_add(&phrase, "%s(", name);
	if (known == NULL)
		phrase_add(&phrase, "...");
	else
		for (size_t i = 0; known->signature[i] != '\0'; i++) {
			phrase_add(&phrase, "%s", i > 0 ? ", " : "");
			add_argument(&phrase, known->signature[i], call->args[i]);
		}
	phrase_add(&phrase, ")");
	return buffer;
}

static void add_tellers(struct phrase *phrase, const struct known *known,
			const struct seccomp_data *call)
{
	for (size_t i = 0; i < DENIAL_TELLERS && known->tellers[i].mask != 0; i++) {
		const struct denial_teller *teller = &known->tellers[i];

		phrase_add(phrase,
			   "%s{\"index\": %u, \"value\": %" PRIu64 ", \"valueTwo\": %" PRIu64
			   ", \"op\": \"SCMP_CMP_MASKED_EQ\"}",
			   i == 0 ? ", \"args\": [" : ", ", teller->index, teller->mask,
			   (uint64_t)call->args[teller->index] & teller->mask);
	}
	phrase_add(phrase, "]");
}

const char *denial_rule(const char *name, const struct seccomp_data *call,
			char buffer[DENIAL_TEXT_MAX])
{
	const struct known *known = find_known(call);
	struct phrase phrase = phrase_on(buffer, DENIAL_TEXT_MAX);

	if (name == NULL)
		return buffer;
	phrase_add(&phrase, "{\"names\": [\"%s\"], \"action\": \"SCMP_ACT_ALLOW\"", name);
	if (known != NULL && known->tellers[0].mask != 0)
		add_tellers(&phrase, known, call);
	phrase_add(&phrase, "}");
	return buffer;
}
