/* SPDX-License-Identifier: MIT */
#include "policy/recording.h"

#include "policy/own.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define FIRST_ALLOCATION 128
#define SMALLEST	 FIRST_ALLOCATION
#define VARINT_MAX	 10
#define STEP_MAX	 (VARINT_MAX * (RECORDING_FIELDS + 1))

static_assert(RECORDING_FIELDS <= 64, "a bit for each field");
static_assert(sizeof(struct recording_sample) % sizeof(uint64_t) == 0, "nothing but uint64_t");
static_assert(RECORDING_TRACK_MAX >= 2 * STEP_MAX, "a step always fits");

static const struct recording_sample NOTHING;

/* --- one step -------------------------------------------------------------------------------- */

static uint8_t *put_number(uint8_t *at, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*at++ = (uint8_t)(value | 0x80);
	*at++ = (uint8_t)value;
	return at;
}

static const uint8_t *get_number(const uint8_t *at, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		value |= (uint64_t)(*at & 0x7f) << shift;
		if ((*at++ & 0x80) == 0)
			break;
	}
	*ret = value;
	return at;
}

/* Small numbers for small steps in both directions. */
static uint64_t fold(uint64_t difference)
{
	return difference << 1 ^ (0 - (difference >> 63));
}

static uint64_t unfold(uint64_t folded)
{
	return folded >> 1 ^ (0 - (folded & 1));
}

static size_t encode(const struct recording_sample *from, const struct recording_sample *to,
		     uint8_t ret[static STEP_MAX])
{
	uint64_t before[RECORDING_FIELDS], after[RECORDING_FIELDS], moved = 0;
	uint8_t *at;

	memcpy(before, from, sizeof(before));
	memcpy(after, to, sizeof(after));
	for (size_t i = 0; i < RECORDING_FIELDS; i++)
		if (before[i] != after[i])
			moved |= UINT64_C(1) << i;
	at = put_number(ret, moved);
	for (size_t i = 0; i < RECORDING_FIELDS; i++)
		if (before[i] != after[i])
			at = put_number(at, fold(after[i] - before[i]));
	return (size_t)(at - ret);
}

/* Returns how many bytes the step has; sample is what it leads to afterwards. */
static uint32_t take_step(const uint8_t *bytes, struct recording_sample *sample)
{
	uint64_t values[RECORDING_FIELDS], moved, folded;
	const uint8_t *at = get_number(bytes, &moved);

	memcpy(values, sample, sizeof(values));
	for (size_t i = 0; i < RECORDING_FIELDS; i++) {
		if ((moved & UINT64_C(1) << i) == 0)
			continue;
		at = get_number(at, &folded);
		values[i] += unfold(folded);
	}
	memcpy(sample, values, sizeof(values));
	return (uint32_t)(at - bytes);
}

/* --- a track --------------------------------------------------------------------------------- */

static void clear_track(struct recording_track *track)
{
	free(track->bytes);
	free(track->newest);
	*track = (struct recording_track){ 0 };
}

/* Returns how many bytes it has. */
static uint32_t read_oldest(const struct recording_track *track, struct recording_sample *ret)
{
	*ret = NOTHING;
	return take_step(track->bytes + track->begin, ret);
}

/* The second becomes a step from nothing. That is written over the two steps that led there, and is
 * never longer than both: no sum has more digits than what was added up. */
static void drop_oldest(struct recording_track *track)
{
	struct recording_sample sample;
	uint8_t step[STEP_MAX];
	uint32_t freed;
	size_t length;

	if (track->count <= 1) {
		clear_track(track);
		return;
	}
	freed = read_oldest(track, &sample);
	freed += take_step(track->bytes + track->begin + freed, &sample);
	length = encode(&NOTHING, &sample, step);
	assert(length <= freed);
	track->begin += freed - (uint32_t)length;
	memcpy(track->bytes + track->begin, step, length);
	track->count--;
}

static void move_to_front(struct recording_track *track)
{
	if (track->begin == 0)
		return;
	memmove(track->bytes, track->bytes + track->begin, track->end - track->begin);
	track->end -= track->begin;
	track->begin = 0;
}

static int resize(struct recording_track *track, uint32_t size)
{
	uint8_t *bytes;

	move_to_front(track);
	bytes = realloc(track->bytes, size);
	if (bytes == NULL)
		return -ENOMEM;
	track->bytes = bytes;
	track->allocated = size;
	return 0;
}

static uint32_t at_most(uint32_t size, uint32_t most)
{
	return size < most ? size : most;
}

/* Room for so many bytes more at the end: by moving, by growing, and at last by forgetting. */
static int make_room(struct recording_track *track, uint32_t wanted)
{
	uint32_t size = track->allocated;

	if (track->end + wanted <= size)
		return 0;
	/* moved when that frees half of it, so that each byte is moved once or twice in its life */
	if (track->begin >= size / 2 && track->end - track->begin + wanted <= size) {
		move_to_front(track);
		return 0;
	}
	while (size < RECORDING_TRACK_MAX && track->end - track->begin + wanted > size)
		size = size == 0 ? FIRST_ALLOCATION : at_most(size * 2, RECORDING_TRACK_MAX);
	if (size == track->allocated && size < RECORDING_TRACK_MAX)
		size = at_most(size * 2, RECORDING_TRACK_MAX);
	while (track->end - track->begin + wanted > size)
		drop_oldest(track);
	if (size == track->allocated) {
		move_to_front(track);
		return 0;
	}
	return resize(track, size);
}

static int add_to_track(struct recording_track *track, const struct recording_sample *sample)
{
	uint8_t step[STEP_MAX];
	uint32_t length;
	int r;

	if (track->newest == NULL)
		track->newest = calloc(1, sizeof(*track->newest));
	if (track->newest == NULL)
		return -ENOMEM;
	length = (uint32_t)encode(track->newest, sample, step);
	r = make_room(track, length);
	if (r < 0) {
		if (track->count == 0)
			clear_track(track);
		return r;
	}
	assert(track->bytes != NULL && track->newest != NULL);
	memcpy(track->bytes + track->end, step, length);
	track->end += length;
	*track->newest = *sample;
	track->count++;
	return 0;
}

static uint64_t oldest_time(const struct recording_track *track)
{
	struct recording_sample oldest;

	(void)read_oldest(track, &oldest);
	return oldest.time_usec;
}

/* The oldest sample but one may be as old as the span: so all of the span is known. */
static void expire_track(struct recording_track *track, uint64_t span_usec, uint64_t now_usec)
{
	while (track->count > 1 && oldest_time(track) + span_usec < now_usec)
		drop_oldest(track);
}

/* Half of it is given back when three quarters are free. */
static void shrink_track(struct recording_track *track)
{
	uint32_t used = track->end - track->begin, size = track->allocated;

	while (size > SMALLEST && used < size / 4)
		size /= 2;
	if (size < track->allocated)
		(void)resize(track, size);
}

/* --- both ------------------------------------------------------------------------------------ */

const struct recording_sample *recording_newest(const struct recording *recording)
{
	const struct recording_track *coarse = &recording->coarse, *fine = &recording->fine;

	if (coarse->count == 0)
		return NULL;
	if (fine->count > 0 && fine->newest->time_usec > coarse->newest->time_usec)
		return fine->newest;
	return coarse->newest;
}

int recording_add(struct recording *recording, const struct recording_sample *sample)
{
	const struct recording_sample *newest = recording_newest(recording);
	struct recording_track *track = &recording->coarse;

	if (newest != NULL && sample->time_usec < newest->time_usec + RECORDING_CLOSEST_USEC)
		return 0;
	expire_track(&recording->coarse, RECORDING_SPAN_USEC, sample->time_usec);
	expire_track(&recording->fine, RECORDING_FINE_SPAN_USEC, sample->time_usec);
	/* The second of all is never far from the first: a thousand idle apps would have a fine
	 * track for that one. */
	if (track->count > 1 &&
	    sample->time_usec < track->newest->time_usec + RECORDING_FINE_BELOW_USEC)
		track = &recording->fine;
	return add_to_track(track, sample);
}

void recording_expire(struct recording *recording, uint64_t now_usec)
{
	struct recording_track *fine = &recording->fine;

	expire_track(&recording->coarse, RECORDING_SPAN_USEC, now_usec);
	expire_track(fine, RECORDING_FINE_SPAN_USEC, now_usec);
	/* the last sample of all is of the coarse track, or soon followed by one */
	if (fine->count > 0 && fine->newest->time_usec + RECORDING_FINE_SPAN_USEC < now_usec)
		clear_track(fine);
	shrink_track(&recording->coarse);
	shrink_track(fine);
}

void recording_clear(struct recording *recording)
{
	clear_track(&recording->coarse);
	clear_track(&recording->fine);
}

static size_t track_bytes(const struct recording_track *track)
{
	return track->allocated + (track->newest != NULL ? sizeof(*track->newest) : 0);
}

size_t recording_bytes(const struct recording *recording)
{
	return track_bytes(&recording->coarse) + track_bytes(&recording->fine);
}

size_t recording_count(const struct recording *recording)
{
	return (size_t)recording->coarse.count + recording->fine.count;
}

/* --- walking --------------------------------------------------------------------------------- */

void recording_begin(const struct recording *recording, struct recording_cursor *ret)
{
	const struct recording_track *tracks[] = { &recording->coarse, &recording->fine };

	ret->recording = recording;
	for (size_t i = 0; i < ARRAY_SIZE(tracks); i++) {
		ret->tracks[i].left = tracks[i]->count;
		ret->tracks[i].at = tracks[i]->begin;
		if (tracks[i]->count > 0)
			ret->tracks[i].at += read_oldest(tracks[i], &ret->tracks[i].sample);
	}
}

bool recording_next(struct recording_cursor *cursor, struct recording_sample *ret)
{
	const struct recording_track *tracks[] = { &cursor->recording->coarse,
						   &cursor->recording->fine };
	size_t which = cursor->tracks[0].left > 0 ? 0 : 1;

	if (cursor->tracks[which].left == 0)
		return false;
	if (which == 0 && cursor->tracks[1].left > 0 &&
	    cursor->tracks[1].sample.time_usec < cursor->tracks[0].sample.time_usec)
		which = 1;
	*ret = cursor->tracks[which].sample;
	if (--cursor->tracks[which].left > 0)
		cursor->tracks[which].at +=
			take_step(tracks[which]->bytes + cursor->tracks[which].at,
				  &cursor->tracks[which].sample);
	return true;
}
