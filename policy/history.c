/* SPDX-License-Identifier: MIT */
#include "policy/history.h"

#define TIME_MAX_MSEC (INT64_C(1) << 50) /* sums and products of times fit */

bool history_of(const json_t *history, const char *key, struct history *ret)
{
	const json_t *times = json_object_get(history, "time_msec");
	const json_t *values = json_object_get(history, key);
	size_t count = json_array_size(times);

	if (json_array_size(values) < count)
		count = json_array_size(values);
	if (count > HISTORY_MAX)
		count = HISTORY_MAX;
	*ret = (struct history){ times, values, count };
	return count > 1;
}

int64_t history_time_msec(const struct history *history, size_t index)
{
	json_int_t time = json_integer_value(json_array_get(history->times, index));

	return time > 0 && time < TIME_MAX_MSEC ? time : 0;
}

int64_t history_value(const struct history *history, size_t index)
{
	double value = json_number_value(json_array_get(history->values, index));

	return value > 0 && value < 9e18 ? (int64_t)value : 0;
}

/* Of the samples no older than `window` before `end`, itself included: the highest or lowest. */
static size_t find(const struct history *history, size_t end, int64_t window_msec, bool highest)
{
	int64_t oldest = history_time_msec(history, end) - window_msec;
	size_t best = end;

	for (size_t i = end; i-- > 0 && history_time_msec(history, i) >= oldest;) {
		int64_t value = history_value(history, i), than = history_value(history, best);

		if (highest ? value > than : value < than)
			best = i;
	}
	return best;
}

bool history_growth(const struct history *history, int64_t window_msec, struct history_growth *ret)
{
	size_t peak = find(history, history->count - 1, window_msec, true);
	size_t then = find(history, peak, window_msec, false);

	*ret = (struct history_growth){
		.by = history_value(history, peak) - history_value(history, then),
		.msec = history_time_msec(history, peak) - history_time_msec(history, then),
	};
	return ret->by > 0 && ret->msec > 0;
}
