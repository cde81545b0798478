/* SPDX-License-Identifier: MIT */
#include "supervisor/cgroup.h"

#include "policy/keyed.h"
#include "policy/own.h"
#include "supervisor/clock.h"
#include "supervisor/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static const struct {
	unsigned bit;
	const char *name;
} controller_names[] = {
	{ CONTROLLER_CPU, "cpu" },
	{ CONTROLLER_IO, "io" },
	{ CONTROLLER_MEMORY, "memory" },
	{ CONTROLLER_PIDS, "pids" },
};

int cgroup_check_mount(struct error *err)
{
	struct statfs fs;

	if (statfs(CGROUP_MOUNT, &fs) < 0)
		return error_set(err, ERROR_UNSUPPORTED, errno,
				 "no cgroup file system at " CGROUP_MOUNT
				 ": mount it with `mount -t cgroup2 none " CGROUP_MOUNT "`");
	if ((unsigned long)fs.f_type != CGROUP2_SUPER_MAGIC)
		return error_set(err, ERROR_UNSUPPORTED, 0,
				 CGROUP_MOUNT
				 " is not cgroup v2, so no limit can be enforced: boot with "
				 "systemd.unified_cgroup_hierarchy=1, or name a cgroup v2 "
				 "directory with --cgroup-root");
	return 0;
}

int cgroup_of_process(pid_t pid, char *ret_path, size_t size, struct error *err)
{
	char name[64] = "/proc/self/cgroup", text[FILE_KERNEL_MAX];
	char *line, *end;
	int r;

	if (pid != 0)
		snprintf(name, sizeof(name), "/proc/%d/cgroup", (int)pid);
	r = file_read_at(AT_FDCWD, name, text, sizeof(text), err);
	if (r < 0)
		return r;
	/* "0::/path": the v2 line; on a hybrid system it stands among the lines of v1 */
	line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
	if (line == NULL)
		return error_set(err, ERROR_UNSUPPORTED, 0, "%s has no cgroup v2 line", name);
	line = strchr(line, '/');
	end = line != NULL ? strchr(line, '\n') : NULL;
	if (end == NULL || (size_t)(end - line) >= size)
		return error_set(err, ERROR_SYSTEM, 0, "%s: malformed or too long", name);
	*end = '\0';
	memcpy(ret_path, line, (size_t)(end - line) + 1);
	return 0;
}

const char *cgroup_path_of_kernel(const char *path)
{
	size_t length = strlen(CGROUP_MOUNT);

	return strncmp(path, CGROUP_MOUNT "/", length + 1) == 0 ? path + length : "";
}

int cgroup_open(int parent, const char *name, int *ret_fd, struct error *err)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "cgroup: open %s", name);
	*ret_fd = fd;
	return 0;
}

int cgroup_make(int parent, const char *name, int *ret_fd, struct error *err)
{
	if (mkdirat(parent, name, 0755) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "cgroup: mkdir %s", name);
	return cgroup_open(parent, name, ret_fd, err);
}

/* Is `word` one of the blank-separated words of text? */
static bool has_word(const char *text, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = text; (at = strstr(at, word)) != NULL; at += length) {
		if ((at == text || at[-1] == ' ') &&
		    (at[length] == ' ' || at[length] == '\n' || at[length] == '\0'))
			return true;
	}
	return false;
}

int cgroup_controllers(int dir, unsigned *ret_controllers, struct error *err)
{
	char available[FILE_KERNEL_MAX];
	unsigned controllers = 0;
	int r = file_read_at(dir, "cgroup.controllers", available, sizeof(available), err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(controller_names); i++)
		if (has_word(available, controller_names[i].name))
			controllers |= controller_names[i].bit;
	*ret_controllers = controllers;
	return 0;
}

int cgroup_enable(int dir, unsigned controllers, const char *where, struct error *err)
{
	char available[FILE_KERNEL_MAX], text[128] = "";
	size_t length = 0;
	int r;

	r = file_read_at(dir, "cgroup.controllers", available, sizeof(available), err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(controller_names); i++) {
		const char *name = controller_names[i].name;

		if ((controllers & controller_names[i].bit) == 0)
			continue;
		if (!has_word(available, name))
			return error_set(
				err, ERROR_UNSUPPORTED, 0,
				"cgroup %s has no %s controller, so its limits cannot be enforced: "
				"enable it in cgroup.subtree_control of the parent, or check that "
				"the kernel has it and cgroup v1 does not hold it",
				where, name);
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s+%s",
					   length > 0 ? " " : "", name);
	}
	if (length == 0)
		return 0;
	return file_write_at(dir, "cgroup.subtree_control", text, err);
}

void cgroup_enable_available(int dir)
{
	unsigned controllers;
	struct error ignored;

	if (cgroup_controllers(dir, &controllers, &ignored) < 0 ||
	    cgroup_enable(dir, controllers, "", &ignored) >= 0)
		return;
	/* one write is all or nothing: a realtime process alone keeps cpu from being enabled */
	for (size_t i = 0; i < ARRAY_SIZE(controller_names); i++)
		(void)cgroup_enable(dir, controllers & controller_names[i].bit, "", &ignored);
}

int cgroup_move(int dir, pid_t pid, struct error *err)
{
	char text[32];

	snprintf(text, sizeof(text), "%d", (int)pid);
	return file_write_at(dir, "cgroup.procs", text, err);
}

static bool text_says_populated(const char *text)
{
	uint64_t populated = 0;
	const struct keyed_field field = { "populated", &populated };

	keyed_read(text, &field, 1);
	return populated != 0;
}

int cgroup_populated(int dir, bool *ret_populated, struct error *err)
{
	char text[FILE_KERNEL_MAX];
	int r = file_read_at(dir, "cgroup.events", text, sizeof(text), err);

	if (r < 0)
		return r;
	*ret_populated = text_says_populated(text);
	return 0;
}

bool cgroup_is_frozen(int dir)
{
	char text[FILE_KERNEL_MAX];
	struct error ignored;

	return file_read_at(dir, "cgroup.events", text, sizeof(text), &ignored) >= 0 &&
	       strstr(text, "frozen 1") != NULL;
}

int cgroup_kill(int dir, struct error *err)
{
	return file_write_at(dir, "cgroup.kill", "1", err);
}

int cgroup_wait_empty(int dir, int timeout_msec, struct error *err)
{
	_cleanup_close_ int fd = openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC);
	int64_t deadline = clock_monotonic_msec() + timeout_msec;
	char text[FILE_KERNEL_MAX];
	int r;

	if (fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "cgroup: open cgroup.events");
	for (;;) {
		struct pollfd poller = { .fd = fd, .events = POLLPRI };
		int64_t left = deadline - clock_monotonic_msec();

		r = file_read_fd(fd, text, sizeof(text), err);
		if (r < 0)
			return r;
		if (!text_says_populated(text))
			return 0;
		if (left <= 0)
			return error_set(err, ERROR_SYSTEM, ETIMEDOUT,
					 "cgroup: processes still there after %d ms", timeout_msec);
		(void)poll(&poller, 1, (int)left);
	}
}

static int remove_tree(int parent, const char *name, unsigned depth, struct error *err)
{
	_cleanup_close_ int dir = -1;
	struct dirent *entry;
	DIR *stream;
	int r, copy;

	if (depth > CGROUP_DEPTH_MAX)
		return error_set(err, ERROR_SYSTEM, ELOOP, "cgroup: %s is too deep", name);
	r = cgroup_open(parent, name, &dir, err);
	if (r < 0)
		return r;
	copy = fcntl(dir, F_DUPFD_CLOEXEC, 3);
	stream = copy >= 0 ? fdopendir(copy) : NULL;
	if (stream == NULL) {
		close_and_clear(&copy);
		return error_set(err, ERROR_SYSTEM, errno, "cgroup: list %s", name);
	}
	while (r >= 0 && (entry = readdir(stream)) != NULL) {
		if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			r = remove_tree(dir, entry->d_name, depth + 1, err);
	}
	closedir(stream);
	if (r < 0)
		return r;
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return error_set(err, ERROR_SYSTEM, errno, "cgroup: rmdir %s", name);
	return 0;
}

int cgroup_destroy(int parent, const char *name, int timeout_msec, struct error *err)
{
	_cleanup_close_ int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (dir < 0 && errno == ENOENT)
		return 0;
	if (dir < 0)
		return error_set(err, ERROR_SYSTEM, errno, "cgroup: open %s", name);
	r = cgroup_kill(dir, err);
	/* rmdir before the zombies are reaped is asking for trouble: wait for "populated 0" */
	if (r >= 0)
		r = cgroup_wait_empty(dir, timeout_msec, err);
	if (r >= 0)
		r = remove_tree(parent, name, 0, err);
	if (r < 0)
		error_prefix(err, "%s", name);
	return r;
}

void cgroup_leave_leaf(int parent, const char *leaf)
{
	struct error ignored;

	(void)file_write_at(parent, "cgroup.subtree_control", "-cpu -io -memory -pids", &ignored);
	if (cgroup_move(parent, getpid(), &ignored) >= 0)
		(void)unlinkat(parent, leaf, AT_REMOVEDIR);
}

int cgroup_each_process(int dir, bool (*visit)(pid_t pid, void *userdata), void *userdata,
			struct error *err)
{
	_cleanup_fclose_ FILE *file = NULL;
	int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	int pid;

	file = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (file == NULL) {
		int r = error_set(err, ERROR_SYSTEM, errno, "cgroup: open cgroup.procs");

		close_and_clear(&fd);
		return r;
	}
	while (fscanf(file, "%d", &pid) == 1) {
		if (pid > 0 && !visit((pid_t)pid, userdata))
			break;
	}
	return 0;
}

struct wanted {
	pid_t pid;
	bool found;
};

static bool is_other(pid_t pid, void *userdata)
{
	struct wanted *wanted = userdata;

	wanted->found = pid == wanted->pid;
	return !wanted->found;
}

bool cgroup_has_process(int dir, pid_t pid)
{
	struct wanted wanted = { .pid = pid };
	struct error ignored;

	return cgroup_each_process(dir, is_other, &wanted, &ignored) >= 0 && wanted.found;
}
