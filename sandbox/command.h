/* SPDX-License-Identifier: MIT */
/*
 * From argv[0] to the files that execve(2) is tried on, and from its failure to words. Both look at
 * paths as the calling process sees them: inside the sandbox.
 */
#pragma once

#include "policy/error.h"
#include "policy/plan.h"

#define COMMAND_CANDIDATES_MAX 256

/* What a PATH is taken to be where the environment has none. */
#define COMMAND_DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

/* argv[0] itself if it has a slash, else one path for each directory of PATH (an empty one is the
 * working directory, as POSIX has it). At least one. */
int command_candidates(const struct plan *plan, struct strings *ret, struct error *err);

/* What the failure `errnum` of executing candidates->items[index] means (index is the last one
 * tried, or the one that was refused with EACCES). Needs the right to read the file. Returns
 * -errnum. */
int command_explain(const struct plan *plan, const struct strings *candidates, size_t index,
		    int errnum, struct error *err);
