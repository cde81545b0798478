/* SPDX-License-Identifier: MIT */
#include "supervisor/kernel_log.h"

#include "policy/own.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define KERNEL_LOG_PATH	  "/dev/kmsg"
#define RECORD_MAX	  8192	/* CONSOLE_EXT_LOG_MAX: a smaller buffer gets EINVAL */
#define RECORDS_AT_A_TIME 65536 /* an end, should the log be filled as fast as it is read */
#define KILLS_REMEMBERED  32

int kernel_log_open(struct kernel_log *ret, uint64_t after, struct error *err)
{
	_cleanup_close_ int fd = open(KERNEL_LOG_PATH, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	*ret = (struct kernel_log){ .fd = -1, .sequence = after };
	if (fd < 0)
		return error_set(err, ERROR_UNSUPPORTED, errno, "open %s", KERNEL_LOG_PATH);
	if (after == 0 && lseek(fd, 0, SEEK_END) < 0)
		return error_set(err, ERROR_UNSUPPORTED, errno, "seek in %s", KERNEL_LOG_PATH);
	ret->fd = TAKE_FD(fd);
	return 0;
}

void kernel_log_close(struct kernel_log *log)
{
	for (size_t i = 0; i < log->waiting_count; i++)
		free(log->waiting[i]);
	free(log->waiting);
	close_and_clear(&log->fd);
	*log = (struct kernel_log){ .fd = -1, .sequence = log->sequence };
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

/* When there are too many the oldest goes: whoever it was about has not asked in time. */
static void keep_waiting(struct kernel_log *log, const struct kernel_line *line)
{
	struct kernel_line *copy = malloc(sizeof(*copy));

	if (log->waiting == NULL)
		log->waiting = calloc(KERNEL_LOG_WAITING, sizeof(struct kernel_line *));
	if (copy == NULL || log->waiting == NULL) {
		free(copy);
		return;
	}
	if (log->waiting_count == KERNEL_LOG_WAITING) {
		free(log->waiting[0]);
		log->waiting_count--;
		memmove(log->waiting, log->waiting + 1,
			log->waiting_count * sizeof(struct kernel_line *));
	}
	*copy = *line;
	log->waiting[log->waiting_count++] = copy;
}

static void read_on(struct kernel_log *log)
{
	struct kernel_line line;
	char record[RECORD_MAX];

	for (unsigned i = 0; i < RECORDS_AT_A_TIME; i++) {
		ssize_t length = read(log->fd, record, sizeof(record));

		/* EPIPE: records were overwritten before we came; the next read goes on after them
		 */
		if (length < 0 && (errno == EPIPE || errno == EINTR))
			continue;
		if (length <= 0)
			break;
		if (!kernel_line_parse(record, (size_t)length, &line) || !line.is_oom_kill ||
		    (line.sequence != 0 && line.sequence <= log->sequence))
			continue;
		log->sequence = line.sequence;
		keep_waiting(log, &line);
	}
}

size_t kernel_log_read_oom(struct kernel_log *log, const char *cgroup,
			   struct kernel_line *ret_lines, size_t max)
{
	struct victims victims = { 0 };
	size_t count = 0, kept = 0;

	read_on(log);
	for (size_t i = 0; i < log->waiting_count; i++) {
		struct kernel_line *line = log->waiting[i];

		/* never NULL */
		if (line == NULL || !is_ours(line, cgroup, &victims)) {
			log->waiting[kept++] = line;
			continue;
		}
		keep_line(line, ret_lines, max, &count);
		free(line);
	}
	log->waiting_count = kept;
	return count;
}
