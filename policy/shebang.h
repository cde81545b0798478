/* SPDX-License-Identifier: MIT */
/*
 * The first line of a script, read as execve(2) does (fs/binfmt_script.c): which program really
 * runs it. Pure: the caller reads the file's first SHEBANG_HEAD_MAX bytes.
 */
#pragma once

#include "policy/error.h"

#include <stdbool.h>
#include <stddef.h>

#define SHEBANG_HEAD_MAX 256 /* BINPRM_BUF_SIZE: the kernel looks no further */

struct shebang {
	char interpreter[SHEBANG_HEAD_MAX];
	char argument[SHEBANG_HEAD_MAX]; /* all that follows, as one argument; "" if nothing does */
};

/* True if head begins with "#!" and names an interpreter. False for every other file, also where
 * the name is cut by the end of head: the kernel refuses that with ENOEXEC. */
bool shebang_parse(const char *head, size_t length, struct shebang *ret);

/* "#!/usr/bin/env python3" and "#!/usr/bin/env -S python3 -u": the program that env(1) will look up
 * in PATH, into program (SHEBANG_HEAD_MAX bytes). False if the interpreter is not env, or names no
 * program. */
bool shebang_env_program(const struct shebang *shebang, char *program);
