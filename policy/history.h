/* SPDX-License-Identifier: MIT */
/*
 * Reading the history of an incident: series of numbers as policy/recording.h writes them, all of
 * the length of "time_msec". It may come from a file, so anything may be wrong with it: what is no
 * number reads as 0, what is too short ends there.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTORY_MAX 4096 /* samples that are looked at */

struct history {
	const json_t *times, *values; /* borrowed */
	size_t count;
};

/* One series; false if it is not there (or was 0 throughout), or has no two samples. */
bool history_of(const json_t *history, const char *key, struct history *ret);
int64_t history_time_msec(const struct history *history, size_t index);
int64_t history_value(const struct history *history, size_t index);

/* How the series grew to its highest value of the last `window`: from the lowest value in the
 * `window` before that. False if it did not. */
struct history_growth {
	int64_t by;
	int64_t msec;
};
bool history_growth(const struct history *history, int64_t window_msec, struct history_growth *ret);
