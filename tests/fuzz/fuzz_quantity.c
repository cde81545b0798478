/* SPDX-License-Identifier: MIT */
/*
 * Quantities: every parser gets the same text. What is taken lies within its bounds and agrees with
 * a second, slower reading in 128 bits; what is refused leaves the output alone and explains itself
 * on one line; what is written exactly reads back as the same value.
 */
#include "policy/quantity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX  256
#define UNTOUCHED UINT64_C(0x5a5a5a5a5a5a5a5a)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_refusal(uint64_t value, const struct error *err)
{
	if (value != UNTOUCHED || err->kind != ERROR_INVALID || err->text[0] == '\0')
		abort();
	for (const char *at = err->text; *at != '\0'; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			abort();
}

/* Bytes of "DIGITS[.DIGITS]LETTER..." as a fraction in 128 bits: at most 2^60 * 10^9. */
static uint64_t slow_size(const char *text)
{
	unsigned __int128 number = 0, divisor = 1;
	static const char letters[] = "KMGTkmgt";
	bool point = false;
	const char *letter;

	for (; (*text >= '0' && *text <= '9') || *text == '.'; text++) {
		if (*text == '.') {
			point = true;
			continue;
		}
		number = number * 10 + (unsigned)(*text - '0');
		if (point)
			divisor *= 10;
	}
	if (*text != '\0' && (letter = strchr(letters, *text)) != NULL)
		number <<= 10 * ((letter - letters) % 4 + 1);
	return (uint64_t)(number / divisor);
}

static void check_size(const char *text)
{
	uint64_t bytes = UNTOUCHED, again = UNTOUCHED;
	char shown[QUANTITY_TEXT_MAX];
	struct error err;

	if (quantity_parse_size(text, &bytes, &err) < 0) {
		check_refusal(bytes, &err);
		return;
	}
	if (bytes == LIMIT_MAX)
		return;
	if (bytes > SIZE_LIMIT_BYTES || bytes != slow_size(text))
		abort();
	quantity_format_size(bytes, shown);
	if (quantity_parse_size(shown, &again, &err) < 0) {
		/* only a rounding up beyond the largest size may be refused */
		if (bytes < SIZE_LIMIT_BYTES - SIZE_LIMIT_BYTES / 1000)
			abort();
	} else if (again != bytes && strchr(shown, '.') == NULL) {
		abort();
	}
}

static void check_percent(const char *text, uint64_t whole)
{
	uint64_t bytes = UNTOUCHED;
	struct error err;

	if (quantity_parse_size_or_percent(text, whole, &bytes, &err) < 0)
		check_refusal(bytes, &err);
	else if (strchr(text, '%') != NULL && bytes > whole)
		abort();
}

static void check_cpu(const char *text)
{
	uint64_t milli = UNTOUCHED, again = UNTOUCHED;
	char shown[QUANTITY_TEXT_MAX];
	struct error err;

	if (quantity_parse_cpu(text, &milli, &err) < 0) {
		check_refusal(milli, &err);
		return;
	}
	if (milli != LIMIT_MAX && (milli < CPU_MILLI_MIN || milli > CPU_MILLI_LIMIT))
		abort();
	if (quantity_parse_cpu(quantity_format_cpu(milli, shown), &again, &err) < 0 ||
	    again != milli)
		abort();
}

static void check_time(const char *text)
{
	uint64_t usec = UNTOUCHED, again = UNTOUCHED;
	char shown[QUANTITY_TEXT_MAX];
	struct error err;

	if (quantity_parse_time(text, &usec, &err) < 0) {
		check_refusal(usec, &err);
		return;
	}
	if (usec > TIME_LIMIT_USEC)
		abort();
	if (quantity_parse_time(quantity_format_time(usec, shown), &again, &err) < 0 ||
	    again != usec)
		abort();
}

static void check_whole_numbers(const char *text)
{
	uint64_t count = UNTOUCHED;
	uint32_t id = 7;
	char again[32];
	struct error err;

	if (quantity_parse_count(text, 3, 5000, false, &count, &err) < 0)
		check_refusal(count, &err);
	else if (count < 3 || count > 5000)
		abort();

	if (quantity_parse_id(text, &id, &err) < 0) {
		check_refusal(id == 7 ? UNTOUCHED : 0, &err);
		return;
	}
	snprintf(again, sizeof(again), "%u", id);
	if (id == UINT32_MAX || strcmp(again, text) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[TEXT_MAX];
	uint64_t whole = 0;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	memcpy(&whole, data, size < sizeof(whole) ? size : sizeof(whole));

	check_size(text);
	check_percent(text, whole % (SIZE_LIMIT_BYTES + 1));
	check_cpu(text);
	check_time(text);
	check_whole_numbers(text);
	return 0;
}
