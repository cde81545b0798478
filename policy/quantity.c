/* SPDX-License-Identifier: MIT */
/*
 * Everything is a decimal number with an optional fraction, times a unit. The arithmetic is in
 * whole numbers: a double holds neither 2^60 + 1 nor 0.1, and a limit must be the one that was
 * typed. What is finer than a byte or a microsecond is rounded down.
 */
#include "policy/quantity.h"

#include "policy/own.h"
#include "policy/quote.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DECIMALS_MAX	     9
#define PERCENT_DECIMALS_MAX 6

struct decimal {
	uint64_t whole;
	uint64_t fraction; /* below scale */
	uint64_t scale;	   /* 10^(number of decimals): 1 if there are none */
};

enum number { NUMBER_OK, NUMBER_MALFORMED, NUMBER_TOO_LARGE, NUMBER_TOO_FINE };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads DIGITS[.DIGITS] and moves *text behind it, also where the number is too large or too fine:
 * the caller then still sees whether a unit follows. */
static enum number read_decimal(const char **text, unsigned decimals_max, struct decimal *ret)
{
	enum number status = NUMBER_OK;
	const char *at = *text;
	unsigned decimals = 0;

	*ret = (struct decimal){ .scale = 1 };
	if (!is_digit(*at))
		return NUMBER_MALFORMED;
	for (; is_digit(*at); at++)
		if (__builtin_mul_overflow(ret->whole, 10, &ret->whole) ||
		    __builtin_add_overflow(ret->whole, (unsigned)(*at - '0'), &ret->whole))
			status = NUMBER_TOO_LARGE;

	if (*at == '.') {
		if (!is_digit(*++at))
			return NUMBER_MALFORMED;
		for (; is_digit(*at) && decimals < decimals_max; at++, decimals++) {
			ret->fraction = ret->fraction * 10 + (unsigned)(*at - '0');
			ret->scale *= 10;
		}
		for (; is_digit(*at); at++)
			status = NUMBER_TOO_FINE;
	}
	*text = at;
	return status;
}

/* floor(value * part / whole), exact, for value up to 2^60 and part <= whole <= 2^30. Done in two
 * halves of value, because the product alone would not fit. */
static uint64_t share(uint64_t value, uint64_t part, uint64_t whole)
{
	const unsigned half = 30;
	uint64_t upper = (value >> half) * part;
	uint64_t lower = (value & ((UINT64_C(1) << half) - 1)) * part;

	return ((upper / whole) << half) + (((upper % whole) << half) + lower) / whole;
}

/* number * factor, rounded down; false if that overflows. factor is at most 2^60. */
static bool scale(const struct decimal *number, uint64_t factor, uint64_t *ret)
{
	uint64_t part = share(factor, number->fraction, number->scale);

	return !__builtin_mul_overflow(number->whole, factor, ret) &&
	       !__builtin_add_overflow(*ret, part, ret);
}

/* `"TEXT" WHAT` */
static int refuse(const char *text, const char *what, struct error *err)
{
	char shown[QUOTE_TEXT_MAX];

	return error_set(err, ERROR_INVALID, 0, "%s %s", quote_text(text, shown), what);
}

/* --- sizes ------------------------------------------------------------------------------------ */

/* The factor of "", "K", "M", "G", "T" (or small), with B or, as Kubernetes writes it, i or iB
 * after it; 0 for anything else. */
static uint64_t size_factor(const char *suffix)
{
	static const char letters[] = "KkMmGgTt";
	const char *letter = *suffix != '\0' ? strchr(letters, *suffix) : NULL;
	unsigned power = 0;

	if (letter != NULL) {
		power = (unsigned)(letter - letters) / 2 + 1;
		suffix++;
		if (*suffix == 'i')
			suffix++;
	}
	if (strcmp(suffix, "") != 0 && strcmp(suffix, "B") != 0)
		return 0;
	return UINT64_C(1) << (10 * power);
}

int quantity_parse_size(const char *text, uint64_t *ret_bytes, struct error *err)
{
	struct decimal number;
	const char *at = text;
	uint64_t factor, bytes;
	enum number status;

	if (strcmp(text, "max") == 0) {
		*ret_bytes = LIMIT_MAX;
		return 0;
	}
	status = read_decimal(&at, DECIMALS_MAX, &number);
	factor = size_factor(at);
	if (status == NUMBER_MALFORMED || factor == 0)
		return refuse(text,
			      "is not a size: write bytes, or a number with K, M, G or T, for "
			      "example 256M",
			      err);
	if (status == NUMBER_TOO_FINE || (factor == 1 && number.scale != 1))
		return refuse(text, "is too fine: at most 9 decimals, and no part of a byte", err);
	if (status == NUMBER_TOO_LARGE || !scale(&number, factor, &bytes) ||
	    bytes > SIZE_LIMIT_BYTES)
		return refuse(text, "is too large for a size: at most 1048576T, or max", err);
	*ret_bytes = bytes;
	return 0;
}

int quantity_parse_size_or_percent(const char *text, uint64_t whole, uint64_t *ret_bytes,
				   struct error *err)
{
	struct decimal number;
	const char *at = text;

	if (strchr(text, '%') == NULL)
		return quantity_parse_size(text, ret_bytes, err);

	if (read_decimal(&at, PERCENT_DECIMALS_MAX, &number) != NUMBER_OK || strcmp(at, "%") != 0 ||
	    number.whole > 100 || (number.whole == 100 && number.fraction > 0))
		return refuse(text, "is not a percentage: write 0% to 100%, with up to 6 decimals",
			      err);
	if (whole > SIZE_LIMIT_BYTES)
		return refuse(text, "is a part of no known whole: write a size, for example 256M",
			      err);
	*ret_bytes =
		share(whole, number.whole * number.scale + number.fraction, 100 * number.scale);
	return 0;
}

/* --- CPU -------------------------------------------------------------------------------------- */

int quantity_parse_cpu(const char *text, uint64_t *ret_milli, struct error *err)
{
	struct decimal number;
	const char *at = text;
	uint64_t factor, milli;
	enum number status;

	if (strcmp(text, "max") == 0) {
		*ret_milli = LIMIT_MAX;
		return 0;
	}
	status = read_decimal(&at, DECIMALS_MAX, &number);
	if (status == NUMBER_MALFORMED || (strcmp(at, "") != 0 && strcmp(at, "%") != 0))
		return refuse(text,
			      "is not a share of CPU: write percent of one core or a number of "
			      "cores, for example 150% or 1.5",
			      err);
	factor = *at == '%' ? CPU_MILLI_PER_CORE / 100 : CPU_MILLI_PER_CORE;
	if (status == NUMBER_TOO_FINE || number.fraction * factor % number.scale != 0)
		return refuse(text, "is too fine: CPU is given in steps of 0.1%", err);
	if (status == NUMBER_TOO_LARGE || !scale(&number, factor, &milli) ||
	    milli > CPU_MILLI_LIMIT)
		return refuse(text, "is too much CPU: at most 4096 cores, or max", err);
	if (milli < CPU_MILLI_MIN)
		return refuse(text, "is too little CPU: at least 1%", err);
	*ret_milli = milli;
	return 0;
}

/* --- time ------------------------------------------------------------------------------------- */

/* The names of systemd.time(7). A month is 30.44 days and a year 365.25, as there. */
static const struct {
	const char *name;
	uint64_t usec;
} time_units[] = {
	{ "usec", 1 },
	{ "us", 1 },
	{ "\xc2\xb5s", 1 }, /* micro sign */
	{ "\xce\xbcs", 1 }, /* small letter mu */
	{ "msec", USEC_PER_MSEC },
	{ "ms", USEC_PER_MSEC },
	{ "seconds", USEC_PER_SEC },
	{ "second", USEC_PER_SEC },
	{ "sec", USEC_PER_SEC },
	{ "s", USEC_PER_SEC },
	{ "minutes", 60 * USEC_PER_SEC },
	{ "minute", 60 * USEC_PER_SEC },
	{ "min", 60 * USEC_PER_SEC },
	{ "m", 60 * USEC_PER_SEC },
	{ "hours", 3600 * USEC_PER_SEC },
	{ "hour", 3600 * USEC_PER_SEC },
	{ "hr", 3600 * USEC_PER_SEC },
	{ "h", 3600 * USEC_PER_SEC },
	{ "days", 86400 * USEC_PER_SEC },
	{ "day", 86400 * USEC_PER_SEC },
	{ "d", 86400 * USEC_PER_SEC },
	{ "weeks", UINT64_C(604800) * USEC_PER_SEC },
	{ "week", UINT64_C(604800) * USEC_PER_SEC },
	{ "w", UINT64_C(604800) * USEC_PER_SEC },
	{ "months", UINT64_C(2630016) * USEC_PER_SEC },
	{ "month", UINT64_C(2630016) * USEC_PER_SEC },
	{ "M", UINT64_C(2630016) * USEC_PER_SEC },
	{ "years", UINT64_C(31557600) * USEC_PER_SEC },
	{ "year", UINT64_C(31557600) * USEC_PER_SEC },
	{ "y", UINT64_C(31557600) * USEC_PER_SEC },
};

/* Reads a unit and moves *text behind it: the letters up to the next digit, blank or end. 0 if
 * there is no such unit. */
static uint64_t read_time_unit(const char **text)
{
	size_t length = strcspn(*text, " .0123456789");

	for (size_t i = 0; i < ARRAY_SIZE(time_units); i++)
		if (strlen(time_units[i].name) == length &&
		    strncmp(*text, time_units[i].name, length) == 0) {
			*text += length;
			return time_units[i].usec;
		}
	return 0;
}

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " ");
}

/* One or more NUMBER UNIT; a number without a unit, which is seconds, only if it is alone. */
static enum number read_time(const char *text, uint64_t *ret_usec)
{
	const char *at = text;
	uint64_t total = 0;
	bool first = true;

	do {
		struct decimal number;
		enum number status = read_decimal(&at, DECIMALS_MAX, &number);
		bool is_alone = *at == '\0';
		uint64_t factor, usec;

		if (status == NUMBER_MALFORMED)
			return status;
		at = skip_blanks(at);
		factor = first && is_alone ? USEC_PER_SEC : read_time_unit(&at);
		if (factor == 0)
			return NUMBER_MALFORMED;
		if (status != NUMBER_OK)
			return status;
		if (!scale(&number, factor, &usec) || __builtin_add_overflow(total, usec, &total))
			return NUMBER_TOO_LARGE;
		if (*at != '\0' && *(at = skip_blanks(at)) == '\0')
			return NUMBER_MALFORMED; /* blanks at the end */
		first = false;
	} while (*at != '\0');
	*ret_usec = total;
	return NUMBER_OK;
}

int quantity_parse_time(const char *text, uint64_t *ret_usec, struct error *err)
{
	uint64_t usec = 0;
	enum number status = read_time(text, &usec);

	if (status == NUMBER_MALFORMED)
		return refuse(text,
			      "is not a time: write seconds, or numbers with units as in "
			      "systemd.time(7), for example 500ms, 5s or 1min 30s",
			      err);
	if (status == NUMBER_TOO_FINE)
		return refuse(text, "is too fine: at most 9 decimals", err);
	if (status == NUMBER_TOO_LARGE || usec > TIME_LIMIT_USEC)
		return refuse(text, "is too long a time: at most 36500d", err);
	*ret_usec = usec;
	return 0;
}

/* --- counts and ids --------------------------------------------------------------------------- */

static bool parse_plain(const char *text, uint64_t *ret)
{
	struct decimal number;
	const char *at = text;

	if (read_decimal(&at, 0, &number) != NUMBER_OK || *at != '\0' || number.scale != 1 ||
	    strchr(text, '.') != NULL)
		return false;
	*ret = number.whole;
	return true;
}

int quantity_parse_percent(const char *text, uint64_t *ret_percent, struct error *err)
{
	size_t length = strlen(text);
	char digits[8] = "";
	uint64_t percent;

	if (strcmp(text, "off") == 0) {
		*ret_percent = LIMIT_MAX;
		return 0;
	}
	if (length > 1 && length <= sizeof(digits) && text[length - 1] == '%')
		memcpy(digits, text, length - 1);
	if (!parse_plain(digits, &percent) || percent < 1 || percent > 100)
		return refuse(text, "is no share: write 1% to 100%, or off", err);
	*ret_percent = percent;
	return 0;
}

int quantity_parse_count(const char *text, uint64_t min, uint64_t max, bool allow_max,
			 uint64_t *ret_count, struct error *err)
{
	char shown[QUOTE_TEXT_MAX];
	uint64_t count;

	if (allow_max && strcmp(text, "max") == 0) {
		*ret_count = LIMIT_MAX;
		return 0;
	}
	if (!parse_plain(text, &count) || count < min || count > max)
		return error_set(err, ERROR_INVALID, 0,
				 "%s is not a whole number from %" PRIu64 " to %" PRIu64 "%s",
				 quote_text(text, shown), min, max, allow_max ? ", or max" : "");
	*ret_count = count;
	return 0;
}

int quantity_parse_id(const char *text, uint32_t *ret_id, struct error *err)
{
	uint64_t id;

	/* no leading zero: other programs would take 010 for 8 */
	if (!parse_plain(text, &id) || id >= UINT32_MAX || (text[0] == '0' && text[1] != '\0'))
		return refuse(text, "is not an id: write a plain number from 0 to 4294967294", err);
	*ret_id = (uint32_t)id;
	return 0;
}
