/* SPDX-License-Identifier: MIT */
/*
 * What a Python installation, and a virtualenv made from one, consist of on disk.
 */
#pragma once

#include "policy/plan_build.h"

#include <limits.h>

/* Adds a canonical path to facts->python_paths, once. */
int installation_add_path(struct host_facts *facts, const char *path, struct error *err);

/* bin: canonical directory of an interpreter. Its installation is the directory above, if that has
 * Python's library; where that must not be shown as a whole (/root/bin/python3), the library alone.
 */
int installation_add(struct host_facts *facts, const char *bin, struct error *err);

/* All that facts->virtual_env (canonical) needs beside itself: the interpreter that its bin/python
 * leads to, and the installation that pyvenv.cfg names, where Python looks for its standard
 * library. ERROR_INVALID, "virtualenv: ...". */
int installation_add_virtualenv(struct host_facts *facts, struct error *err);

/* The value of "home" in a pyvenv.cfg, into home (size bytes). False if there is none that fits. */
bool installation_venv_home(const char *text, char *home, size_t size);

/* The directory of path, as text; false at the root. */
bool installation_parent(const char *path, char parent[PATH_MAX]);
