/* SPDX-License-Identifier: MIT */
#include "supervisor/filter_syscall.h"

#include "policy/nearest.h"
#include "policy/own.h"

#include <assert.h>
#include <seccomp.h>
#include <string.h>

/* libseccomp 2.5.4 ends with Linux 5.17. Since 5.1 new calls have one number on all architectures
 * (the kernel's scripts/syscall.tbl). Without this table a profile for today's kernels, Docker's
 * for one, could be neither read nor, where it denies, obeyed. */
static const struct {
	const char *name;
	int number;
} newer[] = {
	{ "cachestat", 451 },
	{ "fchmodat2", 452 },
	{ "map_shadow_stack", 453 },
	{ "futex_wake", 454 },
	{ "futex_wait", 455 },
	{ "futex_requeue", 456 },
	{ "statmount", 457 },
	{ "listmount", 458 },
	{ "lsm_get_self_attr", 459 },
	{ "lsm_set_self_attr", 460 },
	{ "lsm_list_modules", 461 },
	{ "mseal", 462 },
	{ "setxattrat", 463 },
	{ "getxattrat", 464 },
	{ "listxattrat", 465 },
	{ "removexattrat", 466 },
	{ "open_tree_attr", 467 },
	{ "file_getattr", 468 },
	{ "file_setattr", 469 },
	{ "riscv_hwprobe", FILTER_SYSCALL_ELSEWHERE },
	{ "riscv_flush_icache", FILTER_SYSCALL_ELSEWHERE },
};

/* The two that x86-64 has alone. */
static const struct {
	const char *name;
	int number;
} newer_x86[] = { { "uretprobe", 335 }, { "uprobe", 336 } };

static const uint32_t archs[] = {
	[PROFILE_X86_64] = SCMP_ARCH_X86_64,
	[PROFILE_AARCH64] = SCMP_ARCH_AARCH64,
};
static_assert(ARRAY_SIZE(archs) == PROFILE_ARCHITECTURE_COUNT, "one for each architecture");

uint32_t filter_syscall_arch(enum profile_architecture architecture)
{
	return archs[architecture];
}

bool filter_syscall_resolve(const char *name, enum profile_architecture architecture,
			    int *ret_number)
{
	int number = seccomp_syscall_resolve_name_arch(archs[architecture], name);

	if (number != __NR_SCMP_ERROR) {
		/* libseccomp's other negative numbers stand for calls that aren't of this machine
		 */
		*ret_number = number >= 0 && number < FILTER_SYSCALL_MAX ? number
									 : FILTER_SYSCALL_ELSEWHERE;
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(newer); i++) {
		if (strcmp(newer[i].name, name) != 0)
			continue;
		*ret_number = newer[i].number;
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(newer_x86); i++) {
		if (strcmp(newer_x86[i].name, name) != 0)
			continue;
		*ret_number = architecture == PROFILE_X86_64 ? newer_x86[i].number
							     : FILTER_SYSCALL_ELSEWHERE;
		return true;
	}
	return false;
}

char *filter_syscall_name(int number)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);

	for (size_t i = 0; name == NULL && i < ARRAY_SIZE(newer); i++)
		if (newer[i].number == number)
			name = strdup(newer[i].name);
	return name;
}

const char *filter_syscall_nearest(const char *name, char *buffer)
{
	const char *names[ARRAY_SIZE(newer) + ARRAY_SIZE(newer_x86) + FILTER_SYSCALL_MAX];
	char *owned[FILTER_SYSCALL_MAX];
	size_t count = 0, owned_count = 0;
	const char *near;

	for (int number = 0; number < FILTER_SYSCALL_MAX; number++) {
		char *known = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
		if (known != NULL)
			names[count++] = owned[owned_count++] = known;
	}
	for (size_t i = 0; i < ARRAY_SIZE(newer); i++)
		names[count++] = newer[i].name;
	for (size_t i = 0; i < ARRAY_SIZE(newer_x86); i++)
		names[count++] = newer_x86[i].name;

	near = nearest_name(name, names, count);
	if (near != NULL)
		near = strncpy(buffer, near, FILTER_SYSCALL_NAME_MAX - 1);
	buffer[FILTER_SYSCALL_NAME_MAX - 1] = '\0';
	for (size_t i = 0; i < owned_count; i++)
		free(owned[i]);
	return near;
}
