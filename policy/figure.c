/* SPDX-License-Identifier: MIT */
#include "policy/figure.h"

#include "policy/own.h"

const char *figure_size(uint64_t bytes, char *text)
{
	static const char *const units[] = { "B", "K", "M", "G", "T", "P", "E" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1000 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1024;
		unit++;
	}
	if (bytes == 0)
		snprintf(text, QUANTITY_TEXT_MAX, "0");
	else if (unit > 0 && value < 99.95)
		snprintf(text, QUANTITY_TEXT_MAX, "%.1f%s", value, units[unit]);
	else
		snprintf(text, QUANTITY_TEXT_MAX, "%.0f%s", value, units[unit]);
	return text;
}

const char *figure_time(uint64_t usec, char *text)
{
	static const struct {
		uint64_t from, step;
	} steps[] = {
		{ 86400 * USEC_PER_SEC, 3600 * USEC_PER_SEC },
		{ 3600 * USEC_PER_SEC, 60 * USEC_PER_SEC },
		{ 10 * USEC_PER_SEC, USEC_PER_SEC },
		{ USEC_PER_SEC, 100 * USEC_PER_MSEC },
		{ USEC_PER_MSEC, USEC_PER_MSEC },
	};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (usec >= steps[i].from)
			return quantity_format_time(usec - usec % steps[i].step, text);
	return quantity_format_time(usec, text);
}
