/* SPDX-License-Identifier: MIT */
/*
 * Names and numbers of system calls: libseccomp's tables, and those newer than the libseccomp at
 * hand.
 */
#pragma once

#include "policy/filter_rules.h"

#include <stdbool.h>

#define FILTER_SYSCALL_ELSEWHERE (-1) /* a call of another architecture only */

/* False if nobody knows the name. *ret_number: 0 to FILTER_SYSCALL_MAX - 1, or ELSEWHERE. */
bool filter_syscall_resolve(const char *name, enum profile_architecture architecture,
			    int *ret_number);

/* libseccomp's word for an architecture: SCMP_ARCH_*. */
uint32_t filter_syscall_arch(enum profile_architecture architecture);

/* The name of a number of this machine's, owned by the caller; NULL if nobody knows it. */
char *filter_syscall_name(int number);

#define FILTER_SYSCALL_NAME_MAX 64

/* The known name nearest to this one, copied into buffer (FILTER_SYSCALL_NAME_MAX bytes) and
 * returned; NULL if none is near. */
const char *filter_syscall_nearest(const char *name, char *buffer);
