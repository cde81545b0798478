/* SPDX-License-Identifier: MIT */
/* Any text as /proc/PID/stat, in which the name is the worker's own. */
#include "policy/own.h"
#include "policy/recording_processes.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct process_seen seen;

	if (text == NULL)
		return 0;
	if (process_stat_read(text, &seen)) {
		if (seen.pid <= 0 || memchr(seen.comm, '\0', sizeof(seen.comm)) == NULL)
			abort();
	}
	free(text);
	return 0;
}
