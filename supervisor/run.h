/* SPDX-License-Identifier: MIT */
#pragma once

/* The command `pysbx run`. argv[0] is "run". Returns the exit code (pysbx(1), "EXIT STATUS"). */
int run_command(int argc, char *argv[]);

/* `pysbx syscalls learn`: these are the first two words. */
int learn_command(int argc, char *argv[]);
