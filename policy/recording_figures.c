/* SPDX-License-Identifier: MIT */
/*
 * What follows from a recording: how fast something grows, and how often to look.
 */
#include "policy/limits.h"
#include "policy/own.h"
#include "policy/recording.h"

#include <assert.h>
#include <string.h>

#define USEC_PER_SEC_SIGNED INT64_C(1000000)
#define PERCENT_X100	    UINT64_C(10000)
#define GROWTH_WINDOW_USEC  UINT64_C(2000000)

uint64_t recording_unreclaimable(const struct recording_sample *sample)
{
	/* shmem is not within anon here, but within file */
	return sample->memory_anon + sample->memory_shmem + sample->memory_slab_unreclaimable +
	       sample->memory_kernel_stack + sample->memory_pagetables + sample->memory_sock;
}

static uint64_t value_of(const struct recording_sample *sample, recording_field field)
{
	uint64_t value;

	memcpy(&value, (const char *)sample + field, sizeof(value));
	return value;
}

/* The oldest sample within the window; if there is none but the newest, the one before that. */
static bool find_then(const struct recording *recording, uint64_t window_usec,
		      const struct recording_sample **ret_newest, struct recording_sample *ret_then)
{
	struct recording_sample sample;
	struct recording_cursor cursor;
	bool found = false;

	*ret_newest = recording_newest(recording);
	recording_begin(recording, &cursor);
	while (recording_next(&cursor, &sample) && sample.time_usec < (*ret_newest)->time_usec) {
		*ret_then = sample;
		found = true;
		if (sample.time_usec + window_usec >= (*ret_newest)->time_usec)
			break;
	}
	return found;
}

static void fill_change(uint64_t then, uint64_t newest, uint64_t usec, struct recording_change *ret)
{
	ret->by = (int64_t)(newest - then);
	ret->usec = usec;
	/* in steps that don't overflow before a growth of 9 TB */
	ret->per_second = ret->by / (int64_t)usec * USEC_PER_SEC_SIGNED +
			  ret->by % (int64_t)usec * USEC_PER_SEC_SIGNED / (int64_t)usec;
}

bool recording_change(const struct recording *recording, recording_field field,
		      uint64_t window_usec, struct recording_change *ret)
{
	const struct recording_sample *newest;
	struct recording_sample then;

	if (!find_then(recording, window_usec, &newest, &then))
		return false;
	fill_change(value_of(&then, field), value_of(newest, field),
		    newest->time_usec - then.time_usec, ret);
	return true;
}

uint32_t recording_share(uint64_t part, uint64_t whole)
{
	if (whole == 0 || whole == LIMIT_MAX || whole == LIMIT_UNSET)
		return 0;
	if (part / whole >= UINT32_MAX / PERCENT_X100)
		return UINT32_MAX;
	return part > UINT64_MAX / PERCENT_X100 ? (uint32_t)(part / (whole / PERCENT_X100))
						: (uint32_t)(part * PERCENT_X100 / whole);
}

static uint64_t growth(uint64_t then, uint64_t now)
{
	return now > then ? now - then : 0;
}

static uint64_t per_second(uint64_t amount, uint64_t usec)
{
	return amount < UINT64_MAX / 1000000 ? amount * 1000000 / usec : amount / usec * 1000000;
}

void recording_rates(const struct recording *recording, uint64_t window_usec, uint64_t now_usec,
		     struct recording_rates *ret)
{
	const struct recording_sample *newest;
	struct recording_sample then;
	struct recording_change memory;
	uint64_t usec;

	*ret = (struct recording_rates){ 0 };
	if (!find_then(recording, window_usec, &newest, &then) ||
	    newest->time_usec + RECORDING_STALE_USEC < now_usec)
		return;
	usec = newest->time_usec - then.time_usec;
	fill_change(recording_unreclaimable(&then), recording_unreclaimable(newest), usec, &memory);
	ret->memory_per_second = memory.per_second;
	ret->cpu_percent_x100 =
		recording_share(growth(then.cpu_usage_usec, newest->cpu_usage_usec), usec);
	ret->throttled_percent_x100 =
		recording_share(growth(then.cpu_throttled, newest->cpu_throttled),
				growth(then.cpu_periods, newest->cpu_periods));
	ret->io_per_second = per_second(growth(then.io_read_bytes, newest->io_read_bytes) +
						growth(then.io_write_bytes, newest->io_write_bytes),
					usec);
}

/* left and right are in order, and the time is between them. */
static uint64_t between(const struct recording_sample *left, const struct recording_sample *right,
			recording_field field, uint64_t time_usec)
{
	uint64_t from = value_of(left, field), to = value_of(right, field);
	double part = (double)(time_usec - left->time_usec) /
		      (double)(right->time_usec - left->time_usec);

	return to >= from ? from + (uint64_t)((double)(to - from) * part)
			  : from - (uint64_t)((double)(from - to) * part);
}

size_t recording_series(const struct recording *recording, recording_field field,
			uint64_t step_usec, uint64_t now_usec, uint64_t *values, size_t count)
{
	struct recording_sample left = { 0 }, right;
	struct recording_cursor cursor;
	size_t known = 0;
	bool more;

	recording_begin(recording, &cursor);
	more = recording_next(&cursor, &right);
	for (size_t i = 0; i < count; i++) {
		uint64_t back = (count - 1 - i) * step_usec;
		uint64_t time = now_usec > back ? now_usec - back : 0;

		for (; more && right.time_usec <= time; more = recording_next(&cursor, &right))
			left = right;
		if (left.time_usec == 0)
			values[i] = RECORDING_UNKNOWN;
		else
			values[i] =
				more ? between(&left, &right, field, time) : value_of(&left, field);
		known += left.time_usec != 0;
	}
	return known;
}

/* --- how often ------------------------------------------------------------------------------- */

/* What a decision looks at, found in one walk: find_then() for two windows. */
struct then {
	const struct recording_sample *newest;
	struct recording_sample quiet, recent; /* RECORDING_QUIET_USEC and GROWTH_WINDOW_USEC ago */
	uint64_t since_usec;		       /* time of the oldest */
	bool known;			       /* there is any beside the newest */
};

static void find_both(const struct recording *recording, struct then *ret)
{
	bool quiet = false, recent = false;
	struct recording_sample sample;
	struct recording_cursor cursor;

	*ret = (struct then){ .newest = recording_newest(recording) };
	recording_begin(recording, &cursor);
	while (!recent && recording_next(&cursor, &sample) &&
	       sample.time_usec < ret->newest->time_usec) {
		uint64_t age = ret->newest->time_usec - sample.time_usec;

		if (!ret->known)
			ret->since_usec = sample.time_usec;
		if (!quiet)
			ret->quiet = sample;
		ret->recent = sample;
		quiet = age <= RECORDING_QUIET_USEC;
		recent = age <= GROWTH_WINDOW_USEC;
		ret->known = true;
	}
}

/* At the rate of the last seconds. */
static bool gets_there_soon(const struct then *then, uint64_t held, uint64_t memory_max)
{
	struct recording_change growth;

	fill_change(recording_unreclaimable(&then->recent), held,
		    then->newest->time_usec - then->recent.time_usec, &growth);
	return growth.per_second > 0 &&
	       held + (uint64_t)growth.per_second * (RECORDING_NEAR_AHEAD_USEC / 1000000) >=
		       memory_max;
}

static bool is_near(const struct then *then, uint64_t memory_max)
{
	const struct recording_sample *newest = then->newest;
	uint64_t held = recording_unreclaimable(newest);

	if (newest->memory_full_avg10 >= RECORDING_NEAR_FULL_AVG10)
		return true;
	if (!then->known || recording_share(held, memory_max) == 0)
		return false;
	if (gets_there_soon(then, held, memory_max))
		return true;
	if (recording_share(held, memory_max) < RECORDING_NEAR_PERCENT_X100)
		return false;
	/* one that rests there is well sized, and needs no looking at ten times a second */
	return newest->events_max > then->quiet.events_max ||
	       newest->events_high > then->quiet.events_high ||
	       recording_share(growth(recording_unreclaimable(&then->quiet), held), memory_max) >=
		       RECORDING_MOVED_PERCENT_X100;
}

/* What an idle app used since the sample before, it used since it was last looked at: had it moved
 * earlier, there would be a sample of that. */
static bool is_busy(const struct then *then)
{
	uint64_t usec = then->newest->time_usec - then->quiet.time_usec;

	if (!then->known || then->newest->time_usec - then->since_usec < RECORDING_FRESH_USEC)
		return true;
	return recording_share(growth(then->quiet.cpu_usage_usec, then->newest->cpu_usage_usec),
			       usec < RECORDING_QUIET_USEC ? usec : RECORDING_QUIET_USEC) >=
	       RECORDING_BUSY_PERCENT_X100;
}

enum recording_pace recording_pace(const struct recording *recording, uint64_t memory_max)
{
	struct then then;

	if (recording_newest(recording) == NULL)
		return RECORDING_BUSY;
	find_both(recording, &then);
	if (is_near(&then, memory_max))
		return RECORDING_NEAR;
	return is_busy(&then) ? RECORDING_BUSY : RECORDING_IDLE;
}

static const struct {
	const char *name;
	uint64_t usec;
} paces[] = {
	[RECORDING_IDLE] = { "idle", RECORDING_IDLE_USEC },
	[RECORDING_BUSY] = { "busy", RECORDING_BUSY_USEC },
	[RECORDING_NEAR] = { "near", RECORDING_NEAR_USEC },
};
static_assert(ARRAY_SIZE(paces) == RECORDING_PACE_COUNT, "a row for each pace");

uint64_t recording_interval(enum recording_pace pace)
{
	return paces[pace].usec;
}

const char *recording_pace_name(enum recording_pace pace)
{
	return paces[pace].name;
}
