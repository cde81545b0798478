/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>
#include <time.h>

/* Microseconds of CLOCK_MONOTONIC: for every decision and duration. */
static inline uint64_t clock_monotonic_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* The same in milliseconds, as poll(2) counts. */
static inline int64_t clock_monotonic_msec(void)
{
	return (int64_t)(clock_monotonic_usec() / 1000);
}

/* Microseconds of CLOCK_REALTIME: for reports alone. */
static inline uint64_t clock_realtime_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}
