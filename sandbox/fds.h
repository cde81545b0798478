/* SPDX-License-Identifier: MIT */
/* close_range(2), for which not every libc has a function. */
#pragma once

#include <linux/close_range.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Both ends are included; flags: CLOSE_RANGE_*. Returns 0, or -1 and sets errno. */
static inline int fds_close_range(unsigned first, unsigned last, unsigned flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}
