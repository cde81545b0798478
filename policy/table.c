/* SPDX-License-Identifier: MIT */
#include "policy/table.h"

#include "policy/layout.h"

#include <assert.h>

void table_clear(struct table *table)
{
	strings_clear(&table->cells);
}

int table_add(struct table *table, const char *cell, struct error *err)
{
	return strings_append(&table->cells, cell != NULL && cell[0] != '\0' ? cell : "-", err);
}

static size_t row_count(const struct table *table)
{
	return table->cells.count / table->column_count;
}

static const char *cell_at(const struct table *table, size_t row, size_t column)
{
	return table->cells.items[row * table->column_count + column];
}

/* Takes `excess` columns off the widths that may shrink, always from the widest. */
static void shrink(const struct table *table, unsigned widths[], unsigned excess)
{
	for (; excess > 0; excess--) {
		size_t widest = table->column_count;

		for (size_t i = 0; i < table->column_count; i++) {
			if (!table->columns[i].shrink || widths[i] <= TABLE_SHRUNK_WIDTH)
				continue;
			if (widest == table->column_count || widths[i] > widths[widest])
				widest = i;
		}
		if (widest == table->column_count)
			return;
		widths[widest]--;
	}
}

static void measure(const struct table *table, unsigned line, unsigned widths[])
{
	unsigned sum = TABLE_GAP * (unsigned)(table->column_count - 1);

	for (size_t i = 0; i < table->column_count; i++) {
		widths[i] = layout_width(table->columns[i].heading);
		for (size_t row = 0; row < row_count(table); row++) {
			unsigned width = layout_width(cell_at(table, row, i));

			widths[i] = width > widths[i] ? width : widths[i];
		}
		sum += widths[i];
	}
	if (line > 0 && sum > line)
		shrink(table, widths, sum - line);
}

/* Returns the blanks owed on the right. */
static unsigned put_cell(FILE *out, const struct table_column *column, const char *cell,
			 unsigned width, bool colour)
{
	const char *sgr = colour && column->colour != NULL ? column->colour(cell) : NULL;
	unsigned wide = layout_width(cell), used = 0;

	if (column->right && wide < width) {
		used = width - wide;
		fprintf(out, "%*s", (int)used, "");
	}
	if (sgr != NULL)
		fprintf(out, "\033[%sm", sgr);
	used += layout_put_cut(out, cell, width);
	if (sgr != NULL)
		fputs("\033[0m", out);
	return width - used;
}

static void put_row(const struct table *table, const char *const cells[], const unsigned widths[],
		    bool colour, FILE *out)
{
	unsigned owed = 0;

	for (size_t i = 0; i < table->column_count; i++) {
		if (i > 0)
			fprintf(out, "%*s", (int)(owed + TABLE_GAP), "");
		owed = put_cell(out, &table->columns[i], cells[i], widths[i], colour);
	}
	fputc('\n', out);
}

void table_print(const struct table *table, unsigned width, bool colour, FILE *out)
{
	const char *headings[TABLE_COLUMNS_MAX];
	unsigned widths[TABLE_COLUMNS_MAX];

	assert(table->column_count > 0 && table->column_count <= TABLE_COLUMNS_MAX);
	for (size_t i = 0; i < table->column_count; i++)
		headings[i] = table->columns[i].heading;
	measure(table, width, widths);
	put_row(table, headings, widths, false, out);
	for (size_t row = 0; row < row_count(table); row++)
		put_row(table, (const char *const *)&table->cells.items[row * table->column_count],
			widths, colour, out);
}
