/* SPDX-License-Identifier: MIT */
#include "policy/stall.h"

static uint64_t minus(uint64_t now, uint64_t then)
{
	return now > then ? now - then : 0;
}

static uint64_t per_second(uint64_t count, uint64_t usec)
{
	return usec > 0 ? count * 1000000 / usec : 0;
}

static bool is_waiting(const struct stall *stall, uint64_t usec,
		       const struct stall_reading *reading)
{
	uint64_t pages =
		reading->file_pages > STALL_PAGES_MIN ? reading->file_pages : STALL_PAGES_MIN;
	uint64_t full = minus(reading->full_total_usec, stall->full_total_usec);
	uint64_t refaults = minus(reading->refaults, stall->refaults);

	return full * 100 >= usec * STALL_FULL ||
	       per_second(refaults, usec) > pages * STALL_REFAULTS;
}

static void find(const struct stall *stall, uint64_t now_usec, const struct stall_reading *reading,
		 struct stall_finding *ret)
{
	uint64_t usec = now_usec - stall->since_usec;
	uint64_t full = minus(reading->full_total_usec, stall->since_full_usec);

	*ret = (struct stall_finding){
		.usec = usec,
		.full_percent = usec > 0 ? (unsigned)(full * 100 / usec) : 0,
		.refaults_per_second =
			per_second(minus(reading->refaults, stall->since_refaults), usec),
	};
}

bool stall_step(struct stall *stall, uint64_t now_usec, const struct stall_reading *reading,
		bool *ret_stalled, struct stall_finding *ret)
{
	uint64_t usec = minus(now_usec, stall->read_usec);
	bool first = stall->read_usec == 0 || usec > STALL_GAP_USEC, waits;

	*ret_stalled = false;
	*ret = (struct stall_finding){ 0 };
	if (!first && usec < STALL_INTERVAL_USEC)
		return stall->since_usec != 0;
	stall->slow = !first && is_waiting(stall, usec, reading);
	waits = stall->slow && reading->unreclaimable * 100 >= reading->limit * STALL_UNRECLAIMABLE;
	if (!waits) {
		stall->since_usec = 0;
	} else if (stall->since_usec == 0) {
		stall->since_usec = stall->read_usec;
		stall->since_full_usec = stall->full_total_usec;
		stall->since_refaults = stall->refaults;
	}
	stall->read_usec = now_usec;
	stall->full_total_usec = reading->full_total_usec;
	stall->refaults = reading->refaults;
	if (!waits)
		return false;
	find(stall, now_usec, reading, ret);
	*ret_stalled = ret->usec >= STALL_USEC;
	return true;
}

void stall_forget(struct stall *stall)
{
	*stall = (struct stall){ 0 };
}
