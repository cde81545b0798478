/* SPDX-License-Identifier: MIT */
/* Whether what is tested opens as many descriptors as it should, and closes them. */
#pragma once

#include <dirent.h>

/* Those that are open, and three more, each time the same: two names and the listing itself. */
static inline unsigned descriptors_count(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned count = 0;

	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count;
}
