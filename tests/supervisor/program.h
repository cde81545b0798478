/* SPDX-License-Identifier: MIT */
/* Where the programs are that a test starts: beside the test's folder in build/, or installed. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM_PATH_MAX 4096

/* False if there is none. */
static inline bool program_find(const char *name, char ret[PROGRAM_PATH_MAX])
{
	static const char *const places[] = { "../", "../../" };
	char self[3000];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return false;
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < 2; i++) {
		snprintf(ret, PROGRAM_PATH_MAX, "%s/%s%s", self, places[i], name);
		if (access(ret, X_OK) == 0)
			return true;
	}
	snprintf(ret, PROGRAM_PATH_MAX, "%s/%s", PYSBX_LIBEXECDIR, name);
	return access(ret, X_OK) == 0;
}
