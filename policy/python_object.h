/* SPDX-License-Identifier: MIT */
/*
 * Objects of CPython in a foreign memory: is this address one of that type, and the text of a
 * string. An object is believed to be what its type's name says it is; an address that was torn, or
 * invented, hardly ever comes through that. Pure.
 */
#pragma once

#include "policy/foreign.h"
#include "policy/python_layout.h"

#include <stddef.h>

#define PYTHON_NAME_MAX 128 /* characters of a function's name */
#define PYTHON_PATH_MAX 512 /* of a file's: the last of them */
/* Bytes that stand for one character at the most: a lone surrogate is written as \udc80. */
#define PYTHON_CHARACTER_MAX 6
#define PYTHON_TEXT_SIZE     (PYTHON_PATH_MAX * PYTHON_CHARACTER_MAX + 4)

enum python_type {
	PYTHON_CODE,
	PYTHON_STRING,
	PYTHON_BYTES,
	PYTHON_TYPE_COUNT,
};

struct python_reader {
	struct foreign *memory; /* borrowed */
	struct python_layout layout;
	uint64_t types[PYTHON_TYPE_COUNT]; /* where they are; 0: not met yet */
};

bool python_is(struct python_reader *reader, uint64_t address, enum python_type type);

/* Valid UTF-8 with a NUL, without one inside. Of a longer text than `max` characters the first are
 * taken, or with `tail` the last behind "...". size: room for max * PYTHON_CHARACTER_MAX + 4. */
bool python_text(struct python_reader *reader, uint64_t address, size_t max, bool tail, char *text,
		 size_t size);
