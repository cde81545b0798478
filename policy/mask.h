/* SPDX-License-Identifier: MIT */
/*
 * Secrets in the words of a worker: arguments and log lines, before they go into a report. Patterns
 * are POSIX extended regular expressions, without regard to case; what the last group of a match
 * holds is replaced by MASK_WORD, or the whole match where there is no group.
 *
 * A pattern sees words with "\n" between them: "--password\nhunter2". So `[^\n]+` is one argument,
 * with its blanks.
 *
 * The text is hostile, and so bounded; back-references, which make a match take exponential time,
 * are refused.
 */
#pragma once

#include "policy/error.h"
#include "policy/strings.h"

#define MASK_PATTERNS_MAX 16
#define MASK_PATTERN_MAX  256 /* bytes */
#define MASK_TEXT_MAX	  1024
#define MASK_WORD	  "***"

struct mask;

/* password=X, --password X, {"password": "X"}, ://user:X@host, Authorization: X, and their like. */
extern const char *const mask_defaults[];
extern const size_t mask_default_count;

/* NULL for the defaults. ERROR_INVALID "PATTERN: ...": it is no such expression. */
int mask_new(const struct strings *patterns, struct mask **ret, struct error *err);
void mask_free(struct mask *mask);

/* One pattern alone; the text does not repeat it. */
int mask_check(const char *pattern, struct error *err);

enum mask_of {
	MASK_ARGUMENTS, /* words are parted by "\n", which becomes a blank */
	MASK_LINE,	/* words are parted by blanks */
};

/* Into size bytes at buffer, which is returned; cut if it does not fit, or beyond MASK_TEXT_MAX.
 * mask may be NULL: nothing is replaced. */
const char *mask_apply(const struct mask *mask, enum mask_of of, const char *text, char *buffer,
		       size_t size);

static inline void cleanup_mask(struct mask **mask)
{
	mask_free(*mask);
}
#define _cleanup_mask_ __attribute__((cleanup(cleanup_mask)))
