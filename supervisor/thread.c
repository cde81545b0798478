/* SPDX-License-Identifier: MIT */
#include "supervisor/thread.h"

#include "policy/own.h"
#include "supervisor/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <unistd.h>

#define STATUS_MAX 4096

/* The first number behind "\nKEY:\t"; 0 if there is none. */
static long status_number(const char *status, const char *key)
{
	const char *at = strstr(status, key);

	return at != NULL ? strtol(at + strlen(key), NULL, 10) : 0;
}

/* NSpid has a number for each PID namespace, ours first, then the launcher's. A worker that may
 * make namespaces of its own has more behind them. */
static pid_t number_inside(const char *status)
{
	static const char key[] = "\nNSpid:\t";
	const char *at = strstr(status, key);
	char *end;

	if (at == NULL)
		return 0;
	(void)strtol(at + strlen(key), &end, 10);
	return *end == '\t' ? (pid_t)strtol(end + 1, NULL, 10) : 0;
}

/* The link may be read by whoever may trace the process: its own user (ptrace(2), access mode
 * checking). The daemon has no privilege to trace others, so it looks with that user's eyes. */
static ssize_t read_link_as(uid_t uid, gid_t gid, const char *path, char *buffer, size_t size)
{
	int own_gid = setfsgid(gid), own_uid = setfsuid(uid);
	ssize_t n = readlink(path, buffer, size);

	(void)setfsuid((uid_t)own_uid);
	(void)setfsgid((gid_t)own_gid);
	return n;
}

static void describe(struct thread *thread, const char *status)
{
	uid_t uid = (uid_t)status_number(status, "\nUid:\t");
	gid_t gid = (gid_t)status_number(status, "\nGid:\t");
	char path[64];
	ssize_t n;

	thread->process = (pid_t)status_number(status, "\nTgid:\t");
	if (file_read_proc(thread->id, "comm", thread->name, sizeof(thread->name)) > 0)
		thread->name[strcspn(thread->name, "\n")] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)thread->id);
	n = read_link_as(uid, gid, path, thread->executable, sizeof(thread->executable) - 1);
	thread->executable[n > 0 ? n : 0] = '\0';
}

bool thread_find(int leaf, pid_t inside, struct thread *ret)
{
	_cleanup_close_ int fd = openat(leaf, "cgroup.threads", O_RDONLY | O_CLOEXEC);
	_cleanup_fclose_ FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
	char line[32], status[STATUS_MAX];

	if (file == NULL)
		return false;
	(void)TAKE_FD(fd);
	for (int i = 0; i < THREAD_SEARCH_MAX && fgets(line, sizeof(line), file) != NULL; i++) {
		struct thread thread = { .id = (pid_t)strtol(line, NULL, 10) };

		if (file_read_proc(thread.id, "status", status, sizeof(status)) == 0 ||
		    number_inside(status) != inside)
			continue;
		describe(&thread, status);
		*ret = thread;
		return true;
	}
	return false;
}
