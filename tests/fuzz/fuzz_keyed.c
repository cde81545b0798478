/* SPDX-License-Identifier: MIT */
/* Any text as memory.events, memory.stat, io.stat or a PSI file. */
#include "policy/keyed.h"
#include "policy/own.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check(const char *text)
{
	const uint64_t untouched = UINT64_C(0x5a5a5a5a5a5a5a5a);
	struct memory_events events;
	struct pressure pressure;
	struct io_totals io;
	struct error err = { 0 };
	uint64_t value = untouched, again = untouched;
	const struct keyed_field fields[] = { { "oom_kill", &value }, { "oom_kill", &again } };
	size_t found = keyed_read(text, fields, ARRAY_SIZE(fields));

	require(found == 0 || found == 2);
	require(value == again && (found == 2 || value == untouched));
	keyed_memory_events(text, &events);
	require(events.oom_kill == (found == 2 ? value : 0));

	keyed_io(text, &io);
	require(io.reads == 0 || strstr(text, "rios=") != NULL);

	memset(&pressure, 0x5a, sizeof(pressure));
	if (keyed_pressure(text, &pressure, &err) < 0) {
		require(err.kind == ERROR_INVALID && pressure.some_total_usec == untouched);
		require(pressure.full_avg10 == 0x5a5a5a5a);
		return;
	}
	require(strstr(text, "some avg10=") != NULL);
	require(pressure.some_avg10 <= 10000 && pressure.some_avg60 <= 10000);
	require(pressure.full_avg10 <= 10000 && pressure.full_avg60 <= 10000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);

	require(text != NULL);
	check(text);
	free(text);
	return 0;
}
