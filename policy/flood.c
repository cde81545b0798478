/* SPDX-License-Identifier: MIT */
#include "policy/flood.h"

static bool is_too_much(uint64_t came, uint64_t per_second)
{
	return per_second < UINT64_MAX / FLOOD_FACTOR && came > per_second * FLOOD_FACTOR;
}

static uint32_t sample(uint64_t per_second)
{
	uint64_t share = per_second / FLOOD_SHARE;

	if (share == 0)
		return 1;
	return share < UINT32_MAX ? (uint32_t)share : UINT32_MAX;
}

void flood_pass_time(struct flood *flood, uint64_t per_second, uint64_t now_usec)
{
	uint64_t passed = now_usec > flood->began_usec ? now_usec - flood->began_usec : 0;

	if (passed < FLOOD_WINDOW_USEC)
		return;
	if (passed >= 2 * FLOOD_WINDOW_USEC || !is_too_much(flood->came, per_second))
		flood->windows = 0; /* a whole window was empty, or this one calm */
	else if (flood->windows < FLOOD_WINDOWS)
		flood->windows++;
	flood->began_usec = now_usec;
	flood->came = 0;
	flood->left = sample(per_second);
}

void flood_add(struct flood *flood, uint64_t count)
{
	if (__builtin_add_overflow(flood->came, count, &flood->came))
		flood->came = UINT64_MAX;
}

bool flood_lasts(const struct flood *flood)
{
	return flood->windows >= FLOOD_WINDOWS;
}

bool flood_take(struct flood *flood)
{
	if (!flood_lasts(flood))
		return true;
	if (flood->left == 0)
		return false;
	flood->left--;
	return true;
}
