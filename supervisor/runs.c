/* SPDX-License-Identifier: MIT */
#include "supervisor/runs.h"

#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define SWEEP_PATIENCE_MSEC 5000
#define LOOK_AGAIN_MSEC	    10

int runs_register(const char *directory, const char *id, int *ret_fd, struct error *err)
{
	_cleanup_close_ int fd = -1;
	char path[1024], unlocked[1024];
	int r;

	r = file_make_directory(directory, 0700, 0755, err);
	if (r < 0)
		return r;
	/* locked before it has its name: another's sweep must never find it without its lock */
	snprintf(path, sizeof(path), "%s/%s", directory, id);
	snprintf(unlocked, sizeof(unlocked), "%s/.%s", directory, id);
	fd = open(unlocked, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "%s", unlocked);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 ||
	    renameat2(AT_FDCWD, unlocked, AT_FDCWD, path, RENAME_NOREPLACE) < 0) {
		r = error_set(err, ERROR_SYSTEM, errno, "%s", path);
		(void)unlink(unlocked);
		return r;
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int runs_note_cgroup(int fd, const char *path, struct error *err)
{
	size_t length = strlen(path);

	if (pwrite(fd, path, length, 0) != (ssize_t)length)
		return error_set(err, ERROR_SYSTEM, errno, "note the run's cgroup");
	return 0;
}

void runs_unregister(const char *directory, const char *id)
{
	char path[1024];

	snprintf(path, sizeof(path), "%s/%s", directory, id);
	(void)unlink(path);
}

/* A scope is systemd's to remove. Removed by us in the same moment in which it became empty, the
 * notification of that is lost, and systemd keeps the unit for ever. */
static int empty_scope(int parent, const char *name, struct error *err)
{
	_cleanup_close_ int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (dir < 0)
		return errno == ENOENT ? 0 : error_set(err, ERROR_SYSTEM, errno, "open %s", name);
	r = cgroup_kill(dir, err);
	if (r >= 0)
		r = cgroup_wait_empty(dir, SWEEP_PATIENCE_MSEC, err);
	for (int waited = 0; r >= 0 && waited < SWEEP_PATIENCE_MSEC; waited += LOOK_AGAIN_MSEC) {
		if (faccessat(parent, name, F_OK, 0) < 0)
			return 0;
		(void)poll(NULL, 0, LOOK_AGAIN_MSEC);
	}
	return r;
}

static bool is_scope(const char *name)
{
	size_t length = strlen(name), suffix = strlen(".scope");

	return length > suffix && strcmp(name + length - suffix, ".scope") == 0;
}

/* The last path component has to carry the id and lie on cgroup v2: a file with other words in it
 * must not make us remove anything else. */
static int sweep_cgroup(char *path, const char *id, struct error *err)
{
	_cleanup_close_ int parent = -1;
	char *slash = strrchr(path, '/');
	struct statfs fs;

	if (path[0] == '\0')
		return 0;
	if (path[0] != '/' || slash == path || strstr(slash + 1, id) == NULL)
		return error_set(err, ERROR_INVALID, 0, "run %s: notes no cgroup of its own", id);
	*slash = '\0';
	parent = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return errno == ENOENT ? 0 : error_set(err, ERROR_SYSTEM, errno, "open %s", path);
	if (fstatfs(parent, &fs) < 0 || (unsigned long)fs.f_type != CGROUP2_SUPER_MAGIC)
		return error_set(err, ERROR_INVALID, 0, "run %s: %s is not cgroup v2", id, path);
	if (is_scope(slash + 1)) {
		int r = empty_scope(parent, slash + 1, err);

		if (r < 0)
			return r;
	}
	return cgroup_destroy(parent, slash + 1, SWEEP_PATIENCE_MSEC, err);
}

/* 1: swept; 0: alive, or somebody else is at it. */
static int sweep_one(int directory, const char *id, struct error *err)
{
	_cleanup_close_ int fd =
		openat(directory, id, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char path[CGROUP_PATH_MAX];
	int r;

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return 0;
	r = file_read_fd(fd, path, sizeof(path), err);
	if (r >= 0)
		r = sweep_cgroup(path, id, err);
	if (r < 0)
		return r;
	(void)unlinkat(directory, id, 0);
	return 1;
}

int runs_sweep(const char *directory, void (*swept)(const char *id, void *userdata), void *userdata,
	       struct error *err)
{
	DIR *stream = opendir(directory);
	struct dirent *entry;
	int result = 0;

	if (stream == NULL)
		return errno == ENOENT ? 0 : error_set(err, ERROR_SYSTEM, errno, "%s", directory);
	while ((entry = readdir(stream)) != NULL) {
		int r;

		if (entry->d_name[0] == '.')
			continue;
		r = sweep_one(dirfd(stream), entry->d_name, err);
		if (r == 1 && swept != NULL)
			swept(entry->d_name, userdata);
		if (r < 0)
			result = r;
	}
	closedir(stream);
	return result;
}
