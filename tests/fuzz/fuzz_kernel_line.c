/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a record of /dev/kmsg: refused, or taken with all texts printable and terminated;
 * and only the kernel's own facility may report a kill.
 */
#include "policy/kernel_line.h"
#include "policy/own.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void require_printable(const char *text, size_t size)
{
	require(memchr(text, '\0', size) != NULL);
	for (; *text != '\0'; text++)
		require(*text >= ' ' && *text <= '~');
}

/* "003,..." is 3. */
static unsigned priority_of(const char *record, size_t size)
{
	unsigned value = 0;

	for (size_t i = 0; i < size && record[i] != ',' && value < 1000; i++)
		value = value * 10 + (unsigned)(record[i] - '0');
	return value;
}

static void check(const char *record, size_t size)
{
	struct kernel_line line;

	memset(&line, 0x5a, sizeof(line));
	if (!kernel_line_parse(record, size, &line)) {
		require(line.pid == 0x5a5a5a5a);
		return;
	}
	require_printable(line.text, sizeof(line.text));
	require_printable(line.comm, sizeof(line.comm));
	require(memchr(line.task_memcg, '\0', sizeof(line.task_memcg)) != NULL);
	require(memchr(line.oom_memcg, '\0', sizeof(line.oom_memcg)) != NULL);
	require(strchr(line.task_memcg, '\n') == NULL && strchr(line.oom_memcg, '\n') == NULL);
	require(line.is_oom_kill == (line.pid > 0));
	if (line.is_oom_kill)
		require(priority_of(record, size) < 8);
	else
		require(line.comm[0] == '\0' && line.task_memcg[0] == '\0' &&
			line.oom_memcg[0] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* a copy of exactly this size: the sanitizer sees a read beyond it */
	char *record = malloc(size > 0 ? size : 1);

	require(record != NULL);
	if (size > 0)
		memcpy(record, data, size);
	check(record, size);
	free(record);
	return 0;
}
