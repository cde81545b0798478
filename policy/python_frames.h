/* SPDX-License-Identifier: MIT */
/*
 * The frames of one thread of CPython, innermost first, as JSON. Pure.
 */
#pragma once

#include "policy/python_object.h"

#include <jansson.h>

#define PYTHON_FRAMES_MAX 4096 /* of one thread: the innermost */

struct python_frames; /* what is the same for all threads of a process: code that was met */

/* reader is borrowed. NULL: no memory. */
struct python_frames *python_frames_new(struct python_reader *reader);
void python_frames_free(struct python_frames *frames);

/* Appends {"function","file","line"} to `array` for each frame from the one at address on; line is
 * missing where code has none. *room: bytes of JSON text that there may be; taken off. False: what
 * was found is not all (more frames than PYTHON_FRAMES_MAX or room, a chain that leads nowhere or
 * back to itself, no memory). */
bool python_frames_add(struct python_frames *frames, uint64_t address, size_t *room, json_t *array);

static inline void python_frames_cleanup(struct python_frames **frames)
{
	python_frames_free(*frames);
}
#define _cleanup_python_frames_ __attribute__((cleanup(python_frames_cleanup)))
