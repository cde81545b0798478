/* SPDX-License-Identifier: MIT */
#include "policy/top.h"

#include "policy/own.h"

#include "tests/policy/json.h"

#include <criterion/criterion.h>

static json_t *answer;
static struct top_row *rows;
static size_t count;
static struct error err;

static void prepare(void)
{
	answer = json_from(
		"{'apps':[{'name':'web','tenant':'acme','state':'running','restarts':2,"
		"'memory_max':67108864,'cpu_milli':500,'cpu':48.5,'throttled':60.0,"
		"'memory':66060288,'io':4096,'pids':9,'queue':3,"
		"'pressure':{'memory':{'full_avg10':12.5},'cpu':{'some_avg10':80.0},"
		"'io':{'full_avg10':0.5}},'cpu_series':[null,25.0,50.0],"
		"'memory_series':[1000,33554432,66060288]},"
		"{'name':'shop','tenant':null,'state':'running','restarts':0,'memory_max':'max',"
		"'cpu_milli':null,'cpu':99.0,'memory':1048576,'io':0,'pids':1,'queue':0},"
		"{'name':'a\\u001bb','state':'failed','restarts':5}]}");
	cr_assert_eq(top_read(answer, &rows, &count, &err), 0);
	cr_assert_eq(count, 3);
}

static void clear(void)
{
	free(rows);
	json_decref(answer);
}

TestSuite(top, .init = prepare, .fini = clear);

static void expect_order(const char *first, const char *second, const char *third)
{
	cr_expect_str_eq(rows[0].name, first);
	cr_expect_str_eq(rows[1].name, second);
	cr_expect_str_eq(rows[2].name, third);
}

Test(top, sorts_by_each_key)
{
	static const struct {
		enum top_key key;
		bool reverse;
		const char *order[3];
	} cases[] = {
		{ TOP_CPU,
		  false,
		  { "shop", "web",
		    "a\x1b"
		    "b" } },
		{ TOP_CPU,
		  true,
		  { "a\x1b"
		    "b",
		    "web", "shop" } },
		{ TOP_MEMORY,
		  false,
		  { "web", "shop",
		    "a\x1b"
		    "b" } },
		{ TOP_SHARE,
		  false,
		  { "web",
		    "a\x1b"
		    "b",
		    "shop" } },
		{ TOP_STALL,
		  false,
		  { "web",
		    "a\x1b"
		    "b",
		    "shop" } },
		{ TOP_RESTARTS,
		  false,
		  { "a\x1b"
		    "b",
		    "web", "shop" } },
		{ TOP_NAME,
		  false,
		  { "a\x1b"
		    "b",
		    "shop", "web" } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		top_sort(rows, count, cases[i].key, cases[i].reverse);
		expect_order(cases[i].order[0], cases[i].order[1], cases[i].order[2]);
	}
}

Test(top, finds_by_name_tenant_or_state)
{
	cr_expect_eq(top_filter(rows, count, "acm"), 1);
	cr_expect_str_eq(rows[0].name, "web");
	cr_expect_eq(top_filter(rows, count, "run"), 2);
	cr_expect_eq(top_filter(rows, count, ""), 3);
	cr_expect_eq(top_filter(rows, count, "zz"), 0);
}

Test(top, knows_its_keys_by_word_and_letter)
{
	enum top_key key = TOP_IO;

	cr_expect_eq(top_key_parse("share", &key, &err), 0);
	cr_expect_eq(key, TOP_SHARE);
	cr_expect_lt(top_key_parse("size", &key, &err), 0);
	cr_expect_eq(err.kind, ERROR_USAGE);
	cr_expect_eq(key, TOP_SHARE, "untouched");
	for (unsigned i = 0; i < TOP_KEY_COUNT; i++) {
		cr_assert_eq(top_key_parse(top_key_name((enum top_key)i), &key, &err), 0);
		cr_expect_eq(key, i);
	}
	cr_expect_eq(top_key_of_letter('m'), TOP_MEMORY);
	cr_expect_eq(top_key_of_letter('q'), TOP_KEY_COUNT);
}

/* The line as it would be printed, each cell in [ ]. */
static const char *line_of(const struct top_row *row, unsigned columns)
{
	static char text[2048];
	struct top_cell cells[TOP_CELLS_MAX];
	size_t cell_count = top_cells(row, columns, true, cells), used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < cell_count; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "[%s]", cells[i].text);
	return text;
}

Test(top, shows_what_fits_80_columns)
{
	cr_expect_str_eq(line_of(NULL, 80),
			 "[NAME][STATE][CPU%][20 s][MEMORY][LIMIT][MEM!][IO!][PIDS]");
	cr_expect_str_eq(line_of(&rows[0], 80),
			 "[web][running][48.5][ ▄█][63.0M][███████▉][12.5][0.5][9]");
	cr_expect_str_eq(line_of(&rows[2], 80), "[a\\x1bb][failed][][][][][][][]");
}

Test(top, is_never_wider_than_the_line)
{
	for (unsigned columns = 40; columns < 240; columns++) {
		struct top_cell cells[TOP_CELLS_MAX];
		size_t cell_count = top_cells(&rows[0], columns, true, cells);
		const struct top_cell *last = &cells[cell_count - 1];

		cr_assert_leq(last->at + last->width, columns, "%u", columns);
		for (size_t i = 1; i < cell_count; i++)
			cr_assert_eq(cells[i].at, cells[i - 1].at + cells[i - 1].width + 1);
	}
}

Test(top, tells_by_colour_what_matters)
{
	struct top_cell cells[TOP_CELLS_MAX];

	cr_assert_eq(top_cells(&rows[0], 80, true, cells), 9);
	cr_expect_eq(cells[1].colour, TOP_GOOD);
	cr_expect_eq(cells[2].colour, TOP_BAD, "throttled");
	cr_expect_eq(cells[5].colour, TOP_BAD, "98 %% of its limit");
	cr_expect_eq(cells[6].colour, TOP_BAD);
	cr_expect_eq(cells[7].colour, TOP_PLAIN);
	top_cells(&rows[2], 80, true, cells);
	cr_expect_eq(cells[1].colour, TOP_BAD);
}
