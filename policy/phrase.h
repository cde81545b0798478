/* SPDX-License-Identifier: MIT */
/*
 * A sentence put together from pieces in a buffer of fixed size. What does not fit is cut between
 * characters and ends in "...", and later pieces are dropped: a sentence that has lost its end says
 * so.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct phrase {
	char *text;  /* NUL-terminated at all times */
	size_t size; /* of the buffer; at least 8 */
	size_t used;
	bool cut;
};

struct phrase phrase_on(char *buffer, size_t size);

void phrase_add(struct phrase *phrase, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
