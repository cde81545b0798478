/* SPDX-License-Identifier: MIT */
/*
 * Any JSON as the answer to any question, shown on a terminal: whatever the members are and
 * whatever workers and tenants wrote into them, what comes out is lines of printable characters.
 */
#include "policy/incident_customer.h"
#include "policy/own.h"
#include "policy/top.h"
#include "supervisor/ctl_view.h"

#include <stdint.h>
#include <string.h>

#define NOW 1795797000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_text(const char *text, size_t size)
{
	require(strlen(text) == size);
	for (const char *at = text; *at != '\0'; at++) {
		unsigned char byte = (unsigned char)*at;

		require(byte == '\n' || byte == '\t' || (byte >= ' ' && byte != 0x7f));
		/* C1 controls, as UTF-8 */
		require(byte != 0xc2 || (unsigned char)at[1] >= 0xa0);
	}
	require(size == 0 || text[size - 1] == '\n');
}

static void show_all(const struct ctl_view *view, const json_t *value)
{
	struct error err;
	json_t *customer;

	(void)ctl_view_apps(view, value, &err);
	(void)ctl_view_incidents(view, value, &err);
	(void)ctl_view_plans(view, value, &err);
	(void)ctl_view_tenants(view, value, &err);
	ctl_view_incident(view, value);
	ctl_view_incident_markdown(view, value);
	customer = incident_for_customer(value);
	if (customer != NULL)
		ctl_view_incident(view, customer);
	json_decref(customer);
	ctl_view_daemon(view, value);
	ctl_view_status(view, value, value, value);
	ctl_view_event(view, value);
	ctl_view_log(view, value);
	(void)ctl_view_history(view, value, 20, &err);
	(void)ctl_view_plot(view, value, &err);
}

/* Cells fit their places, one column a character. */
static void check_cells(const struct top_row *row, unsigned columns)
{
	struct top_cell cells[TOP_CELLS_MAX];
	size_t count = top_cells(row, columns, true, cells);

	for (size_t i = 0; i < count; i++) {
		unsigned used = 0;

		for (const char *at = cells[i].text; *at != '\0'; at++) {
			require((unsigned char)*at >= ' ');
			used += (*at & 0xc0) != 0x80;
		}
		require(used <= cells[i].width);
	}
}

static void check_top(const json_t *value)
{
	struct top_row *rows = NULL;
	struct error err;
	size_t count, shown;

	if (top_read(value, &rows, &count, &err) < 0)
		return;
	for (size_t i = 0; i < TOP_KEY_COUNT; i++)
		top_sort(rows, count, (enum top_key)i, i % 2 == 0);
	shown = top_filter(rows, count, "run");
	require(shown <= count);
	for (size_t i = 0; i < count && i < 100; i++) {
		check_cells(&rows[i], 80);
		check_cells(&rows[i], 200);
	}
	free(rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *value = json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);
	static const unsigned widths[] = { 0, 40, 80 };

	if (value == NULL)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		_cleanup_free_ char *text = NULL;
		size_t length = 0;
		struct ctl_view view = { .columns = widths[i], .now = NOW, .utf8 = i > 0 };

		view.out = open_memstream(&text, &length);
		if (view.out == NULL)
			break;
		show_all(&view, value);
		if (fclose(view.out) == 0)
			check_text(text, length);
	}
	check_top(value);
	json_decref(value);
	return 0;
}
