/* SPDX-License-Identifier: MIT */
#include "supervisor/reclaim.h"

#include "policy/figure.h"
#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- in the child --------------------------------------------------------------------------- */

static bool read_current(int dir, uint64_t *ret)
{
	char text[64];
	struct error ignored;

	if (file_read_at(dir, "memory.current", text, sizeof(text), &ignored) < 0)
		return false;
	*ret = strtoull(text, NULL, 10);
	return true;
}

/* EAGAIN, if it was less, is no error: what came of it is seen in memory.current. */
static int ask_for(int dir, uint64_t bytes, struct error *err)
{
	char text[32];
	int r;

	snprintf(text, sizeof(text), "%" PRIu64, bytes);
	r = file_write_at(dir, "memory.reclaim", text, err);
	return r == -EAGAIN ? 0 : r;
}

/* False: more than that is in use, and can't be given back. */
static bool make_room(int dir, uint64_t limit)
{
	struct error ignored;
	uint64_t current;

	if (!read_current(dir, &current))
		return false;
	if (current <= limit)
		return true;
	(void)ask_for(dir, current - limit, &ignored);
	return read_current(dir, &current) && current <= limit;
}

struct lowering {
	struct limits memory; /* no others than these two are set */
	bool force;
};

static void lower(int dir, const void *argument, char result[static CHORE_RESULT_MAX])
{
	const struct lowering *lowering = argument;
	const struct limits *memory = &lowering->memory;
	struct limit_write writes[LIMIT_WRITES_MAX];
	struct error ignored;
	size_t count;

	(void)result;
	if (memory->memory_max < LIMIT_UNSET && !lowering->force &&
	    !make_room(dir, memory->memory_max))
		return;
	count = limits_writes(memory, NULL, (uint64_t)sysconf(_SC_PAGESIZE), writes);
	for (size_t i = 0; i < count; i++)
		(void)file_write_at(dir, writes[i].file, writes[i].text, &ignored);
}

static void take_back(int dir, const void *argument, char result[static CHORE_RESULT_MAX])
{
	uint64_t bytes = *(const uint64_t *)argument, before = 0, after = 0;
	char asked[QUANTITY_TEXT_MAX], then[QUANTITY_TEXT_MAX], now[QUANTITY_TEXT_MAX];
	struct error err;

	if (!read_current(dir, &before) || ask_for(dir, bytes, &err) < 0) {
		snprintf(result, CHORE_RESULT_MAX, "the kernel takes nothing back: %.*s",
			 CHORE_RESULT_MAX / 2, before > 0 ? err.text : "memory.current");
		return;
	}
	(void)read_current(dir, &after);
	snprintf(result, CHORE_RESULT_MAX, "asked the kernel for %s: memory.current %s, now %s",
		 figure_size(bytes, asked), figure_size(before, then), figure_size(after, now));
}

/* -------------------------------------------------------------------------------------------- */

static int prefixed(int r, struct error *err)
{
	if (r < 0)
		error_prefix(err, "a process for memory.reclaim");
	return r;
}

int reclaim_start(sd_event *event, int root, const char *path, const struct limits *limits,
		  bool force, chore_callback *callback, void *userdata, struct error *err)
{
	struct lowering lowering = { .memory = spec_no_limits, .force = force };
	_cleanup_close_ int dir = -1;
	int r;

	lowering.memory.memory_max = limits->memory_max;
	lowering.memory.memory_high = limits->memory_high;
	/* opened here: one of the same name that is made later is not meant */
	r = cgroup_open(root, path, &dir, err);
	if (r < 0)
		return r;
	return prefixed(chore_start(event, dir, lower, &lowering, RECLAIM_PATIENCE_USEC, callback,
				    userdata, NULL, err),
			err);
}

int reclaim_take_back(sd_event *event, int root, const char *path, uint64_t bytes,
		      chore_callback *callback, void *userdata, struct chore **ret,
		      struct error *err)
{
	_cleanup_close_ int dir = -1;
	int r = cgroup_open(root, path, &dir, err);

	if (r < 0)
		return r;
	return prefixed(chore_start(event, dir, take_back, &bytes, RECLAIM_TAKE_BACK_USEC, callback,
				    userdata, ret, err),
			err);
}
