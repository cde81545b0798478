/* SPDX-License-Identifier: MIT */
/*
 * When an app has stalled for want of memory: it neither dies nor does anything, since what it
 * reclaims is what it needs next (its own code, mostly). Against memory.high the kernel lets it
 * sleep, against memory.max it reads the same pages again and again. Both are one here: for ten
 * seconds either all of it waited for memory much of the time, or pages came back many times as
 * fast as there are pages; and hardly anything in it can be reclaimed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define STALL_UNRECLAIMABLE 85 /* percent of the limit */
#define STALL_FULL	    40 /* percent of the time that all of it waited for memory */
#define STALL_REFAULTS	    10 /* a second, for each page of file cache that there is */
#define STALL_PAGES_MIN	    16 /* fewer pages of cache count as so many */
#define STALL_USEC	    UINT64_C(10000000)
/* A look is compared with one that is at least so old. */
#define STALL_INTERVAL_USEC UINT64_C(500000)
/* And not with an older one than this: nobody has looked meanwhile. */
#define STALL_GAP_USEC UINT64_C(11000000)

struct stall_reading {
	uint64_t limit;		  /* bytes */
	uint64_t unreclaimable;	  /* bytes: anon, shmem and what the kernel needs for it */
	uint64_t file_pages;	  /* of page cache */
	uint64_t refaults;	  /* workingset_refault_file so far */
	uint64_t full_total_usec; /* memory.pressure so far; 0 without PSI */
};

struct stall {		    /* zero-initialised: nothing was read yet */
	uint64_t read_usec; /* when the last reading was */
	uint64_t full_total_usec, refaults;
	bool slow;	     /* it waited at the last look, whatever it is made of */
	uint64_t since_usec; /* it waits, and little can be reclaimed; 0: it isn't so */
	uint64_t since_full_usec, since_refaults; /* the totals then */
};

struct stall_finding { /* over the whole of the stall so far */
	uint64_t usec;
	unsigned full_percent;
	uint64_t refaults_per_second;
};

/* Does it wait now? *ret_stalled: it has for STALL_USEC; ret is filled while it waits. A look that
 * comes too soon changes nothing. */
bool stall_step(struct stall *stall, uint64_t now_usec, const struct stall_reading *reading,
		bool *ret_stalled, struct stall_finding *ret);

/* What was seen so far counts no more. */
void stall_forget(struct stall *stall);
