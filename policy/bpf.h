/* SPDX-License-Identifier: MIT */
/*
 * Classic BPF as the kernel takes it for seccomp: what it would refuse to load, and what a program
 * answers to a call, without making the call. The rules are those of seccomp_check_filter
 * (kernel/seccomp.c) and bpf_check_classic (net/core/filter.c).
 */
#pragma once

#include "policy/error.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>

/* 0 if the kernel takes the program: 1 to BPF_MAXINSNS instructions, all of them known, no jump out
 * of the program (there is none backwards), a return at its end, no constant division by zero, no
 * shift of 32 bits or more, no cell of memory read before it is written on every way. Else
 * ERROR_INVALID names the instruction. */
int bpf_check(const struct sock_filter *program, size_t count, struct error *err);

/* The answer (SECCOMP_RET_* and its data) of a program that bpf_check has taken. *ret_steps, if not
 * NULL: how many instructions were executed, at most count. */
uint32_t bpf_run(const struct sock_filter *program, const struct seccomp_data *data,
		 unsigned *ret_steps);
