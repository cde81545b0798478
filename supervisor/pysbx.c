/* SPDX-License-Identifier: MIT */
/* The program `pysbx`: dispatch over the table of commands (supervisor/ctl_commands.c). */
#include "supervisor/ctl.h"

#include <string.h>

#define EXIT_USAGE 2

int main(int argc, char *argv[])
{
	const char *name = argc > 1 ? argv[1] : "";
	const struct ctl_command *command;
	int words;

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
		ctl_help_all(stdout);
		return 0;
	}
	if (strcmp(name, "--version") == 0)
		return ctl_version_program(1, argv + 1);
	if (name[0] == '\0') {
		ctl_help_all(stderr);
		return EXIT_USAGE;
	}
	command = ctl_find_command(argc - 1, argv + 1, &words);
	if (command != NULL && command->program != NULL)
		return command->program(argc - 1, argv + 1);
	return ctl_main(argc - 1, argv + 1);
}
