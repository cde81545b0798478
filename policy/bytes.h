/* SPDX-License-Identifier: MIT */
/*
 * A growing buffer of bytes: appended at its end, taken off its front. Zero-initialised = empty,
 * and an empty one that was told to shrink holds no memory, so a thousand idle ones cost nothing.
 */
#pragma once

#include "policy/error.h"

#include <stddef.h>

struct bytes {
	char *data;   /* the allocation; the bytes themselves start at data + start */
	size_t start; /* taken off already */
	size_t length;
	size_t allocated;
};

static inline char *bytes_front(const struct bytes *bytes)
{
	return bytes->data + bytes->start;
}

/* Room for `more` bytes at the end, for bytes_end() and bytes_grow(). */
int bytes_reserve(struct bytes *bytes, size_t more, struct error *err);
static inline char *bytes_end(const struct bytes *bytes)
{
	return bytes->data + bytes->start + bytes->length;
}
static inline size_t bytes_room(const struct bytes *bytes)
{
	return bytes->allocated - bytes->start - bytes->length;
}
static inline void bytes_grow(struct bytes *bytes, size_t written)
{
	bytes->length += written;
}

int bytes_append(struct bytes *bytes, const char *data, size_t length, struct error *err);
int bytes_append_text(struct bytes *bytes, const char *text, struct error *err);

/* Back to a former length: what was appended since is dropped. */
void bytes_truncate(struct bytes *bytes, size_t length);

/* Takes `length` bytes off the front. An empty buffer goes back to its start. */
void bytes_take(struct bytes *bytes, size_t length);

/* Gives memory back: all of it if empty, else what is beyond twice the need. */
void bytes_shrink(struct bytes *bytes);
void bytes_clear(struct bytes *bytes);

#define _cleanup_bytes_ __attribute__((cleanup(bytes_clear)))
