/* SPDX-License-Identifier: MIT */
/*
 * The door in a filter through which the launcher starts the worker, and nobody after it.
 *
 * A filter is loaded before execve and can't tell the first one from those that the worker makes
 * later. Where the rules don't plainly allow execve, the program therefore looks at the sixth
 * argument register of the call, which execve does not use: the rules' own answer follows as long
 * as that does not hold a key of 64 random bits. The launcher draws the key in the child that
 * becomes the worker, writes it into its own copy of the program, loads that, and calls execve with
 * the key in the register. execve(2) itself replaces the only memory and the only register that
 * ever held it, so what runs then has a lock without a key: one try in 2^64 for each call.
 *
 * The door is built closed: until it is given a key, the program answers exactly as the rules say.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILTER_DOOR_LENGTH 6

/* Writes FILTER_DOOR_LENGTH instructions: a closed door, behind which `rest` is answered either
 * way. What jumps to it has found the call to be execve. */
void filter_door_write(struct sock_filter *at, uint32_t rest);

/* Gives the door its key. False if the program has none, because it lets execve through anyway. */
bool filter_door_open(struct sock_filter *program, size_t count, uint64_t key);
