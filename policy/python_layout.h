/* SPDX-License-Identifier: MIT */
/*
 * Where CPython keeps what a stack is made of, by version, on 64-bit machines. Pure.
 *
 * 3.9 to 3.12 are rows of a table: within one minor version nothing moves. From 3.13 on an
 * interpreter tells its own offsets at the start of _PyRuntime (`_Py_DebugOffsets`); what it tells
 * is a list of numbers whose order is another one in each minor version, so there is a row of
 * indices for each. The numbers come from a hostile process: each is checked against a bound, and
 * those that are known are compared.
 *
 * What is not known for certain is ERROR_UNSUPPORTED: pre-releases, free-threaded builds, newer
 * versions. A guess would show wrong frames.
 */
#pragma once

#include "policy/error.h"

#include <stdbool.h>
#include <stdint.h>

#define PYTHON_VERSION_TEXT_MAX 16
/* Of the numbers at the start of _PyRuntime, with the cookie: as many as any version needs. */
#define PYTHON_DEBUG_OFFSETS 84
#define PYTHON_DEBUG_COOKIE  "xdebugpy"

/* PY_VERSION_HEX of X.Y.0 final. */
#define PYTHON_VERSION(major, minor) ((uint32_t)(major) << 24 | (uint32_t)(minor) << 16 | 0xf0)

enum python_lines {
	PYTHON_LINES_LNOTAB,	/* 3.9 */
	PYTHON_LINES_RANGES,	/* 3.10: PEP 626 */
	PYTHON_LINES_LOCATIONS, /* 3.11 and newer: PEP 657 */
};

enum python_position { /* of a frame in its code */
		       PYTHON_POSITION_BYTES,
		       PYTHON_POSITION_UNITS,	/* of two bytes */
		       PYTHON_POSITION_POINTER, /* into the code object */
};

/* Offsets in bytes within the structure that the field's name begins with. */
struct python_layout {
	enum python_lines lines;
	enum python_position position;

	uint32_t runtime_interpreters;
	uint32_t runtime_thread; /* the one that runs Python code; 0: see interpreter_gil */

	uint32_t interpreter_next, interpreter_threads;
	uint32_t interpreter_gil; /* pointer to the lock */
	uint32_t gil_holder, gil_locked;

	uint32_t thread_next, thread_interpreter;
	uint32_t thread_id, thread_native; /* pthread_t; gettid(), 0: there is none */
	uint32_t thread_frame;
	uint32_t cframe_frame; /* if thread_frame points to a structure with the frame in it */

	uint32_t frame_previous, frame_code, frame_position;
	uint32_t frame_owner; /* 0: there is none */

	uint32_t code_file, code_name, code_lines, code_first_line;
	uint32_t code_bytes; /* where its code begins; 0: positions are no pointers */

	uint32_t string_ascii, string_compact; /* where the text begins */

	bool thread_has_cframe;
	uint8_t frame_owner_skip; /* this one and above: no frame of Python code */
	uint8_t frame_code_tag;	  /* bits of the pointer to the code that are none of it */
};

/* The same in all versions. */
#define PYTHON_OBJECT_TYPE   8
#define PYTHON_TYPE_NAME     24
#define PYTHON_STRING_LENGTH 16
#define PYTHON_STRING_STATE  32
#define PYTHON_BYTES_SIZE    16
#define PYTHON_BYTES_DATA    32

/* "3.11" */
void python_version_text(uint32_t version, char text[static PYTHON_VERSION_TEXT_MAX]);

/* Can this version be read at all? Says what else to do before _PyRuntime is looked at. */
int python_version_check(uint32_t version, struct error *err);

/* Has its offsets in its own memory (3.13 and newer). */
bool python_version_tells(uint32_t version);

/* 3.9 to 3.12. */
int python_layout_find(uint32_t version, struct python_layout *ret, struct error *err);

/* The first numbers at _PyRuntime; *ret_version is what they say. */
int python_layout_read(const uint64_t numbers[static PYTHON_DEBUG_OFFSETS], uint32_t *ret_version,
		       struct python_layout *ret, struct error *err);
