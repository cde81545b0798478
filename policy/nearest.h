/* SPDX-License-Identifier: MIT */
/*
 * "Did you mean": the known word that a mistyped one is nearest to.
 */
#pragma once

#include <stddef.h>

/* Longer words are never near: bounds time and memory. */
#define NEAREST_WORD_MAX 64

/* The fewest single insertions, deletions, replacements and swaps of neighbours that make b of a
 * (optimal string alignment). SIZE_MAX if one is longer than NEAREST_WORD_MAX. */
size_t nearest_distance(const char *a, const char *b);

/* The name nearest to word, if it is near enough to be a slip (a third of its letters, at least
 * one edit; the first of equals wins), else the one name that word is the beginning of, else the
 * longest that word begins with. NULL if there is none. */
const char *nearest_name(const char *word, const char *const names[], size_t count);
