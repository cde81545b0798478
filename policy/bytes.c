/* SPDX-License-Identifier: MIT */
#include "policy/bytes.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MIN ((size_t)1024) /* of an allocation */

static void move_to_front(struct bytes *bytes)
{
	if (bytes->start == 0)
		return;
	memmove(bytes->data, bytes_front(bytes), bytes->length);
	bytes->start = 0;
}

/* Doubling, so that appending byte after byte costs little. */
static size_t allocation_for(size_t wanted)
{
	size_t size = BYTES_MIN;

	while (size < wanted && size <= SIZE_MAX / 2)
		size *= 2;
	return size < wanted ? wanted : size;
}

int bytes_reserve(struct bytes *bytes, size_t more, struct error *err)
{
	size_t size;
	char *data;

	if (bytes->data != NULL && bytes_room(bytes) >= more)
		return 0;
	if (more > SIZE_MAX / 4 || bytes->length > SIZE_MAX / 4)
		return error_no_memory(err);
	/* Moving what is there is cheap only if more was taken off than is left. */
	if (bytes->start >= bytes->length && bytes->allocated >= bytes->length + more &&
	    bytes->data != NULL) {
		move_to_front(bytes);
		return 0;
	}
	size = allocation_for(bytes->length + more);
	data = malloc(size);
	if (data == NULL)
		return error_no_memory(err);
	if (bytes->length > 0)
		memcpy(data, bytes_front(bytes), bytes->length);
	free(bytes->data);
	bytes->data = data;
	bytes->start = 0;
	bytes->allocated = size;
	return 0;
}

int bytes_append(struct bytes *bytes, const char *data, size_t length, struct error *err)
{
	int r = bytes_reserve(bytes, length, err);

	if (r < 0)
		return r;
	if (length > 0)
		memcpy(bytes_end(bytes), data, length);
	bytes->length += length;
	return 0;
}

int bytes_append_text(struct bytes *bytes, const char *text, struct error *err)
{
	return bytes_append(bytes, text, strlen(text), err);
}

void bytes_truncate(struct bytes *bytes, size_t length)
{
	assert(length <= bytes->length);
	bytes->length = length;
}

void bytes_take(struct bytes *bytes, size_t length)
{
	assert(length <= bytes->length);
	bytes->length -= length;
	bytes->start = bytes->length > 0 ? bytes->start + length : 0;
}

void bytes_shrink(struct bytes *bytes)
{
	size_t size = allocation_for(bytes->length);
	char *data;

	if (bytes->length == 0) {
		bytes_clear(bytes);
		return;
	}
	if (size > bytes->allocated / 2)
		return;
	move_to_front(bytes);
	data = realloc(bytes->data, size);
	if (data == NULL) /* the larger one serves as well */
		return;
	bytes->data = data;
	bytes->allocated = size;
}

void bytes_clear(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){ 0 };
}
