/* SPDX-License-Identifier: MIT */
/* The text of `pysbx run --help`, from the table. */
#include "supervisor/options.h"

#include <string.h>

#define HELP_COLUMNS 80
#define HELP_INDENT  26 /* where the explanations start */

/* Words up to the last column, then a new line at the indent. The cursor is at the indent. */
static void put_wrapped(FILE *out, const char *text)
{
	size_t column = HELP_INDENT;

	while (*text != '\0') {
		size_t word = strcspn(text, " ");

		if (column > HELP_INDENT && column + 1 + word > HELP_COLUMNS) {
			fprintf(out, "\n%*s", HELP_INDENT, "");
			column = HELP_INDENT;
		} else if (column > HELP_INDENT) {
			fputc(' ', out);
			column++;
		}
		fwrite(text, 1, word, out);
		column += word;
		text += word + strspn(text + word, " ");
	}
	fputc('\n', out);
}

static void put_row(FILE *out, const struct option_row *row)
{
	int used;

	if (row->group != NULL)
		fprintf(out, "\n%s:\n", row->group);
	used = fprintf(out, "  --%s%s%s", row->name, row->argument != NULL ? " " : "",
		       row->argument != NULL ? row->argument : "");
	if (used + 2 > HELP_INDENT) {
		fputc('\n', out);
		used = 0;
	}
	fprintf(out, "%*s", HELP_INDENT - used, "");
	put_wrapped(out, row->help);
}

static void put_exit_codes(FILE *out)
{
	fputs("\n"
	      "Ends with the exit code of COMMAND, 128+N if signal N ended it, 125 if pysbx\n"
	      "failed, 126 if COMMAND can't be executed, 127 if there is none. See pysbx(1).\n",
	      out);
}

void learn_options_help(FILE *out)
{
	fputs("Usage: pysbx syscalls learn [OPTIONS] [--] COMMAND [ARG...]\n"
	      "\n"
	      "Run COMMAND as `pysbx run` does, but once, with no system call refused, and write\n"
	      "the seccomp profile that it needs. Needs root. Use it on code that you trust.\n",
	      out);
	for (size_t i = 0; i < learn_option_count; i++)
		put_row(out, &learn_option_rows[i]);
	for (size_t i = 0; i < run_option_count; i++)
		put_row(out, &run_option_rows[i]);
	put_exit_codes(out);
}

void run_options_help(FILE *out)
{
	fputs("Usage: pysbx run [OPTIONS] [--] COMMAND [ARG...]\n"
	      "\n"
	      "Run COMMAND within limits and in a sandbox, start it again when it fails, and\n"
	      "explain every end. Needs root; COMMAND itself never runs as root.\n",
	      out);
	for (size_t i = 0; i < run_option_count; i++)
		put_row(out, &run_option_rows[i]);
	put_exit_codes(out);
}
