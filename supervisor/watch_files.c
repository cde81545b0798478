/* SPDX-License-Identifier: MIT */
#include "supervisor/watch_files.h"

#include "policy/own.h"
#include "supervisor/cgroup.h"

#include <fcntl.h>
#include <string.h>

const struct watch_row watch_rows[WATCH_FILE_COUNT] = {
	[WATCH_APP_MEMORY_EVENTS] = { WATCH_APP, "memory.events", true, true, false,
				      WATCH_MEMORY_EVENTS },
	[WATCH_APP_MEMORY_EVENTS_LOCAL] = { WATCH_APP, "memory.events.local", true, false, false,
					    0 },
	[WATCH_APP_MEMORY_STAT] = { WATCH_APP, "memory.stat", true, false, false, 0 },
	[WATCH_APP_MEMORY_CURRENT] = { WATCH_APP, "memory.current", true, false, false, 0 },
	[WATCH_APP_MEMORY_PEAK] = { WATCH_APP, "memory.peak", false, false, false,
				    0 }, /* Linux 5.19 */
	[WATCH_APP_SWAP_CURRENT] = { WATCH_APP, "memory.swap.current", false, false, false, 0 },
	[WATCH_APP_PIDS_EVENTS] = { WATCH_APP, "pids.events", true, true, false,
				    WATCH_PIDS_EVENTS },
	[WATCH_APP_MEMORY_PRESSURE] = { WATCH_APP, "memory.pressure", false, true, true,
					WATCH_PRESSURE },
	[WATCH_APP_CPU_PRESSURE] = { WATCH_APP, "cpu.pressure", false, true, true, WATCH_PRESSURE },
	[WATCH_APP_IO_PRESSURE] = { WATCH_APP, "io.pressure", false, true, true, WATCH_PRESSURE },
	[WATCH_APP_CPU_STAT] = { WATCH_APP, "cpu.stat", false, false, false, 0 },
	[WATCH_APP_IO_STAT] = { WATCH_APP, "io.stat", false, false, false, 0 },
	[WATCH_APP_PIDS_CURRENT] = { WATCH_APP, "pids.current", false, false, false, 0 },
	[WATCH_LEAF_MEMORY_CURRENT] = { WATCH_LEAF, "memory.current", true, false, false, 0 },
	[WATCH_LEAF_MEMORY_EVENTS_LOCAL] = { WATCH_LEAF, "memory.events.local", true, false, false,
					     0 },
	[WATCH_LEAF_PIDS_EVENTS] = { WATCH_LEAF, "pids.events", true, true, false,
				     WATCH_PIDS_EVENTS },
	[WATCH_LEAF_CGROUP_EVENTS] = { WATCH_LEAF, "cgroup.events", true, true, false,
				       WATCH_POPULATED },
};

void watch_places_close(struct watch_places *places)
{
	close_and_clear(&places->dirs[WATCH_APP]);
	close_and_clear(&places->dirs[WATCH_LEAF]);
}

struct watch_places watch_places_open(const struct watch *watch)
{
	struct watch_places places = { { -1, -1 } };
	struct error ignored;

	if (watch->on_event == NULL || watch->notifier == NULL)
		return places;
	if (cgroup_open(watch->root, watch->app, &places.dirs[WATCH_APP], &ignored) >= 0)
		(void)cgroup_open(places.dirs[WATCH_APP], watch->leaf, &places.dirs[WATCH_LEAF],
				  &ignored);
	return places;
}

size_t watch_open_ancestors(int app, int fds[static WATCH_ANCESTORS_MAX])
{
	char path[64 + WATCH_ANCESTORS_MAX * 3] = "..";
	size_t count = 0;

	while (count < WATCH_ANCESTORS_MAX) {
		_cleanup_close_ int dir = openat(app, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		int fd = dir >= 0 ? openat(dir, "memory.events.local", O_RDONLY | O_CLOEXEC) : -1;

		if (fd < 0)
			break;
		fds[count++] = fd;
		strncat(path, "/..", sizeof(path) - strlen(path) - 1);
	}
	return count;
}
