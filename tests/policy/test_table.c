/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "policy/table.h"

#include <criterion/criterion.h>
#include <string.h>

static const char *red_if_bad(const char *cell)
{
	return strcmp(cell, "bad") == 0 ? "31" : NULL;
}

static const struct table_column columns[] = {
	{ .heading = "NAME", .shrink = true },
	{ .heading = "STATE", .colour = red_if_bad },
	{ .heading = "N", .right = true },
	{ .heading = "REST", .shrink = true },
};

static char *printed(const char *const cells[], size_t count, unsigned width, bool colour)
{
	_cleanup_table_ struct table table = { columns, ARRAY_SIZE(columns), { 0 } };
	struct error err;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert_not_null(out);
	for (size_t i = 0; i < count; i++)
		cr_assert_eq(table_add(&table, cells[i], &err), 0);
	table_print(&table, width, colour, out);
	fclose(out);
	return text;
}

Test(table, aligns_columns_and_leaves_no_blanks_at_the_end)
{
	static const char *const cells[] = {
		"web", "good", "12", "x", "database", "bad", "", NULL
	};
	_cleanup_free_ char *text = printed(cells, ARRAY_SIZE(cells), 0, false);

	cr_expect_str_eq(text, "NAME      STATE   N  REST\n"
			       "web       good   12  x\n"
			       "database  bad     -  -\n");
}

Test(table, of_no_rows_is_its_headings)
{
	_cleanup_free_ char *text = printed(NULL, 0, 0, true);

	cr_expect_str_eq(text, "NAME  STATE  N  REST\n");
}

Test(table, cuts_the_widest_column_that_may_be_cut)
{
	static const char *const cells[] = { "a-long-name", "good", "1",
					     "a very long sentence about it" };
	_cleanup_free_ char *text = printed(cells, ARRAY_SIZE(cells), 40, false);

	cr_expect_str_eq(text, "NAME         STATE  N  REST\n"
			       "a-long-name  good   1  a very long se...\n");
}

Test(table, never_cuts_below_what_can_be_read)
{
	static const char *const cells[] = { "a-long-name", "good", "1", "a very long sentence" };
	_cleanup_free_ char *text = printed(cells, ARRAY_SIZE(cells), 10, false);

	cr_expect_str_eq(text, "NAME      STATE  N  REST\n"
			       "a-lon...  good   1  a ver...\n");
}

Test(table, colours_cells_without_moving_columns)
{
	static const char *const cells[] = { "web", "bad", "1", "x", "api", "good", "2", "y" };
	_cleanup_free_ char *text = printed(cells, ARRAY_SIZE(cells), 0, true);

	cr_expect_str_eq(text, "NAME  STATE  N  REST\n"
			       "web   \033[31mbad\033[0m    1  x\n"
			       "api   good   2  y\n");
}

Test(table, lets_no_cell_drive_the_terminal)
{
	static const char *const cells[] = { "a\033[2J", "b\nc", "\x7f", "\xff" };
	_cleanup_free_ char *text = printed(cells, ARRAY_SIZE(cells), 0, false);

	cr_expect_str_eq(text, "NAME      STATE     N  REST\n"
			       "a\\x1b[2J  b\\nc   \\x7f  \\xff\n");
}
