/* SPDX-License-Identifier: MIT */
/*
 * What Python stacks tell (supervisor/stacks.h has their shape): which thread allocates, which line
 * says the most, and all of it as text. Pure.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

#define STACKS_LINE_MAX 256 /* enough for any stacks_line */
#define STACKS_ALLOCATING_LEAST \
	8 /* pages that a thread has touched since, to be called allocating */

/* Of a thread, the text shows so many frames: its innermost, and its outermost. */
#define STACKS_TEXT_INNER 30
#define STACKS_TEXT_OUTER 5

/* Marks the thread of `after` whose minor faults have moved most since `before` with
 * "allocating": true; one that is new counts from 0. Unknown (NULL), or none that moved enough: no
 * mark. Returns how many were marked, 0 or 1, or -ENOMEM. */
int stacks_mark_allocating(const json_t *before, json_t *after);

/* "export.py:88 in load()": where the most telling thread of the process is (one that allocates,
 * else holds the interpreter's lock, else runs, else the first), in the app's own code rather than
 * a library's if it is in both. pid 0: of all processes. NULL if there is no frame. Escaped for a
 * terminal, and cut to fit size. */
const char *stacks_line(const json_t *result, json_int_t pid, char *text, size_t size);

/* The same of one thread alone, whatever it is doing. */
const char *stacks_thread_line(const json_t *result, json_int_t tid, char *text, size_t size);

/* All processes and threads, for people. indent: blanks before each line; columns: longer lines are
 * cut (UINT_MAX: never). */
void stacks_text(const json_t *result, unsigned indent, unsigned columns, FILE *out);
