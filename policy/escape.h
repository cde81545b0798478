/* SPDX-License-Identifier: MIT */
/*
 * Words of others, made fit to print. Process names, arguments and log lines are the worker's own:
 * they may hold escape sequences that drive a terminal, line breaks that forge a log line, marks
 * that turn the direction of writing, or bytes that are no UTF-8. Pure, no allocation.
 *
 * What comes out is always valid UTF-8. A backslash is left alone: the escapes are for people, who
 * read `\x1b` well enough, and are not meant to be turned back.
 */
#pragma once

#include <stddef.h>

enum escape_for {
	/* One line on a terminal: control characters as \n, \t, \x1b or \u009b, so too line and
	 * paragraph separators and marks of writing direction. */
	ESCAPE_FOR_TERMINAL,
	/* A JSON library does its own escaping: only what is no UTF-8 is changed, byte by byte, to
	 * \xNN. */
	ESCAPE_FOR_JSON,
};

#define ESCAPE_UNIT_MAX 8 /* bytes that stand for one character; its NUL is not counted */

/* Takes one character (or one bad byte) off the front of *text, which must not be at its NUL, and
 * writes what stands for it, with a NUL. Returns the length written, at least 1. */
size_t escape_step(const char **text, enum escape_for mode, char unit[static ESCAPE_UNIT_MAX + 1]);

/* The whole of text into size bytes at buffer, cut between characters if it does not fit.
 * Returns buffer. NULL reads as "". */
const char *escape_string(const char *text, enum escape_for mode, char *buffer, size_t size);

/* How many of the first `length` bytes may be kept so that no character is cut in two: `length`, or
 * up to three less. */
size_t escape_whole_characters(const char *text, size_t length);
