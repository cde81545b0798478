/* SPDX-License-Identifier: MIT */
/*
 * Quantities for people. Where a few digits can say the value exactly, the text is exact and the
 * parsers read it back as the same value; else it is rounded to one decimal, which always shows
 * ("256.0M" is near 256M, "256M" is it).
 */
#include "policy/own.h"
#include "policy/quantity.h"

#include <inttypes.h>
#include <stdio.h>

/* "max" and "-", which all quantities share; false for real values. */
static bool format_special(uint64_t value, char *text)
{
	if (value != LIMIT_MAX && value != LIMIT_UNSET)
		return false;
	snprintf(text, QUANTITY_TEXT_MAX, "%s", value == LIMIT_MAX ? "max" : "-");
	return true;
}

/* tenths / 10 with a decimal only where there is one */
static void format_tenths(uint64_t whole, uint64_t tenths, const char *unit, char *text)
{
	if (tenths == 0)
		snprintf(text, QUANTITY_TEXT_MAX, "%" PRIu64 "%s", whole, unit);
	else
		snprintf(text, QUANTITY_TEXT_MAX, "%" PRIu64 ".%" PRIu64 "%s", whole, tenths, unit);
}

const char *quantity_format_size(uint64_t bytes, char *text)
{
	static const char *const units[] = { "B", "K", "M", "G", "T" };
	const uint64_t few_digits = 10000;
	uint64_t unit, tenths;
	unsigned largest = 0;

	if (format_special(bytes, text))
		return text;
	if (bytes == 0) {
		snprintf(text, QUANTITY_TEXT_MAX, "0");
		return text;
	}
	while (largest + 1 < ARRAY_SIZE(units) && bytes >> (10 * (largest + 1)) > 0)
		largest++;

	/* 1.5G rather than 1536M, 1100M rather than 1.1G, 4097B rather than 4.0K */
	for (unsigned power = largest + 1; power-- > 0;) {
		unit = UINT64_C(1) << (10 * power);
		if (power < largest && bytes / unit >= few_digits)
			break;
		if (bytes % unit * 10 % unit == 0) {
			format_tenths(bytes / unit, bytes % unit * 10 / unit, units[power], text);
			return text;
		}
	}
	unit = UINT64_C(1) << (10 * largest);
	tenths = (bytes % unit * 10 + unit / 2) / unit;
	snprintf(text, QUANTITY_TEXT_MAX, "%" PRIu64 ".%" PRIu64 "%s", bytes / unit + tenths / 10,
		 tenths % 10, units[largest]);
	return text;
}

const char *quantity_format_cpu(uint64_t milli, char *text)
{
	const uint64_t percent = CPU_MILLI_PER_CORE / 100;

	if (!format_special(milli, text))
		format_tenths(milli / percent, milli % percent, "%", text);
	return text;
}

const char *quantity_format_time(uint64_t usec, char *text)
{
	static const struct {
		const char *name;
		uint64_t usec;
	} units[] = {
		{ "d", 86400 * USEC_PER_SEC }, { "h", 3600 * USEC_PER_SEC },
		{ "min", 60 * USEC_PER_SEC },  { "s", USEC_PER_SEC },
		{ "ms", USEC_PER_MSEC },       { "us", 1 },
	};
	size_t used = 0;

	if (format_special(usec, text))
		return text;
	snprintf(text, QUANTITY_TEXT_MAX, "0");
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (usec < units[i].usec)
			continue;
		used += (size_t)snprintf(text + used, QUANTITY_TEXT_MAX - used, "%s%" PRIu64 "%s",
					 used > 0 ? " " : "", usec / units[i].usec, units[i].name);
		usec %= units[i].usec;
	}
	return text;
}

const char *quantity_format_percent(uint64_t percent, char *text)
{
	if (percent == LIMIT_MAX)
		snprintf(text, QUANTITY_TEXT_MAX, "off");
	else
		snprintf(text, QUANTITY_TEXT_MAX, "%" PRIu64 "%%", percent);
	return text;
}
