/* SPDX-License-Identifier: MIT */
/*
 * Finding the program that a command names, as execvp(3) will do it inside, but with an answer for
 * each way in which that fails.
 */
#pragma once

#include "policy/error.h"

#include <stdbool.h>

struct command_search {
	const char *directory;	 /* canonical: what relative names and PATH entries start from */
	const char *path;	 /* PATH as it will be inside */
	const char *caller_path; /* the caller's own, for a hint in the error; may be NULL */
};

/* Absolute path of the program, in normal form, not canonical. A name without a slash is looked up
 * in search->path. ERROR_NOT_FOUND or ERROR_NOT_EXECUTABLE, with what to do; the text names the
 * program, not the field. */
int command_find(const struct command_search *search, const char *name, char **ret_path,
		 struct error *err);

/* A pyenv shim is a script that looks for the real program with pyenv's help, which is not there in
 * a sandbox: ERROR_NOT_EXECUTABLE, naming the program that it stands for, if path is one. */
int command_refuse_shim(const char *path, struct error *err);
