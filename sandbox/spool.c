/* SPDX-License-Identifier: MIT */
#include "sandbox/spool.h"

#include "policy/own.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>

static_assert(SPOOL_CHUNK <= LAUNCH_RING_BYTES, "a chunk fits into the ring");
static_assert(OUTPUT_COUNT == LAUNCH_STREAMS, "a ring for each stream that can be told");

void spool_init(struct spool *spool)
{
	for (unsigned i = 0; i < OUTPUT_COUNT; i++)
		spool->rings[i] = (struct spool_ring){ .memfd = -1 };
}

static uint64_t count_lines(const char *data, size_t size)
{
	const char *end = data + size, *at = data;
	uint64_t lines = 0;

	while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		lines++;
		at++;
	}
	return lines;
}

static void count_dropped(struct spool_ring *ring, const char *data, size_t size)
{
	ring->is.dropped_bytes += size;
	ring->is.dropped_lines += count_lines(data, size);
}

static void skip(struct launch_spool *is, uint32_t size)
{
	is->start = (is->start + size) % LAUNCH_RING_BYTES;
	is->length -= size;
}

static void drop_oldest(struct spool_ring *ring, uint32_t size)
{
	char chunk[SPOOL_CHUNK];

	while (size > 0) {
		uint32_t part = size < SPOOL_CHUNK ? size : SPOOL_CHUNK;
		ssize_t n;

		if (part > LAUNCH_RING_BYTES - ring->is.start)
			part = LAUNCH_RING_BYTES - ring->is.start;
		n = pread(ring->memfd, chunk, part, ring->is.start);
		count_dropped(ring, chunk, n > 0 ? (size_t)n : 0);
		if (n < (ssize_t)part) /* can't be: but then its lines alone are not counted */
			ring->is.dropped_bytes += part - (n > 0 ? (uint32_t)n : 0);
		skip(&ring->is, part);
		size -= part;
	}
}

static bool write_at(int memfd, const char *data, uint32_t size, uint32_t offset)
{
	return size == 0 || pwrite(memfd, data, size, offset) == (ssize_t)size;
}

static bool write_end(const struct spool_ring *ring, const char *data, uint32_t size)
{
	uint32_t at = (ring->is.start + ring->is.length) % LAUNCH_RING_BYTES;
	uint32_t first = LAUNCH_RING_BYTES - at < size ? LAUNCH_RING_BYTES - at : size;

	return write_at(ring->memfd, data, first, at) &&
	       write_at(ring->memfd, data + first, size - first, 0);
}

void spool_append(struct spool *spool, unsigned stream, const void *data, size_t size)
{
	struct spool_ring *ring = &spool->rings[stream];
	uint32_t space = LAUNCH_RING_BYTES - ring->is.length;

	if (ring->memfd < 0)
		ring->memfd = memfd_create("pysbx-spool", MFD_CLOEXEC);
	if (size > space)
		drop_oldest(ring, (uint32_t)size - space);
	if (ring->memfd >= 0 && write_end(ring, data, (uint32_t)size)) {
		ring->is.length += (uint32_t)size;
		return;
	}
	/* what is dropped is to be older than what is kept: so all of it goes */
	drop_oldest(ring, ring->is.length);
	count_dropped(ring, data, size);
}

bool spool_is_empty(const struct spool *spool)
{
	for (unsigned i = 0; i < OUTPUT_COUNT; i++)
		if (spool->rings[i].is.length > 0 || spool->rings[i].is.dropped_bytes > 0)
			return false;
	return true;
}

size_t spool_tell(struct spool *spool, struct launch_message *ret, int fds[static OUTPUT_COUNT])
{
	int any = -1;

	for (unsigned i = 0; i < OUTPUT_COUNT; i++) {
		struct spool_ring *ring = &spool->rings[i];

		ring->told = ret->spool[i] = ring->is;
		fds[i] = ring->memfd;
		if (ring->memfd >= 0)
			any = ring->memfd;
	}
	/* an fd is needed in its place; of a stream with length 0 it is not read */
	for (unsigned i = 0; i < OUTPUT_COUNT; i++)
		if (fds[i] < 0)
			fds[i] = any;
	return any >= 0 ? OUTPUT_COUNT : 0;
}

/* What was told lies at the ring's head, but for what has been dropped since then. */
static void ring_taken(struct spool_ring *ring)
{
	const struct launch_spool *told = &ring->told;
	uint64_t gone = ring->is.dropped_bytes - told->dropped_bytes;

	if (gone < told->length)
		skip(&ring->is, told->length - (uint32_t)gone);
	ring->is.dropped_bytes -= told->dropped_bytes;
	ring->is.dropped_lines -= told->dropped_lines;
	ring->told = (struct launch_spool){ 0 };
	if (ring->is.length == 0) {
		ring->is.start = 0;
		close_and_clear(&ring->memfd);
	}
}

void spool_taken(struct spool *spool)
{
	for (unsigned i = 0; i < OUTPUT_COUNT; i++)
		ring_taken(&spool->rings[i]);
}
