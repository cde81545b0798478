/* SPDX-License-Identifier: MIT */
/*
 * All rights of the kernel's ABI are handled, so that what no rule allows is refused, and a kernel
 * that knows more refuses more. The numbers are the kernel's (include/uapi/linux/landlock.h); they
 * are written out here, because the headers that this is compiled with may be older than the kernel
 * that it runs on.
 *
 * With ABI 1 a file can't be moved to another directory at all, which programs live by: it counts
 * as none.
 */
#include "sandbox/landlock.h"

#include "policy/own.h"
#include "sandbox/mount.h"

#include <sys/syscall.h>

#define CREATE_RULESET_VERSION 1U
#define RULE_PATH_BENEATH      1

enum right {
	EXECUTE = 1 << 0,
	WRITE_FILE = 1 << 1,
	READ_FILE = 1 << 2,
	READ_DIR = 1 << 3,
	REMOVE_DIR = 1 << 4,
	REMOVE_FILE = 1 << 5,
	MAKE_CHAR = 1 << 6,
	MAKE_DIR = 1 << 7,
	MAKE_REG = 1 << 8,
	MAKE_SOCK = 1 << 9,
	MAKE_FIFO = 1 << 10,
	MAKE_BLOCK = 1 << 11,
	MAKE_SYM = 1 << 12,
	REFER = 1 << 13,    /* ABI 2 */
	TRUNCATE = 1 << 14, /* ABI 3 */
	IOCTL_DEV = 1 << 15 /* ABI 5 */
};
#define OF_FILES (EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV)

enum { SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0, SCOPE_SIGNAL = 1 << 1 }; /* ABI 6 */

/* An older kernel takes the longer struct if what it doesn't know is zero. */
struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net; /* ABI 4 */
	uint64_t scoped;	     /* ABI 6 */
};

struct path_beneath_attr {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

/* Nobody makes device nodes: without a capability it can't be done anyway. */
static const struct {
	uint32_t access;
	uint32_t rights;
} takes[] = {
	{ ACCESS_LIST, READ_DIR },
	{ ACCESS_READ, READ_FILE },
	{ ACCESS_EXECUTE, EXECUTE },
	{ ACCESS_WRITE, WRITE_FILE | TRUNCATE | IOCTL_DEV },
	{ ACCESS_CHANGE, REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SOCK | MAKE_FIFO |
				 MAKE_SYM | REFER },
};

static uint32_t rights_of(uint32_t access)
{
	uint32_t rights = 0;

	for (size_t i = 0; i < ARRAY_SIZE(takes); i++)
		if ((access & takes[i].access) != 0)
			rights |= takes[i].rights;
	return rights;
}

/* All rights that an ABI knows. */
static uint32_t rights_of_abi(unsigned abi)
{
	uint32_t rights = (REFER << 1) - 1;

	if (abi >= 3)
		rights |= TRUNCATE;
	if (abi >= 5)
		rights |= IOCTL_DEV;
	return rights;
}

/* The kernel's answer: sets landlock_abi, or landlock_errnum. */
static void ask(struct launcher *launcher)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);

	launcher->landlock_abi = abi > 0 ? (unsigned)abi : 0;
	launcher->landlock_errnum = abi < 0 ? errno : 0;
}

static int check_required(const struct launcher *launcher, struct error *err)
{
	unsigned required = launcher->plan->landlock.required_abi;

	if (launcher->landlock_abi >= required)
		return 0;
	if (launcher->landlock_abi > 0)
		return error_set(err, ERROR_UNSUPPORTED, EOPNOTSUPP,
				 "isolation.require asks for Landlock with ABI %u (Linux %s), this "
				 "kernel has ABI %u",
				 required, required >= PLAN_LANDLOCK_ABI_SCOPES ? "6.12" : "5.19",
				 launcher->landlock_abi);
	return error_set(err, ERROR_UNSUPPORTED, launcher->landlock_errnum,
			 "isolation.require asks for Landlock: this kernel lacks it or was booted "
			 "without it (lsm=), see pysbx doctor");
}

static int make_ruleset(unsigned abi, int *ret_fd, struct error *err)
{
	const struct ruleset_attr attr = {
		.handled_access_fs = rights_of_abi(abi),
		.scoped = abi >= PLAN_LANDLOCK_ABI_SCOPES
				  ? SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL
				  : 0,
	};
	long fd = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0); /* close-on-exec */

	if (fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "landlock_create_ruleset");
	*ret_fd = (int)fd;
	return 0;
}

/* What may be asked of a directory alone, the kernel refuses for a file: only then is it looked at
 * which of the two it is. */
static int add_beneath(int ruleset, int fd, uint32_t rights)
{
	struct path_beneath_attr attr = { .allowed_access = rights, .parent_fd = fd };

	if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &attr, 0) == 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
	attr.allowed_access = rights & OF_FILES;
	return syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &attr, 0) == 0 ? 0
											 : -errno;
}

static int add_rule(const struct launcher *launcher, int ruleset, const struct plan_rule *rule,
		    struct error *err)
{
	_cleanup_close_ int fd = -1;
	int r = mount_open_source(rule->path, &fd, err);

	/* an optional mount that was passed over: nothing is there to be allowed */
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	r = add_beneath(ruleset, fd,
			rights_of(rule->access) & rights_of_abi(launcher->landlock_abi));
	return r < 0 ? error_set(err, ERROR_SYSTEM, -r, "landlock_add_rule") : 0;
}

int landlock_prepare(struct launcher *launcher, struct error *err)
{
	const struct plan_landlock *landlock = &launcher->plan->landlock;
	_cleanup_close_ int ruleset = -1;
	int r;

	if (landlock->rule_count == 0)
		return 0;
	ask(launcher);
	r = check_required(launcher, err);
	if (r < 0 || launcher->landlock_abi < PLAN_LANDLOCK_ABI_FILES)
		return r;
	r = make_ruleset(launcher->landlock_abi, &ruleset, err);
	for (size_t i = 0; r == 0 && i < landlock->rule_count; i++) {
		r = add_rule(launcher, ruleset, &landlock->rules[i], err);
		if (r < 0)
			error_prefix(err, "rule for %s", landlock->rules[i].path);
	}
	if (r == 0)
		launcher->landlock_ruleset = TAKE_FD(ruleset);
	return r;
}

int landlock_enter(const struct launcher *launcher)
{
	if (launcher->landlock_ruleset < 0)
		return 0;
	return syscall(SYS_landlock_restrict_self, launcher->landlock_ruleset, 0) < 0 ? -errno : 0;
}
