/* SPDX-License-Identifier: MIT */
#include "policy/keyed.h"

#include "policy/own.h"

#include <errno.h>
#include <string.h>

#define PERCENT_TIMES_100_MAX 10000

/* Reads decimal digits; a number too large for 64 bits becomes the largest there is. Returns what
 * follows, NULL if there is no digit. */
static const char *read_number(const char *at, uint64_t *ret)
{
	uint64_t value = 0;

	if (*at < '0' || *at > '9')
		return NULL;
	for (; *at >= '0' && *at <= '9'; at++) {
		uint64_t digit = (uint64_t)(*at - '0');

		if (value > (UINT64_MAX - digit) / 10)
			value = UINT64_MAX;
		else
			value = value * 10 + digit;
	}
	*ret = value;
	return at;
}

static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end != NULL ? end + 1 : line + strlen(line);
}

/* The first well-formed line "KEY NUMBER" decides. */
static bool find_value(const char *text, const char *key, uint64_t *ret)
{
	size_t length = strlen(key);

	for (const char *line = text; *line != '\0'; line = next_line(line)) {
		uint64_t value = 0;
		const char *end;

		if (strncmp(line, key, length) != 0 || line[length] != ' ')
			continue;
		end = read_number(line + length + 1, &value);
		if (end == NULL || (*end != '\n' && *end != '\0'))
			continue;
		*ret = value;
		return true;
	}
	return false;
}

size_t keyed_read(const char *text, const struct keyed_field *fields, size_t field_count)
{
	size_t found = 0;

	for (size_t i = 0; i < field_count; i++)
		if (find_value(text, fields[i].key, fields[i].value))
			found++;
	return found;
}

void keyed_memory_events(const char *text, struct memory_events *ret)
{
	*ret = (struct memory_events){ 0 };
	const struct keyed_field fields[] = {
		{ "low", &ret->low },		{ "high", &ret->high },
		{ "max", &ret->max },		{ "oom", &ret->oom },
		{ "oom_kill", &ret->oom_kill }, { "oom_group_kill", &ret->oom_group_kill },
	};

	keyed_read(text, fields, ARRAY_SIZE(fields));
}

/* "12.34" as 1234: two decimals, more are cut off. */
static const char *read_percent(const char *at, uint32_t *ret)
{
	uint64_t value = 0;

	at = read_number(at, &value);
	if (at == NULL)
		return NULL;
	if (value > PERCENT_TIMES_100_MAX / 100)
		value = PERCENT_TIMES_100_MAX / 100;
	value *= 100;
	if (*at == '.') {
		unsigned weight = 10;

		for (at++; *at >= '0' && *at <= '9'; at++, weight /= 10)
			value += (uint64_t)(*at - '0') * weight;
	}
	*ret = (uint32_t)(value < PERCENT_TIMES_100_MAX ? value : PERCENT_TIMES_100_MAX);
	return at;
}

static bool skip_word(const char **at, const char *word)
{
	size_t length = strlen(word);

	if (strncmp(*at, word, length) != 0)
		return false;
	*at += length;
	return true;
}

/* "KIND avg10=0.00 avg60=0.00 avg300=0.00 total=0": all four, in the order the kernel has printed
 * them since 4.20; what a later kernel might append is passed over. */
static bool read_pressure_line(const char *line, const char *kind, uint32_t *avg10, uint32_t *avg60,
			       uint64_t *total)
{
	uint32_t ten, sixty, ignored;
	uint64_t usec;
	const char *at = line;

	if (!skip_word(&at, kind) || !skip_word(&at, " avg10=") ||
	    (at = read_percent(at, &ten)) == NULL || !skip_word(&at, " avg60=") ||
	    (at = read_percent(at, &sixty)) == NULL || !skip_word(&at, " avg300=") ||
	    (at = read_percent(at, &ignored)) == NULL || !skip_word(&at, " total=") ||
	    (at = read_number(at, &usec)) == NULL)
		return false;
	if (*at != '\n' && *at != '\0' && *at != ' ')
		return false;
	*avg10 = ten;
	*avg60 = sixty;
	*total = usec;
	return true;
}

int keyed_pressure(const char *text, struct pressure *ret, struct error *err)
{
	struct pressure result = { 0 };
	bool some = false, full = false;

	for (const char *line = text; *line != '\0'; line = next_line(line)) {
		if (!some)
			some = read_pressure_line(line, "some", &result.some_avg10,
						  &result.some_avg60, &result.some_total_usec);
		if (!full)
			full = read_pressure_line(line, "full", &result.full_avg10,
						  &result.full_avg60, &result.full_total_usec);
	}
	if (!some)
		return error_set(err, ERROR_INVALID, 0,
				 "no \"some avg10=...\" line: this is not a pressure file");
	*ret = result;
	return 0;
}

static void add_word(const char *word, struct io_totals *sum)
{
	const struct {
		const char *key;
		uint64_t *sum;
	} fields[] = { { "rbytes=", &sum->read_bytes },
		       { "wbytes=", &sum->write_bytes },
		       { "rios=", &sum->reads },
		       { "wios=", &sum->writes } };

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		uint64_t value;

		if (!skip_word(&word, fields[i].key) || read_number(word, &value) == NULL)
			continue;
		*fields[i].sum =
			value > UINT64_MAX - *fields[i].sum ? UINT64_MAX : *fields[i].sum + value;
		break;
	}
}

void keyed_io(const char *text, struct io_totals *ret)
{
	*ret = (struct io_totals){ 0 };
	while (*text != '\0') {
		add_word(text, ret);
		text += strcspn(text, " \n");
		text += strspn(text, " \n");
	}
}
