/* SPDX-License-Identifier: MIT */
/*
 * From struct limits to what is written into cgroup files, and back: the text for each file, and
 * whether what the kernel gives back is the same limit (it rounds memory to pages, prints
 * "max 100000" for cpu.max, "8:0 rbps=... wbps=max ..." for io.max).
 */
#pragma once

#include "policy/spec.h"

#define LIMIT_WRITES_MAX      (8 + SPEC_IO_MAX)
#define LIMIT_TEXT_MAX	      192
#define LIMIT_OTHER_DISKS_MAX 64 /* lines of io.max that are not ours, at a time */
#define CPU_PERIOD_USEC	      100000

struct disk { /* a whole disk, as io.max wants it */
	unsigned major, minor;
};

struct limit_write {
	const char *file;	/* "memory.max" */
	const char *controller; /* "memory" */
	const char *field;	/* JSON path: "limits.memory" */
	char text[LIMIT_TEXT_MAX];
};

/* Fills writes[] with every limit that is set, in the order to write them (memory.max before
 * memory.high is not needed; io lines last). disks[i] belongs to limits->io[i]. Two io limits on
 * the same disk are merged, the tighter value wins. `page_size` rounds memory down. Returns the
 * number. */
size_t limits_writes(const struct limits *limits, const struct disk *disks, uint64_t page_size,
		     struct limit_write writes[static LIMIT_WRITES_MAX]);

/* Does `read_back`, the file's whole content, hold what write->text asked for? */
bool limits_read_back_matches(const struct limit_write *write, const char *read_back);

/* Comma-free list of controllers that the limits need beyond those always wanted:
 * bit set of LIMIT_CONTROLLER_*. memory and pids are always wanted (watching needs them). */
enum { CONTROLLER_CPU = 1, CONTROLLER_IO = 2, CONTROLLER_MEMORY = 4, CONTROLLER_PIDS = 8 };
unsigned limits_controllers(const struct limits *limits);

/* "max" becomes "not said": a cgroup that was just made has that, with a controller or without. */
void limits_leave_open(struct limits *limits);

bool limits_equal(const struct limits *a, const struct limits *b);

/* Is memory.max or memory.high in `now` below that in `before`? */
bool limits_lower_memory(const struct limits *now, const struct limits *before);

/* The disks that `io_max`, the file's whole content, has a line for and disks[] doesn't name.
 * Returns their number. */
size_t limits_other_disks(const char *io_max, const struct disk *disks, size_t count,
			  struct disk others[static LIMIT_OTHER_DISKS_MAX]);
/* The write that takes all limits of a disk away. */
void limits_lift_disk(const struct disk *disk, struct limit_write *ret);
