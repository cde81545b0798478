/* SPDX-License-Identifier: MIT */
#include "supervisor/release.h"

#include "policy/own.h"
#include "supervisor/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
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

static void release_any(int dir, const char *name)
{
	if (ends_in(name, ".tenant"))
		each_child(dir, release_app);
	else
		release_app(dir, name);
}

void release_apps(int root)
{
	each_child(root, release_any);
}
