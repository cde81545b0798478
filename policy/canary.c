/* SPDX-License-Identifier: MIT */
#include "policy/canary.h"

bool canary_add(struct canary *canary, uint64_t count, uint64_t now_usec)
{
	for (uint64_t i = 0; i < count && i < CANARY_DENIALS; i++) {
		canary->usec[canary->next] = now_usec;
		canary->next = (canary->next + 1) % CANARY_DENIALS;
		if (canary->count < CANARY_DENIALS)
			canary->count++;
	}
	/* `next` is the oldest */
	return canary->count == CANARY_DENIALS &&
	       now_usec - canary->usec[canary->next] <= CANARY_WINDOW_USEC;
}
