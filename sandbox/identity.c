/* SPDX-License-Identifier: MIT */
#include "sandbox/identity.h"

#include "policy/own.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* uid 0 means nothing to execve, ids change without touching capabilities, and none of it can be
 * turned back: capabilities go when we drop them, and only then. */
#define SECUREBITS                                                                               \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |                         \
	 SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | \
	 SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

#define CAPABILITY_WORDS _LINUX_CAPABILITY_U32S_3

static int drop_bounding_set(void)
{
	/* EINVAL: the kernel knows no capability of that number, nor a higher one */
	for (unsigned long capability = 0;; capability++)
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0)
			return errno == EINVAL && capability > CAP_KILL ? 0 : -errno;
}

int identity_seal(struct launcher *launcher, struct error *err)
{
	int r;

	(void)launcher;
	r = drop_bounding_set();
	if (r < 0)
		return error_set(err, ERROR_SYSTEM, -r, "drop the capability bounding set");
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "clear the ambient capabilities");
	if (prctl(PR_SET_SECUREBITS, SECUREBITS, 0, 0, 0) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "set securebits");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "set no_new_privs");
	return 0;
}

/* Permitted and effective become `bits`, inheritable becomes empty (CVE-2022-27650). */
static int set_capabilities(uint64_t bits)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[CAPABILITY_WORDS] = { 0 };

	for (unsigned i = 0; i < CAPABILITY_WORDS; i++)
		data[i].permitted = data[i].effective = (uint32_t)(bits >> (32 * i));
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int identity_keep_kill(struct launcher *launcher, struct error *err)
{
	int r = set_capabilities(UINT64_C(1) << CAP_KILL);

	(void)launcher;
	if (r < 0)
		return error_set(err, ERROR_SYSTEM, -r, "keep CAP_KILL alone");
	return 0;
}

int identity_become(const struct plan *plan)
{
	if (setgroups(plan->group_count, plan->groups) < 0 ||
	    setresgid(plan->gid, plan->gid, plan->gid) < 0 ||
	    setresuid(plan->uid, plan->uid, plan->uid) < 0)
		return -errno;
	return 0;
}

int identity_drop_all(void)
{
	return set_capabilities(0);
}
