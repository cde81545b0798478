/* SPDX-License-Identifier: MIT */
/*
 * What the attempts of tests/system/attempts are made on: things of the host that a worker must not
 * reach, and things put within its reach that must not help it. And what the host looks like: the
 * text before and after shows whether anything was done to it.
 */
#pragma once

#include "tests/system/harness.h"

#define BAIT_VARIABLES 10

struct baits {
	struct bench *bench;
	char file[BENCH_PATH_MAX]; /* that everybody may read, where no sandbox shows it */
	int abstract;		   /* a listening socket without a path */
	pid_t victim, accomplice;
	long key;
	const char *variables[BAIT_VARIABLES]; /* NAME=VALUE, for who makes the attempts */
	size_t count;
};

/* In the bench, with a copy of the program "attempt" in bench->apps. */
void baits_lay(struct baits *baits, struct bench *bench);
void baits_take_away(struct baits *baits);

/* The host, as far as attempts could change it: one fact a line. Owned by the caller. */
char *host_state(const struct baits *baits);
/* Expects both texts to be the same; a difference is told by its first line. */
void expect_same_host(const char *before, const char *after);
