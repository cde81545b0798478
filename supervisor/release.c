/* SPDX-License-Identifier: MIT */
#include "supervisor/release.h"

#include "policy/own.h"
#include "policy/tripwire.h"
#include "supervisor/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool ends_in(const char *name, const char *ending)
{
	size_t length = strlen(name), end = strlen(ending);

	return length > end && strcmp(name + length - end, ending) == 0;
}

/* Calls visit for each cgroup right below dir. */
static void each_child(int dir, void (*visit)(int child, const char *name))
{
	int copy = fcntl(dir, F_DUPFD_CLOEXEC, 3);
	DIR *stream = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *entry;

	if (stream == NULL) {
		close_and_clear(&copy);
		return;
	}
	rewinddir(stream); /* the place in it is shared with dir */
	while ((entry = readdir(stream)) != NULL) {
		_cleanup_close_ int child = -1;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		child = openat(dir, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (child >= 0)
			visit(child, entry->d_name);
	}
	closedir(stream);
}

/* Without a memory controller there is no such file. */
static void release_leaf(int leaf, const char *name)
{
	struct error ignored;
	(void)name;

	(void)file_write_at(leaf, "memory.high", "max", &ignored);
}

static void release_slice(int slice)
{
	struct error ignored;

	each_child(slice, release_leaf);
	(void)file_write_at(slice, "cgroup.freeze", "0", &ignored);
}

static void release_app(int dir, const char *name)
{
	if (ends_in(name, ".slice"))
		release_slice(dir);
}

static bool read_number(int dir, const char *file, uint64_t *ret)
{
	char text[64], *end;
	struct error ignored;

	if (file_read_at(dir, file, text, sizeof(text), &ignored) < 0)
		return false;
	*ret = strtoull(text, &end, 10);
	return end != text;
}

/* Here a limit of its own can stand: only what is marked as ours is taken away. */
static void release_tenant(int dir)
{
	uint64_t limit, high;
	struct error ignored;

	if (read_number(dir, "memory.max", &limit) && read_number(dir, "memory.high", &high) &&
	    tripwire_is_marked(limit, high))
		(void)file_write_at(dir, "memory.high", "max", &ignored);
	each_child(dir, release_app);
}

static void release_any(int dir, const char *name)
{
	if (ends_in(name, ".tenant"))
		release_tenant(dir);
	else
		release_app(dir, name);
}

void release_apps(int root)
{
	each_child(root, release_any);
}
