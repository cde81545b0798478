/* SPDX-License-Identifier: MIT */
/* The ring against a model of it: all that was ever written, of which the end is kept. */
#include "policy/own.h"
#include "sandbox/spool.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define WRITTEN_MAX ((size_t)1 << 20)

static struct spool spool;
static char *written;
static size_t size;

static void set_up(void)
{
	spool_init(&spool);
	written = calloc(1, WRITTEN_MAX);
	cr_assert(written != NULL);
}

static void tear_down(void)
{
	for (unsigned i = 0; i < OUTPUT_COUNT; i++)
		close_and_clear(&spool.rings[i].memfd);
	free(written);
}

TestSuite(spool, .init = set_up, .fini = tear_down);

static void append(size_t count)
{
	cr_assert(size + count <= WRITTEN_MAX && count <= SPOOL_CHUNK);
	for (size_t i = 0; i < count; i++)
		written[size + i] = (size + i) % 37 == 36 ? '\n' : (char)('a' + (size + i) % 23);
	spool_append(&spool, OUTPUT_STDOUT, written + size, count);
	size += count;
}

static void append_much(size_t count)
{
	for (size_t part; count > 0; count -= part) {
		part = count < 1000 ? count : 1000;
		append(part);
	}
}

static uint64_t lines_in(size_t from, size_t to)
{
	uint64_t lines = 0;

	for (; from < to; from++)
		lines += written[from] == '\n';
	return lines;
}

static size_t tell(struct launch_message *message)
{
	int fds[OUTPUT_COUNT];

	memset(message, 0, sizeof(*message));
	return spool_tell(&spool, message, fds);
}

/* What would be told is written[from..size). */
static void expect_kept(size_t from)
{
	struct launch_message message;
	const struct launch_spool *is = &message.spool[OUTPUT_STDOUT];

	cr_assert_eq(tell(&message), OUTPUT_COUNT);
	cr_assert_eq(is->length, size - from);
	for (size_t i = 0; i < is->length; i++) {
		char byte;

		cr_assert_eq(pread(spool.rings[OUTPUT_STDOUT].memfd, &byte, 1,
				   (off_t)((is->start + i) % LAUNCH_RING_BYTES)),
			     1);
		cr_assert_eq(byte, written[from + i], "byte %zu", i);
	}
}

Test(spool, is_empty_at_first_and_holds_no_memory)
{
	struct launch_message message;

	cr_expect(spool_is_empty(&spool));
	cr_expect_eq(tell(&message), 0);
	cr_expect(spool.rings[0].memfd < 0 && spool.rings[1].memfd < 0);
}

Test(spool, keeps_all_that_fits)
{
	append_much(LAUNCH_RING_BYTES);
	expect_kept(0);
	cr_expect_eq(spool.rings[0].is.dropped_bytes, 0);
	cr_expect(spool.rings[1].memfd < 0);
}

Test(spool, keeps_the_newest_and_counts_bytes_and_lines)
{
	append_much(3 * (size_t)LAUNCH_RING_BYTES + 12345);
	expect_kept(size - LAUNCH_RING_BYTES);
	cr_expect_eq(spool.rings[0].is.dropped_bytes, size - LAUNCH_RING_BYTES);
	cr_expect_eq(spool.rings[0].is.dropped_lines, lines_in(0, size - LAUNCH_RING_BYTES));
}

Test(spool, forgets_what_was_taken_and_keeps_what_came_since)
{
	struct launch_message message;
	size_t told;

	append_much(LAUNCH_RING_BYTES + 5000);
	tell(&message);
	told = size;
	append(1000); /* drops a thousand of those that were told */
	spool_taken(&spool);
	cr_expect_eq(spool.rings[0].is.dropped_bytes, 1000);
	expect_kept(told);
	spool_taken(&spool);
	cr_expect_eq(spool.rings[0].memfd, -1);
	append(10);
	expect_kept(size - 10);
}

Test(spool, keeps_what_came_since_when_all_that_was_told_is_gone)
{
	struct launch_message message;

	append_much(3000);
	tell(&message);
	append_much(LAUNCH_RING_BYTES + 700);
	spool_taken(&spool);
	expect_kept(size - LAUNCH_RING_BYTES);
	cr_expect_eq(spool.rings[0].is.dropped_bytes, 3700);
}

Test(spool, ignores_that_something_was_taken_which_was_not_told)
{
	append_much(3000);
	spool_taken(&spool);
	expect_kept(0);
}

Test(spool, drops_all_where_there_is_no_memory)
{
	struct launch_message message;

	append_much(3000);
	close(spool.rings[0].memfd);
	spool.rings[0].memfd = open("/dev/full", O_RDWR | O_CLOEXEC);
	append_much(1000);
	tell(&message);
	cr_expect_eq(message.spool[0].length, 0);
	cr_expect_eq(message.spool[0].dropped_bytes, 4000);
	cr_expect_not(spool_is_empty(&spool));
}
