/* SPDX-License-Identifier: MIT */
/*
 * From a command to all that it needs to run: the script, its interpreter, the virtualenv, and the
 * Python installation behind that (Debian's, /opt, pyenv, uv), with every symlink in between.
 *
 * The virtualenv is the first of: VIRTUAL_ENV in the spec's environment or its files; the one that
 * the command, or an interpreter on the way, lies in (pyvenv.cfg beside bin/); the caller's own
 * VIRTUAL_ENV. Where a bare name is found in none of these nor in the default PATH, .venv and venv
 * in the app's directory are tried: sudo(8) drops VIRTUAL_ENV, and people then wonder.
 */
#pragma once

#include "policy/plan_build.h"
#include "supervisor/identity.h"

#define PYTHON_CHAIN_MAX 5 /* scripts that are the interpreter of scripts; the kernel allows 5 */

struct python_hints {
	const char *path;	      /* PATH as spec or files say; NULL if they don't */
	const char *path_file;	      /* the file that says it, canonical; NULL if it's the spec */
	const char *virtual_env;      /* VIRTUAL_ENV as spec or files say; NULL if they don't */
	const char *virtual_env_file; /* as path_file */
	const char *caller_virtual_env; /* the caller's; NULL if unset */
	const char *caller_path;	/* the caller's; for hints in errors alone */
	const struct identity *identity;
	enum spec_door door;
};

/* facts->directory and ->writable are known; fills ->command, ->virtual_env, ->python_paths and
 * adds to ->links. The text of an error begins with the field. On failure facts may be partly
 * filled. */
int python_discover(const char *command, const struct python_hints *hints, struct host_facts *facts,
		    struct error *err);
