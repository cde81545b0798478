/* SPDX-License-Identifier: MIT */
#include "policy/tripwire.h"

#include "policy/quantity.h"

static uint64_t gap_of(uint64_t limit)
{
	uint64_t gap = limit / TRIPWIRE_GAP_SHARE;

	return gap > TRIPWIRE_GAP_MIN ? gap : TRIPWIRE_GAP_MIN;
}

static uint64_t percent_of(uint64_t limit, unsigned percent)
{
	return limit / 100 * percent + limit % 100 * percent / 100;
}

uint64_t tripwire_rung(uint64_t limit, unsigned rung)
{
	uint64_t last_gap = gap_of(limit), step = 2 * (limit / TRIPWIRE_GAP_SHARE);
	uint64_t below;

	if (step < TRIPWIRE_GAP_MIN)
		step = TRIPWIRE_GAP_MIN;
	below = last_gap + (TRIPWIRE_RUNGS - 1 - rung) * step;
	return below < limit && limit - below >= percent_of(limit, TRIPWIRE_ALARM) ? limit - below
										   : 0;
}

uint64_t tripwire_mark(uint64_t high)
{
	return high == LIMIT_MAX ? LIMIT_MAX : high - TRIPWIRE_MARK_BYTES;
}

/* The kernel rounds down to pages. */
bool tripwire_is_marked(uint64_t limit, uint64_t high)
{
	for (unsigned i = 0; i < TRIPWIRE_RUNGS; i++) {
		uint64_t rung = tripwire_rung(limit, i);

		if (rung > 0 && tripwire_mark(rung) / 4096 == high / 4096)
			return true;
	}
	return false;
}

/* The first rung that is clearly above; TRIPWIRE_RUNGS if there is none. */
static unsigned rung_above(const struct tripwire *tripwire, uint64_t current)
{
	for (unsigned i = 0; tripwire->on && i < TRIPWIRE_RUNGS; i++) {
		uint64_t rung = tripwire_rung(tripwire->limit, i);

		if (rung > 0 && rung > current + gap_of(tripwire->limit) / 2)
			return i;
	}
	return TRIPWIRE_RUNGS;
}

void tripwire_set_limit(struct tripwire *tripwire, uint64_t limit, bool on, uint64_t current)
{
	tripwire->limit = limit_is_set(limit) ? limit : LIMIT_UNSET;
	tripwire->on = on && limit_is_set(limit);
	tripwire->rung = rung_above(tripwire, current);
	tripwire->snapped = 0;
	tripwire->told = false;
	tripwire->calm_since_usec = 0;
	stall_forget(&tripwire->stall);
}

void tripwire_init(struct tripwire *tripwire, uint64_t limit, bool on,
		   const struct tripwire_reading *reading)
{
	*tripwire = (struct tripwire){ .high_moves = reading->high_moves,
				       .top_moves = reading->top_moves };
	tripwire_set_limit(tripwire, limit, on, reading->current);
}

uint64_t tripwire_high(const struct tripwire *tripwire)
{
	return tripwire->rung < TRIPWIRE_RUNGS ? tripwire_rung(tripwire->limit, tripwire->rung)
					       : LIMIT_MAX;
}

void tripwire_rise(struct tripwire *tripwire, uint64_t current)
{
	if (rung_above(tripwire, current) > tripwire->rung)
		tripwire->rung = rung_above(tripwire, current);
}

static bool is_above(const struct tripwire *tripwire, uint64_t bytes, unsigned percent)
{
	return bytes >= percent_of(tripwire->limit, percent);
}

/* Worth a look: an alarm, and something new since the last. */
static bool is_news(const struct tripwire *tripwire, const struct tripwire_reading *reading,
		    uint64_t step)
{
	uint64_t bytes = reading->stall.unreclaimable;

	return tripwire->on && is_above(tripwire, bytes, TRIPWIRE_ALARM) &&
	       (tripwire->snapped == 0 || bytes >= tripwire->snapped + step);
}

/* From the last rung only when next to nothing is left to be reclaimed: until then it costs no more
 * than the limit itself would. */
static void climb(struct tripwire *tripwire, const struct tripwire_reading *reading)
{
	unsigned last = TRIPWIRE_RUNGS - 1, next = rung_above(tripwire, reading->current);
	uint64_t left = reading->stall.unreclaimable + 2 * gap_of(tripwire->limit);

	if (next <= tripwire->rung)
		next = tripwire->rung + 1;
	if (next > last && left < tripwire_rung(tripwire->limit, last))
		next = last;
	tripwire->rung = next;
}

/* True: look at it. */
static bool see_trip(struct tripwire *tripwire, const struct tripwire_reading *reading)
{
	bool high = reading->high_moves > tripwire->high_moves;
	bool top = reading->top_moves > tripwire->top_moves;
	uint64_t gap = gap_of(tripwire->limit);
	bool news;

	tripwire->high_moves = reading->high_moves;
	tripwire->top_moves = reading->top_moves;
	tripwire->moved |= high || top;
	if (high && tripwire->rung < TRIPWIRE_RUNGS) {
		news = is_news(tripwire, reading, gap);
		climb(tripwire, reading);
		return news;
	}
	return top && is_news(tripwire, reading, 2 * gap);
}

/* Over when it was calm for so long: armed anew as low as it can be. Writing memory.high below what
 * is in use would make the kernel reclaim within the write. */
static void see_calm(struct tripwire *tripwire, const struct tripwire_reading *reading)
{
	if (is_above(tripwire, reading->stall.unreclaimable, TRIPWIRE_CALM)) {
		tripwire->calm_since_usec = 0;
		return;
	}
	if (tripwire->calm_since_usec == 0)
		tripwire->calm_since_usec = reading->now_usec;
	if (reading->now_usec - tripwire->calm_since_usec < TRIPWIRE_CALM_USEC)
		return;
	tripwire->snapped = 0;
	tripwire->told = false;
	if (rung_above(tripwire, reading->current) < tripwire->rung)
		tripwire->rung = rung_above(tripwire, reading->current);
}

/* One that waits below the limit waits for us: out of its way. At the limit it is no longer ours to
 * help. */
static void see_stall(struct tripwire *tripwire, const struct tripwire_reading *reading,
		      bool by_clock, struct tripwire_answer *answer)
{
	answer->waits = stall_step(&tripwire->stall, reading->now_usec, &reading->stall,
				   &answer->stalled, &answer->finding);
	if (tripwire->rung == TRIPWIRE_RUNGS)
		return;
	answer->stalled = false;
	if (by_clock)
		tripwire->slow_looks = tripwire->stall.slow ? tripwire->slow_looks + 1 : 0;
	if (tripwire->slow_looks < TRIPWIRE_SLOW_LOOKS)
		return;
	tripwire->slow_looks = 0;
	tripwire->rung = TRIPWIRE_RUNGS;
	stall_forget(&tripwire->stall);
}

static uint64_t look_delay(struct tripwire *tripwire, const struct tripwire_reading *reading,
			   bool by_clock, bool waits)
{
	bool moved = tripwire->moved;
	bool above = is_above(tripwire, reading->stall.unreclaimable, TRIPWIRE_CALM);

	if (by_clock)
		tripwire->moved = false;
	if (waits || moved)
		return TRIPWIRE_LOOK_USEC;
	/* what is to be armed anew, or may begin to wait without another event */
	if (above || tripwire->told || (tripwire->on && tripwire->rung == TRIPWIRE_RUNGS))
		return TRIPWIRE_SLOW_LOOK_USEC;
	return 0;
}

void tripwire_step(struct tripwire *tripwire, const struct tripwire_reading *reading, bool by_clock,
		   struct tripwire_answer *ret)
{
	*ret = (struct tripwire_answer){ .high = LIMIT_MAX };
	if (!limit_is_set(tripwire->limit))
		return;
	ret->snapshot = see_trip(tripwire, reading);
	see_stall(tripwire, reading, by_clock, ret);
	if (ret->snapshot) {
		tripwire->snapped = reading->stall.unreclaimable;
		ret->begins = !tripwire->told;
		tripwire->told = true;
	}
	see_calm(tripwire, reading);
	ret->high = tripwire_high(tripwire);
	ret->look_usec = look_delay(tripwire, reading, by_clock, ret->waits);
}
