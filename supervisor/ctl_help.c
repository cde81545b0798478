/* SPDX-License-Identifier: MIT */
/* `pysbx help` and `pysbx COMMAND --help`, from the tables. */
#include "policy/layout.h"
#include "supervisor/ctl.h"
#include "supervisor/options.h"
#include "supervisor/run.h"

#include <string.h>

#define HELP_COLUMNS 80
#define HELP_INDENT  22

static const struct layout help_layout = { HELP_COLUMNS, HELP_INDENT };

/* `used` columns are taken; the explanation starts at the indent, on the next line if need be. */
static void put_explanation(FILE *out, int used, const char *text)
{
	if (used + 2 > HELP_INDENT) {
		fputc('\n', out);
		used = 0;
	}
	fprintf(out, "%*s", HELP_INDENT - used, "");
	layout_put_wrapped(out, &help_layout, text, HELP_INDENT);
}

void ctl_help_all(FILE *out)
{
	fputs("Usage: pysbx COMMAND [OPTION...] [WORD...]\n", out);
	for (size_t i = 0; i < ctl_command_count; i++) {
		const struct ctl_command *command = &ctl_commands[i];

		if (command->group != NULL)
			fprintf(out, "\n%s:\n", command->group);
		put_explanation(out, fprintf(out, "  %s", command->name), command->help);
	}
	fputs("\n`pysbx COMMAND --help` tells what a command takes; pysbx(1) explains all.\n", out);
}

static void put_option(const struct ctl_option_row *row, FILE *out)
{
	int used = row->letter != '\0' ? fprintf(out, "  -%c, --%s", row->letter, row->name)
				       : fprintf(out, "  --%s", row->name);

	if (row->argument != NULL)
		used += fprintf(out, " %s", row->argument);
	put_explanation(out, used, row->help);
}

void ctl_help_command(const struct ctl_command *command, FILE *out)
{
	static const struct layout prose = { HELP_COLUMNS, 0 };
	char sentence[256];

	fprintf(out, "Usage: pysbx %s%s%s%s\n\n", command->name,
		command->options != 0 ? " [OPTION...]" : "", command->words[0] != '\0' ? " " : "",
		command->words);
	snprintf(sentence, sizeof(sentence), "%c%s.", command->help[0] - 'a' + 'A',
		 command->help + 1);
	layout_put_wrapped(out, &prose, sentence, 0);
	if (command->options != 0)
		fputs("\nOptions:\n", out);
	for (size_t i = 0; i < ctl_option_count; i++)
		if ((command->options & ctl_option_rows[i].option) != 0)
			put_option(&ctl_option_rows[i], out);
}

int ctl_help_program(int argc, char *argv[])
{
	const struct ctl_command *command;
	int words;

	if (argc <= 1) {
		ctl_help_all(stdout);
		return 0;
	}
	command = ctl_find_command(argc - 1, argv + 1, &words);
	if (command == NULL) {
		fprintf(stderr, "pysbx: help: no such command: see `pysbx help`\n");
		return 2;
	}
	if (command->program == learn_command) {
		learn_options_help(stdout);
		return 0;
	}
	if (strcmp(command->name, "run") == 0)
		run_options_help(stdout);
	else
		ctl_help_command(command, stdout);
	return 0;
}

int ctl_version_program(int argc, char *argv[])
{
	(void)argc, (void)argv;
	printf("pysbx " PYSBX_VERSION "\n");
	return 0;
}
