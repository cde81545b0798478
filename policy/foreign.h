/* SPDX-License-Identifier: MIT */
/*
 * The memory of another process (or a file that it chose), which is hostile: read through a
 * callback, by whole pages that are kept, and within a budget. What is read is bytes and nothing
 * else; every pointer in it is only a number until it has been read at. Pure.
 *
 * Pages are kept, so one call of the callback serves many reads, and what lies in one page is of
 * one moment.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FOREIGN_PAGE	  4096
#define FOREIGN_PAGES	  256		       /* that are kept: 1 MiB */
#define FOREIGN_LOADS_MAX 32768		       /* pages that are asked for: 128 MiB */
#define FOREIGN_READ_MAX  ((uint64_t)64 << 20) /* bytes that are handed out in all, */
#define FOREIGN_READ_COST 32		       /* and each time counts as so many more */

/* Fills `page` with the FOREIGN_PAGE bytes at address, which is a multiple of it. False: there is
 * no such page, or no time left. */
typedef bool (*foreign_read_fn)(uint64_t address, void *page, void *userdata);

struct foreign;

/* NULL: no memory. */
struct foreign *foreign_new(foreign_read_fn read, void *userdata);
void foreign_free(struct foreign *foreign);

/* Exactly size bytes, or false; then nothing is known of buffer. */
bool foreign_read(struct foreign *foreign, uint64_t address, void *buffer, size_t size);

static inline bool foreign_u64(struct foreign *foreign, uint64_t address, uint64_t *ret)
{
	return foreign_read(foreign, address, ret, sizeof(*ret));
}

static inline bool foreign_u32(struct foreign *foreign, uint64_t address, uint32_t *ret)
{
	return foreign_read(foreign, address, ret, sizeof(*ret));
}

/* Is there the text, with its NUL behind it? */
bool foreign_equals(struct foreign *foreign, uint64_t address, const char *text);

static inline void foreign_cleanup(struct foreign **foreign)
{
	foreign_free(*foreign);
}
#define _cleanup_foreign_ __attribute__((cleanup(foreign_cleanup)))
