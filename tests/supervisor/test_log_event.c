/* SPDX-License-Identifier: MIT */
/*
 * The table of events, and the catalog that explains them: each has exactly one entry there, and
 * the file is what `journalctl --update-catalog` takes (systemd.io/CATALOG): "-- ID", header lines,
 * an empty line, text.
 */
#include "supervisor/log_event.h"

#include "policy/own.h"
#include "supervisor/file.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>
#include <unistd.h>

#define SOURCE_PATH  "packaging/catalog/pysbx.catalog"
#define INSTALL_PATH PYSBX_DATADIR "/../../lib/systemd/catalog/pysbx.catalog"
#define CATALOG_MAX  65536
#define ID_LENGTH    32

static const char *const headers[] = { "Subject: ", "Defined-By: ", "Support: ",
				       "Documentation: " };

static char *read_catalog(void)
{
	const char *path = access(SOURCE_PATH, R_OK) == 0 ? SOURCE_PATH : INSTALL_PATH;
	struct error err;
	size_t length;
	char *text;

	cr_assert_geq(file_read_whole(path, CATALOG_MAX, &text, &length, &err), 0, "%s", err.text);
	cr_assert_eq(strlen(text), length);
	return text;
}

static bool is_id(const char *text)
{
	return strspn(text, "0123456789abcdef") == ID_LENGTH && text[ID_LENGTH] == '\0';
}

Test(log_event, every_kind_has_a_name_and_an_id_of_its_own)
{
	for (unsigned i = 0; i < LOG_EVENT_COUNT; i++) {
		const struct log_event_kind *kind = log_event_kind((enum log_event_id)i);

		cr_expect(is_id(kind->message_id), "%s", kind->message_id);
		/* RFC 9562, version 4: what random 128-bit ids of systemd look like, too */
		cr_expect_eq(kind->message_id[12], '4', "%s", kind->message_id);
		cr_expect_not_null(strchr("89ab", kind->message_id[16]), "%s", kind->message_id);
		for (unsigned j = 0; j < i; j++) {
			const struct log_event_kind *other = log_event_kind((enum log_event_id)j);

			cr_expect_str_neq(kind->message_id, other->message_id);
			cr_expect_str_neq(kind->name, other->name);
		}
	}
}

/* "@PYSBX_APP@": only fields that events have can be put in. */
static void check_references(const char *line)
{
	static const char *const known[] = { "@PYSBX_APP@", "@PYSBX_TENANT@", "@PYSBX_INSTANCE@",
					     "@PYSBX_INCIDENT@" };

	while ((line = strchr(line, '@')) != NULL) {
		size_t i = 0;

		while (i < ARRAY_SIZE(known) && strncmp(line, known[i], strlen(known[i])) != 0)
			i++;
		cr_assert_lt(i, ARRAY_SIZE(known), "unknown field: %s", line);
		line += strlen(known[i]);
	}
}

/* The catalog, a line each. */
static char *lines[2048];
static size_t line_count;

static void read_lines(void)
{
	char *rest = read_catalog(), *line;

	while ((line = strsep(&rest, "\n")) != NULL) {
		cr_assert_lt(line_count, ARRAY_SIZE(lines));
		lines[line_count++] = line;
	}
}

static bool starts_entry(const char *line)
{
	return strncmp(line, "-- ", 3) == 0;
}

/* From the line after "-- ID" on. Returns the number of the line after the entry. */
static size_t check_entry(size_t at)
{
	const char *id = lines[at - 1];
	size_t words = 0;

	for (size_t i = 0; i < ARRAY_SIZE(headers); i++, at++) {
		cr_assert_lt(at, line_count);
		cr_assert_eq(strncmp(lines[at], headers[i], strlen(headers[i])), 0,
			     "%s: \"%s\" where %s is due", id, lines[at], headers[i]);
		cr_assert_gt(strlen(lines[at]), strlen(headers[i]), "%s: %s", id, lines[at]);
		check_references(lines[at]);
	}
	cr_assert_lt(at, line_count);
	cr_assert_str_empty(lines[at], "%s: no empty line behind the header", id);
	for (; at < line_count && !starts_entry(lines[at]); at++) {
		check_references(lines[at]);
		cr_expect_leq(strlen(lines[at]), 80, "%s: %s", id, lines[at]);
		for (const char *c = lines[at]; *c != '\0'; c++)
			cr_assert(isprint((unsigned char)*c), "%s: %s", id, lines[at]);
		words += strlen(lines[at]);
	}
	cr_expect_gt(words, 60, "%s: hardly an explanation", id);
	return at;
}

static int find_kind(const char *id)
{
	for (unsigned i = 0; i < LOG_EVENT_COUNT; i++)
		if (strcmp(log_event_kind((enum log_event_id)i)->message_id, id) == 0)
			return (int)i;
	return -1;
}

Test(log_event, the_catalog_has_an_entry_for_each_kind_and_no_other)
{
	unsigned seen[LOG_EVENT_COUNT] = { 0 };
	size_t at = 0;

	read_lines();
	for (; at < line_count && !starts_entry(lines[at]); at++)
		cr_assert(lines[at][0] == '#' || lines[at][0] == '\0', "%s", lines[at]);
	while (at < line_count) {
		const char *id = lines[at] + 3;
		int kind;

		cr_assert(is_id(id), "%s", id);
		kind = find_kind(id);
		cr_assert_geq(kind, 0, "%s is no event's", id);
		seen[kind]++;
		at = check_entry(at + 1);
	}
	for (unsigned i = 0; i < LOG_EVENT_COUNT; i++)
		cr_expect_eq(seen[i], 1, "%s: %u entries",
			     log_event_kind((enum log_event_id)i)->name, seen[i]);
}
