/* SPDX-License-Identifier: MIT */
#include "supervisor/kernel_log.h"

#include "policy/own.h"

#include <fcntl.h>
#include <string.h>

#define KERNEL_LOG_PATH	  "/dev/kmsg"
#define RECORD_MAX	  8192	/* CONSOLE_EXT_LOG_MAX: a smaller buffer gets EINVAL */
#define RECORDS_AT_A_TIME 65536 /* an end, should the log be filled as fast as it is read */
#define KILLS_REMEMBERED  32

int kernel_log_open(int *ret_fd, struct error *err)
{
	_cleanup_close_ int fd = open(KERNEL_LOG_PATH, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return error_set(err, ERROR_UNSUPPORTED, errno, "open %s", KERNEL_LOG_PATH);
	if (lseek(fd, 0, SEEK_END) < 0)
		return error_set(err, ERROR_UNSUPPORTED, errno, "seek in %s", KERNEL_LOG_PATH);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* path itself, or a cgroup below it. */
static bool is_at_or_below(const char *path, const char *cgroup)
{
	size_t length = strlen(cgroup);

	if (length == 0) /* unknown: then nothing is ours */
		return false;
	if (length > 0 && cgroup[length - 1] == '/')
		length--;
	return path[0] == '/' && strncmp(path, cgroup, length) == 0 &&
	       (path[length] == '/' || path[length] == '\0');
}

/* The pids that lines of our cgroup have named: the "Killed process" line names no cgroup. */
struct victims {
	int pids[KILLS_REMEMBERED];
	size_t count; /* of all time; the oldest are overwritten */
};

static bool is_ours(const struct kernel_line *line, const char *cgroup, struct victims *victims)
{
	if (!line->is_oom_kill)
		return false;
	if (line->task_memcg[0] != '\0') {
		if (!is_at_or_below(line->task_memcg, cgroup))
			return false;
		victims->pids[victims->count++ % KILLS_REMEMBERED] = line->pid;
		return true;
	}
	for (size_t i = 0; i < victims->count && i < KILLS_REMEMBERED; i++)
		if (victims->pids[i] == line->pid)
			return true;
	return false;
}

/* Appends; when lines[] is full the oldest goes. */
static void keep_line(const struct kernel_line *line, struct kernel_line *lines, size_t max,
		      size_t *count)
{
	if (max == 0)
		return;
	if (*count == max) {
		memmove(lines, lines + 1, (max - 1) * sizeof(*lines));
		*count -= 1;
	}
	lines[(*count)++] = *line;
}

size_t kernel_log_read_oom(int fd, const char *cgroup, struct kernel_line *ret_lines, size_t max)
{
	struct victims victims = { 0 };
	struct kernel_line line;
	char record[RECORD_MAX];
	size_t count = 0;

	for (unsigned i = 0; i < RECORDS_AT_A_TIME; i++) {
		ssize_t length = read(fd, record, sizeof(record));

		/* EPIPE: records were overwritten before we came; the next read goes on after them
		 */
		if (length < 0 && (errno == EPIPE || errno == EINTR))
			continue;
		if (length <= 0)
			break;
		if (kernel_line_parse(record, (size_t)length, &line) &&
		    is_ours(&line, cgroup, &victims))
			keep_line(&line, ret_lines, max, &count);
	}
	return count;
}
