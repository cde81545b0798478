/* SPDX-License-Identifier: MIT */
/* The program `pysbxd`: its options. */
#include "policy/own.h"
#include "supervisor/daemon.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void print_help(FILE *out)
{
	fprintf(out,
		"usage: pysbxd [OPTION...]\n\n"
		"Runs the apps that are declared in " PYSBX_SYSCONFDIR "/apps.d and over its\n"
		"socket, " DAEMON_SOCKET ". Usually started by systemd.\n\n"
		"  --cgroup-root DIR  keep apps below this cgroup v2 directory, where systemd\n"
		"                     is not PID 1\n"
		"  --stderr           say everything on stderr too\n"
		"  --version          show the version\n"
		"  --help             show this\n");
}

int main(int argc, char *argv[])
{
	static const struct option options[] = { { "cgroup-root", required_argument, NULL, 'r' },
						 { "stderr", no_argument, NULL, 'e' },
						 { "version", no_argument, NULL, 'v' },
						 { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	struct daemon_options daemon = { .to_stderr = isatty(STDERR_FILENO) != 0 };
	struct error err;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 'r':
			daemon.cgroup_root = optarg;
			break;
		case 'e':
			daemon.to_stderr = true;
			break;
		case 'v':
			printf("pysbxd " PYSBX_VERSION "\n");
			return 0;
		case 'h':
			print_help(stdout);
			return 0;
		default:
			return error_exit_code(ERROR_USAGE);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "pysbxd: \"%s\": no argument is known: see `pysbxd --help`\n",
			argv[optind]);
		return error_exit_code(ERROR_USAGE);
	}
	if (geteuid() != 0) {
		fprintf(stderr, "pysbxd: must be run as root: `systemctl start pysbxd`\n");
		return error_exit_code(ERROR_DENIED);
	}
	if (daemon_run(&daemon, &err) < 0) {
		fprintf(stderr, "pysbxd: %s\n", err.text);
		return error_exit_code(err.kind);
	}
	return 0;
}
