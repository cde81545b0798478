/* SPDX-License-Identifier: MIT */
/* The program `pysbx`: a table of commands. */
#include "policy/error.h"
#include "policy/own.h"
#include "supervisor/run.h"

#include <stdio.h>
#include <string.h>

static int help_command(int argc, char *argv[]);
static int version_command(int argc, char *argv[]);

static const struct {
	const char *name;
	int (*run)(int argc,
		   char *argv[]); /* argv[0] is the command's name; returns the exit code */
	const char *help;
} commands[] = {
	{ "run", run_command, "run a command under limits in a sandbox, in the foreground" },
	{ "help", help_command, "show this" },
	{ "version", version_command, "show the version" },
};

static void print_help(FILE *out)
{
	fprintf(out, "usage: pysbx COMMAND [ARG...]\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
	fprintf(out, "\n`pysbx run --help` lists the options of run; pysbx(1) explains them.\n");
}

static int help_command(int argc, char *argv[])
{
	(void)argc, (void)argv;
	print_help(stdout);
	return 0;
}

static int version_command(int argc, char *argv[])
{
	(void)argc, (void)argv;
	printf("pysbx " PYSBX_VERSION "\n");
	return 0;
}

int main(int argc, char *argv[])
{
	const char *name = argc > 1 ? argv[1] : "";

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	if (strcmp(name, "--version") == 0)
		name = "version";
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	if (name[0] == '\0')
		print_help(stderr);
	else
		fprintf(stderr, "pysbx: unknown command \"%s\": see `pysbx help`\n", name);
	return error_exit_code(ERROR_USAGE);
}
